"""The horn of one unit: what sounds now, and the entries that prove what sounded. CONTRACT.md, section 8."""

from __future__ import annotations

from dataclasses import dataclass

from broadcasts.wire.alert import Alert
from broadcasts.wire.journal import Amplifier, Ended, NotPlayed, Outcome, Skipped
from broadcasts.wire.plan import Asset, Item
from device_sim.events import Moment, Silent, Sounding
from device_sim.journal import Journal, Record

WHOLE_MS = 1_000
"""Less than a second missing counts as whole."""
SENSE_MS = 1_000
"""A shorter sounding gives the sensor too few samples."""
QUIETEST = 5
"""Below this volume the sensor cannot tell sound from silence."""


@dataclass
class Playing:
    """What has the horn."""

    name: str
    alert: Alert | None
    item: Item | None
    tracks: list[tuple[str, int]]
    """Assets with their lengths (ms), one after the other."""
    started_at: int
    started_mono: int
    offset_ms: int
    length_ms: int
    volume: int
    track: int = 0

    @property
    def end_mono(self) -> int:
        return self.started_mono + self.length_ms - self.offset_ms

    def position(self, mono: int) -> int:
        return self.offset_ms + mono - self.started_mono

    def track_at(self, mono: int) -> tuple[int, int]:
        """Which track sounds, and where it begins in the whole."""
        position, begin = self.position(mono), 0
        for n, (_, length) in enumerate(self.tracks):
            if position < begin + length or n == len(self.tracks) - 1:
                return n, begin
            begin += length
        return 0, 0


class Horn:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.current: Playing | None = None
        self.out: list[Sounding | Silent] = []
        self.wire_open: bool | None = None
        """What the last measured sounding said about the speaker wire."""

    def begin(self, playing: Playing, late_ms: int, m: Moment) -> None:
        playing.length_ms = sum(length for _, length in playing.tracks)
        self.current = playing
        asset = playing.tracks[0][0]
        self._journal.started(m, playing.name, asset, playing.offset_ms, late_ms, playing.volume)
        self.out.append(Sounding(playing.name, asset, playing.offset_ms, playing.volume))

    def refresh(self, volume: int, m: Moment) -> None:
        """The next rendition of an alert, and ceilings that come into force while something sounds."""
        running = self.current
        assert running is not None
        track, begin = running.track_at(m.mono)
        if track != running.track or volume != running.volume:
            running.track, running.volume = track, volume
            self.out.append(Sounding(running.name, running.tracks[track][0], running.position(m.mono) - begin, volume))

    def undecodable(self, name: str, asset: Asset, complaint: str, volume: int, m: Moment) -> None:
        """Not a sample left the decoder."""
        reason = f"does not decode: {complaint}"
        self._journal.write(
            Ended(
                seq=self._journal.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, item=name, asset=asset.sha256,
                outcome=Outcome.FAILED, started_at=m.now, offset_ms=0, played_ms=0, volume=volume,
                amplifier=Amplifier.NONE, reason=reason,
            )
        )  # fmt: skip

    def lose(self, m: Moment, by: str) -> None:
        running = self.current
        assert running is not None
        whole = running.end_mono - m.mono <= WHOLE_MS
        self.end(m, Outcome.PLAYED if whole else Outcome.PREEMPTED, by=by)

    def end(self, m: Moment, outcome: Outcome, by: str | None = None, reason: str = "") -> None:
        running = self.current
        assert running is not None
        self.current = None
        self.out.append(Silent())
        played = max(0, min(m.mono, running.end_mono) - running.started_mono)
        amplifier, current = Amplifier.NONE, m.sensors.amplifier_ma
        if current is not None and played >= SENSE_MS and running.volume >= QUIETEST:
            amplifier = Amplifier.SOUND if current >= expected_ma(running.volume) // 2 else Amplifier.SILENT
            self.wire_open = amplifier is Amplifier.SILENT
        self._journal.write(
            Ended(
                seq=self._journal.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, item=running.name,
                asset=running.tracks[0][0], outcome=outcome, started_at=running.started_at,
                offset_ms=running.offset_ms, played_ms=played, volume=running.volume, amplifier=amplifier,
                amplifier_ma=current, by=by, reason=reason,
            )
        )  # fmt: skip

    def cut(self, name: str, record: Record, m: Moment) -> None:
        """Power went in the middle and did not come back in time."""
        begun = record.open
        assert begun is not None
        self._journal.write(
            Ended(
                seq=self._journal.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, item=name, asset=begun.asset,
                outcome=Outcome.FAILED, started_at=begun.at, offset_ms=begun.offset_ms, played_ms=0,
                volume=begun.volume, amplifier=Amplifier.NONE, reason="power_off",
            )
        )  # fmt: skip

    def skip(self, name: str, why: NotPlayed, m: Moment, by: str | None = None, detail: str = "") -> None:
        self._journal.skipped(m, Skipped(seq=1, at=0, item=name, why=why, by=by, detail=detail))


def expected_ma(volume: int) -> int:
    """Mean amplifier current of two horns of 30 W at this volume; a cut wire leaves the quiescent 12 mA."""
    return 100 + 20 * volume
