"""The unit's own ear: an envelope of every play for the journal, ten seconds on demand. CONTRACT.md, sections 12, 13.

What the ear hears is the hardware's to know: the unit asks (`Listen`) when a stretch of sound is over and writes down
what it is told (`Overheard`). Outside a play nobody listens, and what was heard is kept nowhere but in the envelope.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from broadcasts.wire.ear import CLIP_MOST_BYTES, CLIP_MOST_S, ENVELOPE_FRAME_MS, ENVELOPE_PART_MS, Clip, ClipCodec
from broadcasts.wire.ear import Source as Where
from broadcasts.wire.journal import Envelope
from broadcasts.wire.status import CAPTURE_DEFAULT_S, Command
from device_sim.disk import Disk
from device_sim.events import Listen, Moment, Overheard
from device_sim.horn import Horn, Playing
from device_sim.journal import Journal

LEAST_MS = 2_000
"""A shorter sounding gives an envelope that tells nothing."""


@dataclass
class _Wish:
    """A clip that was asked for."""

    command: str
    item: str
    offset_ms: int
    length_ms: int
    expires_at: int
    playing: Playing | None = None
    """The sounding in which it is taken; none: not yet."""

    @property
    def done_mono(self) -> int | None:
        """When all of it has sounded."""
        if self.playing is None:
            return None
        return self.playing.started_mono + self.offset_ms - self.playing.offset_ms + self.length_ms


class Listener:
    def __init__(self, unit: str, ear: str, disk: Disk, journal: Journal, horn: Horn) -> None:
        """`ear`: "none", or where it listens, a word of the contract."""
        self._unit, self._disk, self._journal, self._horn = unit, disk, journal, horn
        self._ear = None if ear == "none" else Where(ear)
        self._playing: Playing | None = None
        """The sounding that is listened to."""
        self._told_ms = 0
        """How far into it the envelope has been asked for."""
        self._wish: _Wish | None = None
        self.out: list[Listen] = []
        self.clips: list[Clip] = []
        """To be said once, while the link is there."""

    # --- the step

    def step(self, m: Moment) -> None:
        """After the player's."""
        running = self._horn.current
        before = self._playing
        if before is not None and before is not running:
            self._ask(before, min(m.mono, before.end_mono))
        if running is not before:
            self._playing = running if running is not None and _is_file(running) and self._ear else None
            self._told_ms = 0
        if self._playing is not None and m.mono - self._playing.started_mono - self._told_ms >= ENVELOPE_PART_MS:
            self._ask(self._playing, m.mono)
        self._grant(m)

    def wake_at(self) -> int | None:
        """Monotonic."""
        marks = []
        if self._playing is not None:
            marks.append(self._playing.started_mono + self._told_ms + ENVELOPE_PART_MS)
        if self._wish is not None and self._wish.done_mono is not None:
            marks.append(self._wish.done_mono)
        return min(marks, default=None)

    def wall_mark(self) -> int | None:
        """By the wall clock: when nobody waits for the clip any more."""
        return None if self._wish is None else self._wish.expires_at

    def _ask(self, playing: Playing, mono: int) -> None:
        """For the envelope since the last part."""
        sounded = mono - playing.started_mono
        length = min(sounded - self._told_ms, ENVELOPE_PART_MS)
        if length < LEAST_MS:
            return
        length -= length % ENVELOPE_FRAME_MS
        asset, offset = playing.tracks[0][0], playing.offset_ms + self._told_ms
        self.out.append(Listen(playing.name, asset, playing.started_at, offset, length, self._told_ms))
        self._told_ms += length

    def take(self, event: Overheard, m: Moment) -> None:
        """What the ear had to tell."""
        if self._ear is None:
            return
        if event.of.command:
            self._clip(event, self._ear, m)
        elif event.data:
            self._write(event, self._ear, m)

    def _write(self, event: Overheard, ear: Where, m: Moment) -> None:
        of = event.of
        self._journal.write(
            Envelope(
                seq=self._journal.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, item=of.item, asset=of.asset,
                started_at=of.started_at, offset_ms=of.offset_ms, frames=len(event.data), source=ear,
                level_dbfs=event.level_dbfs, data=_text(event.data),
            )
        )  # fmt: skip

    # --- ten seconds of sound

    def asked(self, command: Command, m: Moment) -> None:
        """A `capture` that names an item and where in its asset to listen."""
        seconds = _number(command.args.get("seconds", str(CAPTURE_DEFAULT_S)), 3)
        offset = _number(command.args.get("offset_ms", ""), 8)
        if self._ear is None:
            self._journal.result(m, command.id, False, "no sensor")
        elif not 1 <= seconds <= CLIP_MOST_S or offset < 0:
            self._journal.result(m, command.id, False, "bad args")
        elif self._disk.capturing:
            self._journal.result(m, command.id, False, "busy")
        else:
            self._disk.capturing = command.id
            self._wish = _Wish(command.id, command.args["item"], offset, seconds * 1000, command.expires_at)

    def _grant(self, m: Moment) -> None:
        """Begin to take the clip, ask for it when all of it has sounded, or give up."""
        wish, running = self._wish, self._horn.current
        if wish is None:
            return
        if wish.playing is None and running is not None and running.name == wish.item and _is_file(running):
            if running.position(m.mono) <= wish.offset_ms:
                wish.playing = running
            else:
                self._give_up(wish, m)
                return
        done, playing = wish.done_mono, wish.playing
        if done is not None and playing is not None and min(m.mono, playing.end_mono) >= done:
            about = (playing.name, playing.tracks[0][0], playing.started_at, wish.offset_ms, wish.length_ms)
            self.out.append(Listen(*about, command=wish.command))
            self._wish = None
        elif m.now >= wish.expires_at or (playing is not None and running is not playing):
            self._give_up(wish, m)

    def _give_up(self, wish: _Wish, m: Moment) -> None:
        self._wish, self._disk.capturing = None, ""
        self._journal.result(m, wish.command, False, "missed")

    def _clip(self, event: Overheard, ear: Where, m: Moment) -> None:
        of = event.of
        if self._disk.capturing != of.command:
            return  # asked for before a boot, which said that it was cut
        self._disk.capturing = ""
        if not 0 < len(event.data) <= CLIP_MOST_BYTES:
            self._journal.result(m, of.command, False, "no sensor")
            return
        self._journal.result(m, of.command, True, f"{of.length_ms // 1000} s")
        self.clips.append(
            Clip(
                unit=self._unit, command=of.command, at=m.now - of.length_ms, item=of.item, asset=of.asset,
                started_at=of.started_at, offset_ms=of.offset_ms, length_ms=of.length_ms, source=ear,
                codec=ClipCodec.OPUS, data=_text(event.data),
            )
        )  # fmt: skip


def _is_file(playing: Playing) -> bool:
    """An item that is no relay. An alert has no delivery to prove, and each byte costs while the flood comes."""
    return playing.item is not None and playing.live is None


def _number(told: str, digits: int) -> int:
    return int(told) if told.isascii() and told.isdigit() and len(told) <= digits else -1


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
