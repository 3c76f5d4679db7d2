"""Drills: their own key, topic and tables; silent by default, loud only with the word, in the hours, and approved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from support.services import HERE, THERE, House, raises
from support.sirens import documents, heard, preload, sounded
from support.voices import Voice

from broadcasts.clock import unix_ms
from broadcasts.domain.tally import Mark, Why
from broadcasts.errors import Conflict, ContractViolation, Refused
from broadcasts.wire import codec, topics
from broadcasts.wire.alert import AlertDocument, AlertKind
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.jws import Typ
from broadcasts.wire.status import Refusal, RefusalReason
from broadcasts.wire.topics import ScopeTopic
from broadcasts.wire.trust import Use
from controller.db.tables import AuditEntry, Drill, DrillList, Emergency, KeptSound
from controller.services import drill_lists, drill_tally, drilling, emergencies, files, reconciling
from controller.services.drilling import Exercise
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from device_sim.drills import concerning

ROOT, COMMUNE, OTHER = PROVINCE[0], f"c-{HERE}", f"c-{THERE}"
SCOPES = [ROOT, COMMUNE, f"u-{HERE}-1"]


def exercise(**changed: Any) -> Exercise:
    told: dict[str, Any] = {"kind": AlertKind.STORM, "target": Target(areas=(COMMUNE,)), "reason": "Diễn tập quý"}
    return Exercise(**told | changed)


def lists(house: House) -> dict[str, DrillDocument]:
    """By scope, verified with the drill key alone."""
    key = house.keys.signer(Use.DRILL).public
    with house.ctx.db.read() as session:
        rows = session.scalars(select(DrillList)).all()
    return {
        row.scope: codec.unseal(DrillDocument, row.document, Typ.DRILL, lambda kid: key if kid == key.kid else None)
        for row in rows
    }


def keep_word(house: House, area: str = ROOT) -> None:
    """The sound library has the spoken "diễn tập"."""
    with house.ctx.db.write() as session:
        told = {"kind": "intro", "name": "Diễn tập", "asset_sha256": house.other.sha256, "added_at": house.now}
        session.add(KeptSound(id=f"s-{area}", area_id=area, **told))


@pytest.fixture
def ready(house: House) -> House:
    preload(house, ROOT)
    return house


@pytest.mark.requirement("R-066")
def test_a_silent_drill_goes_out_at_once_on_its_own_topic_under_its_own_key(ready: House) -> None:
    name = drilling.ask(ready.ctx, ready.on_duty, exercise())
    [drill] = lists(ready)[COMMUNE].drills
    assert (drill.id, drill.silent, drill.prefix, drill.target) == (name, True, [], "all")
    assert [part.asset.sha256 for part in drill.content] == [ready.bulletin.sha256]
    reconciling.step(ready.ctx, ready.link, ready.now)
    assert topics.to_scope(COMMUNE, ScopeTopic.DRILL) in ready.link.topics()
    assert documents(ready) == {}
    assert heard(ready, f"u-{HERE}-1") == []
    assert [each.id for each in concerning(lists(ready), {}, SCOPES, f"u-{HERE}-1", SCOPES)] == [name]
    assert concerning(lists(ready), {}, [ROOT, OTHER], f"u-{THERE}-1", SCOPES) == []
    with ready.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Emergency)) == 0
        sealed = session.get_one(DrillList, COMMUNE).document
    key = ready.keys.signer(Use.ALERT).public
    with pytest.raises(ContractViolation):
        codec.unseal(AlertDocument, sealed, Typ.ALERT, lambda kid: key if kid == key.kid else None)
    ready.link.sent.clear()
    reconciling.step(ready.ctx, ready.link, ready.now)
    assert ready.link.sent == []
    reconciling.say_everything_again(ready.ctx)
    reconciling.step(ready.ctx, ready.link, ready.now)
    assert topics.to_scope(COMMUNE, ScopeTopic.DRILL) in ready.link.topics()


@pytest.mark.requirement("R-066")
def test_a_loud_drill_says_that_it_is_one_and_waits_for_a_second_person(ready: House) -> None:
    with raises(Refused, "drill.prefix"):
        drilling.ask(ready.ctx, ready.on_duty, exercise(silent=False))
    keep_word(ready)
    name = drilling.ask(ready.ctx, ready.on_duty, exercise(silent=False))
    assert lists(ready) == {}
    with raises(Refused, "drill.own"):
        drilling.approve(ready.ctx, ready.on_duty, name)
    with raises(Refused, "no_right"):
        drilling.approve(ready.ctx, ready.actor("author"), name)
    with raises(Refused, "not_yours"):
        drilling.approve(ready.ctx, ready.actor("stranger"), name)
    drilling.approve(ready.ctx, ready.actor("boss"), name)
    [drill] = lists(ready)[COMMUNE].drills
    assert (drill.silent, [part.asset.sha256 for part in drill.prefix]) == (False, [ready.other.sha256])
    with raises(Conflict, "drill.decided"):
        drilling.reject(ready.ctx, ready.actor("boss"), name, "Không cần")
    with ready.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.about == name)).all()
    assert {"drill.ask", "drill.approve", "drill.approve.refused"} <= set(acts)


def test_a_loud_drill_in_a_language_without_the_word_or_outside_the_hours_is_refused(ready: House) -> None:
    keep_word(ready)
    km = (("vi", ready.bulletin.sha256), ("km", ready.other.sha256))
    with raises(Refused, "drill.prefix"):
        drilling.ask(ready.ctx, ready.on_duty, exercise(silent=False, content=km))
    night = ready.now + timedelta(hours=11)  # 23:00
    with raises(Refused, "drill.hours"):
        drilling.ask(ready.ctx, ready.on_duty, exercise(silent=False, starts_at=night))
    drilling.ask(ready.ctx, ready.on_duty, exercise(content=km, starts_at=night))
    waits = drilling.ask(ready.ctx, ready.on_duty, exercise(silent=False, lasts=timedelta(hours=4)))
    ready.clock.advance(5 * 3600)
    with raises(Refused, "drill.over"):
        drilling.approve(ready.ctx, ready.actor("boss"), waits)


def test_a_loud_drill_that_was_rejected_is_never_heard_of(ready: House) -> None:
    keep_word(ready)
    name = drilling.ask(ready.ctx, ready.on_duty, exercise(silent=False))
    with raises(Refused, "reason.missing"):
        drilling.reject(ready.ctx, ready.actor("boss"), name, " ")
    drilling.reject(ready.ctx, ready.actor("boss"), name, "Trùng lễ")
    assert lists(ready) == {}
    with ready.ctx.db.read() as session:
        assert session.get_one(Drill, name).state == "rejected"
        assert [row.id for row in drilling.every(ready.ctx, session, ready.actor("boss"))] == [name]
        assert drilling.every(ready.ctx, session, ready.actor("stranger")) == []


def test_a_drill_ends_alone_and_with_the_silence_of_everything_and_ends_no_alert(ready: House) -> None:
    first = drilling.ask(ready.ctx, ready.on_duty, exercise())
    second = drilling.ask(ready.ctx, ready.on_duty, exercise(target=Target(areas=(ROOT,))))
    alert = sounded(ready, Target(areas=(COMMUNE,)))
    drilling.end(ready.ctx, ready.on_duty, first)
    assert lists(ready)[COMMUNE].drills == []
    assert [each.id for each in lists(ready)[ROOT].drills] == [second]
    assert [each.id for each in heard(ready, f"u-{HERE}-1")] == [alert]
    emergencies.silence_all(ready.ctx, ready.on_duty)
    assert all(not told.drills for told in lists(ready).values())
    again = drilling.ask(ready.ctx, ready.on_duty, exercise())
    found = concerning(lists(ready), documents(ready), SCOPES, f"u-{HERE}-1", SCOPES)
    assert [each.id for each in found] == [again]


def test_who_may_ask_and_what_is_too_much(ready: House) -> None:
    mine = ready.on_duty.only_in(frozenset({COMMUNE}))
    for actor, told, key in (
        (ready.actor("author"), exercise(), "no_right"),
        (replace(ready.on_duty, strong=False), exercise(), "second_factor.needed"),
        (mine, exercise(target=Target(areas=(OTHER,))), "not_yours"),
        (mine, exercise(reason=" "), "reason.missing"),
        (mine, exercise(lasts=timedelta(hours=5)), "drill.length"),
        (mine, exercise(starts_at=ready.now - timedelta(seconds=1)), "drill.time"),
        (mine, exercise(kind=AlertKind.FIRE), "emergency.none"),
    ):
        with raises(Refused, key):
            drilling.ask(ready.ctx, actor, told)
    for _ in range(8):
        drilling.ask(ready.ctx, mine, exercise())
    with raises(Refused, "drill.too_many"):
        drilling.ask(ready.ctx, mine, exercise())
    assert len(lists(ready)[COMMUNE].drills) == 8


def test_what_units_tell_of_a_drill_is_kept_with_the_drill_and_proves_nothing_else(ready: House) -> None:
    name = drilling.ask(ready.ctx, ready.on_duty, exercise())
    alert = sounded(ready, Target(areas=(COMMUNE,)))
    voice = Voice(f"u-{HERE}-1", ready.bulletin.sha256, 2_000)
    ready.clock.advance(3)
    begun = voice.started(name, ready.now, clock_error_ms=10, drill=True)
    feigned = voice.started(alert, ready.now, clock_error_ms=10, drill=True)
    assert ready.hear(voice.batch(begun, feigned), unit=voice.unit, signed=True).sirens == []
    with ready.ctx.db.read() as session:
        told = {line.unit: line.found for line in drill_tally.tally(session, name, ready.now)}
        tally = emergencies.tally(session, alert, ready.now)
    assert (told[voice.unit].mark, told[voice.unit].seconds) == (Mark.SOUNDED, 3.0)
    assert told[f"u-{HERE}-2"].mark is Mark.NOT_REACHED
    assert tally.sums.sounded == 0


def reports(house: House, unit: str, version: int, refused: str = "") -> None:
    told: dict[str, Any] = {"drills": {COMMUNE: version} if version else {}}
    if refused:
        told["refused"] = Refusal(document="drill", reason=RefusalReason(refused), at=unix_ms(house.now))
    house.hear(Voice(unit, house.bulletin.sha256, 2_000).reported(house.now, **told), unit=unit)


def test_who_has_applied_the_list_of_a_drill_is_reached_and_who_refused_it_is_told(ready: House) -> None:
    drilling.ask(ready.ctx, ready.on_duty, exercise())
    before = lists(ready)[COMMUNE].version
    ready.clock.advance(60)
    name = drilling.ask(ready.ctx, ready.on_duty, exercise())
    first, other, third = (f"u-{HERE}-{n}" for n in (1, 2, 3))
    reports(ready, first, lists(ready)[COMMUNE].version)
    reports(ready, other, before)
    reports(ready, third, 0, refused="bad_signature")

    def marks() -> dict[str | None, tuple[Mark, Why | None]]:
        with ready.ctx.db.read() as session:
            rows = drill_tally.tally(session, name, ready.now)
        return {line.unit: (line.found.mark, line.found.why) for line in rows}

    told = marks()
    assert told[first] == (Mark.REACHED, Why.FETCHING)
    assert told[other] == (Mark.NOT_REACHED, Why.OFFLINE)
    assert told[third] == (Mark.NOT_REACHED, Why.REFUSED)
    assert told[f"u-{HERE}-4"] == (Mark.NOT_REACHED, Why.NEVER_SEEN)
    ready.clock.advance(60)
    drilling.ask(ready.ctx, ready.on_duty, exercise())
    assert marks()[first][0] is Mark.REACHED, "a newer list of other drills does not make it forget"
    drill_lists.outrank(ready.ctx, COMMUNE, lists(ready)[COMMUNE].version + 9_000_000, ready.now)
    assert marks()[first][0] is Mark.NOT_REACHED, "versions that ran ahead of the clock prove nothing by their number"
    reports(ready, first, lists(ready)[COMMUNE].version)
    assert marks()[first][0] is Mark.REACHED


def test_units_fetch_what_a_drill_names_while_it_stands(ready: House) -> None:
    name = drilling.ask(ready.ctx, ready.on_duty, exercise(content=(("vi", ready.other.sha256),)))
    unit = f"u-{HERE}-1"
    assert files.asset_for_unit(ready.ctx, unit, ready.secret(unit), ready.other.sha256)
    stranger = f"u-{THERE}-1"
    with raises(Refused, "asset.not_yours"):
        files.asset_for_unit(ready.ctx, stranger, ready.secret(stranger), ready.other.sha256)
    drilling.end(ready.ctx, ready.on_duty, name)
    with raises(Refused, "asset.not_yours"):
        files.asset_for_unit(ready.ctx, unit, ready.secret(unit), ready.other.sha256)


def test_a_version_out_there_is_outranked_and_none_goes_back(ready: House) -> None:
    drilling.ask(ready.ctx, ready.on_duty, exercise())
    high = lists(ready)[COMMUNE].version + 9_000
    drill_lists.outrank(ready.ctx, COMMUNE, high, ready.now)
    assert lists(ready)[COMMUNE].version == high + 1
    drill_lists.outrank(ready.ctx, COMMUNE, high, ready.now)
    assert lists(ready)[COMMUNE].version == high + 1
    drill_lists.outrank(ready.ctx, OTHER, high, ready.now)
    assert (lists(ready)[OTHER].version, lists(ready)[OTHER].drills) == (high + 1, [])
