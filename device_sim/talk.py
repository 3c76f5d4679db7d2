"""One live session at one pole: what has come of it, and what is to be heard at each instant. CONTRACT.md, section 6a.

Pure. The axis is `play_at`, Unix ms: the trusted wall clock, so that neighbours stay in step; a monotonic clock carried
on from it, or from the first packet, where time is not trusted.
"""

from __future__ import annotations

from collections import deque

from broadcasts.wire.journal import LiveHeard, NotPlayed
from broadcasts.wire.live import LiveSession
from broadcasts.wire.live_packet import FRAME_MS, PACKET_MS, LivePacket
from device_sim.events import Moment, spoken

CONCEAL_MS = 200
"""So long a decoder bridges a gap; what is longer is silence."""
QUIET_MS = 5_000
"""Without a packet for so long the horn is given back."""
AHEAD_MS = 5_000
"""Nothing is kept that is to be played so much later than the buffer explains."""
WINDOW = 600
"""Sequence numbers that are remembered: a minute. What is older is over anyway."""


class Talk:
    def __init__(self, session: LiveSession, before_ms: int, after_ms: int) -> None:
        """`before_ms`, `after_ms`: lengths of the chimes that are held, 0 for none."""
        self.session = session
        self._before_ms, self._after_ms = before_ms, after_ms
        self._shift: int | None = None
        """Monotonic minus axis; none before anything tells."""
        self._pieces: deque[tuple[int, int]] = deque()
        """Sound that is to come, by its begin; pieces neither touch nor overlap."""
        self._pauses: set[int] = set()
        """Begins of pieces before which nobody spoke: nothing is missing there."""
        self._known: set[int] = set()
        self._highest = -1
        self._settled = 0
        """Up to here it is counted what was heard."""
        self._voice_to: int | None = None
        """Where the voice that was heard last ended."""
        self._hushed = 0
        """Silence since then that is lost if more comes."""
        self.has_horn = False
        self._taken_at = 0
        self.times = 0
        """How often it had the horn and gave it back."""
        self._stretch = 0
        self._said: str | None = None
        self.blind_since: int | None = None
        self.blocked: NotPlayed | None = None
        """Why it could not have the horn when there was something to be heard."""
        self.blocked_by = ""
        self._last_end = 0
        """Where the last packet that was taken ends."""
        self._packets = self._late = self._refused = 0
        self._voice_ms = self._concealed_ms = self._lost_ms = self.sounded_ms = 0

    # --- time

    def axis(self, m: Moment) -> int:
        if m.trusted:
            self._shift = m.mono - m.now
        return m.now if self._shift is None else m.mono - self._shift

    def mono_at(self, x: int) -> int | None:
        return None if self._shift is None else x + self._shift

    @property
    def voice_end(self) -> int:
        """No voice at or after it."""
        session = self.session
        return session.hard_end if session.ends_at is None else min(session.ends_at, session.hard_end)

    @property
    def finish(self) -> int:
        """No sound at or after it: the chime after is its last."""
        session = self.session
        if session.ends_at is None or session.ends_at >= session.hard_end:
            return session.hard_end
        return min(session.ends_at + self._after_ms, session.hard_end)

    # --- what comes

    def take(self, packet: LivePacket, m: Moment) -> None:
        """Of this session and rightly signed."""
        seq = packet.seq
        if seq in self._known or seq <= self._highest - WINDOW:
            return
        if self._shift is None and not m.trusted:
            self._shift = m.mono - packet.play_at + self.session.buffer_ms
        x = self.axis(m)
        ahead = packet.play_at - x > self.session.buffer_ms + AHEAD_MS
        if ahead or not self.session.not_before <= packet.play_at < self.session.hard_end:
            self._refused += 1
            return
        follows = seq == self._highest + 1
        self._know(seq)
        if packet.ends_at <= x:
            self._late += 1
            return
        self._packets += 1
        begin = packet.play_at
        if begin < x:
            begin += -(-(x - begin) // FRAME_MS) * FRAME_MS  # a decoder begins with a whole frame
        if follows and begin == packet.play_at > self._last_end > 0:
            self._pauses.add(begin)
        self._add(begin, packet.ends_at)
        self._last_end = max(self._last_end, packet.ends_at)

    def refuse(self) -> None:
        self._refused += 1

    def _know(self, seq: int) -> None:
        self._known.add(seq)
        if seq > self._highest:
            self._highest = seq
            if len(self._known) > 2 * WINDOW:
                self._known = {each for each in self._known if each > seq - WINDOW}

    def _add(self, begin: int, end: int) -> None:
        if begin >= end:
            return
        last = self._pieces[-1] if self._pieces else None
        if last is not None and last[0] <= begin <= last[1]:
            self._pieces[-1] = (last[0], max(last[1], end))
        elif last is None or begin > last[1]:
            self._pieces.append((begin, end))
        else:  # out of order
            merged: list[tuple[int, int]] = []
            for piece in sorted([*self._pieces, (begin, end)]):
                if merged and piece[0] <= merged[-1][1]:
                    merged[-1] = (merged[-1][0], max(merged[-1][1], piece[1]))
                else:
                    merged.append(piece)
            self._pieces = deque(merged)

    # --- what is heard

    def wants(self, x: int) -> bool:
        """Whether it should have the horn at `x`, be it that it has it or not."""
        if not self.session.not_before <= x < self.finish:
            return False
        if self.has_horn:
            return x < max(self._last_end, self._taken_at, self._chime_end) + QUIET_MS
        return x < self._chime_end or (x < self.voice_end and self._piece_at(x))

    @property
    def _chime_end(self) -> int:
        """A session that was heard already begins again without a chime; so does one where nothing tells the time."""
        session = self.session
        if self._before_ms == 0 or self.times or self._shift is None or self.blind_since is not None:
            return 0
        return min(session.not_before + self._before_ms, self.voice_end)

    def begin(self, m: Moment) -> None:
        """It gets the horn."""
        self._settled = self._taken_at = self.axis(m)
        if not m.trusted and self.blind_since is None:
            self.blind_since = m.mono
        self._packets = -(-sum(end - begin for begin, end in self._pieces) // PACKET_MS)
        self._late = self._refused = 0
        self._voice_ms = self._concealed_ms = self._lost_ms = self.sounded_ms = self._hushed = 0
        self._voice_to = None
        self.has_horn = True

    def release(self) -> None:
        self.has_horn = False
        self._said = None
        self.times += 1

    def pass_by(self, m: Moment) -> None:
        """Somebody else has the horn: what is over will not be heard."""
        x = self.axis(m)
        while self._pieces and self._pieces[0][1] <= x:
            self._pieces.popleft()
        self._settled = x

    def settle(self, m: Moment) -> None:
        """Count what was heard up to now. Before anything changes."""
        x = self.axis(m)
        while self._settled < x:
            self._settled = self._count_to(x)
        self._settled = x
        while self._pieces and self._pieces[0][1] <= x:
            self._pieces.popleft()

    def _count_to(self, x: int) -> int:
        """One step from what is settled: a piece, or a gap, at most up to `x`."""
        at, piece = self._settled, next((each for each in self._pieces if each[1] > self._settled), None)
        x = min(x, self.voice_end) if at < self.voice_end else x
        if piece is not None and piece[0] <= at and at < self.voice_end:
            to = min(piece[1], x)
            self._voice_to = to
            self._voice_ms += to - at
            self.sounded_ms += to - at
            self._lost_ms += 0 if piece[0] in self._pauses else self._hushed
            self._pauses.discard(piece[0])
            self._hushed = 0
            return to
        to = x if piece is None or piece[0] <= at else min(x, piece[0])
        if at >= self.voice_end:
            self.sounded_ms += to - at  # the chime after
        elif self._voice_to is not None:
            concealed = max(0, min(to, self._voice_to + CONCEAL_MS) - at)
            self._concealed_ms += concealed
            self.sounded_ms += concealed
            self._hushed += to - at - concealed
        elif at < self._chime_end:
            self.sounded_ms += min(to, self._chime_end) - at
        return to

    def order(self) -> tuple[int, str | None, int]:
        """What the decoder is to play: a number that differs from one sound to the next, the sound or none, where in
        it. As of the last `settle`."""
        x = self._settled
        sound, offset = self._sound(x)
        if sound != self._said:
            self._stretch += 1
            self._said = sound
        return self._stretch, sound, offset

    def _sound(self, x: int) -> tuple[str | None, int]:
        session = self.session
        if x >= self.voice_end:
            after = session.chime_after if x < self.finish and session.ends_at is not None else None
            return after, x - self.voice_end
        concealed = self._voice_to is not None and x < self._voice_to + CONCEAL_MS
        if self._piece_at(x) or concealed:
            return spoken(session.session), x - session.not_before
        if self._voice_to is None and x < self._chime_end:
            return session.chime_before, x - session.not_before
        return None, 0

    def _piece_at(self, x: int) -> bool:
        return any(begin <= x < end for begin, end in self._pieces)

    def heard(self) -> LiveHeard:
        return LiveHeard(
            packets=self._packets,
            late=self._late,
            refused=self._refused,
            voice_ms=self._voice_ms,
            concealed_ms=self._concealed_ms,
            lost_ms=self._lost_ms + (self._hushed if self.session.ends_at is not None else 0),
        )

    def is_calm(self, x: int) -> bool:
        """At `x` it is as it was when it was settled last."""
        if self.wants(x) != self.has_horn:
            return False
        return not self.has_horn or (self._piece_at(x) and self._said == spoken(self.session.session))

    @property
    def is_silent(self) -> bool:
        """What the decoder was told last."""
        return self._said is None

    @property
    def is_mute(self) -> bool:
        return self._voice_ms == 0

    def why_over(self, x: int) -> str:
        """The `reason` of its end."""
        session = self.session
        if session.ends_at is not None and x >= self.finish and session.ends_at < session.hard_end:
            return ""
        return "hard_end" if x >= session.hard_end else "no_packets"

    # --- when to look again

    def marks(self) -> list[int]:
        """Instants of the axis at which something may change."""
        session, x = self.session, self._settled
        marks = [session.not_before, self.voice_end, self.finish, session.hard_end, self._chime_end]
        marks += [max(self._last_end, self._taken_at, self._chime_end) + QUIET_MS] if self.has_horn else []
        for begin, end in self._pieces:
            marks += [begin, end + CONCEAL_MS]
            if begin > x:
                break
        if self._voice_to is not None:
            marks.append(self._voice_to + CONCEAL_MS)
        return marks
