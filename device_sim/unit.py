"""A unit at a pole: one pure step. What it must do is CONTRACT.md; nothing here does I/O or reads a clock."""

from __future__ import annotations

import random
from collections.abc import Sequence

from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.live import LiveSession
from broadcasts.wire.live_packet import is_packet
from broadcasts.wire.plan import Plan
from broadcasts.wire.status import Command, Refusal, RefusalReason, Time
from broadcasts.wire.trigger import Trigger
from broadcasts.wire.trust import Trust
from device_sim import health
from device_sim.cache import Cache, to_hold
from device_sim.commands import Commands
from device_sim.disk import Disk
from device_sim.enrolled import Config as Config
from device_sim.enrolled import Enrolled as Enrolled
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
    SmsReceived,
    SourceHeard,
    SourceLost,
    Step,
)
from device_sim.journal import Journal
from device_sim.listening import Listener
from device_sim.logbook import Logbook
from device_sim.player import Player
from device_sim.standing import standing
from device_sim.texted import Texts
from device_sim.timekeeper import DRIFT_MS, Timekeeper
from device_sim.trust import Door, Refused, Signed
from device_sim.upkeep import Upkeep
from device_sim.voice import Voice

RECONNECT_FIRST_MS = 2_000
RECONNECT_MOST_MS = 60_000
ALERT_DOUBT_MS = 30_000
"""So long an alert from before a loss of power waits for the link to say that it still stands."""
UNTRUSTED_GRACE_MS = 30_000
"""A unit without a battery learns the time in the first seconds of every boot: no fault yet."""
IN_STEP_MS, IN_STEP_SPREAD_MS = 100, 200
"""Who may be off by more when a session begins asks for the time at once; not all in the same moment."""
BELIEVE_MS = 60_000
"""What is said every second moves the lower bound this often: each move is a write to the disk."""
PLAUSIBLE_S = 1_600_000_000


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
        self.commands = Commands(disk, self.journal, self.player.horn, self.logbook, self.listener, self.cache)
        self.upkeep = Upkeep(enrolled.unit, disk, self.cache, self.journal, self.logbook, config)
        self._door = Door(disk.documents, enrolled.unit, enrolled.root)
        self._texts = Texts(disk.documents, enrolled.unit)
        parts = (disk, self.journal, self.cache, self.clock, self.player, chance)
        self._voice = Voice(enrolled.unit, enrolled.key, config.firmware, *parts)
        self._out: list[Outbox] = []
        self.online = False
        self._wake = 0
        """As told last (monotonic)."""
        self._reconnect_at: int | None = None
        self._reconnect_ms = RECONNECT_FIRST_MS
        self._grace_until = 0
        self._scopes: tuple[str, ...] = ()
        self._spoken_before = 0
        """Without trusted time: what was said up to here may be what was heard before the boot."""
        self._doubted: set[str] = set()
        """Scopes whose alerts we hold from before a loss of power; they may have been silenced meanwhile."""

    # --- the step

    def update(self, reading: Reading, inbox: Sequence[Inbox] = ()) -> Step:
        """Take what arrived and do all that is due. The first call of a life begins with `Powered`."""
        if _only_sound(inbox) and (quiet := self._hold_sound(reading, inbox)) is not None:
            return quiet
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
        busy, receiver = self.player.current is not None or self.player.alarmed(m), self.player.relays.receiver
        if (restart := self.commands.step(busy, m)) is not None:
            self._out.append(restart)
        self.listener.step(m)
        if (restart := self.upkeep.step(m, self.disk.documents.plan, busy, self.online)) is not None:
            self._out.append(restart)
        # What was heard lies before what the decoder is told next.
        self._out += [*self.listener.out, *self.player.horn.out, *receiver.out]
        self.listener.out, self.player.horn.out, receiver.out = [], [], []
        self._out += self.cache.step(m.mono, self.online)
        self.upkeep.note_faults(m, self.player.horn, self._grace_until)
        if self._reconnect_at is not None and m.mono >= self._reconnect_at:
            self._connect()
        if self.online:
            self._out += self._voice.speak(m, self._scopes)
            self._out += self._voice.send(self.listener.clips)
        self.listener.clips.clear()  # said once, or never: nobody keeps sound of the street
        self._wake = self._wake_at(m)
        return Step(tuple(self._out), self._wake)

    def _hold_sound(self, reading: Reading, inbox: Sequence[Inbox]) -> Step | None:
        """Ten times a second there is sound for later and nothing else to do; none: there is, and nothing was taken."""
        trusted, held = self.clock.trusted, self.clock.held
        self.clock.observe(reading)
        due = self.clock.ask_at is not None and self.clock.ask_at <= reading.mono_ms and self.online
        if due or reading.mono_ms >= self._wake or (trusted, held) != (self.clock.trusted, self.clock.held):
            return None
        talks, m = self.player.talks, self.clock.moment(reading, None)
        if not talks.calm(m):
            return None
        for each in inbox:
            assert isinstance(each, Arrived)
            talks.heard(each.payload, m)
        marks: list[int] = []
        talks.wake_for(marks)
        self._wake = max(m.mono + 1, min([self._wake, *(mark for mark in marks if mark > m.mono)]))
        return Step((), self._wake if talks.calm(m) else m.mono + 1)

    def _moment(self) -> Moment:
        plan = self.disk.documents.plan
        return self.clock.moment(self._reading, plan.policy.max_autonomy_s if plan is not None else None)

    def _boot(self, reading: Reading, cause: Boot) -> None:
        disk = self.disk
        fresh = disk.boot_id == 0
        disk.boot_id = max(disk.boot_id + 1, reading.wall_ms // 1000 if fresh else 0)
        if fresh and disk.boot_id < PLAUSIBLE_S:
            disk.boot_id = 1
        self._spoken_before = self.clock.lower_ms + BELIEVE_MS
        self.clock.boot(reading)
        self._grace_until = reading.mono_ms + UNTRUSTED_GRACE_MS
        self._m = self._moment()
        self.player.set_plan(disk.documents.plan, self._m)
        said = disk.documents
        self._doubted = {scope for scope, document in said.alerts.items() if document.alerts}
        self._doubted |= {scope for scope, held in said.texted.items() if held.triggers}
        if self._doubted:
            self.player.doubt_alerts(reading.mono_ms + ALERT_DOUBT_MS)
        self._consider_alerts()
        self.player.after_boot(self._m)
        self.commands.after_boot(self._m)
        self.upkeep.updater.after_boot(self._m)
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
            case SmsReceived():
                self._heed(self._texts.admit(event.data, self._m.now, self._m.trusted))
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
        if self.upkeep.updater.deaf:
            self._reconnect_at = self._m.mono + RECONNECT_MOST_MS
            return
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
        if is_packet(payload):
            self.player.talks.heard(payload, m)
            return
        heard = self._door.admit(topic, payload, m.now, m.trusted)
        if self._doubted:
            # Once the link has shown every scope again, what we hold of them is how they stand.
            self._doubted -= self._door.alerts_shown
            if not self._doubted:
                self.player.doubt_alerts(m.mono)
        self._heed(heard)

    def _heed(self, heard: Signed | Refused | None) -> None:
        m = self._m
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
            case LiveSession():
                self._listen_to(heard)
            case DrillDocument():
                self._forgive("drill")
                self.logbook.note(m, f"drills of {heard.scope} {heard.version}: {len(heard.drills)}")
                self._believe(heard.issued_at)
                self._consider_alerts()
            case Trigger():
                self._forgive("trigger")
                self.logbook.note(m, f"trigger of {heard.scope} {heard.version}: {heard.op.name.lower()}")
                # It is no contact: nobody knows how long it was held back.
                self.clock.verified(heard.issued_at)
                self._m = self._moment()
                self._consider_alerts()
            case JournalAck():
                self.journal.acknowledge(heard)
            case Command():
                self._obey(heard)
            case Time():
                self._learn_time(heard)

    def _listen_to(self, session: LiveSession) -> None:
        """Said every second: only what is new about it is worth a line, and a word to the clock."""
        self._forgive("live")
        m = self._m
        new = self.player.talks.told(session, max(self.clock.lower_ms, self._spoken_before), m)
        if new or not m.trusted or session.said_at - self.clock.store.verified_ms >= BELIEVE_MS:
            self._believe(session.said_at)
        if new:
            self.clock.wonder(IN_STEP_MS, self._chance.randint(0, IN_STEP_SPREAD_MS))
            ends = "" if session.ends_at is None else ", ends"
            self.logbook.note(m, f"live {session.session} in {session.scope}, level {session.level}{ends}")

    def _believe(self, issued_at: int) -> None:
        self.clock.verified(issued_at)
        self.clock.contact()
        self._m = self._moment()

    def _hear_again(self) -> None:
        for topic, payload in self._door.again():
            self._hear(topic, payload)
        for sms in self._texts.again():
            self._heed(self._texts.admit(sms, self._m.now, self._m.trusted))

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
        together, concerning, exercises = standing(
            documents, documents.plan, self._scopes, self.enrolled.unit, self.config.codecs, self._door.drills_shown
        )
        self.player.talks.obey(together, self._scopes, self._m)
        self.player.set_alerts(concerning, self._m)
        self.player.drills.set(exercises, self._m)
        # What has ended will not sound again, and nobody may fetch it any more.
        lasting = [alert for alert in concerning if alert.hard_end > self._m.now]
        files = self.cache.carried(lasting) + self.player.drills.assets(self._m.now)
        self.cache.want(to_hold(documents.plan, files, self._m))

    def _learn_time(self, answer: Time) -> None:
        before = self._m.trusted
        moved = self.clock.answer(answer.nonce, answer.now, self._reading)
        if moved is None:
            return
        self._m = self._moment()
        if abs(moved) > DRIFT_MS or not before:
            self.logbook.note(self._m, f"time learnt, moved by {moved} ms")
        self.journal.fault(self._m, "clock_drift", False)
        if abs(moved) > DRIFT_MS:
            # A bare number of milliseconds: how far the entries before this one were off (CONTRACT.md, section 4).
            self.journal.fault(self._m, "clock_drift", True, str(moved))
        first = self.disk.boot_id < PLAUSIBLE_S
        self.disk.boot_id = self._m.now // 1000 if first else self.disk.boot_id
        # What a wrong clock refused is retained: another connection shows how it stands now.
        if first or (abs(moved) > DRIFT_MS and self._door.misjudged()):
            self._out.append(Disconnect())
            self._connect()
        if not before:
            self._hear_again()

    def _obey(self, command: Command) -> None:
        restart = self.commands.obey(command, self.player.alarmed(self._m), self._m)
        if restart is not None:
            self._out.append(restart)

    # --- all that is due

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


def _only_sound(inbox: Sequence[Inbox]) -> bool:
    return bool(inbox) and all(isinstance(each, Arrived) and is_packet(each.payload) for each in inbox)
