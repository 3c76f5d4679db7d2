"""The bad day of a mixed fleet: some poles decode MP3 alone, and nobody in the office need know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import select
from support.audio import tone
from support.bad_day import ROUND_MS, BadDay, Studio
from support.sirens import typed

from broadcasts.errors import Fault
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Asset, Encoding
from controller.services import accounts, emergency_set, library
from controller.services.seeding import PROVINCE
from device_sim import mp3

SIMPLE = 3


@pytest.fixture
def mixed(studio: Studio) -> Iterator[BadDay]:
    day = BadDay(studio, simple=SIMPLE)
    yield day
    day.close()


def encoded(day: BadDay, sha256: str) -> Asset:
    with day.ctx.db.read() as session:
        encoding = session.get_one(Encoding, (sha256, "mp3"))
        return session.get_one(Asset, encoding.encoded_sha256)


def test_a_mixed_fleet_hears_the_same_bulletin_at_the_same_second_and_all_of_it_is_proven(mixed: BadDay) -> None:
    name = mixed.air("news", "07:30")
    mixed.until("07:40")
    second = encoded(mixed, mixed.studio.sounds["news"])
    begins = set()
    for number, post in enumerate(mixed.posts):
        [sound] = post.pole.heard
        simple = number < SIMPLE
        assert sound.asset == (second.sha256 if simple else mixed.studio.sounds["news"])
        assert sound.to_ms - sound.from_ms == pytest.approx(20_000, abs=100)
        assert abs(sound.from_ms - mixed.moment("07:30")) < ROUND_MS
        begins.add(round(sound.from_ms / 1000))
        assert [(row.verdict, row.state) for row in mixed.rows(name, post)] == [("heard", "played")]
    assert len(begins) == 1
    assert all(mixed.studio.sounds["news"] not in post.disk.cache.files for post in mixed.posts[:SIMPLE]), (
        "what they cannot decode they never fetch"
    )


def test_units_are_ready_with_the_file_that_they_were_given(mixed: BadDay) -> None:
    name = mixed.air("news", "09:00")
    mixed.until("07:20")
    assert {row.state for post in mixed.posts for row in mixed.rows(name, post)} == {"ready"}


def test_an_alert_of_the_set_sounds_within_seconds_on_both_kinds_without_a_download(
    mixed: BadDay, tmp_path: Path
) -> None:
    path = tmp_path / "storm.wav"
    path.write_bytes(tone(9, 820))
    with mixed.ctx.db.read() as session:
        actor = accounts.actor_by_name(session, "tinh", mixed.ctx.wall.now())
    sha256 = emergency_set.put(mixed.ctx, actor, PROVINCE[0], AlertKind.STORM, "vi", path, path.name).sha256
    mixed.until("07:20")
    second = encoded(mixed, sha256)
    mixed.controller.closed = True
    mixed.until("07:30")
    word, lasts = typed(mixed.ctx, mixed.on_duty, PROVINCE[0]), timedelta(minutes=3)
    emergency_set.sound(mixed.ctx, mixed.on_duty, PROVINCE[0], AlertKind.STORM, "bão", lasts, confirmed=word)
    mixed.until("07:36")
    for number, post in enumerate(mixed.posts):
        [sound] = post.pole.heard
        assert sound.asset == (second.sha256 if number < SIMPLE else sha256)
        assert 0 < sound.from_ms - mixed.moment("07:30") < 5_000


def test_an_alert_with_a_new_recording_reaches_simple_units_as_soon_as_it_is_written_for_them(mixed: BadDay) -> None:
    mixed.until("07:30")
    mixed.alert(lasts=timedelta(minutes=3))
    mixed.until("07:36")
    second = encoded(mixed, mixed.studio.sounds["siren"])
    heard = [[sound.asset for sound in post.pole.heard] for post in mixed.posts]
    assert heard[:SIMPLE] == [[second.sha256]] * SIMPLE
    assert heard[SIMPLE:] == [[mixed.studio.sounds["siren"]]] * (len(mixed.posts) - SIMPLE)


def test_a_plan_without_the_encoding_waits_for_it_and_names_nothing_that_the_unit_cannot_play(
    mixed: BadDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(sha256: str, codec: str) -> NoReturn:
        raise Fault("storage.full")

    monkeypatch.setattr(mixed.ctx.audio, "encode", full)
    name = mixed.air("news", "07:30")
    mixed.until("07:20")
    states = [[row.state for row in mixed.rows(name, post)] for post in mixed.posts]
    assert states == [["planned"]] * SIMPLE + [["ready"]] * (len(mixed.posts) - SIMPLE)
    assert [post for post in mixed.posts if "no_encoding" in mixed.faults(post)] == mixed.posts[:SIMPLE]
    monkeypatch.undo()
    mixed.until("07:29")
    assert {row.state for post in mixed.posts for row in mixed.rows(name, post)} == {"ready"}
    assert not any("no_encoding" in mixed.faults(post) for post in mixed.posts)


def test_the_encoding_is_as_long_as_what_was_approved_and_one_file_serves_all(mixed: BadDay) -> None:
    mixed.air("news", "07:30")
    mixed.air("song", "07:50")
    mixed.until("08:00")
    with mixed.ctx.db.read() as session:
        rows = session.execute(select(Encoding.asset_sha256, Encoding.encoded_sha256)).all()
        assert len(rows) == 2
        for first, second in rows:
            asset, other = library.find(session, first), library.find(session, second)
            assert abs(asset.duration_ms - other.duration_ms) <= 1
            found = mp3.length_ms(mixed.ctx.audio.path(second).read_bytes())
            assert found is not None
            assert abs(found - asset.duration_ms) <= 60
