"""Firmware and settings that the plan wants: taken when verified, and never while anything sounds or is about to
(CONTRACT.md, section 7a)."""

from __future__ import annotations

from broadcasts.wire.plan import Plan
from device_sim.cache import Cache
from device_sim.disk import Disk
from device_sim.events import Boot, Moment, Restart
from device_sim.journal import Journal
from device_sim.logbook import Logbook

HEAD = b"LOA-FIRMWARE "
"""Our image: this, its version, a line feed, and whatever follows. Others' boxes have images of their own."""
CLEAR_MS = 5 * 60_000
"""Nothing may be due so shortly after an installation: it takes a boot."""
LOOK_AGAIN_MS = 60_000
REFUSED = "firmware_refused"
KEEP_ALIVE_S = (30, 240)


class Upkeep:
    def __init__(self, disk: Disk, cache: Cache, journal: Journal, logbook: Logbook, shipped: str) -> None:
        """`shipped`: what the unit runs until it was told otherwise."""
        self._disk, self._cache, self._journal, self._logbook, self._shipped = disk, cache, journal, logbook, shipped
        self._look_at: int | None = None

    @property
    def firmware(self) -> str:
        return self._disk.firmware or self._shipped

    def keep_alive_s(self, plain: int) -> int:
        """The setting of this name, where it says a number that the contract allows."""
        told = self._disk.settings.get("keep_alive_s", "")
        number = int(told) if told.isascii() and told.isdigit() and len(told) < 6 else plain
        return number if KEEP_ALIVE_S[0] <= number <= KEEP_ALIVE_S[1] else plain

    def step(self, m: Moment, plan: Plan | None, busy: bool) -> Restart | None:
        """`busy`: something sounds, or an alert concerns this unit."""
        self._look_at = None
        if plan is None:
            return None
        wanted = plan.configuration
        if wanted is not None and wanted.version != self._disk.configuration:
            self._disk.configuration, self._disk.settings = wanted.version, dict(wanted.values)
            self._logbook.note(m, f"settings {wanted.version}")
        return self._install(m, plan, busy)

    def wake_at(self) -> int | None:
        """Monotonic."""
        return self._look_at

    def _install(self, m: Moment, plan: Plan, busy: bool) -> Restart | None:
        wanted = plan.firmware
        new = wanted is not None and wanted.version != self.firmware
        image = self._cache.store.files.get(wanted.asset or "") if new and wanted is not None else None
        if wanted is None or image is None:
            self._journal.fault(m, REFUSED, False)
            return None
        # The file is what the plan named; whether it is this firmware, only it can say.
        good = image.startswith(HEAD + wanted.version.encode() + b"\n")
        self._journal.fault(m, REFUSED, not good, wanted.version if not good else "")
        if not good:
            return None
        if busy or any(item.start - CLEAR_MS <= m.now < max(item.start, item.not_after) for item in plan.items):
            self._look_at = m.mono + LOOK_AGAIN_MS
            return None
        self._disk.firmware = wanted.version
        self._logbook.note(m, f"firmware {wanted.version} installed")
        return Restart(Boot.COMMAND)
