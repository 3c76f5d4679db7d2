"""The sweep over what units say: who is not blamed, what ends, whom planned work spares, how many queries it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select
from support.faulty import pass_on, say, units
from support.office import PROVINCE, House, open_house

from controller.db.tables import FaultCase, Notice, PlannedWork, UnitFault
from controller.services import fault_acts
from controller.services.context import Context
from controller.services.health_watching import Watch
from controller.services.notice_rules import NoticeRules
from controller.services.rights import Role


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = open_house(tmp_path)
    found.add_user("tho", Role.TECHNICIAN, PROVINCE[0])
    yield found
    found.ctx.db.close()


@pytest.fixture
def ctx(house: House) -> Context:
    return replace(house.ctx, notices=NoticeRules(("box",)))


def ail(house: House, unit: str, code: str, gone: bool = False) -> None:
    now = house.clock.now()
    with house.ctx.db.write() as session:
        if gone:
            session.scalars(select(UnitFault).where(UnitFault.unit_id == unit)).one().cleared_at = now
        else:
            session.add(UnitFault(unit_id=unit, code=code, raised_at=now))


def cases(house: House) -> list[FaultCase]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(FaultCase).order_by(FaultCase.raised_at, FaultCase.id)))


def test_a_controller_that_was_away_blames_nobody_for_that_time(house: House, ctx: Context) -> None:
    unit = units(house)[0][1]
    say(house, unit, True)
    watch = Watch(ctx, lambda: True)
    pass_on(house, watch, 2)
    say(house, unit, False)
    pass_on(house, watch, 3)
    house.clock.advance(3600)
    again = Watch(ctx, lambda: True)
    again.step(house.clock.now())
    assert cases(house) == []
    say(house, unit, True)
    pass_on(house, again, 3)
    assert cases(house) == []
    say(house, unit, False)
    pass_on(house, again, 22)
    assert [case.code for case in cases(house)] == ["offline"], "and who is really away is told"


def test_a_broker_that_is_down_blames_nobody(house: House, ctx: Context) -> None:
    up = [True]
    watch = Watch(ctx, lambda: up[0])
    for _, unit in units(house):
        say(house, unit, True)
    pass_on(house, watch, 2)
    for _, unit in units(house):
        say(house, unit, False)
    pass_on(house, watch, 1)
    up[0] = False
    pass_on(house, watch, 90)
    up[0] = True
    pass_on(house, watch, 15)
    for _, unit in units(house):
        say(house, unit, True)
    pass_on(house, watch, 5)
    assert cases(house) == []


def test_what_a_person_repaired_is_over_once_the_trouble_is_gone_and_closes_by_itself(
    house: House, ctx: Context
) -> None:
    unit = units(house)[0][1]
    say(house, unit, True)
    watch = Watch(ctx, lambda: True)
    ail(house, unit, "autonomy_over")
    pass_on(house, watch, 2)
    with ctx.db.write() as session:
        for notice in session.scalars(select(Notice)):
            notice.done_at, notice.outcome = house.clock.now(), "sent"
    [case] = cases(house)
    fault_acts.move(ctx, house.actor("tho"), case.id, "resolved", "sửa xong")
    ail(house, unit, "autonomy_over", gone=True)
    pass_on(house, watch, 15)
    [case] = cases(house)
    assert (case.state, case.gone_at is not None) == ("resolved", True)
    with ctx.db.read() as session:
        assert sorted(session.scalars(select(Notice.event))) == ["raised", "resolved"]
    say(house, unit, True)
    house.clock.advance(25 * 3600)
    say(house, unit, True)
    watch.step(house.clock.now())
    assert cases(house)[0].state == "reset"


def plan(house: House, cluster: str, begins: timedelta, ends: timedelta) -> None:
    now = house.clock.now()
    with house.ctx.db.write() as session:
        session.add(
            PlannedWork(
                id=f"w-{cluster}", area_id="c-31615", cluster_id=cluster, begins=now + begins, ends=now + ends,
                reason="thay loa", made_by="tho", made_at=now,
            )
        )  # fmt: skip


def events(house: House) -> list[str]:
    with house.ctx.db.read() as session:
        return sorted(session.scalars(select(Notice.event)))


def test_a_group_of_poles_at_each_of_which_somebody_works_calls_nobody_and_is_a_fault_all_the_same(
    house: House, ctx: Context
) -> None:
    mine = [each for each in units(house) if each[0].startswith("cl-31615-")]
    for cluster, unit in mine:
        say(house, unit, True)
        plan(house, cluster, timedelta(minutes=-1), timedelta(hours=3))
    watch = Watch(ctx, lambda: True)
    pass_on(house, watch, 2)
    for _, unit in mine:
        say(house, unit, False)
    pass_on(house, watch, 60)
    assert [case.code for case in cases(house) if case.cluster_id is None] == ["offline"]
    assert events(house) == []
    pass_on(house, watch, 125)
    assert events(house) == ["raised"], "the work is over, and they are still away: told once, and nobody is late yet"
    pass_on(house, watch, 40)
    assert events(house) == ["escalated", "raised"]


def test_nobody_is_called_again_where_work_began_meanwhile(house: House, ctx: Context) -> None:
    cluster, unit = units(house)[0]
    say(house, unit, True)
    watch = Watch(ctx, lambda: True)
    ail(house, unit, "autonomy_over")
    pass_on(house, watch, 2)
    plan(house, cluster, timedelta(minutes=5), timedelta(hours=2))
    pass_on(house, watch, 60)
    assert events(house) == ["raised"]
    say(house, unit, True)  # it talks all the while
    pass_on(house, watch, 62)
    assert events(house) == ["escalated", "raised"]


@contextmanager
def counted(house: House) -> Iterator[list[str]]:
    asked: list[str] = []

    def count(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    engine = house.ctx.db.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_a_sweep_asks_a_few_questions_however_many_poles_there_are(house: House, ctx: Context) -> None:
    asked: dict[int, int] = {}
    known = units(house)
    assert len(known) >= 6
    for many in (2, len(known)):
        watch = Watch(ctx, lambda: True)
        for _, unit in known[:many]:
            say(house, unit, True)
        watch.step(house.clock.now())
        house.clock.advance(60)
        for _, unit in known[:many]:
            say(house, unit, True)
        with counted(house) as statements:
            watch.step(house.clock.now())
        asked[many] = len(statements)
    assert asked[len(known)] == asked[2], asked
