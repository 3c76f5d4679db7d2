"""All that a unit keeps when power goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from device_sim.cache import CacheStore
from device_sim.journal import JournalStore
from device_sim.slots import Slots
from device_sim.timekeeper import ClockStore
from device_sim.trust import DocumentStore


@dataclass
class Disk:
    """A plain value (it can be copied and pickled). An empty one is a unit that lost its storage, or a new one."""

    journal: JournalStore = field(default_factory=JournalStore)
    cache: CacheStore = field(default_factory=CacheStore)
    documents: DocumentStore = field(default_factory=DocumentStore)
    clock: ClockStore = field(default_factory=ClockStore)
    boot_id: int = 0
    command_seq: int = 0
    firmware: str = ""
    """What runs; "" is what the unit was shipped with."""
    slots: Slots = field(default_factory=Slots)
    configuration: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    """All that was wanted; what this unit does not understand does nothing."""
    capturing: str = ""
    """The command for which we listen to the line-out; one that is found here at a boot was cut."""
    under_way: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Commands that take their time: kind, and until when (Unix ms)."""
    trim_volume: int = 100
    """Nothing ordinary is louder before `trim_until` (Unix ms)."""
    trim_until: int = 0
