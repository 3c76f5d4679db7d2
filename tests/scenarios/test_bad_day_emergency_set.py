"""The bad day: an emergency for which nothing can be downloaded any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support.audio import tone
from support.bad_day import MINUTE, BadDay
from support.sirens import typed

from broadcasts.wire import topics
from broadcasts.wire.alert import AlertKind
from controller.db.tables import ScopeDocument
from controller.services import accounts, emergency_set
from controller.services.seeding import PROVINCE
from device_sim.faults import Fault


def preload(day: BadDay, folder: Path) -> str:
    """The province says what a storm sounds like; every pole holds it by the time the alert comes."""
    path = folder / "storm.wav"
    path.write_bytes(tone(9, 820))
    with day.ctx.db.read() as session:
        actor = accounts.actor_by_name(session, "tinh", day.ctx.wall.now())
    sha256 = emergency_set.put(day.ctx, actor, PROVINCE[0], AlertKind.STORM, "vi", path, path.name).sha256
    day.studio.sounds["storm"] = sha256
    day.until("07:20")
    assert all(sha256 in post.disk.cache.files for post in day.posts), "and nothing has happened yet"
    return sha256


def warn(day: BadDay, lasts: timedelta = timedelta(minutes=3)) -> None:
    word = typed(day.ctx, day.on_duty, PROVINCE[0])
    emergency_set.sound(day.ctx, day.on_duty, PROVINCE[0], AlertKind.STORM, "bão", lasts, confirmed=word)


@pytest.mark.requirement("R-144")
def test_an_alert_of_the_set_sounds_within_seconds_where_no_file_can_be_fetched(day: BadDay, tmp_path: Path) -> None:
    preload(day, tmp_path)
    day.controller.closed = True
    before = len(day.controller.downloads)
    day.until("07:30")
    warn(day)
    day.until("07:40")
    for post in day.posts:
        [sound] = post.pole.heard
        assert sound.asset == day.studio.sounds["storm"]
        assert 0 < sound.from_ms - day.moment("07:30") < 5_000
        assert sound.to_ms - sound.from_ms == pytest.approx(9_000, abs=100)
    assert len(day.controller.downloads) == before, "nobody even asked"


def test_an_alert_with_a_new_recording_needs_a_file_and_says_so_when_there_is_none(day: BadDay, tmp_path: Path) -> None:
    preload(day, tmp_path)
    day.controller.closed = True
    day.until("07:30")
    day.alert(lasts=timedelta(minutes=3))
    day.until("07:50")
    assert all(post.pole.heard == [] for post in day.posts)
    told = {entry.entry["why"] for post in day.posts for entry in day.journal(post) if entry.kind == "skipped"}
    assert told == {"no_asset"}


def test_a_pole_without_a_link_sounds_an_alert_that_reaches_it_another_way(day: BadDay, tmp_path: Path) -> None:
    preload(day, tmp_path)
    alone = day.posts[0]
    day.befall(Fault.LINK_DOWN, alone, lasts=60 * MINUTE)
    day.until("07:30")
    warn(day)
    day.wait(10)
    assert alone.pole.heard == []
    with day.ctx.db.read() as session:
        document = session.get_one(ScopeDocument, PROVINCE[0]).document
    day.smuggle(alone, topics.to_scope(PROVINCE[0], topics.ScopeTopic.ALERT), document)
    day.until("07:40")
    assert [sound.asset for sound in alone.pole.heard] == [day.studio.sounds["storm"]]


def test_what_left_the_set_is_not_wanted_any_more(day: BadDay, tmp_path: Path) -> None:
    sha256 = preload(day, tmp_path)
    with day.ctx.db.read() as session:
        actor = accounts.actor_by_name(session, "tinh", day.ctx.wall.now())
    emergency_set.remove(day.ctx, actor, PROVINCE[0], AlertKind.STORM, "vi")
    day.until("07:30")
    assert all(post.unit is not None and sha256 not in post.unit.cache.held() for post in day.posts)
