"""A unit that floods, before the real brokers: the others are taken in, and not an entry of its own journal is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from support.paho_client import PahoParty
from support.parties import OverSockets
from support.services import HERE, House
from support.voices import Voice
from support.wait import until

from broadcasts.wire import codec, topics
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import PowerSource, Telemetry
from broadcasts.wire.topics import Out
from controller.db.tables import JournalEntry, JournalMark, Quarantined, Unit, UnitStatus
from controller.mqtt import flood
from controller.mqtt.flood import AT_ONCE, STRANGE
from controller.mqtt.inbound import Inbound
from controller.mqtt.link import PahoLink
from controller.services import quarantine

BAD, GOOD = "u-11", "u-12"
FLOOD = 3_000


@pytest.fixture
def house(house: House) -> House:
    """Two units of it have the names that the broker knows."""
    with house.ctx.db.write() as session:
        for number, name in ((1, BAD), (2, GOOD)):
            old = session.get_one(Unit, f"u-{HERE}-{number}")
            session.add(
                Unit(id=name, key_x=old.key_x, secret_hashes=dict(old.secret_hashes), enrolled_at=old.enrolled_at)
            )
    return house


def key_of(house: House, name: str) -> SigningKey:
    """Of the unit of the house whose key this one has."""
    old = f"u-{HERE}-{1 if name == BAD else 2}"
    return SigningKey.from_jwk(house.unit_key(old).to_jwk().replace(old, name))


def enter(linked_broker: OverSockets, name: str) -> PahoParty:
    party = linked_broker.enter(name)
    assert isinstance(party, PahoParty)
    return party


class Consumer:
    """What the service's consumer does, each time it is asked."""

    def __init__(self, house: House, link: PahoLink) -> None:
        self._house, self._link, self._inbound = house, link, Inbound(house.ctx, link)

    def drain(self) -> None:
        self._link.flood.release()
        quarantine.note(self._house.ctx, self._link.flood.news())
        batch = [self._link.inbox.get() for _ in range(self._link.inbox.qsize())]
        for start in range(0, len(batch), 500):
            self._inbound.consume(batch[start : start + 500])


def test_others_and_its_own_journal_pass_beside_a_flood(
    house: House, linked_broker: OverSockets, link: PahoLink
) -> None:
    consumer = Consumer(house, link)
    flooder, other = enter(linked_broker, BAD), enter(linked_broker, GOOD)
    bad, good = Voice(BAD, "", 0), Voice(GOOD, "", 0)
    numbers = codec.encode(
        Telemetry(
            unit=BAD, at=house.ms(), power=PowerSource.MAINS, volts=12, temperature_c=41, signal_dbm=-97,
            storage_free_mb=512, amplifier_ma=0, volume=70,
        )
    )  # fmt: skip
    flooder.pour([(topics.from_unit(BAD, Out.TELEMETRY), numbers)] * FLOOD)
    flooder.pour([(f"loa/v1/u/{BAD}/out/made-up/{number}", b"\x00") for number in range(FLOOD)])
    batch = codec.seal(bad.batch(bad.fault("hot", True, house.now)), Typ.JOURNAL, key_of(house, BAD))
    flooder.publish(topics.from_unit(BAD, Out.JOURNAL), batch, 1)
    other.publish(topics.from_unit(GOOD, Out.PRESENCE), codec.encode(good.presence("online")), 1)

    def arrived() -> bool:
        consumer.drain()
        with house.ctx.db.read() as session:
            status, mark = session.get(UnitStatus, GOOD), session.get(JournalMark, (BAD, "j-1"))
            return status is not None and bool(status.connected) and mark is not None and mark.seq == 1

    until(arrived, "the other unit and the flooder's own journal are here", 60)
    until(lambda: link.flood.dropped[STRANGE] >= FLOOD - 3 * AT_ONCE, "the flood was cut", 60)
    assert link.flood.dropped["telemetry"] > FLOOD // 2
    assert link.flood.dropped["journal"] == 0
    assert link.dropped == 0
    consumer.drain()
    with house.ctx.db.read() as session:
        kept = dict(session.execute(select(Quarantined.reason, func.count()).group_by(Quarantined.reason)).all())
    assert kept["flooding"] == 1
    assert kept["unknown_topic"] <= quarantine.OF_ONE
    for each in (flooder, other):
        each.goodbye()


def test_a_journal_beyond_the_measure_comes_again_and_is_whole_in_the_end(
    house: House, linked_broker: OverSockets, link: PahoLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit does as the contract says: what is not acknowledged it says again."""
    monkeypatch.setattr(flood, "AT_ONCE", 10)
    monkeypatch.setattr(flood, "EVERY_S", 0.05)
    consumer = Consumer(house, link)
    unit, voice = enter(linked_broker, BAD), Voice(BAD, "", 0)
    key = key_of(house, BAD)
    batches = [
        codec.seal(
            voice.batch(voice.fault("hot", number % 2 == 0, house.now + timedelta(seconds=number))), Typ.JOURNAL, key
        )
        for number in range(40)
    ]
    unit.pour([(topics.from_unit(BAD, Out.JOURNAL), batch) for batch in batches])
    until(lambda: link.flood.dropped["journal"] > 0, "some are beyond the measure", 60)

    def whole() -> bool:
        consumer.drain()
        with house.ctx.db.read() as session:
            mark = session.get(JournalMark, (BAD, "j-1"))
        reached = 0 if mark is None else mark.seq
        if reached < len(batches):
            unit.publish(topics.from_unit(BAD, Out.JOURNAL), batches[reached], 1)
        return reached == len(batches)

    until(whole, "every entry is here", 200)
    with house.ctx.db.read() as session:
        rows = session.scalars(select(JournalEntry.seq).where(JournalEntry.unit_id == BAD).order_by(JournalEntry.seq))
        assert list(rows) == list(range(1, len(batches) + 1))
    unit.goodbye()


def test_a_unit_with_the_right_key_on_the_topic_of_another_reaches_nobody(
    house: House, linked_broker: OverSockets, link: PahoLink
) -> None:
    """The broker keeps it away; the next test of `test_inbound` shows what becomes of it where a broker does not."""
    consumer = Consumer(house, link)
    unit, other = enter(linked_broker, BAD), enter(linked_broker, GOOD)
    voice = Voice(BAD, "", 0)
    sealed = codec.seal(voice.batch(voice.fault("hot", True, house.now)), Typ.JOURNAL, key_of(house, BAD))
    if unit.is_open:
        unit.publish(topics.from_unit(GOOD, Out.JOURNAL), sealed, 0)
    other.publish(topics.from_unit(GOOD, Out.PRESENCE), codec.encode(Voice(GOOD, "", 0).presence("online")), 1)

    def arrived() -> bool:
        consumer.drain()
        with house.ctx.db.read() as session:
            status = session.get(UnitStatus, GOOD)
            return status is not None and bool(status.connected)

    until(arrived, "the rightful owner is heard", 60)
    with house.ctx.db.read() as session:
        assert session.scalars(select(JournalEntry)).all() == []
    other.goodbye()
