"""Which deliveries count for "99.5 % sounded"; what waits; single clusters in numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from support.services import HERE, NOON, House
from support.voices import Voice

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Refused
from controller.bootstrap.scraping import chosen
from controller.db.tables import Delivery, Unit, UnitFault, UnitPlan
from controller.services.backlog import backlog, database_bytes
from controller.services.cluster_numbers import cluster_numbers
from controller.services.objective import WINDOWS, sounded
from monitoring import snapshot


def settle(house: House, broadcast: str, *fates: tuple[State, Verdict | None]) -> None:
    with house.ctx.db.write() as session:
        for delivery, (state, verdict) in zip(house.deliveries(broadcast), fates, strict=True):
            values = {"state": str(state), "verdict": None if verdict is None else str(verdict)}
            session.execute(update(Delivery).where(Delivery.id == delivery.id).values(**values))


def counted(house: House) -> dict[str, tuple[int, int]]:
    with house.ctx.db.read() as session:
        return {name: (each["yes"], each["no"]) for name, each in sounded(session, house.now).items()}


def test_heard_and_played_sounded_silence_did_not_and_who_gave_way_does_not_count(house: House) -> None:
    broadcast = house.on_air()
    assert set(counted(house).values()) == {(0, 0)}
    house.clock.set(NOON + timedelta(hours=2, minutes=20))
    settle(
        house, broadcast,
        (State.PLAYED, Verdict.HEARD),
        (State.PLAYED, Verdict.PLAYED),
        (State.FAILED, Verdict.FAILED_TO_SOUND),
        (State.WITHDRAWN, Verdict.NOT_PLAYED),
        (State.PREEMPTED, Verdict.NOT_PLAYED),
    )  # fmt: skip
    assert counted(house) == dict.fromkeys(WINDOWS, (2, 1))
    house.clock.advance(1800)
    assert counted(house)["30m"] == (0, 0)
    assert counted(house)["1h"] == (2, 1)


def test_what_nobody_knows_is_no_failure_for_half_a_day_and_one_afterwards(house: House) -> None:
    """In both windows of the slow alert: one of them alone wakes nobody."""
    broadcast = house.on_air()
    house.clock.set(NOON + timedelta(hours=3))
    unknown = (State.MISSED, Verdict.UNKNOWN)
    settle(house, broadcast, (State.PLAYED, None), unknown, unknown, unknown, (State.PLAYED, Verdict.HEARD))
    assert counted(house)["3d"] == (1, 0)
    house.clock.advance(12 * 3600)
    assert (counted(house)["1d"], counted(house)["3d"]) == ((1, 3), (1, 3))


def test_a_long_programme_is_seen_in_the_short_window_once_it_is_over(house: House) -> None:
    """Its verdict comes when it ends; by then its beginning is longer ago than the window."""
    broadcast = house.on_air()
    silent, heard = (State.FAILED, Verdict.FAILED_TO_SOUND), (State.PLAYED, Verdict.HEARD)
    settle(house, broadcast, silent, silent, silent, heard, heard)
    start = house.deliveries(broadcast)[0].start
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).values(end=start + timedelta(minutes=60)))
    house.clock.set(start + timedelta(minutes=65))
    assert (counted(house)["30m"], counted(house)["1h"]) == ((2, 3), (2, 3))
    house.clock.advance(1800)
    assert (counted(house)["30m"], counted(house)["1h"]) == ((0, 0), (2, 3))


def test_the_windows_are_those_that_are_shown() -> None:
    assert tuple(WINDOWS) == snapshot.WINDOWS


def test_what_waits_and_what_the_next_hour_lacks_is_counted(house: House) -> None:
    house.submit()
    broadcast = house.on_air()
    house.compile()
    unit, since = f"u-{HERE}-1", house.now
    house.clock.set(NOON + timedelta(minutes=90))
    with house.ctx.db.write() as session:
        first = house.deliveries(broadcast)[0]
        session.execute(update(Delivery).where(Delivery.id == first.id).values(state=str(State.READY)))
        session.get_one(UnitPlan, unit).dirty_since = since
    with house.ctx.db.read() as session:
        found = backlog(session, house.now)
        assert database_bytes(session) > 10_000
    assert found.broadcasts_waiting == 1
    assert found.soon == {"yes": 1, "no": 4}
    assert (found.plans_dirty, found.plans_dirty_s) == (10, (house.now - since).total_seconds())


def test_plans_that_nobody_makes_do_not_say_that_the_planner_stands_still(house: House) -> None:
    """A revoked unit keeps its place until it is swapped, and its plan the mark; so does one that is refused."""
    house.compile()
    revoked, refused, waits = (f"u-{HERE}-{number}" for number in (1, 2, 3))
    with house.ctx.db.write() as session:
        session.execute(update(UnitPlan).values(dirty_since=None))
        for unit in (revoked, refused):
            session.get_one(UnitPlan, unit).dirty_since = house.now - timedelta(hours=9)
        session.get_one(Unit, revoked).revoked_at = house.now
        session.add(UnitFault(unit_id=refused, code="plan_refused", raised_at=house.now))
    with house.ctx.db.read() as session:
        found = backlog(session, house.now)
    assert (found.plans_dirty, found.plans_dirty_s) == (0, 0.0)
    with house.ctx.db.write() as session:
        session.get_one(UnitPlan, waits).dirty_since = house.now - timedelta(seconds=7)
    with house.ctx.db.read() as session:
        found = backlog(session, house.now)
    assert (found.plans_dirty, found.plans_dirty_s) == (1, 7.0)


def test_single_clusters_are_told_in_order_for_the_communes_asked_for(house: House) -> None:
    unit = f"u-{HERE}-1"
    house.hear(Voice(unit, "", 0).presence("online"), unit=unit)
    with house.ctx.db.read() as session:
        every, asked = cluster_numbers(session, house.now, ())
        some, asked_some = cluster_numbers(session, house.now, (HERE,))
        bounded, of = cluster_numbers(session, house.now, (), most=3)
    assert [one.cluster for one in every] == sorted(one.cluster for one in every)
    assert (len(every), asked) == (10, 10)
    assert (len(some), asked_some) == (5, 5)
    assert (len(bounded), of) == (3, 10)
    assert [one.online for one in some].count(True) == 1
    assert {one.commune for one in some} == {HERE}


def test_the_choice_of_clusters_is_off_on_or_codes() -> None:
    assert (chosen("off"), chosen("on"), chosen("31618, 31624")) == (None, (), ("31618", "31624"))
    with pytest.raises(Refused, match=r"settings\.value"):
        chosen("31618,,x")
