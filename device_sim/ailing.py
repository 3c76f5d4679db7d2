"""What ails the box at a pole, in the virtual world: power, amplifier, horns, card, signal, and a program that hangs.

Nothing of it befalls a pole by itself; a scene asks for it, or `loasim detect`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from device_sim.agenda import Agenda
from device_sim.events import Boot
from device_sim.faults import MINUTE, Blow, Fault
from device_sim.hardware import SIGNAL_DBM, WEAK_DBM
from device_sim.post import Post

FULL_MB = 3
LEFT_OF_ONE, TIRED = 0.55, 0.8
FLAP_EVERY_MS, FLAP_MS = 5 * MINUTE, MINUTE
BITE_EVERY_MS, BITE_MS = 10 * MINUTE, 20_000
SPENT_MB = 1_000_000
QUOTA_MS = 30 * MINUTE
"""From the last count to the end of the data: it is said once more before the link goes."""
STOP_MS = 5_000


class Ward(Protocol):
    """What of the world this needs."""

    @property
    def now(self) -> int: ...

    def give(self, post: Post) -> None: ...

    def cut_link(self, post: Post, lasts: int) -> None: ...

    def cut_power(self, post: Post, lasts: int, cause: Boot = Boot.POWER) -> None: ...


def befall(ward: Ward, agenda: Agenda, post: Post, blow: Blow) -> None:
    """From now on, for `blow.lasts`."""
    hardware, pole = post.hardware, post.pole
    over: Callable[[], None]
    match blow.fault:
        case Fault.MAINS_LOST | Fault.BATTERY_LOW:
            hardware.mains, hardware.battery_low = False, blow.fault is Fault.BATTERY_LOW
            over = partial(_mains, post)
        case Fault.AMPLIFIER_DEAD:
            pole.kill_amplifier(True, ward.now)
            over = lambda: pole.kill_amplifier(False, ward.now)  # noqa: E731
        case Fault.HORN_LOST | Fault.HORNS_TIRED:
            pole.tire_horns(LEFT_OF_ONE if blow.fault is Fault.HORN_LOST else TIRED, ward.now)
            over = lambda: pole.tire_horns(1.0, ward.now)  # noqa: E731
        case Fault.STORAGE_FULL:
            hardware.storage_free_mb = FULL_MB
            over = partial(setattr, hardware, "storage_free_mb", None)
        case Fault.SIGNAL_WEAK:
            hardware.signal_dbm = WEAK_DBM
            over = partial(setattr, hardware, "signal_dbm", SIGNAL_DBM)
        case Fault.LINK_FLAPPING:
            for at in range(0, blow.lasts, FLAP_EVERY_MS):
                agenda.after(at, partial(ward.cut_link, post, FLAP_MS))
            return
        case Fault.RESTARTS:
            for at in range(0, blow.lasts, BITE_EVERY_MS):
                agenda.after(at, partial(ward.cut_power, post, BITE_MS, Boot.WATCHDOG))
            return
        case Fault.QUOTA_USED:
            before, hardware.data_mb = hardware.data_mb, SPENT_MB
            agenda.after(QUOTA_MS, partial(ward.cut_link, post, max(0, blow.lasts - QUOTA_MS)))
            over = partial(setattr, hardware, "data_mb", before)
        case Fault.BAD_FLASH | Fault.BOOT_LOOP | Fault.NO_LINK:
            hardware.update_fault = str(blow.fault)
            over = partial(setattr, hardware, "update_fault", "")
        case Fault.NO_TIME:
            post.spells[Fault.NO_TIME] = ward.now + blow.lasts
            return
        case Fault.HUNG:
            post.hung = True
            over = partial(_wake, ward, post)
        case _:
            raise ValueError(blow.fault)
    ward.give(post)
    agenda.after(blow.lasts, partial(_end, ward, post, over))


def _end(ward: Ward, post: Post, over: Callable[[], None]) -> None:
    over()
    ward.give(post)


def _mains(post: Post) -> None:
    post.hardware.mains, post.hardware.battery_low = True, False


def _wake(ward: Ward, post: Post) -> None:
    """Somebody comes and pulls the plug."""
    post.hung = False
    ward.cut_power(post, STOP_MS, Boot.WATCHDOG)
