"""Hours, limits, neighbours: what stops a draft, what asks again, what is only said."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.services import HERE, House, raises

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import State
from broadcasts.domain.model import Pattern
from broadcasts.errors import Refused
from controller.db.tables import AuditEntry, Cluster, Station
from controller.services import approving, composing, copying
from controller.services.airtime import Airtime

TOMORROW = datetime(2026, 3, 4, tzinfo=VIETNAM)
NIGHT = {"first_day": TOMORROW.date(), "at": time(3, 15)}


def ruled(house: House, **rules: Any) -> None:
    """The station HERE as its regulation says; `hours` among them."""
    with house.ctx.db.write() as session:
        station = session.get_one(Station, f"s-{HERE}")
        station.hours = rules.pop("hours", station.hours)
        station.rules = {**station.rules, **rules}


def around_the_clock(house: House) -> None:
    ruled(house, hours=[[0, 1440]])


def air(house: House, **changed: Any) -> Airtime:
    return composing.preview(house.ctx, house.actor("author"), house.draft(**changed)).air


@pytest.mark.requirement("R-032", "R-051")
def test_a_wrong_hour_is_refused_outside_the_allowed_ones(house: House) -> None:
    with raises(Refused, "time.quiet"):
        house.submit(**NIGHT)
    asked = air(house, **NIGHT).unusual
    assert asked is not None
    with raises(Refused, "time.quiet"):
        house.submit(**NIGHT, unusual=asked.mark)


@pytest.mark.requirement("R-053")
def test_a_copy_does_not_take_the_confirmed_hour_along(house: House) -> None:
    around_the_clock(house)
    asked = air(house, **NIGHT).unusual
    assert asked is not None
    broadcast = house.submit(**NIGHT, unusual=asked.mark)
    approving.approve(house.ctx, house.actor("boss"), broadcast, house.seen(broadcast), asked.mark)
    author, day = house.actor("author"), TOMORROW.date()
    (found,) = copying.preview_copy(house.ctx, author, day, 1, day + timedelta(days=7))
    assert "time.unusual" in [each.key for each in found.problems]
    with raises(Refused, "time.unusual"):
        copying.copy(house.ctx, author, day, 1, day + timedelta(days=7))


@pytest.mark.requirement("R-053")
def test_an_allowed_but_unusual_hour_is_confirmed_by_the_author_and_again_by_the_approver(house: House) -> None:
    around_the_clock(house)
    with raises(Refused, "time.unusual"):
        house.submit(**NIGHT)
    asked = air(house, **NIGHT).unusual
    assert asked is not None
    assert asked.starts == (TOMORROW + timedelta(hours=3, minutes=15),)
    assert len(asked.clusters) == 5
    broadcast = house.submit(**NIGHT, unusual=asked.mark)
    with raises(Refused, "time.unusual"):
        house.approve(broadcast)
    seen = house.seen(broadcast)
    approving.approve(house.ctx, house.actor("boss"), broadcast, seen, asked.mark)
    assert {each.state for each in house.deliveries(broadcast)} == {State.PLANNED}
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.about == broadcast).order_by(AuditEntry.id))
        assert [(line.act, line.detail["unusual"]) for line in acts if "unusual" in line.detail] == [
            ("broadcast.submit", asked.mark),
            ("broadcast.approve", asked.mark),
        ]


def test_another_hour_or_one_cluster_more_is_asked_about_again(house: House) -> None:
    around_the_clock(house)
    asked = air(house, **NIGHT).unusual
    assert asked is not None
    with raises(Refused, "time.unusual"):
        house.submit(**NIGHT | {"at": time(3, 20)}, unusual=asked.mark)
    one = NIGHT | {"areas": (), "clusters": (f"cl-{HERE}-1",)}
    with raises(Refused, "time.unusual"):
        house.submit(**one, unusual=asked.mark)
    alone = air(house, **one).unusual
    assert alone is not None
    with raises(Refused, "time.unusual"):
        house.submit(**NIGHT, unusual=alone.mark)


def test_what_runs_on_past_the_normal_hours_is_unusual_and_what_a_station_calls_normal_is_not(house: House) -> None:
    around_the_clock(house)
    assert air(house, at=time(20, 59, 59)).unusual is not None
    assert air(house, at=time(20, 59)).unusual is None
    ruled(house, normal=[[0, 1440]])
    assert air(house, **NIGHT).unusual is None


def test_the_weekend_has_its_own_hours(house: House) -> None:
    ruled(house, weekend=[[8 * 60, 10 * 60]])
    saturday = TOMORROW.date() + timedelta(days=3)
    with raises(Refused, "time.quiet"):
        house.submit(first_day=saturday, at=time(7))
    house.submit(first_day=saturday, at=time(8))
    house.submit(at=time(17), first_day=TOMORROW.date())


@pytest.mark.requirement("R-052")
@pytest.mark.parametrize(("kind", "hours"), [("day", 6), ("week", 30)])
def test_a_day_and_a_week_hold_no_more_than_their_limit(house: House, kind: str, hours: int) -> None:
    ruled(house, **{kind: 5 / 60})  # five seconds: two recordings of two seconds and a little
    house.on_air(first_day=TOMORROW.date(), at=time(8))
    house.on_air(first_day=TOMORROW.date(), at=time(9))
    third = TOMORROW + timedelta(hours=8 + hours)
    with raises(Refused, f"limit.{kind}"):
        house.submit(first_day=third.date(), at=third.time())
    house.submit(first_day=TOMORROW.date() + timedelta(days=7), at=time(8))


def test_what_no_longer_fits_when_it_is_made_is_closed_with_the_reason(house: House) -> None:
    """The limit came after the approver said yes to a series that goes on for weeks."""
    series = house.on_air(repeat="daily", first_day=TOMORROW.date(), at=time(8))
    ruled(house, day=0.01)
    house.clock.set(house.now + timedelta(days=3))
    house.compile()
    newest = house.deliveries(series)[-1]
    assert (newest.state, newest.reason) == (State.WITHDRAWN, "limit_day")


@pytest.mark.requirement("R-054")
def test_last_evenings_recording_at_dawn_is_said_to_be_a_repeat(house: House) -> None:
    evening = TOMORROW + timedelta(hours=18)
    house.on_air(first_day=evening.date(), at=time(18))
    (note,) = air(house, first_day=evening.date() + timedelta(days=1), at=time(5, 30)).again
    assert (note.evening, note.morning - note.evening, note.clusters) == (evening, timedelta(hours=11.5), 5)
    assert not air(house, first_day=evening.date() + timedelta(days=1), at=time(11)).again
    other = house.other.sha256
    assert not air(house, first_day=evening.date() + timedelta(days=1), at=time(5, 30), asset=other).again


def test_a_series_that_meets_itself_at_dawn_is_said_too(house: House) -> None:
    evening = TOMORROW + timedelta(hours=18)
    again = {"first_day": TOMORROW.date(), "at": time(18)}
    dawn = Pattern(extra=(evening + timedelta(hours=12),))
    assert len(air(house, **again, pattern=dawn).again) == 1


@pytest.mark.requirement("R-055")
def test_a_pole_next_door_that_says_something_else_is_shown_with_its_distance(house: House) -> None:
    with house.ctx.db.write() as session:
        first, second = session.get_one(Cluster, f"cl-{HERE}-1"), session.get_one(Cluster, f"cl-{HERE}-2")
        first.latitude, first.longitude = 9.6, 106.1
        second.latitude, second.longitude = 9.6018, 106.1
    house.on_air(areas=(), clusters=(f"cl-{HERE}-2",), title="Tin chiều")
    beside = {"areas": (), "clusters": (f"cl-{HERE}-1",)}
    assert not air(house, **beside).overlaps, "the same recording at the same second is one voice"
    (note,) = air(house, **beside, asset=house.other.sha256).overlaps
    assert (note.cluster, note.other, note.metres, note.title) == (first.name, second.name, 200, "Tin chiều")
    assert not air(house, **beside, at=time(19), asset=house.other.sha256).overlaps


def test_an_edit_says_what_it_adds_takes_away_and_moves(house: House) -> None:
    broadcast = house.on_air(first_day=TOMORROW.date(), at=time(8))
    draft = house.draft(first_day=TOMORROW.date(), at=time(9), areas=(), clusters=(f"cl-{HERE}-1",))
    seen = composing.preview(house.ctx, house.actor("author"), draft, broadcast)
    told = [(each.kind, each.was, each.at, len(each.clusters)) for each in seen.air.changes]
    eight, nine = TOMORROW + timedelta(hours=8), TOMORROW + timedelta(hours=9)
    assert told == [("removed", eight, None, 4), ("moved", eight, nine, 1)]


def test_an_edit_of_one_start_of_a_series_leaves_the_others_out_of_the_difference(house: House) -> None:
    series = house.on_air(repeat="daily", first_day=TOMORROW.date(), at=time(8))
    draft = house.draft(first_day=TOMORROW.date(), at=time(9))
    eight = TOMORROW + timedelta(hours=8)
    part = (eight, eight + timedelta(seconds=1))
    seen = composing.preview(house.ctx, house.actor("author"), draft, series, part)
    assert [(each.kind, each.was, len(each.clusters)) for each in seen.air.changes] == [("moved", eight, 5)]
