"""What a unit is told to do once (CONTRACT.md, section 10). No command makes a sound, and none stops an alert."""

from __future__ import annotations

from dataclasses import dataclass, field

from broadcasts.wire.journal import MOST_TEXT
from broadcasts.wire.status import CAPTURE_DEFAULT_S, CAPTURE_MOST_S, Command, CommandKind
from device_sim.acts import Acts
from device_sim.cache import Cache
from device_sim.disk import Disk
from device_sim.events import RELAYED, SPOKEN, Moment, Restart
from device_sim.horn import Horn
from device_sim.journal import Journal
from device_sim.listening import Listener
from device_sim.logbook import Logbook

EARLY_MS = 2_000
"""A clock may be off by so much without anybody having noticed (CONTRACT.md, section 4)."""
MOST_STRETCHES = 24


@dataclass
class _Stretch:
    """What was on the line-out from here on; without `item` nothing."""

    from_ms: int
    item: str = ""
    asset: str = ""
    offset_ms: int = 0
    volume: int = 0
    amplifier_ma: int | None = None

    def same(self, other: _Stretch) -> bool:
        return (self.item, self.asset, self.volume) == (other.item, other.asset, other.volume)

    def line(self, to_ms: int) -> str:
        if not self.item:
            return f"{self.from_ms}-{to_ms} silence"
        current = "-" if self.amplifier_ma is None else self.amplifier_ma
        asset = self.asset if self.asset.startswith((RELAYED, SPOKEN)) else self.asset[:12]
        what = f"item={self.item} asset={asset} at={self.offset_ms}"
        return f"{self.from_ms}-{to_ms} sound {what} volume={self.volume} amplifier={current}"


@dataclass
class _Capture:
    began: int
    """Monotonic."""
    lasts_ms: int
    stretches: list[_Stretch] = field(default_factory=list)


class Commands:
    def __init__(
        self, disk: Disk, journal: Journal, horn: Horn, logbook: Logbook, listener: Listener, cache: Cache
    ) -> None:
        self._disk, self._journal, self._horn, self._logbook = disk, journal, horn, logbook
        self._listener = listener
        self._acts = Acts(disk, journal, horn, cache)
        self._capture: _Capture | None = None

    def after_boot(self, m: Moment) -> None:
        """Power went, or we were rebooted, while we listened."""
        if self._disk.capturing:
            self._journal.result(m, self._disk.capturing, False, "cut")
            self._disk.capturing = ""
        self._acts.after_boot(m)

    def obey(self, command: Command, alarmed: bool, m: Moment) -> Restart | None:
        """Once, in its time. `alarmed`: an active alert concerns this unit."""
        if command.seq <= self._disk.command_seq or not command.issued_at - EARLY_MS <= m.now < command.expires_at:
            return None
        # Noted before it is done: power may go at any instant, and once is better than for ever.
        self._disk.command_seq = command.seq
        self._logbook.note(m, f"command {command.seq} {command.kind}")
        match command.kind:
            case CommandKind.REBOOT:
                return self._acts.reboot(command, alarmed, m)
            case CommandKind.AMPLIFIER:
                self._acts.amplifier(command, alarmed, m)
            case CommandKind.VOLUME:
                self._acts.volume(command, m)
            case CommandKind.REFETCH:
                self._acts.refetch(command, m)
            case CommandKind.QUIET_TEST:
                self._test(command, m)
            case CommandKind.CAPTURE if "item" in command.args:
                self._listener.asked(command, m)
            case CommandKind.CAPTURE:
                self._listen(command, m)
            case CommandKind.UPLOAD_LOG:
                lines = self._logbook.tail(MOST_TEXT)
                self._journal.result(m, command.id, True, f"{len(lines)} lines", "\n".join(lines))
            case CommandKind.OTHER:
                self._journal.result(m, command.id, False, "not supported")
        return None

    def step(self, busy: bool, m: Moment) -> Restart | None:
        """After the player's. `busy`: something sounds, or an alert concerns this unit."""
        self._note(m)
        return self._acts.step(busy, m)

    def _note(self, m: Moment) -> None:
        """What is on the line-out, and tell it at the end."""
        capture = self._capture
        if capture is None:
            return
        passed = min(m.mono - capture.began, capture.lasts_ms)
        self._observe(capture, passed, m)
        if passed < capture.lasts_ms:
            return
        ends = [*(each.from_ms for each in capture.stretches[1:]), passed]
        told = [each.line(end) for each, end in zip(capture.stretches, ends, strict=True) if end > each.from_ms]
        name, self._disk.capturing, self._capture = self._disk.capturing, "", None
        self._journal.result(m, name, True, f"{capture.lasts_ms // 1000} s", "\n".join(told[:MOST_STRETCHES]))

    def wake_at(self) -> int | None:
        """Monotonic."""
        end = None if self._capture is None else self._capture.began + self._capture.lasts_ms
        return min((each for each in (end, self._acts.wake_at()) if each is not None), default=None)

    def _test(self, command: Command, m: Moment) -> None:
        closed = m.sensors.line_closed
        if self._horn.current is not None:
            self._journal.result(m, command.id, False, "playing")
        elif closed is None:
            self._journal.result(m, command.id, False, "no sensor")
        else:
            self._journal.result(m, command.id, True, "line closed" if closed else "line open")
            self._horn.wire_open = not closed

    def _listen(self, command: Command, m: Moment) -> None:
        told = command.args.get("seconds", str(CAPTURE_DEFAULT_S))
        seconds = int(told) if told.isascii() and told.isdigit() and len(told) <= 3 else 0
        if self._disk.capturing:
            self._journal.result(m, command.id, False, "busy")
        elif not 1 <= seconds <= CAPTURE_MOST_S:
            self._journal.result(m, command.id, False, "bad args")
        else:
            self._disk.capturing = command.id
            self._capture = _Capture(m.mono, seconds * 1000)
            self._journal.accepted(m, command.id)

    def _observe(self, capture: _Capture, passed: int, m: Moment) -> None:
        last = capture.stretches[-1] if capture.stretches else None
        if last is not None and last.item and m.sensors.amplifier_ma is not None:
            # Measured before this step changed anything: it belongs to what was.
            last.amplifier_ma = m.sensors.amplifier_ma
        now, running = _Stretch(passed), self._horn.current
        if running is not None and (running.live is None or running.live.sound is not None):
            _, sound, offset = running.order(m.mono)
            if sound is not None:
                now = _Stretch(passed, running.name, sound, offset, running.volume)
        if last is None or not last.same(now):
            capture.stretches.append(now)
