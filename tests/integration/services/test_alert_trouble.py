"""Emergencies when something goes wrong besides: a second press, a long reason, a lost file, a drill without end."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, THERE, House, raises
from support.sirens import call, documents, preload, sounded

from broadcasts.errors import Fault, Refused
from broadcasts.wire.alert import AlertKind
from controller.bootstrap import alerts
from controller.db.tables import Assignment, AuditEntry, Delegation, Emergency, RoleGrant, StandingAlert
from controller.services import accounts, drilling, emergencies, library
from controller.services.alert_calls import Content
from controller.services.drilling import Exercise
from controller.services.emergency_rules import EmergencyRules
from controller.services.rights import Role
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from controller.services.views import alerts_now

ROOT, COMMUNE, OTHER = PROVINCE[0], f"c-{HERE}", f"c-{THERE}"


def slow(house: House) -> House:
    return replace(house, ctx=replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=5))))


def acts(house: House) -> dict[str, str]:
    with house.ctx.db.read() as session:
        return {row.id: row.state for row in session.scalars(select(Emergency).order_by(Emergency.id))}


def test_what_stands_is_told_to_who_can_silence_it_on_either_database(house: House) -> None:
    preload(house, ROOT)
    name = sounded(house, Target(areas=(COMMUNE, OTHER)))
    drill = drilling.ask(house.ctx, house.on_duty, Exercise(AlertKind.STORM, Target(areas=(COMMUNE,)), "Diễn tập"))
    here = house.on_duty.only_in(frozenset({COMMUNE}))
    assert [(one.id, one.drill) for one in alerts_now.standing(house.ctx, house.on_duty)] == [
        (name, False),
        (drill, True),
    ]
    assert [one.id for one in alerts_now.standing(house.ctx, here)] == [drill], "no button that would be refused"


@pytest.mark.parametrize("cancel", [0, 5])
def test_one_press_that_comes_twice_is_one_emergency(house: House, cancel: int) -> None:
    ctx = replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=cancel)))
    told = replace(call(house, Target(areas=(COMMUNE,))), press="p-1")
    first = emergencies.sound(ctx, house.on_duty, told)
    assert emergencies.sound(ctx, house.on_duty, told) == first
    assert list(acts(house)) == [first]
    emergencies.silence(ctx, house.on_duty, first)
    assert emergencies.sound(ctx, house.on_duty, told) == first, "a press that comes late wakes nobody up again"
    assert set(acts(house).values()) <= {"silenced", "cancelled"}
    second = emergencies.sound(ctx, house.on_duty, replace(told, press="p-2"))
    assert second != first


def test_one_press_of_a_drill_that_comes_twice_is_one_drill(house: House) -> None:
    preload(house, ROOT)
    told = Exercise(AlertKind.STORM, Target(areas=(COMMUNE,)), "Diễn tập", press="p-1")
    first = drilling.ask(house.ctx, house.on_duty, told)
    assert drilling.ask(house.ctx, house.on_duty, told) == first


@pytest.mark.parametrize("cancel", [0, 5])
def test_a_reason_that_no_document_can_carry_is_refused_before_anything_is_decided(house: House, cancel: int) -> None:
    ctx = replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=cancel)))
    with raises(Refused, "reason.long"):
        emergencies.sound(ctx, house.on_duty, call(house, Target(areas=(COMMUNE,)), reason="ồ" * 501))
    with raises(Refused, "reason.long"):
        drilling.ask(ctx, house.on_duty, Exercise(AlertKind.STORM, Target(areas=(COMMUNE,)), "ồ" * 501))
    assert acts(house) == {}


def test_one_that_cannot_be_released_keeps_back_no_other(house: House) -> None:
    patient = slow(house)
    first, second = sounded(patient, Target(areas=(COMMUNE,))), sounded(patient, Target(areas=(OTHER,)))
    with house.ctx.db.write() as session:
        session.get_one(Emergency, first).volume = 101  # what no document takes
    house.clock.advance(5)
    emergencies.step(patient.ctx, house.now)
    assert acts(house) == {first: "lapsed", second: "issued"}
    with house.ctx.db.read() as session:
        told = session.scalars(select(AuditEntry).where(AuditEntry.about == first, AuditEntry.act == "alert.lapse"))
        assert [line.detail["why"] for line in told] == ["failed"]


def test_an_emergency_whose_file_cannot_be_read_sounds_and_is_fetched(house: House) -> None:
    patient = slow(house)
    name = sounded(patient, Target(areas=(COMMUNE,)), content=Content((("vi", house.bulletin.sha256),), inline=True))
    with house.ctx.db.write() as session:
        gone = library.find(session, house.bulletin.sha256)
        row = session.get_one(Emergency, name)
        row.content = [["vi", gone.sha256]]
    lost = replace(patient.ctx, audio=_NoFiles(patient.ctx.audio))  # type: ignore[arg-type]
    house.clock.advance(5)
    emergencies.step(lost, house.now)
    [alert] = documents(house)[COMMUNE].alerts
    assert (alert.id, alert.content[0].data) == (name, None)


class _NoFiles:
    """The store is away."""

    def __init__(self, real: object) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def path(self, sha256: str) -> object:
        raise FileNotFoundError(sha256)


def test_silence_of_everything_reaches_a_list_whose_pole_hangs_elsewhere_by_now(house: House) -> None:
    name = sounded(house, Target(clusters=(f"cl-{HERE}-1",)))
    with house.ctx.db.write() as session:
        for row in session.scalars(select(Assignment).where(Assignment.unit_id == f"u-{HERE}-1")):
            row.until = house.now
    emergencies.silence_all(house.ctx, house.on_duty)
    assert acts(house) == {name: "silenced"}
    assert documents(house)[f"u-{HERE}-1"].alerts == []


def test_a_drill_that_cannot_be_ended_keeps_no_alert_sounding(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    name = sounded(house, Target(areas=(COMMUNE,)))

    def fail(*_: object) -> int:
        raise Fault("database_busy")

    monkeypatch.setattr(drilling, "end_all", fail)
    with raises(Fault, "database_busy"):
        emergencies.silence_all(house.ctx, house.on_duty)
    assert acts(house) == {name: "silenced"}
    assert documents(house)[COMMUNE].alerts == []
    with house.ctx.db.read() as session:
        assert session.scalars(select(StandingAlert).where(StandingAlert.silenced_at.is_(None))).all() == []


def test_a_mistyped_id_at_the_terminal_keeps_no_other_alert_sounding(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command itself; who types and who publishes are others' tests (tests/e2e/test_alert_command.py)."""
    first, second = sounded(house, Target(areas=(COMMUNE,))), sounded(house, Target(areas=(OTHER,)))
    out: list[str] = []

    @contextmanager
    def publishing(*_: object) -> Iterator[str]:
        out.append("published")
        yield "published"

    monkeypatch.setattr(alerts, "somebody", lambda *_: nullcontext(house.on_duty))
    monkeypatch.setattr(alerts, "published", publishing)
    monkeypatch.setattr(alerts, "said", lambda _: False)
    monkeypatch.setattr(alerts, "_watch", lambda *_: None)
    given = Namespace(person="ubnd", all=False, id=[first, "a-typo", second], watch=0, json=False)
    with raises(Refused, "not_yours"):
        alerts._silence(None, house.ctx, given)  # type: ignore[arg-type]
    assert set(acts(house).values()) == {"silenced"}
    assert out == ["published"]
    assert first in capsys.readouterr().out


def test_who_asks_for_a_loud_drill_lends_nobody_the_word_on_it(house: House) -> None:
    preload(house, ROOT)
    week = house.now + timedelta(days=7)
    with house.ctx.db.write() as session:
        first = accounts.FirstPassword.make()
        people = {
            name: accounts.create_user(house.ctx, session, first, name, name, Role.EMERGENCY, area, "test").id
            for name, area in (("truc", COMMUNE), ("phu", OTHER))
        }
        for lender, name in ((people["truc"], "de-1"), (house.actor("boss").id, "de-2")):
            session.add(
                RoleGrant(user_id=lender, role=Role.APPROVER, area_id=COMMUNE, since=house.now, granted_by="test")
            )
            told = {"from_id": lender, "to_id": people["phu"], "area_id": COMMUNE, "reason": "Đi họp"}
            session.add(Delegation(id=name, **told, since=house.now, until=week, made_at=house.now))
    drills = [
        drilling.ask(
            house.ctx, house.actor("truc"), Exercise(AlertKind.STORM, Target(areas=(COMMUNE,)), "Diễn tập", press=each)
        )
        for each in ("first", "second")
    ]
    with house.ctx.db.write() as session:
        for drill in drills:
            row = session.get_one(drilling.Drill, drill)
            row.state, row.hard_end = drilling.ASKED, week + timedelta(days=1)
    with house.ctx.db.write() as session:
        session.get_one(Delegation, "de-2").ended_at = house.now
    with raises(Refused, "approve.lent_own"):
        drilling.approve(house.ctx, house.actor("phu"), drills[0])
    with house.ctx.db.write() as session:
        session.get_one(Delegation, "de-2").ended_at = None
    borrower = house.actor("phu")
    drilling.approve(house.ctx, borrower, drills[0])
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "drill.approve")).one()
    assert line.detail["lent"] == "de-2", "by whose right, in the log"
    house.clock.advance(timedelta(days=7).total_seconds())
    with raises(Refused, "delegation.over"):
        drilling.approve(house.ctx, borrower, drills[1])
