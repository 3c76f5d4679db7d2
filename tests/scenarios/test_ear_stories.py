"""Proof by ear, told by what a villager below the pole hears, and by what the page says of it.

Of the five poles of a commune three have an ear on the line to the horns, one a microphone, one none.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from support.audio import talk
from support.bad_day import HOUR, BadDay, driver

from broadcasts.errors import Refused
from controller.db.tables import Command, Delivery, EnvelopePart, Hearing
from controller.services import accounts, clipping, library
from controller.services.rights import Actor
from device_sim.ear import STRANGER
from device_sim.faults import Fault
from device_sim.world import Post

SECONDS = 60
LINE, LINE_TOO, MICROPHONE, LINE_THREE, NONE = range(5)
"""The poles of the first commune."""


@pytest.fixture
def day(open_day: Callable[..., BadDay], tmp_path: Path) -> BadDay:
    """With a bulletin of a minute that is more than a tone."""
    found = open_day()
    path = tmp_path / "talk.wav"
    path.write_bytes(talk(SECONDS, 1))
    found.studio.sounds["talk"] = library.add_recording(found.ctx, found.author, path, path.name).sha256
    return found


def hearing(day: BadDay, broadcast: str, post: Post) -> Hearing | None:
    name = day.row(broadcast, post).id
    with day.ctx.db.read() as session:
        return session.get(Hearing, name)


def answer(day: BadDay, broadcast: str, post: Post) -> str:
    """`yes matched line_out`, or `-`."""
    row = hearing(day, broadcast, post)
    return "-" if row is None or row.answer is None else f"{row.answer} {row.why} {row.source}"


def technician(day: BadDay) -> Actor:
    with day.ctx.db.read() as session:
        return accounts.actor_by_name(session, "kythuat", day.ctx.wall.now())


def test_three_kinds_of_poles_are_heard_and_the_page_says_by_what(day: BadDay) -> None:
    name = day.air("talk", "07:30")
    day.until("07:33")
    assert [post.config.ear for post in day.posts[:5]] == ["line_out", "line_out", "microphone", "line_out", "none"]
    for post in day.posts:
        assert day.heard(post) == ["talk 07:30:00-07:31:00 at 70"]
    assert day.pages(name) == {"played: heard"}
    assert [answer(day, name, post) for post in day.posts[:5]] == [
        "yes matched line_out", "yes matched line_out", "yes matched microphone", "yes matched line_out", "-",
    ]  # fmt: skip


def test_a_wire_that_is_cut_in_the_middle_is_told_though_the_amplifier_drew_enough(day: BadDay) -> None:
    name, poles = day.air("talk", "07:30"), (day.posts[LINE], day.posts[MICROPHONE], day.posts[NONE])
    day.until("07:30:40")
    for post in poles:
        day.befall(Fault.WIRE_CUT, post, lasts=HOUR)
    day.until("07:33")
    for post in poles:
        assert day.heard(post) == ["talk 07:30:00-07:30:40 at 70"]
    assert [day.page(name, post) for post in poles] == [
        "played: heard (ear_partly)", "played: heard (ear_partly)", "played: heard",
    ]  # fmt: skip
    row = hearing(day, name, poles[0])
    assert row is not None
    assert 0.5 < row.heard_ms / (SECONDS * 1000) < 0.8
    assert [heard for _, _, heard in row.stretches] == sorted((heard for _, _, heard in row.stretches), reverse=True)


def test_a_wire_that_is_cut_early_means_that_it_failed_to_sound(day: BadDay) -> None:
    name, post = day.air("talk", "07:30"), day.posts[LINE]
    day.until("07:30:15")
    day.befall(Fault.WIRE_CUT, post, lasts=HOUR)
    day.until("07:33")
    assert day.heard(post) == ["talk 07:30:00-07:30:15 at 70"]
    assert day.page(name, post).startswith("played: failed_to_sound")


def test_another_programme_under_the_right_name_is_noticed_by_ears_alone(day: BadDay) -> None:
    poles = (day.posts[LINE], day.posts[MICROPHONE], day.posts[NONE])
    for post in poles:
        day.befall(Fault.FILES_SWAPPED, post, lasts=HOUR)
    name = day.air("talk", "07:30")
    day.until("07:33")
    for post in poles:
        assert [sound.asset for sound in post.pole.heard] == [STRANGER]
    assert [day.page(name, post) for post in poles] == [
        "played: failed_to_sound (ear_other)", "played: failed_to_sound (ear_other)", "played: heard",
    ]  # fmt: skip


def test_a_louder_neighbour_drowns_us_below_a_microphone_and_not_on_the_line(day: BadDay) -> None:
    for post in day.posts[:5]:
        day.befall(Fault.NEIGHBOUR_LOUD, post, lasts=HOUR)
    name = day.air("talk", "07:30")
    day.until("07:33")
    assert day.page(name, day.posts[MICROPHONE]) == "played: failed_to_sound (ear_other)"
    assert day.page(name, day.posts[LINE]) == "played: heard"


def test_a_dead_ear_leaves_the_word_to_the_amplifier(day: BadDay) -> None:
    for post in day.posts[:5]:
        day.befall(Fault.EAR_BROKEN, post, lasts=HOUR)
    name = day.air("talk", "07:30")
    day.until("07:33")
    assert day.pages(name) == {"played: heard"}
    assert answer(day, name, day.posts[MICROPHONE]) == "unknown silent microphone"
    assert answer(day, name, day.posts[LINE]) == "no silent line_out"


def test_a_contact_that_comes_and_goes_is_seen_in_the_stretches(day: BadDay) -> None:
    name, post = day.air("talk", "07:30"), day.posts[LINE]
    day.befall(Fault.WIRE_LOOSE, post, lasts=HOUR)
    day.until("07:33")
    assert len(day.heard(post)) >= 2
    row = hearing(day, name, post)
    assert row is not None
    assert {heard for _, _, heard in row.stretches} == {0, 1}


def test_what_a_pole_heard_while_it_was_offline_changes_the_page_days_later(day: BadDay) -> None:
    post = day.posts[LINE]
    name = day.air("talk", "07:30")
    day.until("07:20")
    day.befall(Fault.FILES_SWAPPED, post, lasts=HOUR)
    day.befall(Fault.DAY_OFFLINE, post, lasts=30 * HOUR)
    day.until("09:00")
    assert day.page(name, post) == "ready: unknown"
    day.until("15:00", day=1)
    assert day.page(name, post) == "played: failed_to_sound (ear_other)"


@pytest.mark.requirement("R-081")
def test_ten_seconds_are_compared_and_no_sound_of_the_street_is_left_anywhere(day: BadDay) -> None:
    name, post = day.air("talk", "07:30"), day.posts[MICROPHONE]
    said: list[bytes] = []
    through = day.controller.receive

    def receive(topic: str, payload: bytes, retained: bool, now: datetime) -> None:
        if topic.endswith("/out/clip"):
            said.append(payload)
        through(topic, payload, retained, now)

    day.controller.receive = receive  # type: ignore[method-assign]
    day.until("07:30:10")
    delivery = day.row(name, post).id
    clipping.ask(day.ctx, technician(day), delivery)
    day.until("07:33")
    row = hearing(day, name, post)
    assert row is not None
    assert (row.clip_answer, row.clip_source, row.clip_signed) == ("yes", "microphone", True)
    assert len(said) == 1, "the clip travelled once"
    body = said[0].split(b".")[1]
    sound = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)).split(b'"data":"')[1][:200]
    with driver(day.ctx.db) as connection:
        assert sound not in connection.serialize(), "a clip is in the database"
    assert not len(day.ctx.clips)
    assert not any(sound in frame for frame in post.disk.journal.frames), "a clip is on the unit's disk"
    for path in (each for each in day.studio.folder.rglob("*") if each.is_file()):
        assert sound not in path.read_bytes(), path


def test_outside_a_play_nobody_listens(day: BadDay) -> None:
    name, post = day.air("talk", "07:30"), day.posts[MICROPHONE]
    delivery = day.row(name, post).id
    with pytest.raises(Refused, match=r"clip\.not_playing"):
        clipping.ask(day.ctx, technician(day), delivery)
    day.until("07:30:55")
    with pytest.raises(Refused, match=r"clip\.not_playing"):
        clipping.ask(day.ctx, technician(day), delivery)
    # Even a command that the unit believes is not obeyed when the item does not sound.
    day.until("07:40")
    with day.ctx.db.write() as session:
        row = session.get_one(Delivery, delivery)
        clipping.enter(day.ctx, session, row, timedelta(seconds=5), "loa", day.ctx.clock.now())
    day.ctx.wake()
    day.until("07:43")
    with day.ctx.db.read() as session:
        told = session.scalars(select(Command).where(Command.unit_id == post.name)).one()
        assert (told.done, told.detail) == (False, "missed")
        row_ = session.get_one(Hearing, delivery)
        assert row_.clip_answer is None


def test_sampling_asks_every_pole_with_an_ear_once_when_every_play_is_sampled(day: BadDay) -> None:
    object.__setattr__(day.ctx, "clips_per_mille", 1000)
    day.air("song", "07:10")  # so that it is known who has an ear
    name = day.air("talk", "07:30")
    day.until("07:12")
    day.ctx.wake()
    day.until("07:35")
    with day.ctx.db.read() as session:
        asked = session.scalars(select(Command)).all()
    mine = {day.row(name, post).id for post in day.posts if post.config.ear != "none"}
    assert {each.args["item"] for each in asked} >= mine
    assert len([each for each in asked if each.args["item"] in mine]) == len(mine) == 8
    assert {each.issued_by for each in asked} == {"loa"}
    for post in day.posts:
        row = hearing(day, name, post)
        assert (row.clip_answer if row is not None else None) == (None if post.config.ear == "none" else "yes")


def test_the_journal_keeps_what_was_heard_without_its_bytes_and_old_envelopes_go(day: BadDay) -> None:
    name, post = day.air("talk", "07:30"), day.posts[LINE]
    day.until("07:33")
    delivery = day.row(name, post).id
    entry = next(row for row in day.journal(post, delivery) if row.kind == "envelope")
    assert "data" not in entry.entry
    assert entry.entry["frames"] == SECONDS * 1000 // 256
    with day.ctx.db.read() as session:
        part = session.scalars(select(EnvelopePart).where(EnvelopePart.delivery_id == delivery)).one()
    assert len(part.data) == part.frames
    object.__setattr__(day.ctx, "ear_keep", timedelta(hours=1))
    day.until("15:00", day=0)
    day.ctx.wake()
    day.wait(5)
    with day.ctx.db.read() as session:
        assert session.scalars(select(EnvelopePart).where(EnvelopePart.delivery_id == delivery)).first() is None
    assert answer(day, name, post) == "yes matched line_out"
