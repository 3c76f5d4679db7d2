"""Firmware and settings that the plan wants: taken when verified, and never while anything sounds or is about to
(CONTRACT.md, section 7a); and the faults of the box itself."""

from __future__ import annotations

from broadcasts.wire.plan import Plan
from device_sim import health
from device_sim.cache import Cache
from device_sim.disk import Disk
from device_sim.enrolled import Config
from device_sim.events import Moment, Restart
from device_sim.horn import Horn
from device_sim.journal import Journal
from device_sim.logbook import Logbook
from device_sim.updating import Updater

REFUSED = "firmware_refused"
KEEP_ALIVE_S = (30, 240)


class Upkeep:
    def __init__(self, unit: str, disk: Disk, cache: Cache, journal: Journal, logbook: Logbook, config: Config) -> None:
        self._disk, self._cache, self._journal, self._logbook, self._config = disk, cache, journal, logbook, config
        self.updater = Updater(unit, disk, cache, logbook, config)

    @property
    def firmware(self) -> str:
        return self._disk.firmware or self._config.firmware

    def keep_alive_s(self, plain: int) -> int:
        """The setting of this name, where it says a number that the contract allows."""
        told = self._disk.settings.get("keep_alive_s", "")
        number = int(told) if told.isascii() and told.isdigit() and len(told) < 6 else plain
        return number if KEEP_ALIVE_S[0] <= number <= KEEP_ALIVE_S[1] else plain

    def step(self, m: Moment, plan: Plan | None, busy: bool, online: bool) -> Restart | None:
        """`busy`: something sounds, or an alert concerns this unit."""
        if plan is None:
            return None
        wanted = plan.configuration
        if wanted is not None and wanted.version != self._disk.configuration:
            self._disk.configuration, self._disk.settings = wanted.version, dict(wanted.values)
            self._logbook.note(m, f"settings {wanted.version}")
        restart, refused = self.updater.step(m, plan, busy, online)
        version = plan.firmware.version if plan.firmware is not None else ""
        self._journal.fault(m, REFUSED, bool(refused), f"{version} {refused}" if refused else "")
        return restart

    def wake_at(self) -> int | None:
        """Monotonic."""
        return self.updater.look_at

    def note_faults(self, m: Moment, horn: Horn, grace_until: int) -> None:
        """What is wrong with the box at this moment. Until `grace_until` (monotonic) it may still learn the time."""
        faults = self._journal.faults
        untrusted = not m.trusted and not m.held
        conditions = {
            "clock_untrusted": untrusted and (m.mono >= grace_until or "clock_untrusted" in faults),
            "clock_jump": m.held,
            "autonomy_over": m.alone,
            "asset_corrupt": bool(self._cache.corrupt),
            "cache_full": bool(self._cache.crowded),
            health.HOT: health.hot(m.sensors.temperature_c, faults),
            health.STUCK: health.stuck(m.sensors.amplifier_ma, horn.idle_ms(m), faults),
        }
        if horn.wire_open is not None:
            conditions["speaker_wire"] = horn.wire_open
        for code, raised in conditions.items():
            if raised != (code in faults):
                self._journal.fault(m, code, raised)
                self._logbook.note(m, f"fault {code} {'raised' if raised else 'gone'}")
