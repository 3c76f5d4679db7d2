"""Another unit on a pole: the place goes on, the box before falls silent, and each proves only what it did there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from support.services import HERE, NOON, THERE, House, raises
from support.voices import Voice

from broadcasts.errors import Conflict, Refused
from broadcasts.wire import codec
from broadcasts.wire.alert import AlertDocument, AlertKind
from broadcasts.wire.enrol import code_of, label_of
from broadcasts.wire.jws import Typ
from broadcasts.wire.trust import Use
from controller.db.tables import (
    Assignment,
    AuditEntry,
    Delivery,
    EmergencyReach,
    Enrolment,
    Hardware,
    ScopeDocument,
    Unit,
    UnitPlan,
)
from controller.services import accounts, alerting, compiling, reconciling, swapping
from controller.services.rights import Role

CLUSTER, OLD, NEW = f"cl-{HERE}-1", f"u-{HERE}-1", "u-spare"
START = NOON + timedelta(hours=2)
END = START + timedelta(seconds=2)


@pytest.fixture(autouse=True)
def spare(house: House) -> None:
    """A unit that is ours and hangs nowhere."""
    with house.ctx.db.write() as session:
        session.add(Unit(id=NEW, vendor="loasim", key_x="x" * 43, secret_hashes={"sha256": "0" * 64}, enrolled_at=NOON))


def swap(house: House, code: str = NEW, seen: str | None = OLD, **how: Any) -> str:
    return swapping.swap(house.ctx, house.actor("kythuat"), CLUSTER, code, seen, **how)


def units_at(house: House, cluster: str = CLUSTER) -> list[tuple[str, datetime, datetime | None]]:
    with house.ctx.db.read() as session:
        rows = session.scalars(select(Assignment).where(Assignment.cluster_id == cluster).order_by(Assignment.id))
        return [(row.unit_id, row.since, row.until) for row in rows]


def hear(house: House, voice: Voice, *entries: Any) -> None:
    house.hear(voice.batch(*entries), unit=voice.unit, signed=True)


def voice_of(house: House, unit: str) -> Voice:
    return Voice(unit, house.bulletin.sha256, house.bulletin.duration_ms)


def verdict(house: House, name: str) -> tuple[str, str | None]:
    with house.ctx.db.read() as session:
        row = session.get_one(Delivery, name)
        return row.state, row.verdict


@pytest.mark.requirement("R-085")
def test_schedule_place_and_history_stay_with_the_cluster_and_the_old_unit_gets_an_empty_plan(house: House) -> None:
    broadcast = house.on_air()
    house.compile()
    before, planned = house.plan(OLD), house.delivery(broadcast)
    assert [item.id for item in before.items] == [planned.id]
    house.clock.advance(60)
    house.woken.clear()
    assert swap(house, why="hỏng nguồn") == NEW
    assert house.woken == [house.now], "the new plan is compiled at once"
    assert [unit[0] for unit in units_at(house)] == [OLD, NEW]
    assert units_at(house)[0][2] == units_at(house)[1][1] == house.now
    house.compile()
    taken, emptied = house.plan(NEW), house.plan(OLD)
    assert (taken.items, taken.assignment.cluster) == (before.items, CLUSTER)
    assert (emptied.items, emptied.assets, emptied.policy.hours, emptied.policy.emergency_volume) == ([], [], [], 0)
    assert emptied.policy.scopes == [OLD], "no list of a commune or the province is followed any more"
    assert emptied.version > before.version
    moved = house.delivery(broadcast)
    assert (moved.id, moved.unit_id, moved.cluster_id) == (planned.id, NEW, CLUSTER)
    reconciling.step(house.ctx, house.link, house.now)
    assert {f"loa/v1/u/{unit}/in/plan" for unit in (OLD, NEW)} <= set(house.link.plans())
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "cluster.swap")).one()
    assert (line.about, line.actor, line.detail["old"], line.detail["new"]) == (CLUSTER, "kythuat", OLD, NEW)
    assert line.detail["why"] == "hỏng nguồn"


@pytest.mark.requirement("R-085")
def test_what_the_old_unit_played_before_counts_however_late_it_tells_and_what_it_did_since_does_not(
    house: House,
) -> None:
    first, second = house.on_air(), house.on_air(at=(START + timedelta(hours=8)).time())
    house.compile()
    played, later = house.delivery(first).id, house.delivery(second).id
    house.clock.set(END + timedelta(minutes=1))
    swap(house)
    house.compile()
    house.clock.set(START + timedelta(hours=2))
    old = voice_of(house, OLD)
    again = START + timedelta(hours=1)
    hear(house, old, old.started(played, START), old.ended(played, END), old.started(later, again),
         old.ended(later, again + timedelta(seconds=2)))  # fmt: skip
    assert verdict(house, played) == ("played", "heard")
    assert verdict(house, later)[1] is None, "the box went on in the technician's car"
    new = voice_of(house, NEW)
    hear(house, new, new.started(later, again), new.ended(later, again + timedelta(seconds=2)))
    assert verdict(house, later) == ("played", "heard")


def test_of_a_bulletin_that_was_sounding_at_the_swap_the_old_unit_proves_only_the_part_before(house: House) -> None:
    planned = house.delivery(house.on_air()).id
    house.compile()
    house.clock.set(START + timedelta(seconds=1))
    swap(house)
    house.clock.set(END + timedelta(minutes=1))
    old = voice_of(house, OLD)
    hear(house, old, old.started(planned, START), old.ended(planned, END))
    assert verdict(house, planned) == ("playing", None), "it began here; that it ended was somewhere else"


def test_the_page_can_say_until_when_the_old_unit_may_still_sound(house: House) -> None:
    house.on_air()
    house.compile()
    old = voice_of(house, OLD)
    plan = house.stored_plan(OLD)
    house.hear(old.presence("online"), unit=OLD)
    house.hear(old.reported(house.now, plan_version=plan.version, plan_hash=plan.document_sha256), unit=OLD)
    house.clock.advance(3600)
    swap(house)
    with house.ctx.db.read() as session:
        [former] = swapping.formers(session, [CLUSTER], house.now)
    assert (former.unit, former.silent) == (OLD, False)
    assert former.sounds_until == min(NOON + swapping.AUTONOMY, plan.horizon_end + swapping.PLAN_HOLDS)
    house.compile()
    emptied = house.stored_plan(OLD)
    house.hear(old.reported(house.now, plan_version=emptied.version, plan_hash=emptied.document_sha256), unit=OLD)
    with house.ctx.db.read() as session:
        assert swapping.formers(session, [CLUSTER], house.now)[0].silent, "it said that it holds the empty plan"


def test_an_old_unit_that_never_comes_back_is_silent_when_its_time_is_over(house: House) -> None:
    house.compile()
    ends = house.stored_plan(OLD).horizon_end + swapping.PLAN_HOLDS
    swap(house)
    for later, silent in ((ends - timedelta(seconds=1), False), (ends, True)):
        with house.ctx.db.read() as session:
            assert swapping.formers(session, [CLUSTER], later)[0].silent is silent


def test_an_empty_plan_is_made_anew_each_day_so_that_it_is_valid_whenever_the_unit_comes_back(house: House) -> None:
    house.compile()
    swap(house)
    house.compile()
    first = house.stored_plan(OLD)
    house.compile()
    assert house.stored_plan(OLD).version == first.version, "nothing changed: nothing is sent"
    for _ in range(9):
        house.clock.advance(86_400)
        house.compile()
    rolled = house.stored_plan(OLD)
    assert rolled.version > first.version
    assert rolled.horizon_end > house.now + timedelta(days=5)
    assert house.plan(OLD).items == []


def test_of_two_who_swap_at_the_same_time_the_second_one_is_told(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(Unit(id="u-other", key_x="y" * 43, secret_hashes={"sha256": "1" * 64}, enrolled_at=NOON))
    swap(house)
    with raises(Conflict, "swap.changed"):
        swap(house, "u-other", seen=OLD)
    assert [unit[0] for unit in units_at(house)] == [OLD, NEW]


def test_a_unit_serves_one_cluster_and_whoever_takes_it_for_another_is_told_which(house: House) -> None:
    with pytest.raises(Conflict) as told:
        swap(house, f"u-{HERE}-2")
    assert told.value.key == "swap.serves"
    assert str(told.value.fields["cluster"]).startswith("Cụm 2")
    with raises(Refused, "swap.same"):
        swap(house, OLD)
    swapping.release(house.ctx, house.actor("kythuat"), f"cl-{HERE}-2", f"u-{HERE}-2")
    swap(house, f"u-{HERE}-2")
    assert units_at(house)[-1][0] == f"u-{HERE}-2"
    assert units_at(house, f"cl-{HERE}-2")[-1][2] == house.now


def test_where_a_unit_elsewhere_stands_is_not_told_to_who_has_no_right_there(house: House) -> None:
    with house.ctx.db.write() as session:
        first = accounts.FirstPassword.make()
        accounts.create_user(house.ctx, session, first, "tho", "Thợ", Role.TECHNICIAN, f"c-{HERE}", "test")
    with pytest.raises(Conflict) as told:
        swapping.swap(house.ctx, house.actor("tho"), CLUSTER, f"u-{THERE}-1", None)
    assert told.value.fields["cluster"] == "-"
    with raises(Refused, "cluster.unknown"):
        swapping.swap(house.ctx, house.actor("tho"), f"cl-{THERE}-1", NEW, None)


@pytest.mark.parametrize("clash", ["unit", "cluster"])
def test_the_tables_themselves_keep_a_second_claim_out(house: House, clash: str) -> None:
    """Whatever the code above them forgets."""
    claim = {"unit": (OLD, f"cl-{HERE}-2"), "cluster": (NEW, CLUSTER)}[clash]
    with pytest.raises(IntegrityError), house.ctx.db.write() as session:
        session.add(Assignment(unit_id=claim[0], cluster_id=claim[1], since=house.now))
    assert len(units_at(house)) == 1


@pytest.mark.parametrize(
    ("code", "key"),
    [("u-never-was", "swap.unknown"), ("", "swap.code"), ("u spare", "swap.code"), ("x" * 33, "swap.code"),
     ("../../etc", None), ("https://loa.example/units/u-spare?x=1", ""), ("LOA:U-SPARE ", "")],
)  # fmt: skip
def test_a_code_is_typed_or_scanned_in_any_of_its_forms(house: House, code: str, key: str | None) -> None:
    if key == "":
        assert swap(house, code) == NEW
        return
    with raises(Refused, key or "swap.unknown"):
        swap(house, code)
    assert len(units_at(house)) == 1


@pytest.mark.parametrize("told", ["label", "code", "serial"])
def test_what_stands_on_the_box_is_as_good_as_the_name_of_the_unit(house: House, told: str) -> None:
    fingerprint, serial = "ab" * 32, "SN-2026-0007"
    asked = Enrolment(
        id="e-1",
        serial=serial,
        fingerprint=fingerprint,
        code=code_of(fingerprint),
        key_x="x" * 43,
        secret_sha256="0" * 64,
        request="",
        state="accepted",
        asked_at=NOON,
        expires_at=NOON,
        unit_id=NEW,
    )
    with house.ctx.db.write() as session:
        session.add(asked)
    box = {"label": label_of(serial, fingerprint), "code": code_of(fingerprint).lower(), "serial": serial}
    with raises(Refused, "swap.unknown"):
        swap(house, label_of(serial, "cd" * 32))
    assert swap(house, box[told]) == NEW


def test_a_revoked_unit_is_not_taken_and_who_is_no_technician_swaps_nothing(house: House) -> None:
    for name in ("author", "boss", "tinh"):
        with raises(Refused, "no_right"):
            swapping.swap(house.ctx, house.actor(name), CLUSTER, NEW, OLD)
    with house.ctx.db.write() as session:
        session.get_one(Unit, NEW).revoked_at = house.now
    with raises(Refused, "swap.revoked"):
        swap(house)
    with house.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.about == CLUSTER)).all()
    assert set(acts) == {"cluster.swap.refused"}


def test_a_plan_that_was_being_compiled_at_the_swap_is_not_stored_over_it(house: House) -> None:
    """The compiler looked while the old unit still hung there."""
    house.on_air()
    with house.ctx.db.read() as session:
        wanted = compiling._look(session, [OLD], house.now)
    made, _ = compiling._make_all(wanted, house.keys.signer(Use.PLAN), house.now)
    house.compile()
    with house.ctx.db.write() as session:
        row = session.get_one(UnitPlan, OLD)
        row.dirty_since = made[0].want.dirty_since
    swap(house)
    with house.ctx.db.write() as session:
        assert compiling._store(session, made, house.now) == 0
    house.compile()
    assert house.plan(OLD).items == []


def test_released_without_another_the_cluster_has_nobody_and_nothing_is_said_to_be_planned_there(house: House) -> None:
    broadcast = house.on_air()
    house.compile()
    swapping.release(house.ctx, house.actor("kythuat"), CLUSTER, OLD, why="trộm")
    house.compile()
    row = house.delivery(broadcast)
    assert (row.cluster_id, row.unit_id, row.plan_version) == (CLUSTER, None, None)
    with raises(Refused, "swap.none"):
        swapping.release(house.ctx, house.actor("kythuat"), CLUSTER, "")
    swap(house, seen="")
    house.compile()
    assert [item.id for item in house.plan(NEW).items] == [row.id]


def test_the_sim_goes_over_with_its_quota_where_somebody_says_so(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(
            Hardware(unit_id=OLD, serial="S-1", sim_iccid="8984" + "0" * 15, sim_number="0909", sim_quota_mb=300,
                     sim_operator="Viettel", changed_at=NOON)
        )  # fmt: skip
    swap(house, keeps_sim=True)
    with house.ctx.db.read() as session:
        old, new = session.get_one(Hardware, OLD), session.get_one(Hardware, NEW)
    assert (new.sim_iccid, new.sim_quota_mb, new.serial) == ("8984" + "0" * 15, 300, None)
    assert (old.sim_iccid, old.sim_quota_mb, old.serial) == (None, None, "S-1")


def test_an_emergency_that_stands_is_for_the_place_and_named_to_the_new_unit(house: House) -> None:
    content = [("vi", house.bulletin.sha256)]
    few = [OLD, f"u-{HERE}-2"]
    named = alerting.sound(
        house.ctx, house.on_duty, f"c-{HERE}", AlertKind.FLOOD, content, "Nước", timedelta(hours=1), units=few
    )
    alone = alerting.sound(house.ctx, house.on_duty, OLD, AlertKind.STORM, content, "Bão", timedelta(hours=1))
    house.clock.advance(1)
    swap(house)
    house.compile()
    reconciling.step(house.ctx, house.link, house.now)
    key = house.keys.signer(Use.ALERT).public

    def entries(scope: str) -> dict[str, Any]:
        with house.ctx.db.read() as session:
            sealed = session.get_one(ScopeDocument, scope).document
        found = codec.unseal(AlertDocument, sealed, Typ.ALERT, lambda kid: key if kid == key.kid else None)
        return {alert.id: alert.target for alert in found.alerts}

    assert entries(f"c-{HERE}") == {named: sorted([NEW, f"u-{HERE}-2"])}
    assert (entries(OLD), list(entries(NEW))) == ({}, [alone])
    with house.ctx.db.read() as session:
        reach = session.scalars(select(EmergencyReach.unit_id).where(EmergencyReach.cluster_id == CLUSTER)).all()
    assert set(reach) == {NEW}
