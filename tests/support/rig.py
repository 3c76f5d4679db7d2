"""One unit on a bench: true time, its own hardware, and a link that the test holds in its hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from support.signed import T0, Signer

from broadcasts.wire import topics
from broadcasts.wire import trigger as wire_trigger
from broadcasts.wire.codec import decode, unseal
from broadcasts.wire.journal import AnyEntry, JournalBatch
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.plan import Asset
from broadcasts.wire.status import Reported, TimeAsk
from broadcasts.wire.topics import In, Out
from broadcasts.wire.trigger import Trigger
from broadcasts.wire.trust import Use
from device_sim.disk import Disk
from device_sim.ear import Pole, Sound
from device_sim.events import (
    Arrived,
    Boot,
    CancelFetch,
    Connect,
    Disconnect,
    Fetch,
    FetchFailed,
    Got,
    Inbox,
    LinkDown,
    LinkUp,
    Powered,
    Publish,
    Reading,
    Restart,
    Sensors,
    Silent,
    SmsReceived,
    Sounding,
    Tune,
    Untune,
)
from device_sim.radio import Radio, Reception
from device_sim.unit import Config, Enrolled, Unit

UNIT = "u-1"


class Rig:
    """`now` is true time. `published` holds what reached the controller while the link was up."""

    def __init__(self, now: int = T0, config: Config | None = None, power: bool = True, seed: int = 1) -> None:
        self.now = now
        self.signer = Signer(now)
        self.key = SigningKey.generate(UNIT)
        self.enrolled = Enrolled(UNIT, "secret", self.key, self.signer.root.public)
        self.config = config or Config()
        self.disk = Disk()
        self.pole = Pole()
        self.radio = Radio()
        self.reception = Reception(self.radio)
        self.tuned: list[tuple[int, Tune]] = []
        self.chance = random.Random(seed)
        self.clock_error_ms = 0
        self.update_fault = ""
        self.link = True
        self.answers_time = True
        self.acks = True
        self.epoch = 0
        self.files: dict[str, bytes] = {}
        self.serve: Callable[[Fetch], Sequence[Inbox]] = self.serve_whole
        self.published: list[Publish] = []
        self.fetched: list[Fetch] = []
        self.entries: dict[int, AnyEntry] = {}
        self.retained: dict[str, bytes] = {}
        self.unit: Unit | None = None
        self.steps = 0
        self._began = now
        self._wake = now
        self._connecting = False
        self.retained[topics.TRUST] = self.signer.trust(now)
        if power:
            self.power_on()

    # --- hardware

    def reading(self) -> Reading:
        drawn, closed = self.pole.amplifier_ma(self.now), self.pole.wire_intact
        sensors = Sensors(amplifier_ma=drawn, line_closed=closed, update_fault=self.update_fault)
        return Reading(self.now + self.clock_error_ms, self.now - self._began, sensors)

    def power_on(self, cause: Boot = Boot.POWER) -> None:
        self._began = self.now
        self.unit = Unit(self.enrolled, self.disk, self.config, self.chance)
        self.give(Powered(cause))

    def power_off(self, tear: bool = False) -> None:
        self.pole.silence(self.now)
        self.reception.untune(self.now)
        self.unit = None
        if tear:
            self.disk.journal.tear()

    def link_down(self) -> None:
        self.link = False
        if self.unit is not None and self.unit.online:
            self.give(LinkDown())
        self._look()

    def link_up(self) -> None:
        self.link = True
        if self._connecting:
            self._join()

    def jump_clock(self, by_ms: int) -> None:
        self.clock_error_ms += by_ms
        self.give()

    # --- time

    def give(self, *inbox: Inbox) -> None:
        if self.unit is None:
            return
        self.steps += 1
        step = self.unit.update(self.reading(), inbox)
        self._wake = self._began + step.wake_at_mono_ms
        for out in step.outbox:
            self._carry_out(out)

    def run(self, until: int) -> None:
        """To the true instant `until`, waking the unit whenever it asked for it."""
        while self.unit is not None:
            look = self.reception.next_look(self.now)
            if min(self._wake, look if look is not None else self._wake) > until:
                break
            if look is not None and look <= self._wake:
                self.now = max(self.now, look)
                self._look()
            else:
                self.now = max(self.now, self._wake)
                self.give()
        self.now = max(self.now, until)

    def _look(self) -> None:
        event = self.reception.look(self.now, self.link)
        self.pole.receive(self.reception.sounds, self.now)
        if event is not None:
            self.give(event)

    def say(self, topic: str, payload: bytes, keep: bool = True) -> None:
        if keep:
            self.retained[topic] = payload
        if self.unit is not None and self.unit.online:
            self.give(Arrived(topic, payload))

    def _join(self) -> None:
        self._connecting = False
        self.give(LinkUp())
        for topic, payload in sorted(self.retained.items()):
            self.give(Arrived(topic, payload))

    def _carry_out(self, out: Any) -> None:
        match out:
            case Sounding():
                self.pole.play(out, self.now)
            case Silent():
                self.pole.silence(self.now)
            case Connect():
                self._connecting = True
                if self.link:
                    self._join()
            case Disconnect():
                self._connecting = False
            case Publish():
                self.published.append(out)
                self._answer(out)
            case Tune():
                self.tuned.append((self.now, out))
                self.reception.tune(out, self.now)
                self.pole.receive(False, self.now)
            case Untune():
                self.reception.untune(self.now)
                self.pole.receive(False, self.now)
            case Fetch():
                self.fetched.append(out)
                for event in self.serve(out):
                    self.give(event)
            case CancelFetch():
                pass
            case Restart():
                self.power_off()
                self.power_on(out.cause)

    def _answer(self, out: Publish) -> None:
        kind = topics.parse(out.topic).kind
        if kind is Out.TIME_ASK and self.answers_time:
            nonce = decode(TimeAsk, out.payload).nonce
            self.give(Arrived(topics.to_unit(UNIT, In.TIME), self.signer.time(UNIT, nonce, self.now)))
        if kind is Out.JOURNAL:
            batch = (
                decode(JournalBatch, out.payload)
                if self.enrolled.key is None
                else unseal(JournalBatch, out.payload, Typ.JOURNAL, {UNIT: self.key.public}.get)
            )
            self.entries.update({entry.seq: entry for entry in batch.entries})
            if self.acks:
                ack = self.signer.ack(UNIT, batch.journal_id, max(self.entries), self.epoch)
                self.say(topics.to_unit(UNIT, In.JOURNAL_ACK), ack)

    # --- files

    def hold(self, *assets: tuple[Asset, bytes]) -> None:
        self.files.update({asset.sha256: data for asset, data in assets})

    def serve_whole(self, fetch: Fetch) -> Sequence[Inbox]:
        data = self.files.get(fetch.sha256)
        if data is None:
            return [FetchFailed(fetch.sha256, 404, "not found")]
        return [Got(fetch.sha256, fetch.offset, data[fetch.offset : fetch.offset + fetch.size], True)]

    # --- what a test asks

    def plan(self, items: Sequence[Any], assets: Sequence[Asset], **fields: Any) -> bytes:
        document = self.signer.plan(UNIT, self.now, items, assets, **fields)
        self.say(topics.to_unit(UNIT, In.PLAN), document)
        return document

    def alert(self, scope: str, alerts: Sequence[Any], **fields: Any) -> bytes:
        document = self.signer.alert(scope, self.now, alerts, **fields)
        self.say(topics.to_scope(scope, topics.ScopeTopic.ALERT), document)
        return document

    def drill(self, scope: str, drills: Sequence[Any], **fields: Any) -> bytes:
        document = self.signer.drill(scope, self.now, drills, **fields)
        self.say(topics.to_scope(scope, topics.ScopeTopic.DRILL), document)
        return document

    def text(self, trigger: Trigger, signer: SigningKey | None = None) -> bytes:
        """An SMS with it; what was in it."""
        said = wire_trigger.text(wire_trigger.seal(trigger, signer or self.signer.keys[Use.ALERT])).encode()
        self.give(SmsReceived(said))
        return said

    @property
    def heard(self) -> list[Sound]:
        return self.pole.heard

    def heard_as(self) -> list[tuple[str, int, int, int]]:
        """(item, from, to, offset), seconds after T0."""
        return [
            (each.item, (each.from_ms - T0) // 1000, (each.to_ms - T0) // 1000, each.offset_ms // 1000)
            for each in self.heard
        ]

    def journal(self, item: str | None = None) -> list[AnyEntry]:
        """Everything on the disk, in order, whether it was sent or not."""
        unit = self.unit or Unit(self.enrolled, self.disk, self.config, self.chance)
        entries = list(unit.journal._entries)
        return entries if item is None else [entry for entry in entries if getattr(entry, "item", None) == item]

    def reported(self) -> Reported:
        mine = [out for out in self.published if out.topic.endswith(Out.REPORTED)]
        return decode(Reported, mine[-1].payload)
