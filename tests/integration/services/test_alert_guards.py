"""Guards of emergencies that two people, or two presses at once, might slip past."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from support.services import HERE, THERE, House, raises
from support.sirens import HOUR, call, documents, preload, typed

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import AuditEntry, Emergency, User
from controller.services import accounts, alert_inline, alerting, delegating, emergencies, emergency_set, people
from controller.services.alert_guards import Exempt
from controller.services.alert_reach import Reach
from controller.services.emergency_rules import EmergencyRules
from controller.services.rights import Actor, Role
from controller.services.targets import Target

COMMUNE, OTHER = f"c-{HERE}", f"c-{THERE}"
TOGETHER_S = 60.0


def guarded(house: House, **rules: Any) -> House:
    return replace(house, ctx=replace(house.ctx, emergencies=replace(EmergencyRules(), **rules)))


@pytest.mark.parametrize(
    ("rules", "refusal"),
    [({"per_person": 1}, "alert.rate_person"), ({"per_scope": 1}, "alert.rate_scope")],
)
@pytest.mark.parametrize("cancel", [0, 10])
def test_of_two_presses_at_once_no_more_than_the_limit_sound(
    house: House, monkeypatch: pytest.MonkeyPatch, rules: dict[str, int], refusal: str, cancel: int
) -> None:
    few = guarded(house, cancel=timedelta(seconds=cancel), **rules)
    both, real = threading.Barrier(2, timeout=TOGETHER_S), alert_inline.leaner

    def meet(*told: Any) -> Any:
        """Both were looked at, and neither is written down."""
        both.wait()
        return real(*told)

    monkeypatch.setattr(alert_inline, "leaner", meet)
    told = call(few, Target(areas=(COMMUNE,)))

    def press() -> str:
        try:
            return emergencies.sound(few.ctx, few.on_duty, told)
        except Refused as refused:
            return refused.key

    with ThreadPoolExecutor(2) as hands:
        answers = [each.result() for each in [hands.submit(press) for _ in range(2)]]
    assert sorted(answers).count(refusal) == 1
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Emergency)) == 1
    house.clock.advance(cancel)
    emergencies.step(few.ctx, house.now)
    [document] = documents(house).values()
    assert [alert.id in answers for alert in document.alerts] == [True]


def test_what_still_waits_counts_for_the_lists_it_will_stand_in_and_what_was_cancelled_does_not(house: House) -> None:
    few = guarded(house, per_scope=1, cancel=timedelta(seconds=10))
    waits = emergencies.sound(few.ctx, few.on_duty, call(few, Target(areas=(COMMUNE,))))
    with raises(Refused, "alert.rate_scope"):
        emergencies.sound(few.ctx, few.on_duty, call(few, Target(areas=(COMMUNE,))))
    emergencies.sound(few.ctx, few.on_duty, call(few, Target(areas=(OTHER,))))
    emergencies.cancel(few.ctx, few.on_duty, waits)
    emergencies.sound(few.ctx, few.on_duty, call(few, Target(areas=(COMMUNE,))))


@pytest.fixture
def chief(house: House) -> Actor:
    """May sound emergencies and approve in one commune, and lent the second right to somebody without any of his
    own."""
    first = accounts.FirstPassword.make()
    with house.ctx.db.write() as session:
        accounts.create_user(house.ctx, session, first, "truong", "Trưởng xã", Role.EMERGENCY, COMMUNE, "test")
        user = session.scalars(select(User).where(User.name == "truong")).one()
        people.add_grant(session, user, Role.APPROVER, COMMUNE, house.now, None, "test", house.now)
    made = house.actor("truong")
    delegating.lend(house.ctx, made, "author", COMMUNE, None, house.now + timedelta(days=2), "Đi họp")
    return made


def test_nobody_confirms_an_emergency_by_a_right_that_its_sounder_lent_him(house: House, chief: Actor) -> None:
    name = emergencies.sound(house.ctx, chief, call(house, Target(areas=(COMMUNE,))))
    borrower = house.actor("author")
    with house.ctx.db.read() as session:
        assert [line.mine for line in emergencies.every(house.ctx, session, borrower)] == [True]
        assert emergencies.waiting(house.ctx, session, borrower) == 0
    with raises(Refused, "alert.lent_own"):
        emergencies.confirm(house.ctx, borrower, name, right=True)
    emergencies.confirm(house.ctx, house.actor("boss"), name, right=True)


def test_a_borrowed_right_confirms_what_somebody_else_sounded(house: House, chief: Actor) -> None:
    name = emergencies.sound(house.ctx, house.on_duty, call(house, Target(areas=(COMMUNE,))))
    borrower = house.actor("author")
    with house.ctx.db.read() as session:
        assert emergencies.waiting(house.ctx, session, borrower) == 1
    emergencies.confirm(house.ctx, borrower, name, right=True)


def test_who_has_the_right_himself_too_confirms_in_his_own_name(house: House, chief: Actor) -> None:
    delegating.lend(house.ctx, chief, "deputy", COMMUNE, None, house.now + timedelta(days=2), "Đi họp")
    name = emergencies.sound(house.ctx, chief, call(house, Target(areas=(COMMUNE,))))
    emergencies.confirm(house.ctx, house.actor("deputy"), name, right=True)


@pytest.mark.parametrize("own_set", [False, True])
def test_one_list_alone_has_the_same_guards_as_any_target(house: House, own_set: bool) -> None:
    calm = guarded(house, wide_clusters=1, per_scope=2)
    preload(house, COMMUNE, AlertKind.STORM)
    content = [("vi", house.bulletin.sha256)]

    def sound(**told: Any) -> str:
        if own_set:
            return emergency_set.sound(calm.ctx, calm.on_duty, COMMUNE, AlertKind.STORM, "Bão", HOUR, **told)
        return alerting.sound(calm.ctx, calm.on_duty, COMMUNE, AlertKind.STORM, content, "Bão", HOUR, **told)

    for wrong in ({}, {"confirmed": "999"}):
        with raises(Refused, "alert.confirm_reach"):
            sound(**wrong)
    word = typed(calm.ctx, calm.on_duty, COMMUNE)
    sound(confirmed=word)
    emergencies.sound(calm.ctx, calm.on_duty, call(calm, Target(areas=(COMMUNE,))))
    with raises(Refused, "alert.rate_scope"):
        sound(confirmed=word)
    name = sound(exempt=Exempt.SANDBOX)
    with house.ctx.db.read() as session:
        told = session.scalars(select(AuditEntry.detail).where(AuditEntry.about == name)).one()
    assert told["exempt"] == "sandbox"


def test_nothing_that_a_person_reaches_states_an_exemption() -> None:
    root = Path(alerting.__file__).parents[1]
    stated = {
        str(path.relative_to(root)): sorted(set(re.findall(r"Exempt\.([A-Z]+)", path.read_text("utf-8"))))
        for path in root.rglob("*.py")
    }
    assert {path: names for path, names in stated.items() if names} == {
        "bootstrap/officers.py": ["SANDBOX"],
        "bootstrap/sandbox.py": ["SANDBOX"],
        "services/live_later.py": ["SPOKEN"],
    }


def test_nothing_is_remembered_as_an_emergency_without_a_word_of_the_guards(house: House) -> None:
    with house.ctx.db.write() as session, pytest.raises(AssertionError):
        alerting.remember(session, Emergency(), Reach((), ()), None)  # type: ignore[arg-type]
