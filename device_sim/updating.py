"""Another firmware, by two slots: taken only when signed for this box, written beside what runs, tried for some
minutes, and left again when the box does not see, hear or reach what it should (CONTRACT.md, section 7a)."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from broadcasts.errors import ContractViolation
from broadcasts.wire.firmware import Manifest, open_manifest
from broadcasts.wire.jws import Typ
from broadcasts.wire.plan import Plan, Wanted
from broadcasts.wire.status import UpdateState
from broadcasts.wire.trust import Use
from device_sim.cache import Cache
from device_sim.disk import Disk
from device_sim.enrolled import Config
from device_sim.events import Boot, Moment, Restart
from device_sim.logbook import Logbook

HEAD = b"LOA-FIRMWARE "
"""Our image: this, its version, a line feed, and whatever follows. Others' boxes have images of their own."""
BROKEN = b"DEFECT "
"""Second line of an image that is bad on purpose: this, a word of `Defect`, in how many of a hundred boxes."""
CLEAR_MS = 5 * 60_000
"""Nothing may be due so shortly after an installation: it takes a boot."""
LOOK_AGAIN_MS = 60_000
WRITE_MS = 40_000
TEST_MS = 60_000
"""A trial lasts so long at the least: what dies within a minute shows."""
TRIAL_MS = 10 * 60_000
"""Without link and time by then, the unit goes back."""
CRASH_MS = 20_000
MOST_BOOTS = 3
"""Boots of a trial without a confirmation."""


class Defect(StrEnum):
    BAD_FLASH = "bad_flash"
    """What is read back is not what was written."""
    BOOT_LOOP = "boot_loop"
    NO_LINK = "no_link"
    NO_SOUND = "no_sound"


class Updater:
    def __init__(self, unit: str, disk: Disk, cache: Cache, logbook: Logbook, config: Config) -> None:
        self._unit, self._disk, self._cache, self._logbook, self._config = unit, disk, cache, logbook, config
        self._written_at: int | None = None
        """The end of the write that goes on; power cut in between, nothing of it counts."""
        self._booted: int | None = None
        self._checked: tuple[object, ...] = ()
        self._verdict: tuple[Manifest | None, str] = (None, "")
        self.look_at: int | None = None

    def after_boot(self, m: Moment) -> None:
        """The boot loader counts before anything runs."""
        slots = self._disk.slots
        self._booted = m.mono
        if not slots.trial:
            return
        slots.boots += 1
        if slots.boots > MOST_BOOTS:
            self._swap_back(m, "boot_loop" if slots.defect == Defect.BOOT_LOOP else "not_confirmed")
        else:
            slots.state = UpdateState.TRIAL

    @property
    def deaf(self) -> bool:
        """The firmware on trial does not find its modem."""
        return self._disk.slots.trial and self._disk.slots.defect == Defect.NO_LINK

    def step(self, m: Moment, plan: Plan, busy: bool, online: bool) -> tuple[Restart | None, str]:
        """(a boot, what is refused and why). `busy`: something sounds, or an alert concerns this unit."""
        self.look_at = None
        if self._disk.slots.trial:
            return self._try(m, busy, online), ""
        wanted, slots = plan.firmware, self._disk.slots
        if wanted is None or wanted.version == (self._disk.firmware or self._config.firmware):
            self._written_at = None
            if wanted is not None and (slots.version, slots.state) != (wanted.version, UpdateState.CONFIRMED):
                self._tell(wanted, UpdateState.CONFIRMED)
            return None, ""
        failed = slots.state == UpdateState.ROLLED_BACK and slots.version == wanted.version
        if failed and (wanted.attempt or 1) <= slots.attempt:
            return None, ""
        manifest, reason = self._manifest(m, wanted)
        image = self._cache.store.files.get(wanted.asset or "")
        if not reason and image is None:
            self._tell(wanted, UpdateState.DOWNLOADING)
            return None, ""
        if image is not None and not reason and not image.startswith(HEAD + wanted.version.encode() + b"\n"):
            reason = "image"
        if image is not None and manifest is not None and len(image) != manifest.size:
            reason = "image"
        if reason:
            self._tell(wanted, UpdateState.REFUSED, reason)
            return None, reason
        assert image is not None
        return self._install(m, plan, wanted, manifest, image, busy), ""

    def _manifest(self, m: Moment, wanted: Wanted) -> tuple[Manifest | None, str]:
        """What is signed of it, and what stands against it. Judged anew only when something of it changed."""
        trust, slots = self._disk.documents.trust, self._disk.slots
        known = trust.keys if trust is not None else []
        good = [key.kid for key in known if key.use is Use.FIRMWARE and key.not_before <= m.now < key.not_after]
        told = (wanted, trust.version if trust is not None else None, good, slots.floor, m.trusted)
        if told != self._checked:
            self._checked, self._verdict = told, self._judge(m, wanted)
        return self._verdict

    def _judge(self, m: Moment, wanted: Wanted) -> tuple[Manifest | None, str]:
        trust, config = self._disk.documents.trust, self._config
        if trust is None or not trust.lists(Use.FIRMWARE):
            return None, ""  # an older controller has no such key: the box's own check decides alone
        if wanted.manifest is None:
            return None, "not_signed"
        try:
            manifest = open_manifest(wanted.manifest, lambda kid: trust.key(kid, Typ.FIRMWARE, m.now))
        except ContractViolation as wrong:
            return None, wrong.reason
        if (manifest.version, manifest.sha256) != (wanted.version, wanted.asset):
            return manifest, "other_image"
        if manifest.vendor != config.vendor or manifest.model not in ("", config.model):
            return manifest, "other_class"
        if manifest.release < self._disk.slots.floor:
            return manifest, "downgrade"
        return manifest, ""

    def _install(
        self, m: Moment, plan: Plan, wanted: Wanted, manifest: Manifest | None, image: bytes, busy: bool
    ) -> Restart | None:
        slots, fault = self._disk.slots, m.sensors.update_fault
        whole = slots.ready == wanted.asset and slots.version == wanted.version
        self._tell(wanted, UpdateState.INSTALLED if whole else UpdateState.VERIFIED)
        soon = any(item.start - CLEAR_MS <= m.now < max(item.start, item.not_after) for item in plan.items)
        if busy or soon or not m.trusted or not _open(m, plan, wanted):
            self._written_at, self.look_at = None, m.mono + LOOK_AGAIN_MS
            return None
        if not whole:
            if self._written_at is None:
                self._written_at = m.mono + WRITE_MS
                self._logbook.note(m, f"firmware {wanted.version} is written")
            if m.mono < self._written_at:
                self.look_at = self._written_at
                return None
            self._written_at = None
            if fault == Defect.BAD_FLASH:
                self._tell(wanted, UpdateState.ROLLED_BACK, "flash")
                self._logbook.note(m, f"firmware {wanted.version} cannot be written")
                return None
            slots.ready = wanted.asset or ""
            self._tell(wanted, UpdateState.INSTALLED)
        slots.trial, slots.boots, slots.line_closed = True, 0, m.sensors.line_closed
        slots.before, slots.before_release = self._disk.firmware, slots.release
        slots.floor_after = manifest.min_release if manifest is not None else 0
        slots.release = manifest.release if manifest is not None else slots.release
        slots.defect = fault or self._defect(image, wanted.version)
        self._disk.firmware, slots.ready = wanted.version, ""
        self._logbook.note(m, f"firmware {wanted.version} installed")
        return Restart(Boot.COMMAND)

    def _try(self, m: Moment, busy: bool, online: bool) -> Restart | None:
        slots = self._disk.slots
        begun = self._booted if self._booted is not None else m.mono
        if slots.defect == Defect.BOOT_LOOP:
            self.look_at = begun + CRASH_MS
            return Restart(Boot.WATCHDOG) if m.mono >= self.look_at else None
        if m.mono < begun + TEST_MS:
            self.look_at = begun + TEST_MS
            return None
        if slots.defect == Defect.NO_SOUND or (slots.line_closed and m.sensors.line_closed is False):
            # At once, whatever sounds: it does not sound.
            return self._go_back(m, "self_test_sound")
        if online and m.trusted:
            slots.trial, slots.floor = False, max(slots.floor, slots.floor_after)
            slots.state, slots.reason = UpdateState.CONFIRMED, ""
            self._logbook.note(m, f"firmware {slots.version} confirmed")
            return None
        self.look_at = max(begun + TRIAL_MS, m.mono + 1)
        if m.mono < begun + TRIAL_MS:
            return None
        if busy:
            self.look_at = m.mono + LOOK_AGAIN_MS
            return None
        return self._go_back(m, "self_test_time" if online else "self_test_link")

    def _go_back(self, m: Moment, reason: str) -> Restart:
        self._swap_back(m, reason)
        return Restart(Boot.COMMAND)

    def _swap_back(self, m: Moment, reason: str) -> None:
        slots = self._disk.slots
        self._disk.firmware, slots.release = slots.before, slots.before_release
        slots.trial, slots.boots, slots.defect = False, 0, ""
        slots.state, slots.reason = UpdateState.ROLLED_BACK, reason
        self._logbook.note(m, f"firmware {slots.version} left: {reason}")

    def _defect(self, image: bytes, version: str) -> str:
        line = image[: 4 * 1024].split(b"\n")[1] if image.count(b"\n", 0, 4 * 1024) else b""
        if not line.startswith(BROKEN):
            return ""
        word, _, share = line.removeprefix(BROKEN).decode("ascii", "replace").partition(" ")
        drawn = hashlib.sha256(f"{self._unit} {version}".encode()).digest()
        return word if int.from_bytes(drawn[:4], "big") % 100 < int(share or 100) else ""

    def _tell(self, wanted: Wanted, state: UpdateState, reason: str = "") -> None:
        slots = self._disk.slots
        if slots.version != wanted.version:
            slots.ready = ""
        slots.version, slots.attempt, slots.state, slots.reason = wanted.version, wanted.attempt or 1, state, reason


def _open(m: Moment, plan: Plan, wanted: Wanted) -> bool:
    if wanted.hours is None:
        return True
    minute = (m.now // 60_000 + plan.policy.utc_offset_min) % 1440
    return any(each.start <= minute < each.end for each in wanted.hours)
