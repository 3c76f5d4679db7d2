"""The horn of one unit: what sounds now, and the entries that prove what sounded. CONTRACT.md, section 8."""

from __future__ import annotations

from dataclasses import dataclass

from broadcasts.wire.alert import Alert
from broadcasts.wire.drill import Drill
from broadcasts.wire.journal import Amplifier, Ended, NotPlayed, Outcome, Skipped
from broadcasts.wire.plan import Asset, Item
from device_sim.events import Moment, Silent, Sounding, relayed
from device_sim.health import LET_GO_MS
from device_sim.journal import Journal, Record
from device_sim.receiver import SILENT, Relaying
from device_sim.talk import Talk

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
    """Assets with their lengths (ms), one after the other; of a relay the fallback, with the length of the slot."""
    started_at: int
    started_mono: int
    offset_ms: int
    length_ms: int
    volume: int
    track: int = 0
    live: Relaying | None = None
    """What is relayed, in place of the tracks."""
    talk: Talk | None = None
    """Who speaks live, in place of the tracks."""
    measured_ma: int | None = None
    """Before the decoder fell silent in the middle."""
    drill: Drill | None = None

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

    def order(self, mono: int) -> tuple[int, str | None, int]:
        """What the decoder is to play: a number that differs from one sound to the next, the sound or none, where in
        it."""
        if self.talk is not None:
            return self.talk.order()
        live = self.live
        if live is None:
            track, begin = self.track_at(mono)
            return track, self.tracks[track][0], self.position(mono) - begin
        if live.fallback is None or live.fallback_at is None:
            return 0, relayed(live.relay.source), self.position(mono)
        return 1, live.fallback.sha256, mono - live.fallback_at

    @property
    def source(self) -> str | None:
        return None if self.live is None else self.live.relay.source

    @property
    def session(self) -> str | None:
        return None if self.talk is None else self.talk.session.session


class Horn:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.current: Playing | None = None
        self.out: list[Sounding | Silent] = []
        self.idle_since: int | None = None
        """When the last sounding ended (monotonic); none while something sounds, and before the first one."""
        self.wire_open: bool | None = None
        """What the last measured sounding said about the speaker wire."""
        self.amplifier_on = True
        """Off only by command, and only until something is to sound."""
        self.trim: tuple[int, int] = (100, 0)
        """The most that a command left to what is ordinary, and until when (Unix ms)."""

    def trimmed(self, now: int) -> int:
        return self.trim[0] if now < self.trim[1] else 100

    def begin(self, playing: Playing, late_ms: int, m: Moment) -> None:
        playing.length_ms = sum(length for _, length in playing.tracks)
        self.current, self.idle_since, self.amplifier_on = playing, None, True
        asset, told = playing.tracks[0][0], (playing.source, playing.session, playing.drill is not None)
        self._journal.started(m, playing.name, asset, playing.offset_ms, late_ms, playing.volume, *told)
        playing.track, sound, offset = playing.order(m.mono)
        if sound is not None and self.amplifier_on:
            self.out.append(Sounding(playing.name, sound, offset, playing.volume))

    def refresh(self, volume: int, m: Moment) -> None:
        """The next rendition of an alert, the fallback of a relay, ceilings that come into force meanwhile."""
        running = self.current
        assert running is not None
        track, sound, offset = running.order(m.mono)
        if track != running.track or volume != running.volume:
            running.track, running.volume = track, volume
            if sound is None:
                running.measured_ma = m.sensors.amplifier_ma
            self.out.append(Silent() if sound is None else Sounding(running.name, sound, offset, volume))

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

    def idle_ms(self, m: Moment) -> int | None:
        """How long nothing has sounded; none while something does. Since a boot it is long enough."""
        if self.current is not None:
            return None
        return LET_GO_MS if self.idle_since is None else m.mono - self.idle_since

    def drawn_ma(self, m: Moment) -> int:
        """What the amplifier draws now. A reading at the end of a sounding still tells of what was."""
        return 0 if self.idle_ms(m) == 0 or not self.amplifier_on else m.sensors.amplifier_ma or 0

    def lose(self, m: Moment, by: str) -> None:
        running = self.current
        assert running is not None
        whole = running.end_mono - m.mono <= WHOLE_MS
        self.end(m, Outcome.PLAYED if whole else Outcome.PREEMPTED, by=by)

    def end(self, m: Moment, outcome: Outcome, by: str | None = None, reason: str = "") -> None:
        running = self.current
        assert running is not None
        self.current, self.idle_since = None, m.mono
        self.out.append(Silent())
        played = sounded = max(0, min(m.mono, running.end_mono) - running.started_mono)
        live, talk, current = running.live, running.talk, m.sensors.amplifier_ma
        if talk is not None:
            sounded = talk.sounded_ms
            current = running.measured_ma if talk.is_silent else current
            talk.release()
            if outcome is Outcome.PLAYED and talk.is_mute:
                outcome, reason = Outcome.FAILED, "no_packets"
        if live is not None:
            live.count(min(m.mono, running.end_mono))
            sounded = live.relay_ms + live.fallback_ms
            if outcome is Outcome.PLAYED and not sounded:
                outcome, reason = Outcome.FAILED, SILENT
        amplifier = Amplifier.NONE
        if current is not None and sounded >= SENSE_MS and running.volume >= QUIETEST:
            amplifier = Amplifier.SOUND if current >= expected_ma(running.volume) // 2 else Amplifier.SILENT
            self.wire_open = amplifier is Amplifier.SILENT
        self._journal.write(
            Ended(
                seq=self._journal.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, item=running.name,
                asset=running.tracks[0][0], outcome=outcome, started_at=running.started_at,
                offset_ms=running.offset_ms, played_ms=played, volume=running.volume, amplifier=amplifier,
                amplifier_ma=current, by=by, reason=reason, relay=running.source,
                relay_ms=None if live is None else live.relay_ms,
                fallback_ms=None if live is None else live.fallback_ms, drill=running.drill is not None or None,
                live=running.session, live_heard=None if talk is None else talk.heard(),
            )
        )  # fmt: skip

    def cut(self, record: Record, m: Moment) -> None:
        """Power went in the middle and did not come back in time."""
        begun = record.open
        assert begun is not None
        self._journal.write(
            Ended(
                seq=self._journal.last_seq + 1, at=m.now, clock_error_ms=m.error_ms, item=begun.item, asset=begun.asset,
                outcome=Outcome.FAILED, started_at=begun.at, offset_ms=begun.offset_ms, played_ms=0,
                volume=begun.volume, amplifier=Amplifier.NONE, reason="power_off", relay=begun.relay,
                live=begun.live, drill=begun.drill,
            )
        )  # fmt: skip

    def skip(self, name: str, why: NotPlayed, m: Moment, by: str | None = None, detail: str = "") -> None:
        self._journal.skipped(m, Skipped(seq=1, at=0, item=name, why=why, by=by, detail=detail))


def expected_ma(volume: int) -> int:
    """Mean amplifier current of two horns of 30 W at this volume; a cut wire leaves the quiescent 12 mA."""
    return 100 + 20 * volume
