"""Bytes from the broker: what is the contract is taken in, what is not is put aside, and nothing stops the rest."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, NOON, THERE, House
from support.sirens import typed
from support.voices import Voice

from broadcasts.clock import unix_ms
from broadcasts.errors import Fault
from broadcasts.wire import codec, topics
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.base import Message
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import Time, TimeAsk
from broadcasts.wire.topics import In, Out, ScopeTopic
from broadcasts.wire.trust import Use
from controller.db.tables import (
    JournalMark,
    Quarantined,
    ScopeDocument,
    Unit,
    UnitStatus,
)
from controller.mqtt import inbound as module
from controller.mqtt.inbound import Inbound, Received
from controller.services import alerting, reconciling

UNIT = f"u-{HERE}-1"


@pytest.fixture
def inbound(house: House) -> Inbound:
    return Inbound(house.ctx, house.link)


@pytest.fixture
def voice(house: House) -> Voice:
    return Voice(UNIT, house.bulletin.sha256, house.bulletin.duration_ms)


def said(house: House, kind: Out, payload: bytes | Message, unit: str = UNIT, retained: bool = False) -> Received:
    body = payload if isinstance(payload, bytes) else codec.encode(payload)
    return Received(topics.from_unit(unit, kind), body, retained, house.now)


def signed(house: House, voice: Voice, *, key: SigningKey | None = None) -> bytes:
    batch = voice.batch(voice.fault("hot", True, house.now))
    return codec.seal(batch, Typ.JOURNAL, key or house.unit_key(voice.unit))


def reasons(house: House, inbound: Inbound, messages: Iterable[Received]) -> list[str]:
    """Why each was put aside, as told and as kept."""
    _, bad = inbound.consume(list(messages))
    with house.ctx.db.read() as session:
        kept = session.scalars(select(Quarantined.reason).order_by(Quarantined.id)).all()
    told = [one.reason for one in bad]
    assert list(kept)[-len(told) :] == told or not told
    return told


def test_a_signed_journal_is_taken_in_and_acknowledged_at_once(house: House, inbound: Inbound, voice: Voice) -> None:
    tally, bad = inbound.consume([said(house, Out.JOURNAL, signed(house, voice))])
    assert (tally.entries, bad) == (1, [])
    assert house.link.topics() == [topics.to_unit(UNIT, In.JOURNAL_ACK)]
    with house.ctx.db.read() as session:
        assert session.get_one(JournalMark, (UNIT, "j-1")).seq == 1


@pytest.fixture
def crowded(house: House, voice: Voice, monkeypatch: pytest.MonkeyPatch) -> Inbound:
    """One journal is a crowd to it, and it has just heard one."""
    monkeypatch.setattr(module, "MANY", 1)
    inbound = Inbound(house.ctx, house.link, gathers=True)
    inbound.consume([said(house, Out.JOURNAL, signed(house, voice))])
    return inbound


def test_a_crowd_of_journals_is_safe_at_once_and_acknowledged_when_it_is_quiet_again(
    house: House, crowded: Inbound
) -> None:
    crowded.settle(quiet=False)
    assert house.link.topics() == []
    with house.ctx.db.read() as session:
        assert session.get_one(JournalMark, (UNIT, "j-1")).seq == 1
    crowded.settle(quiet=True)
    assert house.link.topics() == [topics.to_unit(UNIT, In.JOURNAL_ACK)]
    crowded.settle(quiet=True)
    assert len(house.link.topics()) == 1


def test_an_acknowledgement_waits_so_long_and_no_longer_where_it_never_gets_quiet(
    house: House, crowded: Inbound
) -> None:
    house.clock.advance(module.OWED_S)
    crowded.settle(quiet=False)
    assert house.link.topics() == [topics.to_unit(UNIT, In.JOURNAL_ACK)]


@pytest.mark.usefixtures("crowded")
def test_who_waits_for_an_acknowledgement_when_we_end_is_told_by_the_reconciler(house: House) -> None:
    reconciling.step(house.ctx, house.link, house.now)
    assert topics.to_unit(UNIT, In.JOURNAL_ACK) in house.link.topics()


@pytest.mark.requirement("R-084")
def test_what_another_key_signed_or_another_unit_says_is_put_aside(
    house: House, inbound: Inbound, voice: Voice
) -> None:
    other = house.unit_key(f"u-{HERE}-2")
    named = SigningKey.from_jwk(other.to_jwk().replace(f"u-{HERE}-2", UNIT))
    messages = [
        said(house, Out.JOURNAL, signed(house, voice, key=other)),
        said(house, Out.JOURNAL, signed(house, voice, key=named)),
        said(house, Out.JOURNAL, codec.encode(voice.batch(voice.fault("hot", True, NOON)))),
        said(house, Out.PRESENCE, voice.presence("online"), unit=f"u-{HERE}-2"),
        said(house, Out.PRESENCE, Voice("u-nobody", "", 0).presence("online"), unit="u-nobody"),
    ]
    assert reasons(house, inbound, messages) == [
        "key_not_trusted", "bad_signature", "not_signed", "not_for_me", "unknown_unit",
    ]  # fmt: skip
    with house.ctx.db.read() as session:
        assert session.scalars(select(JournalMark)).all() == []


def test_a_unit_that_was_revoked_is_not_listened_to_any_more(house: House, inbound: Inbound, voice: Voice) -> None:
    assert reasons(house, inbound, [said(house, Out.PRESENCE, voice.presence("online"))]) == []
    with house.ctx.db.write() as session:
        session.get_one(Unit, UNIT).revoked_at = NOON
    assert reasons(house, inbound, [said(house, Out.PRESENCE, voice.presence("offline"))]) == ["unknown_unit"]


def test_a_header_that_no_database_can_keep_does_not_stop_the_consumer(
    house: House, inbound: Inbound, voice: Voice
) -> None:
    header = urlsafe_b64encode(b'{"alg":"\\ud800\\u0000","typ":"x","kid":"y"}').rstrip(b"=")
    hostile = said(house, Out.JOURNAL, header + b".e30.AA")
    good = said(house, Out.PRESENCE, voice.presence("online"))
    assert reasons(house, inbound, [hostile, good]) == ["bad_header"]
    with house.ctx.db.read() as session:
        assert session.get_one(UnitStatus, UNIT).connected is True


def test_what_is_not_the_contract_is_put_aside_with_its_reason_and_the_rest_goes_on(
    house: House, inbound: Inbound, voice: Voice
) -> None:
    good = said(house, Out.PRESENCE, voice.presence("online"))
    messages = [
        Received("loa/v1/u/x/siren", b"{}", False, NOON),
        Received("loa", b"", False, NOON),
        Received("loa/v1/u//out/presence", b"", False, NOON),
        said(house, Out.PRESENCE, b""),
        said(house, Out.PRESENCE, b"{"),
        said(house, Out.PRESENCE, b"\xff\x00\xfe"),
        said(house, Out.PRESENCE, b'{"v":2}'),
        said(house, Out.PRESENCE, b"x" * 1025),
        said(house, Out.PRESENCE, codec.encode(voice.presence("online")).replace(b'"conn":1', b'"conn":4294967296')),
        said(house, Out.JOURNAL, b"a.b.c"),
        said(house, Out.TELEMETRY, b"[]"),
        good,
    ]
    assert reasons(house, inbound, messages) == [
        "unknown_topic", "unknown_topic", "unknown_topic", "empty", "malformed", "malformed", "unknown_version",
        "oversized", "malformed", "not_signed", "malformed",
    ]  # fmt: skip
    with house.ctx.db.read() as session:
        assert session.get_one(UnitStatus, UNIT).connected is True


def test_a_message_that_no_table_takes_is_put_aside_and_holds_up_nobody(
    house: House, inbound: Inbound, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apply(session: object, heard: list[module.Heard], *rest: object) -> object:
        if any(one.unit == UNIT for one in heard):
            raise OverflowError("too large")
        return original(session, heard, *rest)  # type: ignore[arg-type]

    original = module.apply
    monkeypatch.setattr(module, "apply", apply)
    other = Voice(f"u-{THERE}-1", "", 0)
    messages = [
        said(house, Out.PRESENCE, voice.presence("online")),
        said(house, Out.PRESENCE, other.presence("online"), unit=other.unit),
    ]
    assert reasons(house, inbound, messages) == ["unstorable"]
    with house.ctx.db.read() as session:
        assert session.get_one(UnitStatus, other.unit).connected is True
        assert session.get(UnitStatus, UNIT) is None


def test_what_is_found_one_by_one_is_counted_as_in_a_batch(
    house: House, inbound: Inbound, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.compile()

    def apply(session: object, heard: list[module.Heard], *rest: object) -> object:
        if any(one.unit.startswith(f"u-{THERE}") for one in heard):
            raise OverflowError("too large")
        return original(session, heard, *rest)  # type: ignore[arg-type]

    original = module.apply
    monkeypatch.setattr(module, "apply", apply)
    far = Voice(f"u-{HERE}-2", "", 0)
    broken = Voice(f"u-{THERE}-1", "", 0)
    plan = house.plan(UNIT).model_copy(update={"version": house.plan(UNIT).version + 5_000})
    sealed = codec.seal(plan, Typ.PLAN, house.keys.signer(Use.PLAN))
    house.woken.clear()
    tally, bad = inbound.consume(
        [
            said(house, Out.PRESENCE, broken.presence("online"), unit=broken.unit),
            said(house, Out.REPORTED, far.reported(NOON, plan_version=unix_ms(NOON) + 999_999_999), unit=far.unit),
            said(house, Out.JOURNAL, signed(house, voice)),
            Received(topics.to_unit(UNIT, In.PLAN), sealed, True, NOON),
        ]
    )
    assert [one.reason for one in bad] == ["unstorable"]
    assert (tally.put_aside, tally.entries, tally.outranked) == (["far_future"], 1, 1)
    assert house.woken == [NOON]


def test_a_full_disk_is_no_fault_of_the_messages(
    house: House, inbound: Inbound, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Fault("database_full")

    with monkeypatch.context() as broken:
        broken.setattr(module, "apply", full)
        with pytest.raises(Fault):
            inbound.consume([said(house, Out.JOURNAL, signed(house, voice))])
    assert inbound.consume([said(house, Out.JOURNAL, signed(house, voice))])[1] == []


def test_who_asks_for_the_time_gets_it_signed_with_his_nonce(house: House, inbound: Inbound) -> None:
    ask = TimeAsk(unit=UNIT, nonce="n" * 16)
    inbound.consume([said(house, Out.TIME_ASK, ask)])
    [(topic, document, qos, retain)] = house.link.sent
    key = house.keys.signer(Use.TIME).public
    answer = codec.unseal(Time, document, Typ.TIME, lambda kid: key if kid == key.kid else None)
    assert (topic, qos, retain) == (topics.to_unit(UNIT, In.TIME), 1, False)
    assert (answer.unit, answer.nonce, answer.now) == (UNIT, "n" * 16, unix_ms(NOON))
    inbound.consume([said(house, Out.TIME_ASK, ask, retained=True)])
    assert len(house.link.sent) == 1


def test_our_own_plans_found_retained_are_remembered_when_we_really_signed_them(house: House, inbound: Inbound) -> None:
    house.compile()
    document, version = house.stored_plan(UNIT).document, house.plan(UNIT).version

    def found(unit: str, body: bytes, retained: bool = True) -> Received:
        return Received(topics.to_unit(unit, In.PLAN), body, retained, NOON)

    def seen() -> int:
        with house.ctx.db.read() as session:
            row = session.get(UnitStatus, UNIT)
            return row.seen_plan_version if row else -1

    forged = house.plan(UNIT).model_copy(update={"version": version + 999})
    told = reasons(
        house,
        inbound,
        [
            found(UNIT, document, retained=False),
            found(UNIT, b""),
            found(UNIT, codec.seal(forged, Typ.PLAN, SigningKey.generate("x"))),
            found(f"u-{HERE}-2", document),
        ],
    )
    assert (told, seen()) == (["key_not_trusted", "not_for_me"], -1)
    assert reasons(house, inbound, [found(UNIT, document)]) == []
    assert seen() == version


def test_a_retained_plan_of_a_unit_that_we_do_not_know_stops_nothing(house: House, inbound: Inbound) -> None:
    """A restored database may be older than the unit."""
    house.compile()
    plan = house.plan(UNIT).model_copy(update={"unit": "u-newer"})
    sealed = codec.seal(plan, Typ.PLAN, house.keys.signer(Use.PLAN))
    messages = [
        Received(topics.to_unit("u-newer", In.PLAN), sealed, True, NOON),
        said(house, Out.PRESENCE, Voice(UNIT, "", 0).presence("online")),
    ]
    assert reasons(house, inbound, messages) == []
    with house.ctx.db.read() as session:
        assert session.scalars(select(UnitStatus.unit_id)).all() == [UNIT]


def test_our_own_alert_list_found_above_ours_is_outranked(house: House, inbound: Inbound) -> None:
    scope = f"c-{HERE}"
    content = [("vi", house.bulletin.sha256)]
    number = typed(house.ctx, house.on_duty, scope)
    hour = timedelta(hours=1)
    alerting.sound(house.ctx, house.on_duty, scope, AlertKind.FLOOD, content, "x", hour, confirmed=number)
    with house.ctx.db.write() as session:
        stored = session.get_one(ScopeDocument, scope)
        later, stored.version = stored.document, stored.version - 5_000
    topic = topics.to_scope(scope, ScopeTopic.ALERT)
    before = unix_ms(NOON) + 1
    assert reasons(house, inbound, [Received(topic, later, True, NOON)]) == []
    with house.ctx.db.read() as session:
        assert session.get_one(ScopeDocument, scope).version > before


def test_an_alert_list_moved_to_another_scope_is_put_aside(house: House, inbound: Inbound) -> None:
    content = [("vi", house.bulletin.sha256)]
    number = typed(house.ctx, house.on_duty, f"c-{HERE}")
    hour = timedelta(hours=1)
    alerting.sound(house.ctx, house.on_duty, f"c-{HERE}", AlertKind.FLOOD, content, "x", hour, confirmed=number)
    with house.ctx.db.read() as session:
        mine = session.get_one(ScopeDocument, f"c-{HERE}").document
    topic = topics.to_scope(f"c-{THERE}", ScopeTopic.ALERT)
    assert reasons(house, inbound, [Received(topic, mine, True, NOON)]) == ["not_for_me"]
    with house.ctx.db.read() as session:
        assert session.get(ScopeDocument, f"c-{THERE}") is None
