"""Who still holds what was taken off the air."""

from __future__ import annotations

import pytest
from support.services import HERE, House

from broadcasts.domain.presence import Presence
from controller.db.tables import UnitStatus
from controller.services import approving, composing
from controller.services.views.holders import Holders, holders

UNITS = [f"u-{HERE}-{number}" for number in range(1, 6)]


def seen(house: House, broadcast: str, by: str = "boss") -> Holders:
    with house.ctx.db.read() as session:
        return holders(session, house.actor(by), broadcast, house.now)


def follow(house: House, *units: str) -> None:
    """These units report the plan that stands."""
    with house.ctx.db.write() as session:
        for unit in units:
            status = session.get(UnitStatus, unit) or UnitStatus(unit_id=unit)
            status.plan_version, status.connected = house.stored_plan(unit).version, True
            status.last_sign = house.now
            session.add(status)


def on_air(house: House) -> str:
    broadcast = house.on_air()
    house.compile()
    follow(house, *UNITS)
    return broadcast


@pytest.mark.requirement("R-056")
def test_a_withdrawal_counts_down_as_units_report_the_plan_without_it(house: House) -> None:
    broadcast = on_air(house)
    assert seen(house, broadcast) == Holders(0, [])
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    assert (seen(house, broadcast).all, len(seen(house, broadcast).still)) == (5, 5)
    house.clock.advance(60)
    house.compile()
    follow(house, *UNITS[:3])
    found = seen(house, broadcast)
    assert (found.all, [each.unit for each in found.still]) == (5, UNITS[3:])
    follow(house, *UNITS)
    assert seen(house, broadcast) == Holders(5, [])


@pytest.mark.requirement("R-056")
def test_who_still_holds_it_is_named_with_last_contact_next_start_and_own_end(house: House) -> None:
    broadcast = on_air(house)
    told = house.now
    delivery = house.delivery(broadcast)
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    house.clock.advance(3600)
    one = seen(house, broadcast).still[0]
    assert (one.unit, one.last_sign, one.certain, one.times) == (UNITS[0], told, True, 1)
    assert one.presence is Presence.SILENT
    assert (one.next, one.until) == (delivery.start, delivery.end)
    house.clock.set(delivery.end)
    assert seen(house, broadcast) == Holders(0, [])


def test_a_unit_that_confirmed_once_is_not_counted_again_when_something_else_changes(house: House) -> None:
    broadcast = on_air(house)
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    house.clock.advance(1)
    house.compile()
    follow(house, *UNITS)
    house.on_air(title="Tin khác")
    house.clock.advance(1)
    house.compile()
    assert seen(house, broadcast).still == []


def test_after_an_edit_those_are_named_that_will_play_the_old_one(house: House) -> None:
    broadcast = on_air(house)
    composing.submit(house.ctx, house.actor("author"), house.draft(title="Mới"), broadcast)
    house.approve(broadcast)
    house.clock.advance(1)
    house.compile()
    follow(house, *UNITS[1:])
    assert [each.unit for each in seen(house, broadcast).still] == UNITS[:1]


def test_a_plan_that_was_sent_to_a_unit_that_never_answered_may_be_held(house: House) -> None:
    broadcast = house.on_air()
    house.compile()
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    assert {(each.certain, each.presence) for each in seen(house, broadcast).still} == {(False, Presence.NEVER)}


def test_what_no_plan_named_yet_is_held_by_nobody_and_elsewhere_nothing_is_seen(house: House) -> None:
    early = house.on_air()
    approving.withdraw(house.ctx, house.actor("boss"), early)
    assert seen(house, early) == Holders(0, [])
    broadcast = on_air(house)
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    assert seen(house, broadcast, "stranger") == Holders(0, [])
