"""Everybody who speaks right now. Sockets hand in samples and look at how it goes; one thread of bootstrap's calls
`turn` and does all the work; the database hears of it by `ended`."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from broadcasts.audio.chain import ORDINARY, Chain
from broadcasts.audio.live import RATES
from broadcasts.clock import Clock, unix_ms
from broadcasts.errors import Conflict, Refused
from controller.services.live_air import Air, Done, Send, Told

_LOG = logging.getLogger("loa.live")
MOST = 12
"""Sessions at once: each costs about 4 % of a core. An emergency always finds room."""
TURN_S = 0.02
LOST_MS = 8_000
"""So long without a sound from the microphone, its socket open or not, and the session ends."""
FIRST_MS = 20_000
"""The same for the first sound: a browser asks its owner whether it may listen."""
AHEAD_MS = 3_000
"""A microphone gives a second of sound in a second. Who brings more than so much besides floods us."""
MOST_BYTES = 48_000 * 2 // 4
"""Of one message: a quarter of a second at the highest rate."""
LEAST_MS = 5
"""Of one message: smaller ones would only cost."""
MOST_MESSAGES = 200
"""That wait for their turn; more are dropped, the oldest first."""


class End(StrEnum):
    """Why a session is over."""

    HAND = "hand"
    STOPPED = "stopped"
    """By another person."""
    SILENT = "silent"
    LOST = "lost"
    """No sound came from the microphone."""
    WINDOW = "window"
    """The approved window, the longest time, or the hours of a station ended."""
    RULES = "rules"
    """The regulation was changed meanwhile, or a right was taken away."""
    NEWER = "newer"
    """An emergency took the horns."""
    FLOOD = "flood"
    RESTART = "restart"


@dataclass
class Mouth:
    """One socket of one speaker."""

    session: str
    rate: int
    brought_ms: float = 0.0
    since: float = 0.0
    ended: bool = False
    """Nothing more is taken from it: another one took its place, or the session is over."""


@dataclass(frozen=True)
class Status:
    """`state`: chime, on_air, closing, ended. Seconds: on air, and left until it ends by itself."""

    state: str
    seconds: int
    left: int
    lufs: float
    silent_s: int
    late: int
    why: str = ""


@dataclass
class _Seat:
    air: Air
    user: str
    silence_ms: int
    mouth: Mouth | None = None
    tuned: Mouth | None = None
    """For which the chain was made."""
    heard: float = 0.0
    """By the monotonic clock: when sound came last; 0: never."""
    begun: float = 0.0
    waiting: deque[tuple[Mouth, bytes]] = field(default_factory=lambda: deque(maxlen=MOST_MESSAGES))
    orders: deque[tuple[End, str, bool]] = field(default_factory=deque)
    why: End | None = None
    by: str = ""
    cpu_s: float = 0.0
    told: bool = False
    anchor: tuple[int, float] = (0, 0.0)
    """The wall clock, in Unix ms, and the monotonic one beside it, when the wall clock was last not behind."""


@dataclass(frozen=True)
class Ended:
    id: str
    why: End
    by: str
    at: int
    """Unix ms: what sounds ends then."""
    done: Done
    cpu_ms: int


class LiveRoom:
    def __init__(
        self,
        clock: Clock,
        send: Send,
        chains: tuple[Chain, Chain] = (ORDINARY, ORDINARY),
        *,
        counted: Callable[[int, int, float], None] = lambda *_: None,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """`chains`: of ordinary voices, of emergencies. `counted`: packets, late ones, seconds of work, of each session
        at its end."""
        self._clock, self._send, self._chains = clock, send, chains
        self._counted, self._cpu = counted, cpu
        self._lock = threading.Lock()
        self._seats: dict[str, _Seat] = {}
        self._ended: list[Ended] = []
        self._bell = threading.Event()
        self.beginning = threading.Lock()
        """Held from the look at who has the horns until `open`: of two who begin at once the other is seen."""

    def run(self, closing: threading.Event) -> None:
        """Until `closing`; then everybody is cut."""
        while not closing.is_set():
            self.turn()
            self._bell.wait(TURN_S if self._seats else 0.5)
            self._bell.clear()
        for seat in list(self._seats.values()):
            seat.orders.append((End.RESTART, "", True))
        self.turn()

    # --- whoever begins and ends

    def open(self, told: Told, user: str, silence_s: int) -> Air:
        """On air from now on: the chime sounds. Raises Conflict("live.full", "live.on_air")."""
        air = Air(told, self._send, self._chains[told.level == 1])
        now = self._clock.monotonic()
        with self._lock:
            if told.id in self._seats:
                raise Conflict("live.on_air")
            if len(self._seats) >= MOST and told.level != 1:
                raise Conflict("live.full", most=MOST)
            self._seats[told.id] = _Seat(air, user, silence_s * 1000, begun=now)
        self._bell.set()
        return air

    def end(self, session: str, why: End, by: str = "", *, cut: bool = True) -> bool:
        """In the next turn; whether it was on air. `cut`: silent at once, else to the last word and with the chime."""
        seat = self._seats.get(session)
        if seat is None:
            return False
        seat.orders.append((why, by, cut))
        self._bell.set()
        return True

    def shorten(self, session: str, hard_end: int) -> None:
        """It ends at this instant (Unix ms) at the latest."""
        seat = self._seats.get(session)
        if seat is not None and hard_end < seat.air.hard_end:
            seat.air.hard_end = max(hard_end, seat.air.told.not_before + 1)

    @property
    def on_air(self) -> tuple[str, ...]:
        return tuple(name for name, seat in list(self._seats.items()) if seat.air.ends_at is None)

    def ended(self) -> list[Ended]:
        """What is over since the last time that somebody asked."""
        with self._lock:
            found, self._ended = self._ended, []
        return found

    def again(self, ended: list[Ended]) -> None:
        """It could not be written down: the next who asks hears of it."""
        with self._lock:
            self._ended = [*ended, *self._ended]

    # --- sockets

    def attach(self, session: str, user: str, rate: int) -> Mouth:
        """A microphone; the one before it is let go. Raises Refused: "live.rate", "live.over", "not_yours"."""
        if rate not in RATES:
            raise Refused("live.rate", rate=rate)
        with self._lock:
            seat = self._seats.get(session)
            if seat is None or seat.why is not None:
                raise Refused("live.over")
            if seat.user != user:
                raise Refused("not_yours")
            if seat.mouth is not None:
                seat.mouth.ended = True
            seat.mouth = Mouth(session, rate, since=self._clock.monotonic())
            return seat.mouth

    def give(self, mouth: Mouth, sound: bytes) -> None:
        """Samples, 16 bit little endian, mono. Raises Refused: "live.over", "live.message" (too short, odd, too long),
        "live.flood"."""
        seat = self._seats.get(mouth.session)
        if seat is None or mouth.ended or seat.why is not None:
            raise Refused("live.over")
        if not mouth.rate * 2 * LEAST_MS // 1000 <= len(sound) <= MOST_BYTES or len(sound) % 2:
            raise Refused("live.message")
        mouth.brought_ms += len(sound) * 500 / mouth.rate
        passed = (self._clock.monotonic() - mouth.since) * 1000
        if mouth.brought_ms - passed > AHEAD_MS:
            seat.orders.append((End.FLOOD, "", True))
            raise Refused("live.flood")
        # Time that passed without sound is no credit for a flood later.
        mouth.brought_ms = max(mouth.brought_ms, passed - AHEAD_MS)
        seat.waiting.append((mouth, sound))
        self._bell.set()

    def detach(self, mouth: Mouth) -> None:
        """The socket is gone; the session waits `LOST_MS` for another one."""
        mouth.ended = True

    def status(self, session: str) -> Status | None:
        """None: it is not here, or over and forgotten."""
        seat = self._seats.get(session)
        if seat is None:
            return None
        air, now = seat.air, self._time(seat)
        state = "on_air" if air.open_mouth(now) else "ended" if air.ends_at else "closing" if air.closing else "chime"
        return Status(
            state=state,
            seconds=max(0, ((air.ends_at or now) - air.told.not_before) // 1000),
            left=max(0, -(-(air.hard_end - now) // 1000)),
            lufs=air.level_lufs,
            silent_s=air.silent_ms // 1000,
            late=air.done.late,
            why=str(seat.why or ""),
        )

    # --- the thread

    def turn(self) -> None:
        """Everything that is due. Never raises: one session that breaks takes no other one with it."""
        for name, seat in list(self._seats.items()):
            began = self._cpu()
            try:
                self._work(seat)
            except Exception:  # noqa: BLE001 - one voice that breaks silences no other
                _LOG.exception("live session %s broke", name)
                self._break(seat)
            seat.cpu_s += self._cpu() - began
            if seat.air.ends_at is not None:
                self._tell(name, seat)
            if seat.air.over:
                with self._lock:
                    self._seats.pop(name, None)

    def _work(self, seat: _Seat) -> None:
        air, now = seat.air, self._time(seat)
        air.tick(now)  # first: no packet comes before the document that names its key
        while seat.waiting:
            mouth, sound = seat.waiting.popleft()
            if mouth is seat.mouth and air.ends_at is None:
                if seat.tuned is not mouth:
                    air.listen(mouth.rate)
                    seat.tuned = mouth
                seat.heard = self._clock.monotonic()
                air.speak(np.frombuffer(sound, "<i2"), now)
        while seat.orders:
            self._order(seat, *seat.orders.popleft(), now)
        self._judge(seat, now)
        air.tick(now)
        if air.ends_at is not None and seat.why is None:
            seat.why = End.WINDOW

    def _time(self, seat: _Seat) -> int:
        """Unix ms, and never less than before: with a wall clock that is put back, documents would grow no more, the
        packets would all be early, and the hard end would be put off. Ahead it may be put."""
        wall, passed = unix_ms(self._clock.now()), self._clock.monotonic()
        ran = seat.anchor[0] + int((passed - seat.anchor[1]) * 1000)
        if wall < ran:
            return ran
        seat.anchor = (wall, passed)
        return wall

    def _judge(self, seat: _Seat, now: int) -> None:
        if seat.air.ends_at is not None or seat.air.closing:
            return
        idle = (self._clock.monotonic() - (seat.heard or seat.begun)) * 1000
        if idle > (LOST_MS if seat.heard else FIRST_MS):
            self._order(seat, End.LOST, "", False, now)
        elif seat.air.silent_ms > seat.silence_ms:
            self._order(seat, End.SILENT, "", False, now)

    def _order(self, seat: _Seat, why: End, by: str, cut: bool, now: int) -> None:
        if seat.air.ends_at is not None:
            return
        if seat.why is None or cut:
            seat.why, seat.by = why, by
        if cut:
            seat.air.cut(now)
        else:
            seat.air.close(now)

    def _break(self, seat: _Seat) -> None:
        try:
            seat.why = seat.why or End.LOST
            seat.air.cut(self._time(seat))
        except Exception:  # noqa: BLE001 - a full disk, a key that is gone: nothing more leaves anyway
            _LOG.exception("and could not be ended: its packets have stopped")
            seat.air.ends_at = seat.air.ends_at or self._time(seat)

    def _tell(self, name: str, seat: _Seat) -> None:
        if seat.told:
            return
        seat.told = True
        done = seat.air.done
        self._counted(done.packets, done.late, seat.cpu_s)
        with self._lock:
            self._ended.append(
                Ended(name, seat.why or End.LOST, seat.by, seat.air.ends_at or 0, done, round(seat.cpu_s * 1000))
            )
