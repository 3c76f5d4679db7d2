"""Journals that are not all that we know: unsigned where a unit has no key, entries of kinds that come after us."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, House
from support.voices import Voice

from broadcasts.wire import codec, topics
from broadcasts.wire.base import Message
from broadcasts.wire.journal import OtherEntry
from broadcasts.wire.jws import Typ
from broadcasts.wire.topics import In, Out
from controller.db.tables import Delivery, JournalEntry, JournalMark, Unit
from controller.mqtt.inbound import Inbound, Received

UNIT = f"u-{HERE}-1"


@pytest.fixture
def inbound(house: House) -> Inbound:
    return Inbound(house.ctx, house.link)


@pytest.fixture
def voice(house: House) -> Voice:
    return Voice(UNIT, house.bulletin.sha256, house.bulletin.duration_ms)


def said(house: House, kind: Out, payload: bytes | Message, unit: str = UNIT) -> Received:
    body = payload if isinstance(payload, bytes) else codec.encode(payload)
    return Received(topics.from_unit(unit, kind), body, False, house.now)


def reasons(inbound: Inbound, messages: Iterable[Received]) -> list[str]:
    return [one.reason for one in inbound.consume(list(messages))[1]]


def test_an_entry_of_a_newer_kind_is_counted_kept_and_acknowledged_and_proves_nothing(
    house: House, inbound: Inbound, voice: Voice
) -> None:
    broadcast = house.on_air()
    house.compile()
    delivery = house.delivery(broadcast).id
    newer = OtherEntry.model_validate(
        {
            "seq": 2,
            "at": house.ms(),
            "kind": "ended-twice",
            "item": delivery,
            "outcome": "played",
            "kelvin": float("nan"),
        }
    )
    batch = voice.batch(voice.fault("hot", True, house.now), newer, voice.fault("hot", False, house.now, seq=3))
    tally, bad = inbound.consume([said(house, Out.JOURNAL, codec.seal(batch, Typ.JOURNAL, house.unit_key(UNIT)))])
    assert (tally.entries, tally.verdicts, tally.put_aside, bad) == (3, 0, ["unknown_entry"], [])
    with house.ctx.db.read() as session:
        assert session.get_one(JournalMark, (UNIT, "j-1")).seq == 3
        kept = session.get_one(JournalEntry, (UNIT, "j-1", 2))
        assert (kept.kind, kept.item, kept.entry["kind"], kept.entry["outcome"]) == (
            "other", None, "ended-twice", "played",
        )  # fmt: skip
        assert session.get_one(Delivery, delivery).verdict is None
    # The same delivery is judged by what is known, whatever else its unit says.
    length = timedelta(milliseconds=voice.length_ms)
    start = house.now + timedelta(hours=2)
    house.clock.advance((length + timedelta(hours=2)).total_seconds())
    voice.seq = 3
    told = voice.batch(voice.started(delivery, start), voice.ended(delivery, start + length))
    tally, bad = inbound.consume([said(house, Out.JOURNAL, codec.seal(told, Typ.JOURNAL, house.unit_key(UNIT)))])
    assert (tally.verdicts, bad) == (1, [])


@pytest.fixture
def keyless(house: House) -> str:
    """A unit that was enrolled with a password only."""
    name = f"u-{HERE}-2"
    with house.ctx.db.write() as session:
        unit = session.get_one(Unit, name)
        unit.password_only, unit.key_x = True, ""
    return name


def test_the_unsigned_journal_of_a_unit_without_a_key_is_taken_in_and_marked(
    house: House, inbound: Inbound, keyless: str
) -> None:
    broadcast = house.on_air()
    house.compile()
    delivery = next(each for each in house.deliveries(broadcast) if each.unit_id == keyless)
    house.clock.set(delivery.end)
    voice = Voice(keyless, house.bulletin.sha256, house.bulletin.duration_ms)
    batch = voice.batch(voice.started(delivery.id, delivery.start), voice.ended(delivery.id, delivery.end))
    tally, bad = inbound.consume([said(house, Out.JOURNAL, batch, unit=keyless)])
    assert (tally.entries, tally.verdicts, bad) == (2, 1, [])
    assert house.link.topics() == [topics.to_unit(keyless, In.JOURNAL_ACK)]
    with house.ctx.db.read() as session:
        assert session.get_one(Delivery, delivery.id).signed_evidence is False
        assert session.scalars(select(JournalEntry.signed)).all() == [False, False]


def test_a_signature_that_nobody_can_check_is_no_journal_of_a_unit_without_a_key(
    house: House, inbound: Inbound, keyless: str
) -> None:
    voice = Voice(keyless, "", 0)
    sealed = codec.seal(voice.batch(voice.fault("hot", True, house.now)), Typ.JOURNAL, house.unit_key(keyless))
    assert reasons(inbound, [said(house, Out.JOURNAL, sealed, unit=keyless)]) == ["malformed"]


@pytest.mark.requirement("R-084")
def test_a_journal_without_a_signature_never_speaks_for_a_unit_with_a_key(
    house: House, inbound: Inbound, voice: Voice, keyless: str
) -> None:
    """The downgrade: whoever has the password of a unit, or the broker, leaves the signature away, or says "none"."""
    broadcast = house.on_air()
    house.compile()
    delivery = house.delivery(broadcast)
    assert delivery.unit_id == UNIT
    house.clock.set(delivery.end)
    lie = codec.encode(voice.batch(voice.started(delivery.id, delivery.start), voice.ended(delivery.id, delivery.end)))
    part = b".".join(urlsafe_b64encode(each).rstrip(b"=") for each in (b'{"alg":"none","typ":"loa-journal"}', lie))
    of_keyless = lie.replace(UNIT.encode(), keyless.encode())
    messages = [
        said(house, Out.JOURNAL, lie),
        said(house, Out.JOURNAL, b" " + lie),
        said(house, Out.JOURNAL, part + b"."),
        said(house, Out.JOURNAL, part + b".AAAA"),
        # Nor by way of a neighbour that has no key.
        said(house, Out.JOURNAL, lie, unit=keyless),
        said(house, Out.JOURNAL, of_keyless),
    ]
    assert reasons(inbound, messages) == [
        "not_signed", "not_signed", "bad_header", "bad_header", "not_for_me", "not_signed",
    ]  # fmt: skip
    tally, bad = inbound.consume([said(house, Out.JOURNAL, of_keyless, unit=keyless)])
    assert (tally.entries, tally.verdicts, bad) == (2, 0, []), "it may say so, of its own cluster only"
    with house.ctx.db.read() as session:
        row = session.get_one(Delivery, delivery.id)
        assert (row.verdict, row.signed_evidence) == (None, None)
        assert session.scalars(select(JournalEntry).where(JournalEntry.unit_id == UNIT)).all() == []
