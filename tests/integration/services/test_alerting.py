"""Alerts as state: the whole list of a scope, signed; silence is a newer list."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from support.services import HERE, NOON, THERE, House, raises
from support.sirens import typed

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.errors import Refused
from broadcasts.wire import codec, topics
from broadcasts.wire.alert import AlertDocument, AlertKind, Repeat
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.trust import Trust, Use
from controller.db.tables import AuditEntry, ScopeDocument, StandingAlert
from controller.services import alerting, reconciling, settling, trusting
from controller.services.emergency_rules import EmergencyRules

SCOPE = f"c-{HERE}"
HOUR = timedelta(hours=1)


def sound(
    house: House,
    reason: str = "Nước lên",
    lasts: timedelta = HOUR,
    scope: str = SCOPE,
    units: list[str] | None = None,
) -> str:
    content = [("vi", house.bulletin.sha256), ("km", house.other.sha256)]
    word = typed(house.ctx, house.on_duty, scope, units)
    return alerting.sound(
        house.ctx, house.on_duty, scope, AlertKind.FLOOD, content, reason, lasts, units=units, confirmed=word
    )


def stored(house: House, scope: str = SCOPE) -> ScopeDocument:
    with house.ctx.db.read() as session:
        return session.get_one(ScopeDocument, scope)


def document(house: House, scope: str = SCOPE) -> AlertDocument:
    """Verified as a unit does, by the alert key alone."""
    key = house.keys.signer(Use.ALERT).public
    sealed = stored(house, scope).document
    return codec.unseal(AlertDocument, sealed, Typ.ALERT, lambda kid: key if kid == key.kid else None)


def test_a_list_is_complete_and_each_version_above_the_one_before(house: House) -> None:
    first = sound(house)
    one = document(house)
    house.clock.advance(1)
    second = sound(house, "Bão")
    two = document(house)
    assert ([alert.id for alert in one.alerts], [alert.id for alert in two.alerts]) == ([first], [first, second])
    assert two.version > one.version > unix_ms(NOON)
    assert stored(house).published_at is None
    assert house.woken == [NOON, NOON + timedelta(seconds=1)]


def test_an_alert_says_what_where_how_long_and_why(house: House) -> None:
    content = [("vi", house.bulletin.sha256)]
    alerting.sound(
        house.ctx, house.on_duty, SCOPE, AlertKind.STORM, content, " Bão số 3 ", HOUR,
        units=[f"u-{HERE}-1"], repeat=Repeat(every_s=60, times=3), volume=90,
    )  # fmt: skip
    [alert] = document(house).alerts
    assert (alert.kind, alert.level, alert.target, alert.volume) == (AlertKind.STORM, 1, [f"u-{HERE}-1"], 90)
    assert (alert.reason, alert.repeat) == ("Bão số 3", Repeat(every_s=60, times=3))
    assert (from_unix_ms(alert.not_before), from_unix_ms(alert.hard_end)) == (NOON, NOON + HOUR)
    assert [(part.language, part.asset.sha256) for part in alert.content] == content
    assert alert.max_blind_s == 600


def test_silence_of_one_is_a_newer_list_without_it(house: House) -> None:
    first, second = sound(house), sound(house, "Bão")
    before = document(house).version
    assert alerting.silence(house.ctx, house.on_duty, SCOPE, first) == 1
    after = document(house)
    assert ([alert.id for alert in after.alerts], after.void_before) == ([second], 0)
    assert after.version > before


def test_silence_of_all_empties_the_list_and_voids_what_was_issued_before(house: House) -> None:
    sound(house)
    house.clock.advance(30)
    assert alerting.silence(house.ctx, house.on_duty, SCOPE) == 1
    assert (document(house).alerts, from_unix_ms(document(house).void_before)) == ([], house.now)
    house.clock.advance(30)
    sound(house, "Lại lên")
    assert len(document(house).alerts) == 1
    assert from_unix_ms(document(house).void_before) == house.now - timedelta(seconds=30)
    house.clock.advance(1)
    assert alerting.silence(house.ctx, house.on_duty, "p-94") == 1
    assert from_unix_ms(document(house, "p-94").void_before) == house.now
    assert document(house).alerts == []


def test_what_is_over_drops_out_of_the_next_list(house: House) -> None:
    sound(house, lasts=timedelta(minutes=5))
    house.clock.advance(300)
    second = sound(house, "Bão")
    assert [alert.id for alert in document(house).alerts] == [second]


def test_an_alert_that_is_over_is_taken_off_the_list_by_the_sweep_once(house: House) -> None:
    """A unit that boots in the night without trusted time would sound what still stands there."""
    sound(house, lasts=timedelta(minutes=5))
    longer = sound(house, "Bão", lasts=HOUR)
    before = document(house).version
    house.clock.advance(299)
    settling.step(house.ctx, house.now)
    assert document(house).version == before
    house.clock.advance(1)
    settling.step(house.ctx, house.now)
    after = document(house)
    assert ([alert.id for alert in after.alerts], after.void_before) == ([longer], 0)
    house.woken.clear()
    settling.step(house.ctx, house.now)
    assert (document(house).version, house.woken) == (after.version, [])


def test_a_scope_speaks_for_itself_alone(house: House) -> None:
    sound(house)
    other = sound(house, scope="p-94")
    assert [alert.id for alert in document(house, "p-94").alerts] == [other]
    assert len(document(house).alerts) == 1


def test_a_version_seen_out_there_is_outranked_once(house: House) -> None:
    sound(house)
    high = document(house).version + 9_000
    alerting.outrank(house.ctx, SCOPE, high, house.now)
    assert document(house).version == high + 1
    assert len(document(house).alerts) == 1
    house.woken.clear()
    alerting.outrank(house.ctx, SCOPE, high, house.now)
    alerting.outrank(house.ctx, SCOPE, high + 1, house.now)
    assert (document(house).version, house.woken) == (high + 1, [])
    sound(house, "Bão")
    assert document(house).version == high + 2


def test_a_list_out_there_of_which_the_backup_knows_nothing_is_outranked_by_an_empty_one(house: House) -> None:
    high = unix_ms(house.now) + 9_000
    alerting.outrank(house.ctx, SCOPE, high, house.now)
    found = document(house)
    assert (found.version, found.alerts, found.void_before) == (high + 1, [], 0)
    house.woken.clear()
    alerting.outrank(house.ctx, SCOPE, high, house.now)
    assert (document(house).version, house.woken) == (high + 1, [])


def test_one_alert_more_than_a_list_can_say_is_refused_before_anything_is_decided(house: House) -> None:
    many = replace(house.ctx, emergencies=EmergencyRules(per_person=100, per_scope=100))

    def one(reason: str) -> str:
        content = [("vi", house.bulletin.sha256)]
        word = typed(house.ctx, house.on_duty, SCOPE)
        return alerting.sound(many, house.on_duty, SCOPE, AlertKind.FLOOD, content, reason, HOUR, confirmed=word)

    names = [one(f"Nước lên {n}") for n in range(64)]
    before = stored(house)
    with raises(Refused, "alert.too_many"):
        one("Nước lên")
    assert stored(house).dirty == 0
    assert stored(house).version == before.version
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(StandingAlert)) == 64
        assert session.scalar(select(func.count()).where(AuditEntry.act == "alert.sound")) == 64
    alerting.silence(house.ctx, house.on_duty, SCOPE, names[0])
    assert one("Bão") in {alert.id for alert in document(house).alerts}


def test_alerts_too_long_for_one_message_are_refused_before_anything_is_decided(house: House) -> None:
    many = [f"u-{HERE}-{n:020d}" for n in range(1, 900)]
    sound(house, units=many)
    with raises(Refused, "alert.too_many"):
        sound(house, units=many)
    assert len(document(house).alerts) == 1
    assert len(stored(house).document) <= topics.MANNERS[topics.ScopeTopic.ALERT].max_bytes


class Killed(BaseException):
    """As `kill -9`: nothing catches it."""


@contextmanager
def killed_before_it_signs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def die(*_: object) -> bytes:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(codec, "seal", die)
        with pytest.raises(Killed):
            yield


def restarted(house: House) -> list[str]:
    """What a controller that comes up again publishes in its first minutes."""
    house.link.sent.clear()
    for _ in range(3):
        reconciling.step(house.ctx, house.link, house.now)
        house.clock.advance(60)
    return house.link.topics()


TOPIC = topics.to_scope(SCOPE, topics.ScopeTopic.ALERT)


def test_a_kill_between_the_act_and_the_signature_loses_no_start(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with killed_before_it_signs(monkeypatch):
        sound(house)
    assert restarted(house) == [TOPIC]
    assert [alert.reason for alert in document(house).alerts] == ["Nước lên"]
    assert restarted(house) == []


@pytest.mark.parametrize("one", [True, False])
def test_a_kill_between_the_act_and_the_signature_loses_no_stop(
    house: House, monkeypatch: pytest.MonkeyPatch, one: bool
) -> None:
    name = sound(house)
    restarted(house)
    silenced = house.now
    with killed_before_it_signs(monkeypatch):
        alerting.silence(house.ctx, house.on_duty, SCOPE, name if one else None)
    assert restarted(house) == [TOPIC]
    assert document(house).alerts == []
    assert document(house).void_before == (0 if one else unix_ms(silenced))


def test_a_kill_while_a_scope_without_a_list_is_silenced_loses_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_before_it_signs(monkeypatch):
        alerting.silence(house.ctx, house.on_duty, "p-94")
    assert from_unix_ms(stored(house, "p-94").void_before) == NOON
    with monkeypatch.context() as patched:
        patched.setattr(alerting, "issue_pending", lambda *_: None)
        assert restarted(house) == []  # nothing is published that was never signed
    assert restarted(house) == ["loa/v1/s/p-94/alert"]
    assert from_unix_ms(document(house, "p-94").void_before) == NOON


def test_a_kill_while_a_version_out_there_is_outranked_loses_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound(house)
    restarted(house)
    high = document(house).version + 9_000_000
    with killed_before_it_signs(monkeypatch):
        alerting.outrank(house.ctx, SCOPE, high, house.now)
    assert restarted(house) == [TOPIC]
    assert document(house).version == high + 1


def test_an_act_while_a_list_is_being_signed_is_in_the_next_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where its own author dies: the signature of another must not wipe out what he decided."""
    seal, inner = codec.seal, []

    def slow(*args: Any) -> bytes:
        if not inner:
            inner.append(True)
            with killed_before_it_signs(monkeypatch):
                sound(house, "Bão")
        return seal(*args)

    monkeypatch.setattr(codec, "seal", slow)
    sound(house)
    monkeypatch.setattr(codec, "seal", seal)
    restarted(house)
    assert sorted(alert.reason for alert in document(house).alerts) == ["Bão", "Nước lên"]


def test_a_list_that_cannot_be_written_keeps_back_no_other(house: House) -> None:
    name = sound(house)
    with house.ctx.db.write() as session:
        session.get_one(StandingAlert, (name, SCOPE)).entry = {"id": name}
        session.get_one(ScopeDocument, SCOPE).dirty = 1
    alerting.silence(house.ctx, house.on_duty, f"c-{THERE}")
    house.compile()
    assert len(restarted(house)) > 10
    assert stored(house).dirty == 1
    alerting.silence(house.ctx, house.on_duty, SCOPE)
    assert (document(house).alerts, stored(house).dirty) == ([], 0)


def test_of_many_alerts_at_once_none_is_missing_from_the_list(house: House) -> None:
    threads = [threading.Thread(target=sound, args=(house, f"Lý do {number}")) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(alert.reason for alert in document(house).alerts) == [f"Lý do {number}" for number in range(6)]


def test_an_alert_without_reason_end_or_recording_is_refused(house: House) -> None:
    with raises(Refused, "reason.missing"):
        sound(house, "  ")
    for lasts in (timedelta(seconds=9), timedelta(hours=24, seconds=1)):
        with raises(Refused, "alert.length"):
            sound(house, lasts=lasts)
    with raises(Refused, "asset.unknown"):
        alerting.sound(house.ctx, house.on_duty, SCOPE, AlertKind.FIRE, [("vi", "0" * 64)], "Cháy", HOUR)
    with house.ctx.db.read() as session:
        assert session.scalars(select(StandingAlert)).all() == []


def test_who_sounded_and_who_silenced_is_kept(house: House) -> None:
    name = sound(house)
    alerting.silence(house.ctx, house.on_duty, SCOPE, name)
    with house.ctx.db.read() as session:
        alert = session.get_one(StandingAlert, (name, SCOPE))
        acts = session.execute(select(AuditEntry.actor, AuditEntry.act).where(AuditEntry.about == name)).all()
    assert (alert.issued_by, alert.silenced_by, alert.silenced_at) == ("trực", "trực", NOON)
    assert [tuple(act) for act in acts] == [("trực", "alert.sound"), ("trực", "alert.silence")]


def trust(house: House) -> Trust:
    root = house.keys.root_public()
    return codec.unseal(
        Trust, stored(house, trusting.TRUST).document, Typ.TRUST, lambda kid: root if kid == root.kid else None
    )


def test_the_trust_document_lists_each_key_for_its_one_use_under_the_root(house: House) -> None:
    trusting.ensure_trust(house.ctx, house.now)
    listed = {(key.use, key.kid, key.x) for key in trust(house).keys}
    ours = {use: house.keys.signer(use).public for use in Use}
    assert listed == {(use, key.kid, key.x) for use, key in ours.items()}
    assert len({x for _, _, x in listed}) == len(Use)
    alert = ours[Use.ALERT]
    assert trust(house).key(alert.kid, Typ.PLAN, unix_ms(NOON)) is None
    assert trust(house).key(alert.kid, Typ.ALERT, unix_ms(NOON)) == alert


def test_trust_is_issued_once_and_renewed_long_before_its_end(house: House) -> None:
    trusting.ensure_trust(house.ctx, house.now)
    first = trust(house).version
    house.clock.advance(86_400 * 300)
    trusting.ensure_trust(house.ctx, house.now)
    assert trust(house).version == first
    house.clock.advance(86_400 * 100)
    trusting.ensure_trust(house.ctx, house.now)
    assert trust(house).version > first
    assert {from_unix_ms(key.not_after) for key in trust(house).keys} == {house.now + trusting.VALID}


def test_another_key_needs_another_document_and_the_root_key(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting.ensure_trust(house.ctx, house.now)
    first = trust(house).version
    fresh = SigningKey.generate("plan-new")
    signer = house.keys.signer
    monkeypatch.setattr(house.keys, "signer", lambda use: fresh if use is Use.PLAN else signer(use))
    with monkeypatch.context() as offline:
        offline.setattr(house.keys, "root", lambda: None)
        trusting.ensure_trust(house.ctx, house.now)
        assert trust(house).version == first
    trusting.ensure_trust(house.ctx, house.now)
    assert trust(house).version > first
    assert trust(house).key("plan-new", Typ.PLAN, unix_ms(NOON)) == fresh.public
