"""The live fleet: the same units as in virtual time, on real sockets, real files and a real clock.

One loop does everything in order: move bytes, hand what arrived to the units, wake those that asked for it, answer the
control socket. What a unit asks for is carried out after its disk is safe.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from broadcasts.clock import Clock, SystemClock, unix_ms
from broadcasts.errors import Refused
from broadcasts.wire.topics import Out
from device_sim.agenda import Agenda
from device_sim.airwaves import Airwaves
from device_sim.disk import Disk
from device_sim.ear import Pole
from device_sim.ear_room import EarRoom
from device_sim.ears import asked
from device_sim.events import (
    Arrived,
    Boot,
    CancelFetch,
    Connect,
    Disconnect,
    Fetch,
    FetchFailed,
    Inbox,
    Listen,
    Outbox,
    Powered,
    Publish,
    Restart,
    Silent,
    Sounding,
    SourceHeard,
    Tune,
    Untune,
)
from device_sim.fetch import Fetches
from device_sim.fleetfile import FleetFile, Member
from device_sim.hardware import Hardware
from device_sim.link import Links
from device_sim.mischief import Eavesdropper
from device_sim.radio import Air, Radio, Reception
from device_sim.storage import Shelf, UnitStorage, alone_in
from device_sim.stream import Streams
from device_sim.tls import Tls, trusting, with_certificates
from device_sim.unit import Config, Unit

SWITCH_ON_PER_S = 400
"""A power cut ends everywhere at once; a fleet that dials in the same millisecond would only measure its own queue."""
CLOCK_SET_MS = 200
"""The wall clock left the monotonic clock by so much: somebody set it, and every unit has to look."""
REMEMBER_SOUNDS = 200
_TIME_ASK = f"/out/{Out.TIME_ASK}"
WAIT_S = 1.0


@dataclass(eq=False)
class Pillar:
    """One unit with everything around it."""

    member: Member
    storage: UnitStorage
    hardware: Hardware
    disk: Disk
    chance: random.Random
    """Not seeded here: names of journals and nonces must never come again."""
    pole: Pole = field(default_factory=lambda: Pole(REMEMBER_SOUNDS))
    reception: Reception = field(default_factory=lambda: Reception(Radio()))
    unit: Unit | None = None
    """None: no power."""
    wake_ms: int | None = None
    applied_ms: int | None = None
    """True time at which it had put its present plan into force and onto its disk; none: not in this run."""
    offline: bool = False
    dialling: Connect | None = None
    """Asked for while there is no network: begins when there is one."""
    doubled: bool = False
    snoop: Eavesdropper = field(default_factory=Eavesdropper)

    @property
    def name(self) -> str:
        return self.member.enrolled.unit


class Fleet:
    def __init__(
        self,
        fleet: FleetFile,
        clock: Clock,
        *,
        ca: Path | None = None,
        state: Path | None = None,
        config: Config | None = None,
        streams: bool = False,
        inside: bool = False,
    ) -> None:
        """`streams`: those of relays are read from where the plan says, instead of simulated; `inside`: also from this
        machine and private networks. Raises Refused: `sim_broker_address`, `sim_ca`, `sim_certificate`, `sim_state`,
        `sim_state_taken`."""
        self._clock = clock
        self._config = config or Config()
        self._wakes: list[tuple[int, str]] = []
        self._later: deque[tuple[str, Inbox]] = deque()
        with contextlib.ExitStack() as undo:
            if state is not None:
                undo.enter_context(alone_in(state))
            self._links = _open_links(fleet, clock, _tls(fleet, ca))
            undo.callback(self._links.close)
            self._fetches = Fetches(fleet.files, clock, self._links.wake, None if ca is None else trusting(ca))
            undo.callback(self._fetches.close)
            self._ears = EarRoom(self._links.wake)
            undo.callback(self._ears.close)
            trusted = None if ca is None else trusting(ca)
            self._streams = Streams(clock, self._links.wake, trusted, inside=inside) if streams else None
            undo.callback(lambda: None if self._streams is None else self._streams.close())
            self._agenda = Agenda(self.true_ms())
            self.airwaves: Airwaves[Pillar] = Airwaves(
                Radio(),
                self._agenda,
                give=lambda pillar, event: self._later.append((pillar.name, event)),
                linked=lambda pillar: not pillar.offline,
            )
            self.pillars = {each.name: each for each in _build(fleet.members, Shelf(state), self.airwaves.radio)}
            self._undo = undo.pop_all()
        self._leave = self.true_ms() - self.mono_ms()
        self._switch_on()

    # --- time

    def true_ms(self) -> int:
        return unix_ms(self._clock.now())

    def mono_ms(self) -> int:
        return round(self._clock.monotonic() * 1000)

    # --- the loop

    def run(self, stop: threading.Event, every_turn: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; call `wake` after setting it, and `close` after this."""
        while not stop.is_set():
            self.step()
            every_turn()

    def wake(self) -> None:
        """From any thread, or a signal handler: look at once."""
        self._links.wake()

    def step(self) -> None:
        """Wait for something to happen, for a second at most, and do all that is due."""
        self._links.poll(0 if self._later else self._wait_s())
        self._agenda.run_until(self.true_ms())
        inboxes: dict[str, list[Inbox]] = {}
        for name, event in self._arrived():
            inboxes.setdefault(name, []).append(event)
        self.give_all([self.pillars[name] for name in inboxes], inboxes)
        self._wake_due()

    def _arrived(self) -> Iterable[tuple[str, Inbox]]:
        waiting, self._later = self._later, deque()
        streamed = [] if self._streams is None else self._streams.take()
        for unit, told in streamed:
            self.pillars[unit].pole.receive(isinstance(told, SourceHeard) and told.sounding, self.true_ms())
        for name, event in (*waiting, *self._links.take(), *self._fetches.take(), *streamed, *self._ears.take()):
            pillar = self.pillars[name]
            if isinstance(event, Arrived):
                pillar.snoop.note(event)
                if pillar.doubled:
                    yield name, event
            yield name, event

    def _wait_s(self) -> float:
        due = self._wakes[0][0] - self.mono_ms() if self._wakes else WAIT_S * 1000
        if (look := self._agenda.next_at) is not None:
            due = min(due, look - self.true_ms())
        return max(0.0, min(WAIT_S, due / 1000))

    def _wake_due(self) -> None:
        now = self.mono_ms()
        leave = self.true_ms() - now
        if abs(leave - self._leave) > CLOCK_SET_MS:
            for pillar in self.pillars.values():
                if pillar.unit is not None:
                    self._wake_at(pillar, now)
        self._leave = leave
        due: list[Pillar] = []
        while self._wakes and self._wakes[0][0] <= now:
            at, name = heapq.heappop(self._wakes)
            pillar = self.pillars[name]
            if pillar.wake_ms == at:  # else it asked for another time meanwhile
                if pillar.unit is None:
                    self.power_on(pillar, Boot.POWER)
                else:
                    pillar.wake_ms = None
                    due.append(pillar)
        self.give_all(due)

    def give_all(self, pillars: Iterable[Pillar], inboxes: Mapping[str, Sequence[Inbox]] | None = None) -> None:
        """One step of each. A thousand poles have a thousand radios: what they tell of a sound that begins or ends, or
        of a plan that is in force, leaves when all have got so far: none is later because another one tells of it."""
        said: list[tuple[Pillar, Publish]] = []
        for pillar in pillars:
            self.give(pillar, (inboxes or {}).get(pillar.name, ()), said)
        for pillar, out in said:
            self._carry_out(pillar, out)
        self._links.flush()

    # --- one unit

    def give(
        self, pillar: Pillar, inbox: Sequence[Inbox] = (), said: list[tuple[Pillar, Publish]] | None = None
    ) -> None:
        """One step of one unit; without power nothing happens. `said`: of `give_all`."""
        unit = pillar.unit
        if unit is None:
            return
        documents = pillar.disk.documents
        had = documents.plan
        step = unit.update(pillar.hardware.reading(pillar.pole, self.true_ms(), self.mono_ms()), inbox)
        pillar.storage.save(pillar.disk, pillar.hardware)
        if documents.plan is not had:
            pillar.applied_ms = self.true_ms()
        self._wake_at(pillar, step.wake_at_mono_ms)
        kinds = {type(out) for out in step.outbox}
        news = bool(kinds & {Sounding, Silent}) or documents.plan is not had
        waits = said if news and not kinds & {Connect, Disconnect, Restart} else None
        for out in step.outbox:
            if waits is not None and isinstance(out, Publish) and not out.topic.endswith(_TIME_ASK):
                waits.append((pillar, out))
            else:
                self._carry_out(pillar, out)
        self._links.flush()  # a question about the time must not wait for the rest of the fleet

    def _wake_at(self, pillar: Pillar, mono_ms: int) -> None:
        if pillar.wake_ms != mono_ms:
            pillar.wake_ms = mono_ms
            heapq.heappush(self._wakes, (mono_ms, pillar.name))

    def _carry_out(self, pillar: Pillar, out: Outbox) -> None:
        name = pillar.name
        match out:
            case Publish():
                for _ in range(2 if pillar.doubled else 1):
                    self._links.publish(name, out)
            case Sounding():
                pillar.pole.play(out, self.true_ms())
            case Silent():
                pillar.pole.silence(self.true_ms())
            case Connect():
                pillar.dialling = out if pillar.offline else None
                if not pillar.offline:
                    self._links.connect(name, out)
            case Disconnect():
                pillar.dialling = None
                self._links.disconnect(name)
            case Fetch():
                if pillar.offline:
                    self._later.append((name, FetchFailed(out.sha256, 0, "no network")))
                else:
                    self._fetches.begin(name, pillar.member.enrolled.secret, out)
            case CancelFetch():
                self._fetches.cancel(name)
            case Tune() | Untune():
                self._receive(pillar, out)
            case Listen():
                ear, now = pillar.member.ear, self.true_ms()
                self._ears.ask(asked(out, name, ear, pillar.pole, pillar.hardware, pillar.disk, now))
            case Restart():
                self.power_off(pillar)
                self.power_on(pillar, out.cause)

    def _receive(self, pillar: Pillar, out: Tune | Untune) -> None:
        """What it leads to is given in the next turn."""
        self._agenda.run_until(self.true_ms())
        self.airwaves.untune(pillar)
        if self._streams is not None:
            self._streams.end(pillar.name)
        if isinstance(out, Untune):
            return
        untroubled = pillar.reception.here is Air.SOUND and not pillar.offline
        if self._streams is not None and out.url is not None and untroubled:
            self._streams.begin(pillar.name, out)
        else:
            self.airwaves.tune(pillar, out)

    # --- power and link

    def power_on(self, pillar: Pillar, cause: Boot) -> None:
        if pillar.unit is None:
            config = replace(self._config, ear=pillar.member.ear, codecs=pillar.member.codecs)
            pillar.unit = Unit(pillar.member.enrolled, pillar.disk, config, pillar.chance)
            self.give(pillar, [Powered(cause)])

    def power_off(self, pillar: Pillar) -> None:
        pillar.unit, pillar.wake_ms, pillar.dialling = None, None, None
        pillar.pole.silence(self.true_ms())
        self._receive(pillar, Untune())
        self._fetches.cancel(pillar.name)
        self._links.cut(pillar.name, tell=False)

    def link_down(self, pillar: Pillar) -> None:
        pillar.offline = True
        self._fetches.cancel(pillar.name)
        self._links.cut(pillar.name)
        self.look(pillar)

    def look(self, pillar: Pillar) -> None:
        """What it receives of other stations may have changed."""
        self._agenda.run_until(self.true_ms())
        self.airwaves.look(pillar)
        if self._streams is not None and (pillar.offline or pillar.reception.here is not Air.SOUND):
            self._streams.lose(pillar.name)

    def forget_mapping(self, pillar: Pillar) -> None:
        """The operator's NAT forgets the connection; the unit finds out by its next ping."""
        self._links.sever(pillar.name)

    def link_up(self, pillar: Pillar) -> None:
        pillar.offline = False
        if pillar.dialling is not None:
            self._links.connect(pillar.name, pillar.dialling)
            pillar.dialling = None

    def is_online(self, pillar: Pillar) -> bool:
        return self._links.is_open(pillar.name)

    @property
    def fetches(self) -> Fetches:
        return self._fetches

    def lose_storage(self, pillar: Pillar) -> None:
        self.power_off(pillar)
        pillar.disk = Disk()
        self.power_on(pillar, Boot.POWER)

    def count(self) -> dict[str, int]:
        """How it went, in numbers."""
        poles = self.pillars.values()
        return {"units": len(poles), "sounds": sum(len(each.pole.heard) for each in poles)}

    def _switch_on(self) -> None:
        spread_ms = len(self.pillars) * 1000 // SWITCH_ON_PER_S
        now = self.mono_ms()
        for pillar in self.pillars.values():
            self._wake_at(pillar, now + round(pillar.chance.uniform(0, spread_ms)))

    def close(self) -> None:
        """Power fails everywhere; what a disk holds stays."""
        for pillar in self.pillars.values():
            self.power_off(pillar)
            pillar.storage.save(pillar.disk, pillar.hardware)
            pillar.storage.close(pillar.disk)
        self._undo.close()


def _build(members: Iterable[Member], shelf: Shelf, radio: Radio) -> Iterable[Pillar]:
    for member in members:
        storage = UnitStorage(shelf, member.enrolled.unit)
        try:
            disk, hardware = storage.load()
        except (ValueError, KeyError, TypeError, OSError) as failure:
            raise Refused("sim_state", path=shelf.folder, why=failure) from None
        pillar = Pillar(member, storage, hardware, disk, random.SystemRandom())
        pole = pillar.pole
        pole.wire_intact, pole.loose, pole.wrong_file = hardware.wire_intact, hardware.wire_loose, hardware.wrong_file
        pillar.reception = Reception(radio)
        pillar.reception.here = Air(hardware.air)
        yield pillar


def _tls(fleet: FleetFile, ca: Path | None) -> Tls | None:
    """Unless the fleet says so or not, a certificate of whatever kind means TLS. Their dates are read by the
    machine's clock, as TLS itself does, also in a sandbox."""
    encrypted = fleet.certificates is not None or ca is not None if fleet.tls is None else fleet.tls
    if not encrypted:
        return None
    if fleet.certificates is None:
        return Tls(trusting(ca))
    return with_certificates(
        ca, fleet.certificates, [each.enrolled.unit for each in fleet.members], SystemClock().now()
    )


def _open_links(fleet: FleetFile, clock: Clock, tls: Tls | None) -> Links:
    try:
        return Links(fleet.host, fleet.port, clock, tls)
    except OSError as failure:
        why = failure.strerror or failure
        raise Refused("sim_broker_address", address=f"{fleet.host}:{fleet.port}", why=why) from None
