"""One order to many clusters, its reach, its pace and its limits; what units answer that nobody asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from support.services import HERE, NOON, THERE, House, raises
from support.voices import Voice

from broadcasts.clock import unix_ms
from broadcasts.domain.command_life import LASTS
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.journal import CommandAccepted, CommandResult
from broadcasts.wire.topics import In
from controller.db.tables import Assignment, AuditEntry, Command, CommandOrder, Quarantined, Unit
from controller.services import command_orders, commanding
from controller.services.command_rules import CommandRules
from controller.services.rights import Actor, Grant, Role
from controller.services.targets import Target
from controller.services.views import command_orders as views

WHERE = Target(areas=(f"c-{HERE}",))
MINUTE = timedelta(minutes=1)


def with_rules(house: House, **told: Any) -> None:
    house.ctx = replace(house.ctx, commands=replace(CommandRules(), **told))


def technician(house: House, commune: str = HERE) -> Actor:
    area = f"c-{commune}"
    return replace(house.actor("kythuat"), grants=(Grant(Role.TECHNICIAN, area, frozenset({area})),))


def order(house: House, kind: str = "quiet_test", where: Target = WHERE, **told: Any) -> str:
    return command_orders.issue(house.ctx, technician(house), kind, where, **told)


def rows(house: House, name: str) -> list[Command]:
    with house.ctx.db.read() as session:
        return list(session.scalars(select(Command).where(Command.order_id == name).order_by(Command.seq)))


def reach(house: House) -> command_orders.Reach:
    return command_orders.look(house.ctx, technician(house), "quiet_test", WHERE)


def left(house: House) -> int:
    return sum(topic.endswith(f"/{In.COMMAND}") for topic, _, _, _ in house.link.sent)


def told(house: House, name: str) -> int:
    """How many units were told of the order, however often."""
    return sum(row.sent > 0 for row in rows(house, name))


def step(house: House) -> None:
    commanding.step(house.ctx, house.link, house.now)


def states(house: House, name: str) -> dict[str, int]:
    with house.ctx.db.read() as session:
        return dict(views.one(session, technician(house), name, house.now).line.counts)


@pytest.mark.requirement("R-079")
def test_one_order_is_one_execution_at_each_cluster_of_the_area(house: House) -> None:
    shown = reach(house)
    name = order(house, count=shown.clusters)
    found = rows(house, name)
    assert len(found) == shown.able > 1
    assert len({row.cluster_id for row in found}) == len(found)
    step(house)
    assert left(house) == len(found)
    assert states(house, name) == {"sent": len(found)}
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.about == name)).all()
    assert acts == ["order.issue"]


def test_an_order_leaves_no_faster_than_its_pace_and_what_has_not_left_is_taken_back(house: House) -> None:
    with_rules(house, per_minute=1)
    name = order(house)
    total = len(rows(house, name))
    step(house)
    assert left(house) == 1
    house.clock.advance(60)
    step(house)
    assert {row.state for row in rows(house, name) if row.sent} == {"sent"}
    assert sum(row.sent > 0 for row in rows(house, name)) == 2
    gone = command_orders.cancel(house.ctx, technician(house), name)
    assert gone == total - 2
    house.clock.advance(3600)
    step(house)
    assert states(house, name).get("cancelled", 0) == total - 2
    assert sum(row.sent > 0 for row in rows(house, name)) == 2


def test_who_stands_below_a_pole_does_not_wait_for_the_turn_of_an_order(house: House) -> None:
    with_rules(house, per_minute=1)
    name = order(house)
    last = rows(house, name)[-1]
    later = max(rows(house, name), key=lambda row: row.due_at)
    alone = commanding.issue(house.ctx, technician(house), later.cluster_id, "quiet_test")
    step(house)
    with house.ctx.db.read() as session:
        single = session.get_one(Command, alone)
    assert single.sent == 1
    while house.now < later.due_at:
        house.clock.advance(60)
        step(house)
    with house.ctx.db.read() as session:
        held = session.get_one(Command, later.id)
    assert held.seq > single.seq, "its number comes with its turn, and is not passed over"
    assert last.order_id == name


def test_turns_that_were_missed_do_not_all_come_at_once(house: House) -> None:
    with_rules(house, per_minute=1)
    name = order(house)
    total = len(rows(house, name))
    house.clock.advance(300)  # nobody was there: a restart
    leaving = []
    for _ in range(total):
        before = told(house, name)
        step(house)
        leaving.append(told(house, name) - before)
        house.clock.advance(60)
    assert leaving == [1] * total


def test_turns_without_a_link_wait_for_it_and_keep_their_pace(house: House) -> None:
    with_rules(house, per_minute=1)
    name = order(house)
    total = len(rows(house, name))
    house.link.up = False
    for _ in range(5):
        step(house)
        house.clock.advance(60)
    assert (left(house), sum(row.held_until is not None for row in rows(house, name))) == (0, total - 1)
    house.link.up = True
    for number in range(1, total + 1):
        step(house)
        assert told(house, name) == number
        house.clock.advance(60)


def test_the_same_order_sent_twice_asks_nothing_twice(house: House) -> None:
    with_rules(house, per_minute=1)
    assert rows(house, order(house, "reboot", sure=True))
    with raises(Refused, "order.none_able"):  # those whose turn has not come are asked as well
        order(house, "reboot", sure=True)
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count(CommandOrder.id))) == 1, "an order that reaches nobody is none"


def test_a_unit_that_was_taken_away_before_its_turn_is_not_asked(house: House) -> None:
    with_rules(house, per_minute=1)
    name = order(house)
    last = max(rows(house, name), key=lambda row: row.due_at)
    with house.ctx.db.write() as session:
        session.execute(update(Assignment).where(Assignment.unit_id == last.unit_id).values(until=house.now))
    while house.now < last.due_at:
        step(house)
        house.clock.advance(60)
    step(house)
    assert (states(house, name)["expired"], told(house, name)) == (1, len(rows(house, name)) - 1)


def test_what_waits_for_the_link_does_not_follow_a_unit_to_another_pole(house: House) -> None:
    name = order(house)
    one = rows(house, name)[0]
    house.link.up = False
    step(house)
    with house.ctx.db.write() as session:
        session.execute(update(Assignment).where(Assignment.unit_id == one.unit_id).values(until=house.now))
    house.link.up = True
    step(house)
    assert told(house, name) == len(rows(house, name)) - 1
    assert next(row for row in rows(house, name) if row.id == one.id).sent == 0
    house.clock.advance(LASTS["quiet_test"].total_seconds())
    step(house)
    assert next(row for row in rows(house, name) if row.id == one.id).state == "expired"


def test_a_revoked_unit_is_not_counted_as_able_and_not_asked(house: House) -> None:
    before = reach(house)
    with house.ctx.db.write() as session:
        session.execute(update(Unit).where(Unit.id == f"u-{HERE}-1").values(revoked_at=house.now))
    assert (reach(house).clusters, reach(house).able) == (before.clusters, before.able - 1)
    assert f"u-{HERE}-1" not in {row.unit_id for row in rows(house, order(house))}
    with raises(Refused, "command.no_unit"):
        commanding.issue(house.ctx, technician(house), f"cl-{HERE}-1", "upload_log")


def test_who_takes_back_his_part_has_not_taken_back_the_order(house: House) -> None:
    with_rules(house, per_minute=1)
    both = frozenset({f"c-{HERE}", f"c-{THERE}"})
    wide = replace(house.actor("kythuat"), grants=(Grant(Role.TECHNICIAN, f"c-{HERE}", both),))
    where = Target(areas=tuple(sorted(both)))
    name = command_orders.issue(house.ctx, wide, "quiet_test", where)
    assert command_orders.cancel(house.ctx, technician(house), name) > 0
    with house.ctx.db.read() as session:
        assert session.get_one(CommandOrder, name).cancelled_at is None, "the other commune's part goes on"
    assert command_orders.cancel(house.ctx, technician(house, THERE), name) > 0
    with house.ctx.db.read() as session:
        assert session.get_one(CommandOrder, name).cancelled_at is not None


def test_an_order_to_many_asks_the_database_no_more_often_than_one_to_few(house: House) -> None:
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    def count(where: Target) -> int:
        asked.clear()
        event.listen(house.ctx.db.engine, "before_cursor_execute", note)
        try:
            order(house, "upload_log", where)
        finally:
            event.remove(house.ctx.db.engine, "before_cursor_execute", note)
        return len(asked)

    one = count(Target(clusters=(f"cl-{HERE}-1",)))
    house.clock.advance(2 * 3600)
    many = count(WHERE)
    assert many <= one + 2, "whoever writes keeps all others waiting, an emergency too"


def test_what_has_all_left_is_not_shown_as_taken_back(house: House) -> None:
    name = order(house)
    step(house)
    assert command_orders.cancel(house.ctx, technician(house), name) == 0
    with house.ctx.db.read() as session:
        assert session.get_one(CommandOrder, name).cancelled_at is None


def test_a_wide_order_wants_its_number_typed_and_a_reason(house: House) -> None:
    with_rules(house, wide=2)
    clusters = reach(house).clusters
    assert reach(house).wide
    with raises(Refused, "order.typed"):
        order(house, reason="x")
    with raises(Conflict, "order.changed"):
        order(house, count=clusters + 1, reason="x")
    with raises(Refused, "order.reason"):
        order(house, count=clusters)
    assert rows(house, order(house, count=clusters, reason="sau bão"))


def test_no_order_reaches_further_than_its_role_may_or_than_its_area(house: House) -> None:
    with_rules(house, caps={"technician": 1})
    with raises(Refused, "order.cap"):
        order(house)
    with_rules(house, caps={})
    with raises(Refused, "order.cap"):
        order(house)
    with_rules(house)
    for where in (Target(areas=(f"c-{THERE}",)), Target(clusters=("never-was",)), Target(tags=("none",)), Target()):
        with raises(Refused, "order.nobody"):
            order(house, where=where)


@pytest.mark.parametrize("who", ["author", "boss", "tinh"])
def test_only_a_technician_orders_and_takes_back(house: House, who: str) -> None:
    name = order(house)
    with raises(Refused, "no_right"):
        command_orders.issue(house.ctx, house.actor(who), "quiet_test", WHERE)
    with raises(Refused, "no_right"):
        command_orders.cancel(house.ctx, house.actor(who), name)


def test_a_technician_of_another_commune_neither_sees_an_order_nor_takes_it_back(house: House) -> None:
    name = order(house)
    with raises(Refused, "not_yours"):
        command_orders.cancel(house.ctx, technician(house, THERE), name)
    with house.ctx.db.read() as session:
        assert views.lines(session, technician(house, THERE), house.now) == []
        with raises(Refused, "not_yours"):
            views.one(session, technician(house, THERE), name, house.now)


def test_a_reboot_of_many_is_confirmed_and_a_cluster_at_its_limit_is_left_out(house: House) -> None:
    with raises(Refused, "order.confirm"):
        order(house, "reboot")
    with_rules(house, per_kind={"reboot": 1})
    first = order(house, "reboot", sure=True)
    assert rows(house, first)
    house.clock.advance(LASTS["reboot"].total_seconds())
    with raises(Refused, "order.none_able"):
        order(house, "reboot", sure=True)
    house.clock.advance(3600)
    assert rows(house, order(house, "reboot", sure=True))


def test_a_person_a_cluster_and_a_kind_have_limits_that_an_hour_lifts(house: House) -> None:
    place = next(str(told["cluster"]) for told in house.enrolments if told["unit"] == f"u-{HERE}-1")

    def ask(kind: str = "volume", percent: str = "50") -> str:
        args = {"percent": percent} if kind == "volume" else {}
        return commanding.issue(house.ctx, technician(house), place, kind, args, lasts=MINUTE)

    for key, told in (
        ("command.limit_person", {"per_person": 1}),
        ("command.limit_cluster", {"per_cluster": 1}),
        ("command.limit_kind", {"per_kind": {"volume": 1}}),
    ):
        with_rules(house, **told)
        ask()
        house.clock.advance(61)
        with raises(Refused, key):
            ask()
        house.clock.advance(3600)


# --- what units say


def hear(house: House, unit: str, *entries: CommandResult | CommandAccepted) -> list[str]:
    """Why what was not believed was put aside."""
    voice = Voice(unit, house.bulletin.sha256, house.bulletin.duration_ms, journal_id=f"j-{entries[0].seq}")
    return house.hear(voice.batch(*entries), unit=unit, signed=True).put_aside


def result(seq: int, command: str, at: int = unix_ms(NOON), **told: Any) -> CommandResult:
    return CommandResult(**{"seq": seq, "at": at, "command": command, "done": True, **told})


def test_accepted_comes_before_done_and_a_late_answer_is_late_and_not_lost(house: House) -> None:
    name = order(house)
    step(house)
    one, two = rows(house, name)[:2]
    assert hear(house, one.unit_id, CommandAccepted(seq=1, at=unix_ms(NOON), command=one.id)) == []
    assert states(house, name)["accepted"] == 1
    house.clock.advance(LASTS["quiet_test"].total_seconds())
    step(house)
    assert set(states(house, name)) == {"timed_out"}
    hear(house, one.unit_id, result(2, one.id))
    hear(house, two.unit_id, result(2, two.id, done=False, detail="playing"))
    assert (states(house, name)["done_late"], states(house, name)["failed_late"]) == (1, 1)


def test_what_nobody_asked_for_is_counted_and_changes_nothing(house: House) -> None:
    name = order(house)
    step(house)
    one, two = rows(house, name)[:2]
    assert hear(house, two.unit_id, result(1, one.id)) == ["command_foreign"]
    assert hear(house, one.unit_id, result(2, "k-never")) == ["command_unasked"]
    assert hear(house, one.unit_id, result(3, one.id, at=unix_ms(NOON + timedelta(days=900)))) == ["command_future"]
    assert hear(house, one.unit_id, result(4, one.id, done=False)) == ["command_repeated"]
    assert [row.state for row in rows(house, name)[:2]] == ["done", "sent"], "the first one stands"
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count(Quarantined.id))) == 0
