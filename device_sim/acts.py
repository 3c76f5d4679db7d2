"""Commands that take their time or leave something behind: reboot, amplifier, volume, files (CONTRACT.md, section 10).

None makes a horn mute: what is to sound switches the amplifier on, the volume goes no lower than the contract's least
and never touches an emergency, and a unit boots only when nothing sounds.
"""

from __future__ import annotations

import re

from broadcasts.wire.status import VOLUME_LEAST, VOLUME_MINUTES, VOLUME_MINUTES_MOST, Command, CommandKind
from device_sim.cache import Cache
from device_sim.disk import Disk
from device_sim.events import Boot, Moment, Restart
from device_sim.horn import Horn
from device_sim.journal import Journal

_HASH = re.compile(r"[0-9a-f]{64}")


class Acts:
    def __init__(self, disk: Disk, journal: Journal, horn: Horn, cache: Cache) -> None:
        self._disk, self._journal, self._horn, self._cache = disk, journal, horn, cache
        self._fetching: dict[str, set[str]] = {}
        """By command, the files that are still awaited."""
        self._wake: int | None = None
        horn.trim = (disk.trim_volume, disk.trim_until)

    def after_boot(self, m: Moment) -> None:
        """What was under way when power went: a boot is a boot, files are asked for again by whoever wants them."""
        for name, (kind, _) in self._disk.under_way.items():
            if kind == CommandKind.REBOOT:
                self._journal.result(m, name, True, "rebooting")
            else:
                self._journal.result(m, name, False, "cut")
        self._disk.under_way.clear()

    def reboot(self, command: Command, alarmed: bool, m: Moment) -> Restart | None:
        """At once, or when what sounds has ended; never while an alert concerns this unit."""
        if alarmed:
            self._journal.result(m, command.id, False, "alert")
            return None
        if self._horn.current is not None:
            self._begin(command, m)
            return None
        self._journal.result(m, command.id, True, "rebooting")
        return Restart(Boot.COMMAND)

    def amplifier(self, command: Command, alarmed: bool, m: Moment) -> None:
        power = command.args.get("power", "")
        if power not in ("on", "off"):
            self._journal.result(m, command.id, False, "bad args")
        elif power == "off" and (alarmed or self._horn.current is not None):
            self._journal.result(m, command.id, False, "alert" if alarmed else "playing")
        else:
            self._horn.amplifier_on = power == "on"
            self._journal.result(m, command.id, True, power)

    def volume(self, command: Command, m: Moment) -> None:
        percent = _number(command.args.get("percent", ""), 3)
        minutes = _number(command.args.get("minutes", str(VOLUME_MINUTES)), 4)
        if not VOLUME_LEAST <= percent <= 100 or not 1 <= minutes <= VOLUME_MINUTES_MOST:
            self._journal.result(m, command.id, False, "bad args")
            return
        self._disk.trim_volume, self._disk.trim_until = percent, m.now + minutes * 60_000
        self._horn.trim = (self._disk.trim_volume, self._disk.trim_until)
        self._journal.result(m, command.id, True, f"{percent} %")

    def refetch(self, command: Command, m: Moment) -> None:
        only = command.args.get("asset")
        if only is not None and not _HASH.fullmatch(only):
            self._journal.result(m, command.id, False, "bad args")
            return
        missing = self._cache.look_again(only)
        if missing is None:
            self._journal.result(m, command.id, False, "not wanted")
        elif not missing:
            self._journal.result(m, command.id, True, "0 files")
        else:
            self._fetching[command.id] = set(missing)
            self._begin(command, m)

    def step(self, busy: bool, m: Moment) -> Restart | None:
        """`busy`: something sounds, or an alert concerns this unit."""
        self._wake = None
        for name, (kind, until) in list(self._disk.under_way.items()):
            over = m.now >= until
            if kind == CommandKind.REBOOT and (over or not busy):
                del self._disk.under_way[name]
                self._journal.result(m, name, not over, "playing" if over else "rebooting")
                if not over:
                    return Restart(Boot.COMMAND)
            elif kind == CommandKind.REFETCH and (self._held(name) or over):
                del self._disk.under_way[name]
                held, files = self._held(name), self._fetching.pop(name)
                self._journal.result(m, name, held, f"{len(files)} files" if held else "not fetched")
            else:
                self._wake = min(self._wake or m.mono + until - m.now, m.mono + until - m.now)
        return None

    def wake_at(self) -> int | None:
        """Monotonic."""
        return self._wake

    def _held(self, name: str) -> bool:
        return all(self._cache.holds(sha256) for sha256 in self._fetching[name])

    def _begin(self, command: Command, m: Moment) -> None:
        self._disk.under_way[command.id] = (command.kind, command.expires_at)
        self._journal.accepted(m, command.id)


def _number(told: str, digits: int) -> int:
    """-1 for what is no number of so many digits."""
    return int(told) if told.isascii() and told.isdigit() and len(told) <= digits else -1
