"""A live voice takes its part of a station's session, day and week, as a broadcast does, wherever they are reckoned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from support.services import HERE, House, raises

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import State
from broadcasts.errors import Refused
from controller.db.tables import Cluster, LiveSession, Station
from controller.services import live_sessions, regulating
from controller.services.live_sessions import Wish
from controller.services.regulating import rules_of
from controller.services.views.dry_run import lines

TOMORROW = datetime(2026, 3, 4, tzinfo=VIETNAM)
STATION = f"s-{HERE}"
TEN = 10.03
"""Minutes: the voice of ten fills it but for less than a bulletin."""


def ruled(house: House, **rules: Any) -> None:
    with house.ctx.db.write() as session:
        session.get_one(Station, STATION).rules = rules


def asked(house: House, begins: datetime) -> str:
    wish = Wish("Họp ở nhà văn hóa", 10, begins_at=begins, clusters=(f"cl-{HERE}-1",))
    return live_sessions.ask(house.ctx, house.actor("author"), wish)


def promised(house: House, begins: datetime) -> str:
    """A live voice of ten minutes, approved."""
    name = asked(house, begins)
    live_sessions.decide(house.ctx, house.actor("boss"), name, yes=True)
    return name


def spoken(house: House, name: str, **told: Any) -> None:
    with house.ctx.db.write() as session:
        row = session.get_one(LiveSession, name)
        row.state = "ended"
        for key, value in told.items():
            setattr(row, key, value)


def bulletin(house: House, at: datetime, make: Callable[..., str] | None = None) -> str:
    return (make or house.submit)(
        areas=(), clusters=(f"cl-{HERE}-1",), first_day=at.astimezone(VIETNAM).date(), at=at.astimezone(VIETNAM).time()
    )


@pytest.mark.requirement("R-052")
@pytest.mark.parametrize(
    ("kind", "after"),
    [("session", timedelta(minutes=12)), ("day", timedelta(hours=3)), ("week", timedelta(days=2))],
)
def test_a_voice_that_was_promised_leaves_no_room_for_a_later_bulletin(
    house: House, kind: str, after: timedelta
) -> None:
    ruled(house, **{kind: TEN})
    eight = TOMORROW + timedelta(hours=8)
    promised(house, eight)
    with raises(Refused, f"limit.{kind}"):
        bulletin(house, eight + after)
    bulletin(house, TOMORROW + timedelta(days=7, hours=8))


@pytest.mark.requirement("R-052")
def test_plan_dry_run_and_preview_count_the_voice_alike(house: House) -> None:
    """Handed in before the voice: then the limit and the voice come, and the week says what the plan will hold."""
    waits = bulletin(house, TOMORROW + timedelta(hours=11))
    promised(house, TOMORROW + timedelta(hours=8))
    assert outcomes(house, waiting=True) == ["whole"]
    ruled(house, day=TEN)
    assert outcomes(house, waiting=True) == ["limit_day"]
    with raises(Refused, "limit.day"):
        house.approve(waits)
    with raises(Refused, "limit.day"):
        bulletin(house, TOMORROW + timedelta(hours=12))


@pytest.mark.requirement("R-052")
def test_a_series_is_closed_on_the_day_on_which_somebody_speaks(house: House) -> None:
    """What lies beyond the days that are planned is made later, beside the voice that was approved meanwhile."""
    series = house.on_air(areas=(), clusters=(f"cl-{HERE}-1",), repeat="daily", first_day=TOMORROW.date(), at=time(11))
    far = TOMORROW + timedelta(days=10, hours=8)
    promised(house, far)
    ruled(house, day=TEN)
    house.clock.set(TOMORROW + timedelta(days=4, hours=12))
    house.compile()
    found = {row.start.astimezone(VIETNAM).day: (row.state, row.reason) for row in house.deliveries(series)}
    assert found[far.day] == (State.WITHDRAWN, "limit_day")
    assert {state for day, (state, _) in found.items() if day > 8 and day != far.day} <= {
        str(State.PLANNED),
        str(State.PUBLISHED),
    }


@pytest.mark.requirement("R-052")
def test_what_was_said_counts_as_long_as_it_was_and_a_window_that_nobody_used_not_at_all(house: House) -> None:
    ruled(house, day=TEN)
    eight = TOMORROW + timedelta(hours=8)
    used = promised(house, eight)
    with raises(Refused, "limit.day"):
        bulletin(house, eight + timedelta(hours=3))
    spoken(house, used, begun_at=eight, ended_at=eight + timedelta(minutes=9, seconds=30))
    bulletin(house, eight + timedelta(hours=3))
    spoken(house, used, begun_at=None, ended_at=eight)
    unused = promised(house, eight + timedelta(hours=1))
    with raises(Refused, "limit.day"):
        bulletin(house, eight + timedelta(hours=3))
    house.clock.set(eight + timedelta(hours=1, minutes=10))
    with house.ctx.db.read() as session:
        assert session.get_one(LiveSession, unused).state == "approved"
    bulletin(house, eight + timedelta(hours=3))


@pytest.mark.requirement("R-052")
def test_neither_a_wish_nor_an_emergency_takes_room(house: House) -> None:
    ruled(house, day=TEN)
    eight = TOMORROW + timedelta(hours=8)
    asked(house, eight)
    bulletin(house, eight + timedelta(hours=3))
    loud = promised(house, eight)
    spoken(house, loud, begun_at=eight, ended_at=eight + timedelta(minutes=10), priority=1)
    bulletin(house, eight + timedelta(hours=4))


@pytest.mark.requirement("R-052")
def test_a_new_limit_takes_off_what_comes_after_a_voice_and_says_so_beforehand(house: House) -> None:
    bulletin(house, TOMORROW + timedelta(hours=11), house.on_air)
    house.compile()
    promised(house, TOMORROW + timedelta(hours=8))
    with house.ctx.db.read() as session:
        rules = rules_of(session.get_one(Station, STATION))
    tight = replace(rules, day=10)
    boss = house.actor("boss")
    assert [each.reason for each in regulating.weigh(house.ctx, boss, STATION, tight)] == ["limit_day"]


def outcomes(house: House, *, waiting: bool) -> list[str]:
    with house.ctx.db.read() as session:
        here = [session.get_one(Cluster, f"cl-{HERE}-1")]
        found = lines(session, here, house.now, house.now + timedelta(days=7), waiting=waiting)
    return [line.outcome for line in found]
