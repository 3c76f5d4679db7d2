"""The audit log: its places, its readers, its export and the chain."""

from __future__ import annotations

import json
from datetime import time, timedelta

import pytest
from sqlalchemy import Executable, Table, delete, func, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from support.services import HERE, THERE, House, raises

from broadcasts.errors import Refused
from controller.db import append_only
from controller.db.tables import AuditEntry
from controller.services import accounts, approving, audit, commanding, copying, emergency_set, rescheduling, wanting
from controller.services.rescheduling import Extent
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE
from controller.services.views.audit import Wanted, read

COMMUNE, OTHER = f"c-{HERE}", f"c-{THERE}"


def auditor(house: House, area: str) -> Actor:
    first = accounts.FirstPassword.make()
    name = f"kiem-{area}"
    with house.ctx.db.write() as session:
        accounts.create_user(house.ctx, session, first, name, name, Role.AUDITOR, area, "test")
    return house.actor(name)


def lines(house: House, reader: Actor, **wanted: object) -> list[AuditEntry]:
    with house.ctx.db.read() as session:
        return read(session, reader, Wanted(**wanted)).lines  # type: ignore[arg-type]


@pytest.mark.requirement("R-104")
def test_each_line_says_where_it_was_and_an_auditor_sees_his_own_area(house: House) -> None:
    broadcast = house.on_air()
    here, there, top = (auditor(house, area) for area in (COMMUNE, OTHER, PROVINCE[0]))
    assert {line.act for line in lines(house, here, about=broadcast)} == {"broadcast.submit", "broadcast.approve"}
    assert {line.area for line in lines(house, here)} == {COMMUNE}
    assert lines(house, there, about=broadcast) == []
    assert {line.area for line in lines(house, top)} >= {COMMUNE, OTHER, PROVINCE[0]}
    with raises(Refused, "no_right"):
        lines(house, house.actor("boss"))


def test_what_has_no_place_is_for_who_audits_the_province(house: House) -> None:
    with pytest.raises(Refused):
        accounts.log_in(house.ctx, "nobody-at-all", "x")
    assert [line.about for line in lines(house, auditor(house, PROVINCE[0]), act="login")] == ["nobody-at-all"]
    assert lines(house, auditor(house, COMMUNE), act="login") == []


def test_it_is_filtered_by_who_what_when_and_where_and_read_page_by_page(house: House) -> None:
    top = auditor(house, PROVINCE[0])
    began = house.now
    for number in range(7):
        house.clock.advance(60)
        with house.ctx.db.write() as session:
            who = "a" if number % 2 else "b"
            audit.record(session, house.now, who, f"test.{number % 3}", str(number), {"n": number}, COMMUNE)
    assert [line.about for line in lines(house, top, actor="a", act="test")] == ["5", "3", "1"]
    assert [line.about for line in lines(house, top, act="test.0")] == ["6", "3", "0"]
    assert lines(house, top, act="test", area=OTHER) == []
    assert len(lines(house, top, act="test", since=began, until=house.now)) == 6
    assert lines(house, top, act="%") == []
    seen, before = [], None
    while True:
        with house.ctx.db.read() as session:
            page = read(session, top, Wanted(act="test", before=before), 3)
        seen += [line.about for line in page.lines]
        before = page.more
        if before is None:
            break
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


@pytest.mark.requirement("R-104")
def test_an_export_can_be_checked_elsewhere_and_shows_what_was_cut_off_later(house: House) -> None:
    house.on_air()
    with house.ctx.db.read() as session:
        export = list(audit.exported(session))
        checked = audit.check(session)
    told = [json.loads(line) for line in export]
    assert (checked.broken, checked.lines, checked.last) == (None, len(told), told[-1]["hash"])
    assert [one["previous"] for one in told] == ["", *(one["hash"] for one in told[:-1])]
    with house.ctx.db.read() as session:
        assert audit.differs(session, export) is None
    with house.ctx.db.write() as session:  # whoever owns the database
        append_only.lower_guard(session.get_bind().dialect.name, lambda told: session.execute(text(told)))
        session.execute(delete(AuditEntry).where(AuditEntry.id == told[-1]["id"]))
    with house.ctx.db.read() as session:
        assert audit.check(session).broken is None, "the chain alone does not tell of its end"
        assert audit.differs(session, export) == told[-1]["id"]
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == len(told) - 1


@pytest.mark.requirement("R-104")
def test_a_rule_that_stopped_somebody_is_written_down_though_nothing_else_is(house: House) -> None:
    broadcast = house.submit()
    with raises(Refused, "no_right"):
        approving.approve(house.ctx, house.actor("author"), broadcast, "0" * 64)
    with raises(Refused, "time.quiet"):
        house.submit(at=time(3, 15), first_day=house.now.date() + timedelta(days=2))
    with house.ctx.db.read() as session:
        found = session.scalars(
            select(AuditEntry).where(AuditEntry.act.endswith(".refused")).order_by(AuditEntry.id)
        ).all()
        assert audit.first_broken(session) is None
    assert [(line.actor, line.act, line.detail["rule"]) for line in found] == [
        ("author", "broadcast.approve.refused", "no_right"),
        ("author", "broadcast.submit.refused", "time.quiet"),
    ]
    assert (found[0].about, found[0].area) == (broadcast, COMMUNE)


@pytest.mark.requirement("R-104")
def test_who_names_something_strange_hears_the_rule_and_stands_in_the_log(house: House) -> None:
    who = house.actor("author")
    for strange in ("x" * 500, "a\x00b", "\ud800"):
        with raises(Refused, "no_right"):
            approving.approve(house.ctx, who, strange, "0" * 64)
    with house.ctx.db.read() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.act == "broadcast.approve.refused")).all()
        assert audit.first_broken(session) is None
    assert {line.about for line in found} == {"x" * 80, "a\ufffdb", "\ufffd"}


@pytest.mark.requirement("R-104")
def test_no_line_takes_the_place_of_another(house: House) -> None:
    house.on_air()
    with house.ctx.db.read() as session:
        first = session.scalars(select(AuditEntry).order_by(AuditEntry.id).limit(1)).one()
    table = AuditEntry.__table__
    assert isinstance(table, Table)
    row = {column.name: getattr(first, column.name) for column in table.columns} | {"actor": "nobody"}
    asked: Executable = insert(table).prefix_with("OR REPLACE").values(row)
    if not house.ctx.db.is_sqlite:
        asked = postgresql.insert(table).values(row).on_conflict_do_update(index_elements=["id"], set_=row)
    with pytest.raises(DBAPIError), house.ctx.db.write() as session:
        session.execute(asked)
    with house.ctx.db.read() as session:
        assert session.get_one(AuditEntry, first.id).actor == first.actor
        assert audit.first_broken(session) is None


def test_whoever_is_stopped_from_moving_copying_or_commanding_stands_in_the_log(house: House) -> None:
    broadcast = house.on_air()
    boss, day = house.actor("boss"), house.now.date()
    acts = {
        "broadcast.change": lambda: rescheduling.change(house.ctx, boss, broadcast, house.draft(), Extent.ALL),
        "schedule.copy": lambda: copying.copy(house.ctx, boss, day, 1, day + timedelta(days=1)),
        "command.issue": lambda: commanding.issue(house.ctx, boss, f"u-{HERE}-1", "reboot"),
        "wanted.settings": lambda: wanting.put_settings(house.ctx, boss, f"unit:u-{HERE}-1", "loasim", {}),
        "emergency_set.remove": lambda: emergency_set.remove(house.ctx, boss, PROVINCE[0], "storm", "vi"),
    }
    for name, act in acts.items():
        with raises(Refused, "no_right"):
            act()
        with house.ctx.db.read() as session:
            line = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
        assert (line.act, line.actor, line.detail["rule"]) == (f"{name}.refused", "boss", "no_right")
    with raises(Refused, "no_right"):
        rescheduling.leave_out(house.ctx, house.actor("tinh"), broadcast, Extent.ONE, house.now, push_now=False)
