"""One live session on air: samples come in, signed packets and the session's document go out. No thread, no database,
no clock of its own: whoever calls says what time it is."""

from __future__ import annotations

import logging
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from broadcasts.audio.chain import OPUS, ORDINARY, Chain
from broadcasts.audio.chime import chime as chime_samples
from broadcasts.audio.live import LiveChain, Pen
from broadcasts.audio.pcm import Samples
from broadcasts.wire import topics
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.live import REPEAT_MS, LiveSession, seal_session
from broadcasts.wire.live_pacing import Pacing
from broadcasts.wire.live_packet import FRAMES, PACKET_MS, LivePacket, pack
from broadcasts.wire.topics import ScopeTopic

_LOG = logging.getLogger("loa.live")
Send = Callable[[str, bytes], bool]
"""Topic and payload; at QoS 0, not retained."""
Target = Literal["all"] | list[str]
FAREWELLS = 3
"""How often the end is said, a second apart: who missed it once hears it again."""


@dataclass(frozen=True)
class Share:
    """Whom one document is for: all of a standing scope, or some of its units. A scope comes more than once where its
    list is long, or where its units are not equally loud."""

    scope: str
    target: Target
    volume: int


@dataclass(frozen=True)
class Told:
    """What a session is. Instants: Unix ms."""

    id: str
    session: str
    """Its name on the wire, 16 hexadecimal digits."""
    level: int
    shares: tuple[Share, ...]
    issued_at: int
    not_before: int
    hard_end: int
    buffer_ms: int
    reason: str
    chime: str
    signer: SigningKey
    """Of the documents: the key of plans, or that of alerts."""
    key: SigningKey
    """Of the packets: made for this session, and only ever in memory."""
    recording: Path
    """Where the samples go, as WAV."""


@dataclass(frozen=True)
class Done:
    """What came of it. `spoken_ms`: recorded. `torn`: not all of it, as on a full disk."""

    packets: int
    late: int
    unsent: int
    spoken_ms: int
    torn: bool = False


class Air:
    """From the first chime to the last word about the end."""

    def __init__(self, told: Told, send: Send, chain: Chain = ORDINARY) -> None:
        self.told = told
        self._send, self._aim = send, chain
        self._key = told.key
        self._topics = tuple(dict.fromkeys(topics.to_scope(share.scope, ScopeTopic.LIVE) for share in told.shares))
        self._pacing = Pacing(told.buffer_ms)
        self._tune = _tune(told.chime)
        self._chimed = 0
        self._chain: LiveChain | None = None
        self._disk: BinaryIO | None = None
        self._file: wave.Wave_write | None = None
        self._recorded = 0
        self._torn = False
        self._rate = self._mouth = 0
        """Hz: of the recording, of the microphone that is there now."""
        self._waiting: list[bytes] = []
        self._seq = self._late = self._unsent = 0
        self._said_at = 0
        self._farewells = FAREWELLS
        self.hard_end = told.hard_end
        self.ends_at: int | None = None
        """Set once it is over."""
        self.closing = False
        """The speaker has ended; the last chime sounds."""
        self._close_at = 0

    @property
    def key_x(self) -> str:
        return self._key.public.x

    @property
    def chime_ms(self) -> int:
        return len(self._tune) * PACKET_MS

    @property
    def done(self) -> Done:
        spoken = self._recorded * 1000 // self._rate if self._recorded else 0
        return Done(self._seq, self._late, self._unsent, spoken, self._torn)

    @property
    def level_lufs(self) -> float:
        return self._chain.level.lufs if self._chain else -70.0

    @property
    def silent_ms(self) -> int:
        return self._chain.level.silent_ms if self._chain else 0

    def open_mouth(self, now: int) -> bool:
        """Whether the chime before is over and what is said now is sent."""
        return now >= self.told.not_before + self.chime_ms and not self.closing and self.ends_at is None

    def listen(self, rate: int) -> None:
        """A microphone at `rate` Hz is there, the first or another. Raises ValueError for no such rate."""
        self._chain, self._waiting, self._mouth = LiveChain(rate, self._aim), [], rate
        if self._rate:
            return
        self._rate = rate
        try:
            self.told.recording.parent.mkdir(parents=True, exist_ok=True)
            self._disk = self.told.recording.open("wb")
        except OSError:
            _LOG.exception("live session %s cannot be recorded", self.told.id)  # what is said now matters more
            self._torn = True
            return
        self._file = wave.open(self._disk, "wb")  # noqa: SIM115 - closed by `_shut`
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(rate)

    def speak(self, samples: Samples, now: int) -> None:
        """`samples` of the microphone, 16 bit mono, that came at `now`."""
        if self._chain is None or not self.open_mouth(now):
            return
        self._record(samples)
        self._waiting += self._chain.push(samples)
        while len(self._waiting) >= FRAMES:
            frames, self._waiting = self._waiting[:FRAMES], self._waiting[FRAMES:]
            self._packet(frames, now)

    def tick(self, now: int) -> None:
        """What time demands: chimes, the document each second, the hard end. Several times a second."""
        if self.ends_at is not None:
            if self._farewells and now >= self._said_at + REPEAT_MS:
                self._say(now)
            return
        if now >= self.hard_end:
            self.cut(now)
            return
        if now >= self._said_at + REPEAT_MS:
            self._say(now)
        begun = self._close_at if self.closing else self.told.not_before
        while self._chimed < len(self._tune) and now >= begun + self._chimed * PACKET_MS:
            self._packet(self._tune[self._chimed], now)
            self._chimed += 1
        if self.closing and self._chimed == len(self._tune):
            self._end(self._pacing.ends_at or now, now)

    def close(self, now: int) -> None:
        """The speaker is done: what he said sounds to its end, then the chime."""
        if self.closing or self.ends_at is not None:
            return
        if self._chain is not None and self.open_mouth(now):
            self._waiting += self._chain.finish()
            while self._waiting:
                frames, self._waiting = self._waiting[:FRAMES], self._waiting[FRAMES:]
                self._packet(frames, now)
        if self._chimed < len(self._tune):  # still in the first chime: nothing was said
            self._end(self._pacing.ends_at or now, now)
            return
        self.closing, self._close_at, self._chimed = True, now, 0
        self.tick(now)

    def cut(self, now: int) -> None:
        """Silent at once, also what is on its way."""
        if self.ends_at is None:
            self._end(min(now, self.hard_end), now)

    @property
    def over(self) -> bool:
        """Everything is said about its end too."""
        return self.ends_at is not None and not self._farewells

    def _end(self, ends_at: int, now: int) -> None:
        self.ends_at = max(min(ends_at, self.hard_end), self.told.not_before)
        self._shut()
        self._say(now)

    def _record(self, samples: Samples) -> None:
        """At the first rate, also where a second microphone has another one."""
        if self._file is None:
            return
        if self._mouth != self._rate:
            at = np.arange(samples.size * self._rate // self._mouth) * (self._mouth / self._rate)
            samples = np.interp(at, np.arange(samples.size), samples).astype("<i2")
        try:
            self._file.writeframesraw(samples.astype("<i2", copy=False).tobytes())
        except OSError:
            _LOG.exception("the recording of live session %s ends here", self.told.id)
            self._torn = True
            self._shut()
            return
        self._recorded += samples.size

    def _shut(self) -> None:
        file, self._file = self._file, None
        if file is None or self._disk is None:
            return
        try:
            with self._disk:
                file.close()
        except OSError:
            _LOG.exception("the recording of live session %s has no end", self.told.id)
            self._torn = True

    def _packet(self, frames: list[bytes], now: int) -> None:
        play_at = self._pacing.play_at(now)
        if play_at is None or play_at + PACKET_MS > self.hard_end:
            self._late += 1
            return
        packet = pack(LivePacket(self.told.session, self._seq, play_at, tuple(frames)), self._key)
        self._seq += 1
        for topic in self._topics:
            if not self._send(topic, packet):
                self._unsent += 1

    def _say(self, now: int) -> None:
        told = self.told
        self._said_at = now
        if self.ends_at is not None:
            self._farewells -= 1
        for share in told.shares:
            document = LiveSession(
                session=told.session,
                scope=share.scope,
                level=told.level,
                target=share.target,
                key=self.key_x,
                issued_at=told.issued_at,
                said_at=max(now, told.issued_at),
                not_before=told.not_before,
                hard_end=self.hard_end,
                ends_at=self.ends_at,
                buffer_ms=told.buffer_ms,
                volume=share.volume,
                reason=told.reason,
            )
            self._send(topics.to_scope(share.scope, ScopeTopic.LIVE), seal_session(document, told.signer))


def _tune(name: str) -> list[list[bytes]]:
    """A chime as packets of frames; none for none."""
    if not name:
        return []
    pen = Pen()
    pen.add(np.frombuffer(chime_samples(OPUS.sample_rate, name), "<i2"))
    frames = pen.finish()
    return [frames[at : at + FRAMES] for at in range(0, len(frames), FRAMES)]
