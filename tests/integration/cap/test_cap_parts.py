"""One warning that several standing rules are meant for: each sounds its own part, and no pole hears two."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support.cap import SENT, document, info, reference
from support.cap_desk import Cap
from support.services import HERE, THERE

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import AuditEntry, CapMessageAlert, Cluster, Emergency, EmergencyReach, Station
from controller.services import cap_by_rule, cap_deciding, cap_taking, emergencies
from controller.services.alert_calls import Call
from controller.services.context import Context
from controller.services.rights import Actor


def _both(cap: Cap, **told: str) -> tuple[str, str]:
    """A rule for each of two communes. Together they are wide, and each of them is not."""
    cap.preload()
    cap.preload(AlertKind.FLOOD)
    return cap.rule(area=f"c-{HERE}"), cap.rule(area=f"c-{THERE}", kind="flood", **told)


def _poles(cap: Cap, act: Emergency, *, standing: bool = False) -> set[str]:
    with cap.house.ctx.db.read() as session:
        wanted = select(EmergencyReach.cluster_id).where(EmergencyReach.emergency_id == act.id)
        return set(session.scalars(wanted.where(EmergencyReach.silenced_at.is_(None)) if standing else wanted))


def test_each_rule_that_a_message_reaches_sounds_an_emergency_of_its_own(cap: Cap) -> None:
    here, there = _both(cap)
    row = cap.take(document())
    acts = {act.id: act for act in cap.emergencies()}
    found = {part.rule_id: acts[part.alert_id] for part in cap.parts(row.id)}
    assert {rule: (act.kind, act.scopes) for rule, act in found.items()} == {
        here: ("storm", [f"c-{HERE}"]),
        there: ("flood", [f"c-{THERE}"]),
    }
    assert cap.state(row.id) == "automatic"
    with cap.house.ctx.db.read() as session:
        told = session.scalars(select(AuditEntry).where(AuditEntry.act == "cap.automatic")).all()
        shown = cap_deciding.show(cap.house.ctx, session, cap.actor("lan"), row.id)
    assert {entry.detail["rule"] for entry in told} == {here, there}
    assert {(part.kind, bool(part.row.alert_id)) for part in shown.parts} == {("storm", True), ("flood", True)}


def test_a_pole_that_stands_in_two_rules_hears_it_once(cap: Cap) -> None:
    cap.preload()
    wide = cap.rule()
    cap.rule(area=f"c-{HERE}", kind="storm", minutes=20)
    tight = "<area><areaDesc>Xã</areaDesc><geocode><valueName>VN</valueName><value>31615</value></geocode></area>"
    row = cap.take(document(infos=info(area=tight)))
    (act,) = cap.emergencies()
    assert [(part.rule_id, part.alert_id) for part in cap.parts(row.id)] == [(wide, act.id)], "the older of the two"


def test_what_a_refused_rule_would_have_covered_is_left_to_the_others(cap: Cap) -> None:
    cap.preload()
    wide = cap.rule()
    here = cap.rule(area=f"c-{HERE}")
    row = cap.take(document())
    (act,) = cap.emergencies()
    first, second = cap.parts(row.id)
    assert (first.rule_id, first.alert_id, first.held) == (wide, "", "alert.confirm_reach")
    assert (second.rule_id, second.alert_id, second.held) == (here, act.id, "")
    assert act.scopes == [f"c-{HERE}"]
    assert (cap.state(row.id), cap.row(row.id).held) == ("automatic", "alert.confirm_reach")


def test_the_second_emergency_leaves_out_the_poles_of_the_first(cap: Cap) -> None:
    cap.preload()
    cap.preload(AlertKind.FLOOD)
    storm = cap.rule(area=f"c-{HERE}")
    flood = cap.rule(kind="flood", events=("Lũ",))
    with cap.house.ctx.db.read() as session:
        poles = session.scalars(select(Cluster).order_by(Cluster.id)).all()
        mine = {each.id for each in poles if session.get_one(Station, each.station_id).area_id == f"c-{HERE}"}
    some = [each for each in poles if each.id in mine][:2] + [each for each in poles if each.id not in mine][:1]
    rings = "".join(f"<circle>{each.latitude:.6f},{each.longitude:.6f} 0.01</circle>" for each in some)
    here = "<area><areaDesc>Xã</areaDesc><geocode><valueName>VN</valueName><value>31615</value></geocode></area>"
    there = f"<area><areaDesc>Bờ sông</areaDesc>{rings}</area>"
    row = cap.take(document(infos=info(area=here) + info(event="Lũ", area=there)))
    acts = {act.id: act for act in cap.emergencies()}
    assert [part.rule_id for part in cap.parts(row.id)] == [storm, flood]
    first, second = (acts[name] for name in cap.alerts(row.id))
    assert _poles(cap, first) == mine
    assert _poles(cap, second) == {some[2].id}, "those of its poles that hear the storm already are left out"
    assert [part.clusters for part in cap.parts(row.id)] == [len(mine), 1]


def test_each_part_has_its_own_guard(cap: Cap, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = _both(cap)
    real = emergencies.sound

    def one_is_refused(ctx: Context, actor: Actor, call: Call) -> str:
        if call.kind is AlertKind.STORM:
            raise Refused("alert.rate_scope", most=1, minutes=60)
        return real(ctx, actor, call)

    monkeypatch.setattr(cap_by_rule.emergencies, "sound", one_is_refused)
    row = cap.take(document())
    parts = {part.rule_id: part for part in cap.parts(row.id)}
    assert (parts[here].alert_id, parts[here].held) == ("", "alert.rate_scope")
    assert (bool(parts[there].alert_id), parts[there].held) == (True, "")


def test_a_cancel_silences_every_part(cap: Cap) -> None:
    _both(cap)
    row = cap.take(document())
    cap.take(cap.update("Cancel", "huy"))
    assert [act.ended_by for act in cap.emergencies()] == ["cap", "cap"]
    assert [part.silenced_at for part in cap.parts(row.id)] == [cap.house.now] * 2


def test_a_cancel_that_comes_between_two_parts_keeps_the_second_silent(
    cap: Cap, monkeypatch: pytest.MonkeyPatch
) -> None:
    _both(cap)
    real = emergencies.sound

    def slow(ctx: Context, actor: Actor, call: Call) -> str:
        done = real(ctx, actor, call)
        cap_taking.take(ctx, cap.feed, cap.update("Cancel", "huy"))
        return done

    monkeypatch.setattr(cap_by_rule.emergencies, "sound", slow)
    row = cap.take(document())
    (act,) = cap.emergencies()
    assert (act.ended_by, cap.alerts(row.id)) == ("cap", [act.id])


def test_an_update_takes_the_place_of_every_part_where_it_sounds(cap: Cap) -> None:
    _both(cap)
    cap.take(document())
    new = cap.take(cap.update())
    acts = {act.id: act for act in cap.emergencies()}
    later = set(cap.alerts(new.id))
    assert len(acts) == 4
    assert all(act.ended_at == cap.house.now for name, act in acts.items() if name not in later)
    assert all(act.ended_at is None for name, act in acts.items() if name in later)


def test_a_person_who_sounds_an_update_ends_every_part_of_the_older(cap: Cap) -> None:
    rules = _both(cap)
    first = cap.take(document())
    with cap.house.ctx.db.write() as session:
        for part in session.scalars(select(CapMessageAlert)):
            assert part.rule_id in rules
    new = cap.take(
        document(
            "bao-5.2",
            sent=SENT + timedelta(minutes=3),
            kind="Update",
            references=reference("bao-5.1"),
            infos=info(severity="Moderate"),
        )
    )
    decision = cap_deciding.Decision("storm", 30, confirmed="10")
    alert = cap_deciding.sound(cap.house.ctx, cap.actor("lan"), new.id, decision)
    ended = {act.id for act in cap.emergencies() if act.ended_at is not None}
    assert ended == set(cap.alerts(first.id))
    (part,) = cap.parts(new.id)
    assert (part.alert_id, part.rule_id, part.clusters) == (alert, "", 10)


def test_killed_after_the_first_part_the_second_says_that_it_never_sounded(
    cap: Cap, monkeypatch: pytest.MonkeyPatch
) -> None:
    _both(cap)
    taken = cap_taking.take(cap.house.ctx, cap.feed, document())
    cap.die_before_noting(monkeypatch)
    cap.later(3)
    cap.step()
    (act,) = cap.emergencies()
    first, second = cap.parts(taken.id)
    assert (first.alert_id, first.held, second.alert_id, second.held) == (act.id, "", "", "cap.broken_off")
    cap.step()
    assert len(cap.emergencies()) == 1, "nothing sounds twice by itself"
    cap.take(cap.update("Cancel", "huy"))
    assert cap.emergencies()[0].ended_by == "cap"
