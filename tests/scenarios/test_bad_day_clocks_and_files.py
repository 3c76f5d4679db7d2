"""The bad day: clocks that are off, files that arrive broken, a wire that is cut."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from support.bad_day import HOUR, MINUTE, BadDay

from controller.db.tables import UnitFault
from device_sim.faults import Fault

ON_TIME = ["news 07:30:00-07:30:20 at 70"]
FOR_EVER = 10**9


def told_faults(day: BadDay, number: int, code: str) -> list[UnitFault]:
    with day.ctx.db.read() as session:
        query = select(UnitFault).where(UnitFault.unit_id == day.posts[number].name, UnitFault.code == code)
        return list(session.scalars(query))


@pytest.mark.requirement("R-050")
@pytest.mark.parametrize("off_ms", [40_000, -40_000])
def test_a_clock_40_s_off_with_a_link_is_corrected_by_signed_time_and_nobody_hears_it(day: BadDay, off_ms: int) -> None:
    news, post = day.air("news", "07:30"), day.posts[0]
    day.until("07:20")
    day.befall(Fault.CLOCK_STEP, post, amount=off_ms)
    day.wait(30)
    assert day.faults(post) == {"clock_drift"}
    day.until("07:35")
    assert day.heard(post) == ON_TIME
    assert day.page(news, post) == "played: heard"
    assert abs(day.row(news, post).late_ms or 0) < 300
    assert day.faults(post) == set()


@pytest.mark.requirement("R-050")
@pytest.mark.parametrize(
    ("off_ms", "heard", "late_ms"),
    [
        (-40_000, ["news 07:30:40-07:31:00 at 70"], 40_000),
        (40_000, ["news 07:29:20-07:29:40 at 70"], -40_000),
    ],
)
def test_a_clock_40_s_off_without_a_link_sounds_40_s_off_and_is_shown_so(
    day: BadDay, off_ms: int, heard: list[str], late_ms: int
) -> None:
    news, post = day.air("news", "07:30"), day.posts[0]
    day.until("07:20")
    day.befall(Fault.LINK_DOWN, post, lasts=HOUR)
    day.befall(Fault.CLOCK_STEP, post, amount=off_ms)
    day.until("08:19")
    assert day.heard(post) == heard
    assert day.page(news, post) == "ready: unknown"
    day.until("08:21")
    assert day.page(news, post) == "played: heard"
    row = day.row(news, post)
    assert row.late_ms == pytest.approx(late_ms, abs=500)
    assert row.started_at is not None
    assert (row.started_at - row.start).total_seconds() == pytest.approx(late_ms / 1000, abs=0.5)
    assert [abs(int(fault.detail)) for fault in told_faults(day, 0, "clock_drift")] == [pytest.approx(40_000, abs=500)]
    others = {day.row(news, other).late_ms for other in day.posts[1:]}
    assert max(abs(late or 0) for late in others) < 300


def test_the_lateness_of_what_sounds_while_the_link_returns_is_corrected_too(day: BadDay) -> None:
    song, post = day.air("song", "07:30"), day.posts[0]
    day.until("07:20")
    day.befall(Fault.LINK_DOWN, post, lasts=10 * MINUTE + 50_000)
    day.befall(Fault.CLOCK_STEP, post, amount=-40_000)
    day.until("07:35")
    assert day.heard(post) == ["song 07:30:40-07:31:25 at 70"]
    assert day.page(song, post) == "played: heard"
    assert day.row(song, post).late_ms == pytest.approx(40_000, abs=500)


@pytest.mark.requirement("R-030")
def test_a_file_that_is_spoiled_on_the_way_is_fetched_again_and_plays(day: BadDay) -> None:
    post = day.posts[0]
    day.controller.spoils[post.name] = 1
    news = day.air("news", "07:30")
    day.until("07:35")
    assert len([unit for unit, _ in day.controller.downloads if unit == post.name]) == 2
    assert day.heard(post) == ON_TIME
    assert day.page(news, post) == "played: heard"


@pytest.mark.requirement("R-030")
def test_a_file_that_never_arrives_whole_does_not_sound_and_says_why(day: BadDay) -> None:
    post, *others = day.posts
    day.controller.spoils[post.name] = FOR_EVER
    news = day.air("news", "07:30")
    day.until("07:29")
    assert day.page(news, post) == "published: open"
    assert day.faults(post) == {"asset_corrupt"}
    day.until("07:35")
    assert day.heard(post) == []
    assert day.page(news, post) == "failed: not_played (asset_corrupt)"
    assert {day.page(news, other) for other in others} == {"played: heard"}
    day.controller.spoils.clear()
    again = day.air("news", "07:50")
    day.until("07:55")
    assert day.page(again, post) == "played: heard"
    assert day.faults(post) == set()


@pytest.mark.requirement("R-080")
def test_a_cut_wire_is_told_from_silence_by_the_amplifier(day: BadDay) -> None:
    news, post = day.air("news", "07:30"), day.posts[0]
    day.until("07:29")
    day.befall(Fault.WIRE_CUT, post, lasts=30 * MINUTE)
    day.until("07:35")
    assert day.heard(post) == []
    assert day.page(news, post) == "played: failed_to_sound (silent_amplifier)"
    assert day.faults(post) == {"speaker_wire"}
    again = day.air("news", "08:10")
    day.until("08:15")
    assert day.heard(post) == ["news 08:10:00-08:10:20 at 70"]
    assert day.page(again, post) == "played: heard"
    assert day.faults(post) == set()
