"""A unit at a pole: one pure step. What it must do is CONTRACT.md; nothing here does I/O or reads a clock."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broadcasts.wire import topics
from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import PublicKey, SigningKey
from broadcasts.wire.plan import Asset, Plan
from broadcasts.wire.status import Command, Refusal, RefusalReason, Time
from broadcasts.wire.topics import ScopeTopic
from broadcasts.wire.trust import Trust
from device_sim import alerts, health
from device_sim.cache import BOTH, Cache
from device_sim.commands import Commands
from device_sim.disk import Disk
from device_sim.events import (
    Arrived,
    Boot,
    Connect,
    Disconnect,
    FetchFailed,
    Got,
    Inbox,
    LinkDown,
    LinkUp,
    Moment,
    Outbox,
    Overheard,
    Powered,
    Reading,
    SourceHeard,
    SourceLost,
    Step,
)
from device_sim.journal import Journal
from device_sim.listening import Listener
from device_sim.logbook import Logbook
from device_sim.player import Player
from device_sim.timekeeper import DRIFT_MS, Timekeeper
from device_sim.trust import Door, Refused
from device_sim.upkeep import Upkeep
from device_sim.voice import Voice

RECONNECT_FIRST_MS = 2_000
RECONNECT_MOST_MS = 60_000
ALERT_DOUBT_MS = 30_000
"""So long an alert from before a loss of power waits for the link to say that it still stands."""
UNTRUSTED_GRACE_MS = 30_000
"""A unit without a battery learns the time in the first seconds of every boot: no fault yet."""
PLAUSIBLE_S = 1_600_000_000


@dataclass(frozen=True)
class Enrolled:
    """What a unit knows from the day it was set up (CONTRACT.md, section 1)."""

    unit: str
    secret: str
    key: SigningKey | None
    """None: enrolled with a password only, so its journal travels unsigned and proves less."""
    root: PublicKey

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Enrolled:
        """From `unit`, `secret`, `root_kid`, `root_x`, `key_jwk` or `password_only`. Raises KeyError, ValueError."""
        root = PublicKey(fields["root_kid"], fields["root_x"])
        key = None if fields.get("password_only") else SigningKey.from_jwk(fields["key_jwk"])
        return cls(fields["unit"], fields["secret"], key, root)


@dataclass(frozen=True)
class Config:
    cache_bytes: int = 2_000_000_000
    battery: bool = True
    """The hardware clock runs on without power."""
    firmware: str = "loasim-1"
    keep_alive_s: int = 240
    tuner: bool = True
    """There is an FM tuner in the box."""
    codecs: tuple[str, ...] = BOTH
    """What its player decodes; a simple box knows `mp3` alone."""
    ear: str = "none"
    """Where the unit hears its own sound: a word of the contract (`wire.ear.Source`), or "none"."""


class Unit:
    """One life, from power on to power off. `disk` is changed in place and outlives it."""

    def __init__(self, enrolled: Enrolled, disk: Disk, config: Config, chance: random.Random) -> None:
        self.enrolled = enrolled
        self.disk = disk
        self.config = config
        self._chance = chance
        if not disk.journal.journal_id:
            disk.journal.journal_id = f"j-{chance.getrandbits(64):016x}"
        self.journal = Journal(disk.journal)
        self.cache = Cache(disk.cache, config.cache_bytes, chance, config.codecs)
        self.clock = Timekeeper(disk.clock, config.battery)
        self.player = Player(self.journal, self.cache, self.clock.excuse, config.tuner)
        self.logbook = Logbook()
        self.listener = Listener(enrolled.unit, config.ear, disk, self.journal, self.player.horn)
        self.commands = Commands(disk, self.journal, self.player.horn, self.logbook, self.listener)
        self.upkeep = Upkeep(disk, self.cache, self.journal, self.logbook, config.firmware)
        self._door = Door(disk.documents, enrolled.unit, enrolled.root)
        self._voice = Voice(
            enrolled.unit,
            enrolled.key,
            config.firmware,
            disk,
            self.journal,
            self.cache,
            self.clock,
            self.player,
            chance,
        )
        self._out: list[Outbox] = []
        self.online = False
        self._reconnect_at: int | None = None
        self._reconnect_ms = RECONNECT_FIRST_MS
        self._grace_until = 0
        self._scopes: tuple[str, ...] = ()
        self._doubted: set[str] = set()
        """Scopes whose alerts we hold from before a loss of power; they may have been silenced meanwhile."""

    # --- the step

    def update(self, reading: Reading, inbox: Sequence[Inbox] = ()) -> Step:
        """Take what arrived and do all that is due. The first call of a life begins with `Powered`."""
        self._out = []
        self._reading = reading
        if inbox and isinstance(inbox[0], Powered):
            self._boot(reading, inbox[0].cause)
        self.clock.observe(reading)
        self._m = self._moment()
        self.player.settle(self._m)
        for event in inbox:
            self._take(event)
        m = self._m
        self.player.step(m)
        self.commands.step(m)
        self.listener.step(m)
        busy, receiver = self.player.current is not None or self.player.alarmed(m), self.player.relays.receiver
        if (restart := self.upkeep.step(m, self.disk.documents.plan, busy)) is not None:
            self._out.append(restart)
        # What was heard lies before what the decoder is told next.
        self._out += [*self.listener.out, *self.player.horn.out, *receiver.out]
        self.listener.out, self.player.horn.out, receiver.out = [], [], []
        self._out += self.cache.step(m.mono, self.online)
        self._note_faults(m)
        if self._reconnect_at is not None and m.mono >= self._reconnect_at:
            self._connect()
        if self.online:
            self._out += self._voice.speak(m, self._scopes)
            self._out += self._voice.send(self.listener.clips)
        self.listener.clips.clear()  # said once, or never: nobody keeps sound of the street
        return Step(tuple(self._out), self._wake_at(m))

    def _moment(self) -> Moment:
        plan = self.disk.documents.plan
        return self.clock.moment(self._reading, plan.policy.max_autonomy_s if plan is not None else None)

    def _boot(self, reading: Reading, cause: Boot) -> None:
        disk = self.disk
        fresh = disk.boot_id == 0
        disk.boot_id = max(disk.boot_id + 1, reading.wall_ms // 1000 if fresh else 0)
        if fresh and disk.boot_id < PLAUSIBLE_S:
            disk.boot_id = 1
        self.clock.boot(reading)
        self._grace_until = reading.mono_ms + UNTRUSTED_GRACE_MS
        self._m = self._moment()
        self.player.set_plan(disk.documents.plan, self._m)
        self._doubted = {scope for scope, document in disk.documents.alerts.items() if document.alerts}
        if self._doubted:
            self.player.doubt_alerts(reading.mono_ms + ALERT_DOUBT_MS)
        self._consider_alerts()
        self.player.after_boot(self._m)
        self.commands.after_boot(self._m)
        self.logbook.note(self._m, f"boot {disk.boot_id} ({cause})")
        self._connect()

    def _take(self, event: Inbox) -> None:
        match event:
            case Arrived(topic, payload):
                if topic == self._voice.presence_topic:
                    if self.online:
                        self._voice.saw_presence(payload, self._m)
                else:
                    self._hear(topic, payload)
            case LinkUp():
                self._joined()
                self.logbook.note(self._m, "link up")
            case LinkDown():
                if self.online:
                    self.logbook.note(self._m, "link down")
                self.online = False
                if self._reconnect_at is None:
                    self._reconnect_at = self._m.mono + round(self._reconnect_ms * self._chance.uniform(0.5, 1.0))
                    self._reconnect_ms = min(2 * self._reconnect_ms, RECONNECT_MOST_MS)
            case Got():
                self.cache.got(event, self._m.mono)
            case FetchFailed():
                self.cache.failed(event, self._m.mono)
                self.logbook.note(self._m, f"fetch {event.sha256[:12]} failed: {event.status}")
                if event.status in (403, 404):
                    self._consider_alerts()  # an alert may have ended meanwhile, and with it the right to its file

            case SourceHeard() | SourceLost():
                self.player.relays.receiver.take(event, self._m)
            case Overheard():
                self.listener.take(event, self._m)

    # --- joining

    def _connect(self) -> None:
        self.online = False
        self._reconnect_at = None
        enrolled, voice = self.enrolled, self._voice
        keep_alive_s = self.upkeep.keep_alive_s(self.config.keep_alive_s)
        self._out.append(Connect(enrolled.unit, enrolled.secret, voice.presence_topic, voice.will(), keep_alive_s))

    def _joined(self) -> None:
        self.online = True
        self._reconnect_at, self._reconnect_ms = None, RECONNECT_FIRST_MS
        self._out.append(self._voice.joined(self._m))
        self.clock.joined()
        self.journal.joined()
        self.cache.link_returned()

    # --- what we are told

    def _hear(self, topic: str, payload: bytes) -> None:
        m = self._m
        heard = self._door.admit(topic, payload, m.now, m.trusted)
        if self._doubted and not isinstance(heard, Refused):
            self._trust_alerts(topic)
        match heard:
            case None:
                return
            case Refused(document, reason, version):
                self.logbook.note(m, f"{document} refused: {reason}")
                self._voice.refusal = Refusal(document=document, version=version, reason=reason, at=m.now)
            case Trust():
                self._forgive("trust")
                self._believe(heard.issued_at)
                self._hear_again()
            case Plan():
                self._apply(heard)
            case AlertDocument():
                self._forgive("alert")
                self.logbook.note(m, f"alerts of {heard.scope} {heard.version}: {len(heard.alerts)}")
                self._believe(heard.issued_at)
                self._consider_alerts()
            case JournalAck():
                self.journal.acknowledge(heard)
            case Command():
                self._obey(heard)
            case Time():
                self._learn_time(heard)

    def _trust_alerts(self, topic: str) -> None:
        """Once the link has shown every scope again, what we hold of them is how they stand."""
        self._doubted = {scope for scope in self._doubted if topics.to_scope(scope, ScopeTopic.ALERT) != topic}
        if not self._doubted:
            self.player.doubt_alerts(self._m.mono)

    def _believe(self, issued_at: int) -> None:
        self.clock.verified(issued_at)
        self.clock.contact()
        self._m = self._moment()

    def _hear_again(self) -> None:
        for topic, payload in self._door.again():
            self._hear(topic, payload)

    def _forgive(self, document: str) -> None:
        """What waited for a key and was then applied is no refusal."""
        refusal = self._voice.refusal
        if refusal is not None and (refusal.document, refusal.reason) == (document, RefusalReason.KEY_NOT_TRUSTED):
            self._voice.refusal = None

    def _apply(self, plan: Plan) -> None:
        self._forgive("plan")
        self._believe(plan.issued_at)
        self.logbook.note(self._m, f"plan {plan.version} applied, {len(plan.items)} items")
        followed = set(self._scopes)
        self._scopes = tuple(plan.policy.scopes)
        self.player.set_plan(plan, self._m)
        self._consider_alerts()
        self._hear_again()
        unseen = set(plan.policy.scopes) - followed - self.disk.documents.alerts.keys()
        if followed and unseen and self.online:
            # The retained documents of the new scopes went past us: a new connection shows them again.
            self._out.append(Disconnect())
            self._connect()

    def _consider_alerts(self) -> None:
        documents = self.disk.documents
        if documents.plan is None:
            return
        self._scopes = tuple(documents.plan.policy.scopes)
        meant = alerts.concerning(documents.alerts, self._scopes, self.enrolled.unit)
        concerning = [alerts.decodable(alert, self.config.codecs) for alert in meant]
        self.player.set_alerts(concerning, self._m)
        # What has ended will not sound again, and nobody may fetch it any more.
        lasting = [alert for alert in concerning if alert.hard_end > self._m.now]
        self.cache.want(_wanted(documents.plan, [each.asset for alert in lasting for each in alert.content], self._m))

    def _learn_time(self, answer: Time) -> None:
        before = self._m.trusted
        moved = self.clock.answer(answer.nonce, answer.now, self._reading)
        if moved is None:
            return
        self._m = self._moment()
        if abs(moved) > DRIFT_MS or not before:
            self.logbook.note(self._m, f"time learnt, moved by {moved} ms")
        if abs(moved) > DRIFT_MS:
            self.journal.fault(self._m, "clock_drift", False)
            # A bare number of milliseconds: how far the entries before this one were off (CONTRACT.md, section 4).
            self.journal.fault(self._m, "clock_drift", True, str(moved))
        else:
            self.journal.fault(self._m, "clock_drift", False)
        if self.disk.boot_id < PLAUSIBLE_S:
            self.disk.boot_id = self._m.now // 1000
            self._out.append(Disconnect())
            self._connect()
        if not before:
            self._hear_again()

    def _obey(self, command: Command) -> None:
        restart = self.commands.obey(command, self.player.alarmed(self._m), self._m)
        if restart is not None:
            self._out.append(restart)

    # --- all that is due

    def _note_faults(self, m: Moment) -> None:
        faults = self.journal.faults
        untrusted = not m.trusted and not m.held
        conditions = {
            "clock_untrusted": untrusted and (m.mono >= self._grace_until or "clock_untrusted" in faults),
            "clock_jump": m.held,
            "autonomy_over": m.alone,
            "asset_corrupt": bool(self.cache.corrupt),
            "cache_full": bool(self.cache.crowded),
            health.HOT: health.hot(m.sensors.temperature_c, faults),
            health.STUCK: health.stuck(m.sensors.amplifier_ma, self.player.horn.idle_ms(m), faults),
        }
        if self.player.horn.wire_open is not None:
            conditions["speaker_wire"] = self.player.horn.wire_open
        for code, raised in conditions.items():
            if raised != (code in faults):
                self.journal.fault(m, code, raised)
                self.logbook.note(m, f"fault {code} {'raised' if raised else 'gone'}")

    def _wake_at(self, m: Moment) -> int:
        marks = [self.player.wake_at(m, self.clock.mono_at), self._reconnect_at, self.cache.wake_at(self.online)]
        marks += [self.commands.wake_at(), self.upkeep.wake_at(), self.listener.wake_at()]
        if (end := self.listener.wall_mark()) is not None:
            marks.append(self.clock.mono_at(end))
        if self.online:
            marks += self._voice.marks()
        if (idle := self.player.horn.idle_ms(m)) is not None and idle < health.LET_GO_MS:
            marks.append(m.mono + health.LET_GO_MS - idle)
        if m.mono < self._grace_until and not m.trusted:
            marks.append(self._grace_until)
        return max(m.mono + 1, min(mark for mark in marks if mark is not None))


def _wanted(plan: Plan, alert_assets: list[Asset], m: Moment) -> list[Asset]:
    """Emergency set, alert content, then by the next start (CONTRACT.md, section 7)."""
    named = {asset.sha256: asset for asset in plan.assets}
    coming = [item for item in plan.items if max(item.not_after, item.deadline or 0) + 3_600_000 >= m.now]
    order = [named[sha256] for sha256 in plan.emergency_set]
    order += alert_assets
    order += [named[item.asset] for item in sorted(coming, key=lambda item: item.start)]
    return list({asset.sha256: asset for asset in [*order, *plan.assets]}.values())
