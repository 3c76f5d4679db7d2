"""What the field does to a fleet, drawn from one seed. Times are true time, Unix ms."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Fault(StrEnum):
    """To one unit, until noted otherwise."""

    LINK_DOWN = "link_down"
    DAY_OFFLINE = "day_offline"
    POWER_CUT = "power_cut"
    TORN_WRITE = "torn_write"
    """Power goes in the middle of the next journal write."""
    REBOOT = "reboot"
    CLOCK_STEP = "clock_step"
    """40 s or so: below what a unit takes for a jump."""
    CLOCK_JUMP = "clock_jump"
    CLOCK_LOST = "clock_lost"
    """Power goes and the battery of the clock is empty."""
    WIRE_CUT = "wire_cut"
    WIRE_LOOSE = "wire_loose"
    """A loose contact: sound comes and goes."""
    FILES_SWAPPED = "files_swapped"
    """Another programme lies under the name of every file."""
    NEIGHBOUR_LOUD = "neighbour_loud"
    """A pole nearby sounds its own programme, louder than ours at the microphone."""
    EAR_BROKEN = "ear_broken"
    AMPLIFIER_STUCK = "amplifier_stuck"
    """Its relay does not open: it draws current and hisses when nothing plays."""
    HOT_CABINET = "hot_cabinet"
    NAT_TIMEOUT = "nat_timeout"
    """The operator forgets the connection: up, as far as the unit can see, and nothing passes either way."""
    MAINS_LOST = "mains_lost"
    """The box runs on its battery."""
    BATTERY_LOW = "battery_low"
    """The same, and the battery is nearly empty."""
    AMPLIFIER_DEAD = "amplifier_dead"
    HORN_LOST = "horn_lost"
    """One horn of two hangs on no line."""
    HORNS_TIRED = "horns_tired"
    """They draw a fifth less than they did."""
    STORAGE_FULL = "storage_full"
    SIGNAL_WEAK = "signal_weak"
    LINK_FLAPPING = "link_flapping"
    """Every few minutes the link is gone for one."""
    QUOTA_USED = "quota_used"
    """The SIM has no data left: half an hour after its count says so the link is gone."""
    RESTARTS = "restarts"
    """A watchdog bites every ten minutes."""
    NO_TIME = "no_time"
    """Nobody answers when it asks what time it is."""
    HUNG = "hung"
    """The program hangs; the modem goes on answering for it, and the connection stands."""
    BAD_FLASH = "bad_flash"
    """What is written to the other slot does not read back."""
    BOOT_LOOP = "boot_loop"
    """Any other firmware than its own dies within seconds of every boot."""
    NO_LINK = "no_link"
    """Any other firmware than its own does not find the modem."""
    WITHHOLD = "withhold"
    """The broker keeps everything signed from it."""
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    LOSS = "loss"
    """Some of what travels at QoS 0 is lost."""
    REPLAY = "replay"
    FORGE = "forge"
    BROKER_RESTART = "broker_restart"
    """To the broker."""
    SOURCE_SILENT = "source_silent"
    """To all stations that are relayed."""
    SOURCE_OFF = "source_off"
    BROKER_WIPE = "broker_wipe"
    CONTROLLER_KILL = "controller_kill"
    """To the controller."""


@dataclass(frozen=True)
class Nature:
    """How often per day (and unit) without being asked, and for how long (ms)."""

    per_day: float
    shortest: int = 0
    longest: int = 0


TO_A_UNIT: dict[Fault, Nature] = {
    Fault.LINK_DOWN: Nature(0.8, MINUTE, 3 * HOUR),
    Fault.DAY_OFFLINE: Nature(0.03, 20 * HOUR, 40 * HOUR),
    Fault.POWER_CUT: Nature(0.2, MINUTE, 4 * HOUR),
    Fault.TORN_WRITE: Nature(0.1, 20 * SECOND, 30 * MINUTE),
    Fault.REBOOT: Nature(0.2, 10 * SECOND, 60 * SECOND),
    Fault.CLOCK_STEP: Nature(0.05),
    Fault.CLOCK_JUMP: Nature(0.02),
    Fault.CLOCK_LOST: Nature(0.03, MINUTE, HOUR),
    Fault.WIRE_CUT: Nature(0.04, HOUR, 24 * HOUR),
    Fault.WITHHOLD: Nature(0.05, 10 * MINUTE, 6 * HOUR),
    Fault.DUPLICATE: Nature(0.1, HOUR, 6 * HOUR),
    Fault.REORDER: Nature(0.1, HOUR, 6 * HOUR),
    Fault.LOSS: Nature(0.1, HOUR, 6 * HOUR),
    Fault.REPLAY: Nature(0.1),
    Fault.FORGE: Nature(0.05),
    Fault.AMPLIFIER_STUCK: Nature(0.03, HOUR, 24 * HOUR),
    Fault.HOT_CABINET: Nature(0.1, HOUR, 6 * HOUR),
    Fault.NAT_TIMEOUT: Nature(0.5),
}
TO_ALL: dict[Fault, Nature] = {
    Fault.BROKER_RESTART: Nature(0.7, SECOND, 2 * MINUTE),
    Fault.BROKER_WIPE: Nature(0.25, SECOND, MINUTE),
    Fault.CONTROLLER_KILL: Nature(0.7, SECOND, 10 * MINUTE),
    Fault.SOURCE_SILENT: Nature(3, 5 * SECOND, 20 * MINUTE),
    Fault.SOURCE_OFF: Nature(3, SECOND, 20 * MINUTE),
}


TO_THE_EAR: dict[Fault, Nature] = {
    Fault.WIRE_LOOSE: Nature(0.02, HOUR, 24 * HOUR),
    Fault.FILES_SWAPPED: Nature(0.01, HOUR, 24 * HOUR),
    Fault.NEIGHBOUR_LOUD: Nature(0.05, HOUR, 24 * HOUR),
    Fault.EAR_BROKEN: Nature(0.02, HOUR, 24 * HOUR),
}
"""To a unit as well. Drawn last, so that all else of a seed stays as it was before there were ears."""
TO_THE_BOX: dict[Fault, Nature] = {
    Fault.MAINS_LOST: Nature(0, HOUR, 8 * HOUR),
    Fault.BATTERY_LOW: Nature(0, HOUR, 8 * HOUR),
    Fault.AMPLIFIER_DEAD: Nature(0, HOUR, 24 * HOUR),
    Fault.HORN_LOST: Nature(0, HOUR, 24 * HOUR),
    Fault.HORNS_TIRED: Nature(0, DAY, 5 * DAY),
    Fault.STORAGE_FULL: Nature(0, HOUR, 24 * HOUR),
    Fault.SIGNAL_WEAK: Nature(0, HOUR, 24 * HOUR),
    Fault.LINK_FLAPPING: Nature(0, 3 * HOUR, 12 * HOUR),
    Fault.QUOTA_USED: Nature(0, 3 * HOUR, 24 * HOUR),
    Fault.RESTARTS: Nature(0, HOUR, 3 * HOUR),
    Fault.NO_TIME: Nature(0, HOUR, 8 * HOUR),
    Fault.HUNG: Nature(0, HOUR, 8 * HOUR),
}
"""Only where a scene asks for them, and drawn after everything else."""
TO_AN_UPDATE = frozenset({Fault.BAD_FLASH, Fault.BOOT_LOOP, Fault.NO_LINK})
"""Only where a scene asks for them; nothing shows before another firmware comes."""


@dataclass(frozen=True)
class Odds:
    """Chances from 0 to 1 of what happens to each single thing."""

    fetch_broken: float = 0.05
    fetch_corrupt: float = 0.02
    cut_while_sounding: float = 0.01
    """Power goes in the middle of a sounding."""
    small_cache: float = 0.02
    """A unit whose storage holds only a few files."""
    no_battery: float = 0.2
    """A unit whose clock forgets the time without power."""


@dataclass(frozen=True)
class Blow:
    """One fault: when, what, to whom (none: broker or controller), for how long, by how much (ms of clock)."""

    at: int
    fault: Fault
    unit: int | None = None
    lasts: int = 0
    amount: int = 0


def draw(units: int, begin: int, end: int, chance: random.Random, scale: float = 1.0,
         rates: dict[Fault, float] | None = None) -> Sequence[Blow]:  # fmt: skip
    """Every blow of a run in order; all of them are over by `end`, so that what follows is calm.

    `rates` replaces `per_day` of single faults, `scale` multiplies all.
    """
    blows: list[Blow] = []
    for fault, nature in (*TO_A_UNIT.items(), *TO_ALL.items(), *TO_THE_EAR.items(), *TO_THE_BOX.items()):
        per_day = (rates or {}).get(fault, nature.per_day) * scale
        for unit in (None,) if fault in TO_ALL else range(units):
            for _ in range(_poisson(per_day * (end - begin) / DAY, chance)):
                lasts = chance.randint(nature.shortest, nature.longest)
                latest = end - lasts
                if latest > begin:
                    blows.append(Blow(chance.randint(begin, latest), fault, unit, lasts, _amount(fault, chance)))
    return sorted(blows, key=lambda blow: (blow.at, blow.fault, blow.unit or 0))


def _amount(fault: Fault, chance: random.Random) -> int:
    sign = chance.choice((-1, 1))
    if fault is Fault.CLOCK_STEP:
        return sign * chance.randint(5 * SECOND, 60 * SECOND)
    if fault is Fault.CLOCK_JUMP:
        return sign * chance.randint(10 * MINUTE, 3 * HOUR)
    return 0


def _poisson(mean: float, chance: random.Random) -> int:
    """Knuth's product of uniforms; means are small here."""
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count
