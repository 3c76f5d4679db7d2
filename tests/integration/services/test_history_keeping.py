"""The past of each cluster, kept in one row a day, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from support.services import NOON, House

from broadcasts.clock import VIETNAM
from broadcasts.domain.day_strip import Mark, place_of
from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Assignment, ClusterDay, Delivery, UnitStatus
from controller.services.history_keeping import Keeper, local_day

DAY = local_day(NOON)


def say(house: House, connected: bool, power: str = "mains", data_mb: int = 10, since: timedelta = timedelta()) -> None:
    """All units, as if that were the last thing they said."""
    now = house.clock.now()
    with house.ctx.db.write() as session:
        for unit in session.scalars(select(Assignment.unit_id).where(Assignment.until.is_(None))).all():
            status = session.get(UnitStatus, unit) or UnitStatus(unit_id=unit)
            status.connected, status.presence_at = connected, now - since
            status.telemetry, status.telemetry_at = {"power": power, "data_mb": data_mb}, now
            session.add(status)


def pass_on(house: House, keeper: Keeper, minutes: int) -> None:
    for _ in range(minutes // 5):
        house.clock.advance(300)
        keeper.step(house.clock.now())


def rows(house: House) -> list[ClusterDay]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(ClusterDay).order_by(ClusterDay.cluster_id, ClusterDay.day)))


def test_each_quarter_says_whether_it_was_connected_and_on_what_power(house: House) -> None:
    keeper = Keeper(house.ctx, lambda: True)
    keeper.step(house.clock.now())
    say(house, True, since=timedelta(hours=1))
    pass_on(house, keeper, 20)
    say(house, False, "battery")
    pass_on(house, keeper, 30)
    found = rows(house)
    assert len(found) == 10
    begin = place_of(NOON.astimezone(VIETNAM))
    assert {row.link[begin : begin + 3] for row in found} == {"1~0"}
    assert {row.power[begin : begin + 3] for row in found} == {"mxx"}
    assert {(row.link_known, row.link_there) for row in found} == {(6, 3)}
    assert {row.link.count(Mark.NOBODY_KNOWS) for row in found} == {93}


def test_a_quarter_in_which_we_could_not_hear_stays_unknown(house: House) -> None:
    up = [True]
    keeper = Keeper(house.ctx, lambda: up[0])
    say(house, True, since=timedelta(hours=1))
    keeper.step(house.clock.now())
    pass_on(house, keeper, 20)
    up[0] = False
    pass_on(house, keeper, 10)
    up[0] = True
    pass_on(house, keeper, 40)
    begin = place_of(NOON.astimezone(VIETNAM))
    assert {row.link[begin : begin + 4] for row in rows(house)} == {"1..1"}


def test_running_twice_and_a_second_keeper_change_nothing(house: House) -> None:
    keeper = Keeper(house.ctx, lambda: True)
    say(house, True, since=timedelta(hours=1))
    keeper.step(house.clock.now())
    pass_on(house, keeper, 20)
    before = [(row.link, row.link_known, row.data_used_mb) for row in rows(house)]
    keeper.step(house.clock.now())
    again = Keeper(house.ctx, lambda: True)
    again.step(house.clock.now())
    again.step(house.clock.now())
    assert [(row.link, row.link_known, row.data_used_mb) for row in rows(house)] == before


def test_data_is_what_the_counter_grew_by_also_across_midnight_and_a_new_month(house: House) -> None:
    keeper = Keeper(house.ctx, lambda: True)
    keeper.step(house.clock.now())
    say(house, True, data_mb=100)
    pass_on(house, keeper, 20)
    say(house, True, data_mb=103)
    pass_on(house, keeper, 15)
    house.clock.advance(12 * 3600)
    say(house, True, data_mb=110)
    pass_on(house, keeper, 20)
    say(house, True, data_mb=2)
    pass_on(house, keeper, 15)
    one = [row for row in rows(house) if row.cluster_id == rows(house)[0].cluster_id]
    assert [(row.data_mb, row.data_used_mb) for row in one] == [(103, 3), (2, 9)]


@pytest.mark.parametrize("verdict", [Verdict.HEARD, Verdict.FAILED_TO_SOUND])
def test_deliveries_are_counted_on_the_day_they_began_and_again_when_a_verdict_changes(
    house: House, verdict: Verdict
) -> None:
    broadcast = house.on_air()
    house.clock.set(NOON + timedelta(hours=3))
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).values(state=str(State.PLAYED), verdict=str(Verdict.PLAYED)))
    keeper = Keeper(house.ctx, lambda: True)
    keeper.step(house.clock.now())
    assert {(row.day, row.due, row.sounded, row.heard) for row in rows(house)} == {(DAY, 1, 1, 0)}
    house.clock.advance(2 * 86400)
    keeper.step(house.clock.now())
    first = house.deliveries(broadcast)[0]
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).where(Delivery.id == first.id).values(verdict=str(verdict)))
    house.clock.advance(86400)
    keeper.step(house.clock.now())
    [row] = [row for row in rows(house) if row.cluster_id == first.cluster_id]
    good = verdict is Verdict.HEARD
    assert (row.due, row.sounded, row.heard) == (1, int(good), int(good))


def test_the_past_ends_where_the_setting_says(house: House) -> None:
    ctx = replace(house.ctx, history_keep=timedelta(days=8))
    keeper = Keeper(ctx, lambda: True)
    keeper.step(house.clock.now())
    say(house, True)
    pass_on(house, keeper, 20)
    assert len(rows(house)) == 10
    house.clock.advance(8 * 86400)
    keeper.step(house.clock.now())
    assert {row.day for row in rows(house)} == {DAY}
    house.clock.advance(86400)
    keeper.step(house.clock.now())
    assert rows(house) == []
