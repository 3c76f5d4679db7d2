"""A simulated unit that lives by what a real controller signed, and meets it for a moment now and then."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from broadcasts.wire import topics
from broadcasts.wire.codec import decode, seal, unseal
from broadcasts.wire.journal import AnyEntry, JournalAck, JournalBatch
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.status import Time, TimeAsk
from broadcasts.wire.topics import In, Out
from device_sim.disk import Disk
from device_sim.ear import Pole, Sound
from device_sim.events import (
    Arrived,
    Boot,
    CancelFetch,
    Connect,
    Disconnect,
    Fetch,
    Got,
    Inbox,
    LinkDown,
    LinkUp,
    Powered,
    Publish,
    Reading,
    Sensors,
    Silent,
    Sounding,
)
from device_sim.unit import Config, Enrolled, Unit


@dataclass(frozen=True)
class Office:
    """What a unit can ask of its controller: the keys it signs with, and its files by hash."""

    time: SigningKey
    command: SigningKey
    files: Callable[[str], bytes]


class OnePole:
    """Times are Unix ms; its clock is right. Everything that it wrote down is in `entries`."""

    def __init__(self, told: Mapping[str, str], office: Office, now: int) -> None:
        self.enrolled = Enrolled.read(told)
        self.name = self.enrolled.unit
        self._office = office
        self.now = self._began = self._wake = now
        self._pole = Pole()
        self.entries: dict[int, AnyEntry] = {}
        self._disk = Disk()
        self._unit = Unit(self.enrolled, self._disk, Config(), random.Random(1))
        self._give(Powered(Boot.POWER))

    @property
    def heard(self) -> list[Sound]:
        return self._pole.heard

    @property
    def plan_version(self) -> int:
        """Of the plan that it lives by."""
        plan = self._disk.documents.plan
        return plan.version if plan is not None else 0

    def run(self, until: int) -> None:
        """Everything that is due before `until`, and not what is due then."""
        while self._wake < until:
            self.now = max(self.now, self._wake)
            self._give()
        self.now = until

    def meet(self, documents: Mapping[str, bytes]) -> None:
        """The link is there for a moment: the time, the retained documents, the files, the journal."""
        self._give(LinkUp())
        for topic, payload in documents.items():
            self._give(Arrived(topic, payload))
        self._give(LinkDown())

    def _give(self, *inbox: Inbox) -> None:
        line_closed = self._pole.wire_intact
        sensors = Sensors(amplifier_ma=self._pole.amplifier_ma(self.now), line_closed=line_closed)
        step = self._unit.update(Reading(self.now, self.now - self._began, sensors), inbox)
        self._wake = self._began + step.wake_at_mono_ms
        for out in step.outbox:
            self._carry_out(out)

    def _carry_out(self, out: Any) -> None:
        match out:
            case Sounding():
                self._pole.play(out, self.now)
            case Silent():
                self._pole.silence(self.now)
            case Fetch():
                data = self._office.files(out.sha256)
                self._give(Got(out.sha256, out.offset, data[out.offset : out.offset + out.size], True))
            case Publish():
                self._answer(out)
            case Connect() | Disconnect() | CancelFetch():
                pass  # it is the test that says when there is a link

    def _answer(self, out: Publish) -> None:
        match topics.parse(out.topic).kind:
            case Out.TIME_ASK:
                nonce = decode(TimeAsk, out.payload).nonce
                told = seal(Time(unit=self.name, nonce=nonce, now=self.now), Typ.TIME, self._office.time)
                self._give(Arrived(topics.to_unit(self.name, In.TIME), told))
            case Out.JOURNAL:
                key = self.enrolled.key
                assert key is not None
                batch = unseal(JournalBatch, out.payload, Typ.JOURNAL, {self.name: key.public}.get)
                self.entries.update({entry.seq: entry for entry in batch.entries})
                ack = JournalAck(unit=self.name, journal_id=batch.journal_id, seq=max(self.entries), epoch=0)
                sealed = seal(ack, Typ.JOURNAL_ACK, self._office.command)
                self._give(Arrived(topics.to_unit(self.name, In.JOURNAL_ACK), sealed))
