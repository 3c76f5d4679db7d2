"""One pole of the virtual world: hardware, disk, ear, its end of the mobile link, and what truly happened there."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from device_sim.bill import Bill
from device_sim.broker import Connection
from device_sim.disk import Disk
from device_sim.ear import Pole
from device_sim.events import Arrived, Connect, Fetch
from device_sim.faults import Fault
from device_sim.hardware import Hardware
from device_sim.mischief import Eavesdropper
from device_sim.radio import Radio, Reception
from device_sim.unit import Config, Enrolled, Unit


@dataclass
class Ran:
    """One stretch of the decoder, heard or not. True time, Unix ms."""

    item: str
    asset: str
    from_ms: int
    to_ms: int
    offset_ms: int


@dataclass(eq=False)
class Download:
    fetch: Fetch
    body: bytes
    began: int
    first_ms: int
    """Until the first byte."""


@dataclass(eq=False)
class Post:
    number: int
    enrolled: Enrolled
    config: Config
    chance: random.Random
    delay_ms: int
    bytes_per_ms: float
    hardware: Hardware = field(default_factory=Hardware)
    disk: Disk = field(default_factory=Disk)
    pole: Pole = field(default_factory=Pole)
    reception: Reception = field(default_factory=lambda: Reception(Radio()))
    unit: Unit | None = None
    """None: no power."""
    booted: int = 0
    wake_at: int | None = None
    offline: int = 0
    """How many faults keep the link down at this moment."""
    dark: int = 0
    """How many faults keep the power away."""
    dialling: Connect | None = None
    connection: Connection | None = None
    severed: Connection | None = None
    """The last one that died without a word; `connection` may still be it."""
    keep_alive_ms: int = 240_000
    bill: Bill = field(default_factory=Bill)
    lane_down: int = 0
    """When the last message on its way down arrives: the link keeps the order."""
    lane_up: int = 0
    fetch: Download | None = None
    tear: int | None = None
    """Power goes in the middle of the next journal write, for so long."""
    spells: dict[Fault, int] = field(default_factory=dict)
    """Withheld, duplicated, reordered, lossy: until when."""
    snoop: Eavesdropper = field(default_factory=Eavesdropper)
    ran: list[Ran] = field(default_factory=list)
    decoding: Ran | None = None
    shown: list[tuple[int, Arrived]] = field(default_factory=list)
    """Every alert and drill document that reached its program, and when; whoever sent it."""
    touched: list[tuple[int, int]] = field(default_factory=list)
    """When power or wire failed: a sounding in there can be heard in part."""
    hung: bool = False
    """Its program stands still; the modem keeps the connection up."""
    clock_wrong: bool = False
    """The hardware clock was once moved."""

    @property
    def name(self) -> str:
        return self.enrolled.unit

    @property
    def is_severed(self) -> bool:
        return self.connection is not None and self.connection is self.severed

    def has(self, spell: Fault, now: int) -> bool:
        return self.spells.get(spell, 0) > now

    def mono(self, now: int) -> int:
        return round((now - self.booted) * (1 + self.hardware.drift_ppm / 1e6))

    def when(self, mono_ms: int) -> int:
        """The first true instant at which the monotonic clock shows at least `mono_ms`."""
        at = self.booted + round(mono_ms / (1 + self.hardware.drift_ppm / 1e6))
        while self.mono(at) < mono_ms:
            at += 1
        return at
