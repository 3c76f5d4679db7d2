"""What a rule took off the air is planned again once the rule no longer says so, as long as there is time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.services import HERE, House

from broadcasts.clock import VIETNAM, ManualClock
from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from controller.db.tables import AuditEntry, Delivery, DeliveryMove
from controller.services import approving, composing, precedence, regulating, rescheduling
from controller.services.deliveries import mark_dirty
from controller.services.regulating import Rules
from controller.services.rescheduling import Extent

STATION, UNIT = f"s-{HERE}", f"u-{HERE}-1"
TOMORROW = datetime(2026, 3, 4, tzinfo=VIETNAM)
EVENING: dict[str, Any] = {"first_day": TOMORROW.date(), "at": time(18)}
NOON: dict[str, Any] = {"first_day": TOMORROW.date(), "at": time(12)}
TIGHT = Rules("02/QC-UBND", date(2026, 3, 1), ((1000, 1260),), early="NQ 5/2026")
WIDE = replace(TIGHT, number="03/QC-UBND", hours=((300, 1260),))


def regulate(house: House, *several: Rules) -> None:
    for rules in several:
        revision = regulating.look(house.ctx, house.actor("boss"), STATION).station.regulation_revision
        regulating.change(house.ctx, house.actor("boss"), STATION, rules, revision)


def states(house: House, broadcast: str) -> set[tuple[str, str | None, str | None]]:
    return {(row.state, row.verdict, row.reason) for row in house.deliveries(broadcast)}


def planned(house: House, broadcast: str) -> list[str]:
    """The items of the first unit's plan that are of it."""
    house.compile()
    mine = {row.id for row in house.deliveries(broadcast)}
    return [item.id for item in house.plan(UNIT).items if item.id in mine]


@pytest.mark.requirement("R-032")
@pytest.mark.parametrize("left", [True, False])
def test_a_start_that_a_tighter_regulation_took_off_comes_back_with_a_looser_one_and_both_are_told(
    house: House, left: bool
) -> None:
    noon = house.on_air(**NOON)
    if left:
        assert len(planned(house, noon)) == 1
    regulate(house, TIGHT)
    assert planned(house, noon) == []
    regulate(house, WIDE)
    assert states(house, noon) == {(State.PLANNED, None, None)}
    assert len(planned(house, noon)) == 1
    with house.ctx.db.read() as session:
        moves = session.scalars(select(DeliveryMove).where(DeliveryMove.delivery_id == house.delivery(noon).id)).all()
        assert [(move.after, move.why) for move in moves][-2:] == [
            (State.WITHDRAWN, "quiet_hours"),
            (State.PLANNED, "allowed_again"),
        ]
        log = session.scalars(select(AuditEntry).where(AuditEntry.act == "regulation.change").order_by(AuditEntry.id))
        assert [(line.detail["taken_off"], line.detail["returned"]) for line in log] == [(5, 0), (0, 5)]


def test_within_the_lock_window_nothing_comes_back(house: House) -> None:
    noon = house.on_air(**NOON)
    regulate(house, TIGHT)
    house.clock.set(TOMORROW + timedelta(hours=11, minutes=50, seconds=1))
    regulate(house, WIDE)
    assert {state for state, *_ in states(house, noon)} == {State.WITHDRAWN}


def test_what_a_person_took_off_does_not_come_back_with_the_hours(house: House) -> None:
    gone, left_out = house.on_air(**NOON), house.on_air(**NOON | {"at": time(13)}, repeat="daily")
    regulate(house, TIGHT)
    approving.withdraw(house.ctx, house.actor("boss"), gone)
    at = TOMORROW + timedelta(days=1, hours=13)
    rescheduling.leave_out(house.ctx, house.actor("author"), left_out, Extent.ONE, at, push_now=False)
    regulate(house, WIDE)
    assert {state for state, *_ in states(house, gone)} == {State.WITHDRAWN}
    away = {row.start for row in house.deliveries(left_out) if row.state == State.WITHDRAWN}
    assert away == {at}, "the one that was left out, and no other"


def test_what_an_edit_replaced_does_not_come_back(house: House) -> None:
    noon = house.on_air(**NOON)
    regulate(house, TIGHT)
    with_edit = house.draft(**EVENING)
    composing.submit(house.ctx, house.actor("author"), with_edit, noon)
    regulate(house, WIDE)
    assert {state for state, *_ in states(house, noon)} == {State.WITHDRAWN}


def test_an_approval_that_ended_meanwhile_brings_nothing_back(house: House) -> None:
    broadcast = house.submit(**NOON, repeat="daily")
    actor, until = house.actor("boss"), TOMORROW + timedelta(days=2)
    approving.approve(house.ctx, actor, broadcast, house.seen(broadcast), until=until)
    regulate(house, TIGHT, WIDE)
    back = {row.start for row in house.deliveries(broadcast) if row.state == State.PLANNED}
    assert max(back) == TOMORROW + timedelta(days=1, hours=12)


@pytest.mark.requirement("R-052")
def test_a_limit_that_is_lifted_gives_back_what_it_had_cut_and_a_wider_one_as_much_as_fits(house: House) -> None:
    several = [house.on_air(**EVENING | {"at": time(18, 10 * n)}) for n in range(3)]
    second = house.bulletin.duration_ms / 60_000
    limit = replace(WIDE, day=1)  # one minute holds all of them: nothing is cut
    regulate(house, limit)
    assert all(states(house, each) == {(State.PLANNED, None, None)} for each in several)
    lengthen(house, several, 40)
    assert second < 1
    regulate(house, limit)
    cut = [{state for state, *_ in states(house, each)} for each in several]
    assert cut == [{State.PLANNED}, {State.WITHDRAWN}, {State.WITHDRAWN}]
    regulate(house, replace(limit, day=2))
    cut = [{state for state, *_ in states(house, each)} for each in several]
    assert cut == [{State.PLANNED}, {State.PLANNED}, {State.PLANNED}]


def lengthen(house: House, several: list[str], seconds: int) -> None:
    """As if the recordings lasted so long."""
    with house.ctx.db.write() as session:
        for row in session.scalars(select(Delivery).where(Delivery.broadcast_id.in_(several))):
            row.end = row.start + timedelta(seconds=seconds)


@pytest.mark.requirement("R-032")
def test_a_clock_that_is_set_back_brings_nothing_into_a_plan_that_the_hours_forbid(house: House) -> None:
    """When the hours changed it had begun, by a clock that was a day ahead."""
    noon, evening = house.on_air(**NOON), house.on_air(**EVENING)
    before = house.now
    house.clock.set(TOMORROW + timedelta(hours=12, seconds=1))
    regulate(house, TIGHT)
    house.clock = ManualClock(before)
    house.ctx = replace(house.ctx, clock=house.clock, wall=house.clock)
    assert planned(house, noon) == []
    assert len(planned(house, evening)) == 1


def test_what_comes_back_is_as_loud_as_is_allowed_now(house: House) -> None:
    noon = house.on_air(**NOON)
    regulate(house, TIGHT, replace(WIDE, ceilings=((0, 1440, 33),)))
    assert {row.volume for row in house.deliveries(noon)} == {33}


# --- routing

URGENT: dict[str, Any] = EVENING | {"priority": 2}
TAKEN = f"cl-{HERE}-1"
HOLDER: dict[str, Any] = URGENT | {"areas": (), "clusters": (TAKEN,), "at": time(17, 59, 59)}


def away(house: House, broadcast: str) -> dict[str, str | None]:
    rows = house.deliveries(broadcast)
    return {row.cluster_id.removeprefix(f"cl-{HERE}-"): row.reason for row in rows if row.state == State.WITHDRAWN}


@pytest.mark.requirement("R-014")
def test_what_was_kept_off_by_a_holder_that_is_withdrawn_gets_the_horn_after_all(house: House) -> None:
    holder = house.on_air(**HOLDER)
    partly, all_of_it = (house.on_air(**URGENT | {"routing": each}) for each in ("partial", "all_or_none"))
    assert (away(house, partly), set(away(house, all_of_it))) == ({"1": "busy"}, set("12345"))
    approving.withdraw(house.ctx, house.actor("boss"), holder)
    house.compile()
    assert away(house, partly) == {}
    assert planned(house, partly) != []


@pytest.mark.requirement("R-014")
def test_a_holder_that_is_approved_later_is_counted_too(house: House) -> None:
    whole = house.on_air(**URGENT | {"routing": "all_or_none"})
    house.compile()
    assert away(house, whole) == {}
    house.on_air(**HOLDER)
    house.compile()
    assert away(house, whole) == {"1": "busy"} | dict.fromkeys("2345", "not_all")
    for unit in (UNIT, f"u-{HERE}-2"):
        assert not {item.id for item in house.plan(unit).items} & {row.id for row in house.deliveries(whole)}


def test_within_the_lock_window_routing_stays_as_it_was(house: House) -> None:
    whole = house.on_air(**URGENT | {"routing": "all_or_none"})
    house.clock.set(TOMORROW + timedelta(hours=17, minutes=51))
    house.on_air(**HOLDER, push_now=True)
    house.compile()
    assert away(house, whole) == {}


@pytest.mark.requirement("R-016")
def test_a_decision_about_who_goes_first_settles_routing_again(house: House) -> None:
    holder = house.on_air(**HOLDER)
    partly = house.on_air(**URGENT | {"routing": "stacked", "stack_minutes": 1})
    lengthen(house, [holder], 90)
    house.compile()
    assert away(house, partly) == {"1": "busy_too_long"}
    lengthen(house, [holder], 2)
    with house.ctx.db.write() as session:
        mark_dirty(session, [TAKEN], house.now)
    house.compile()
    assert away(house, partly) == {}, "short enough to wait for"
    clash, *_ = precedence.priority_clashes(house.ctx, house.actor("boss"))
    precedence.decide(house.ctx, house.actor("boss"), clash.station, partly, holder, "Bão")
    lengthen(house, [holder], 90)
    house.compile()
    assert away(house, partly) == {}, "it goes first: nothing is in its way"


def test_settling_again_twice_changes_nothing(house: House) -> None:
    house.on_air(**HOLDER)
    whole = house.on_air(**URGENT | {"routing": "all_or_none"})
    house.compile()
    with house.ctx.db.read() as session:
        before = len(session.scalars(select(DeliveryMove)).all())
    house.clock.advance(60)
    regulate(house, WIDE)
    house.compile()
    with house.ctx.db.read() as session:
        after = list(session.scalars(select(DeliveryMove)).all()[before:])
    assert [move.why for move in after if move.why in ("busy", "not_all", "allowed_again")] == []
    assert {row.verdict for row in house.deliveries(whole)} == {Verdict.NOT_PLAYED}
