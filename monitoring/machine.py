"""The controller itself in plain numbers: link, inbox, planner, audio, database, threads, certificates, clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.snapshot import split

KINDS = ("presence", "reported", "telemetry", "journal", "clip", "time-ask", "strange")
"""Of what units say; "strange" is everything that is on no list."""
CERTIFICATES = ("pages", "link", "authority", "units")
"""Of the pages (HTTPS), of our own at the broker, of the authority that we trust there, and of the one that certifies
units."""
UPLOADS = ("open", "queued", "working", "held")
"""States of a file that is not yet a recording."""
READY = ("yes", "no")
THREADS = ("mqtt", "ingest", "live", "prepare")


@dataclass(frozen=True)
class MachineSnapshot:
    """As of one instant. A key that is missing counts 0; none means "not known", and shows no series."""

    received: Mapping[str, int] = field(default_factory=dict)
    """Messages of units that were let in since the start, by kind (`KINDS`)."""
    let_go: Mapping[str, int] = field(default_factory=dict)
    """Messages beyond the measure of their unit, dropped before the inbox, by kind."""
    units_flooding: int = 0
    """Units that were beyond their measure in the last minute."""
    connects: int = 0
    """How often the broker accepted us since the start."""
    published: int = 0
    """Messages handed to the broker since the start."""
    plans_dirty: int = 0
    """Plans that something changed since they were compiled."""
    plans_dirty_s: float = 0.0
    """Since when the oldest of them waits."""
    broadcasts_waiting: int = 0
    """Submitted, and nobody has decided yet."""
    soon: Mapping[str, int] = field(default_factory=dict)
    """Deliveries that start within the next hour, by whether the unit holds plan and file (`READY`)."""
    uploads: Mapping[str, int] = field(default_factory=dict)
    database_bytes: int | None = None
    database_s: float = 0.0
    """What reading the numbers of this page took; the database's answer, mostly."""
    threads: Mapping[str, int] = field(default_factory=dict)
    """Threads that live, by what they do (`THREADS`)."""
    certificates: Mapping[str, float] = field(default_factory=dict)
    """Unix seconds at which each runs out; the first of a chain that does. Missing: none is used."""
    time_s: float = 0.0
    """What time it was here when the page was asked for, Unix seconds: Prometheus compares it with its own."""


class Machine(Collector):
    """Shows the newest snapshot; nothing before the first one."""

    def __init__(self) -> None:
        self.newest: MachineSnapshot | None = None

    def collect(self) -> Iterator[Metric]:
        shown = self.newest
        if shown is None:
            return
        yield _counts("loa_messages_received", "Messages of units that were let in", "kind", shown.received)
        yield _counts("loa_flood_dropped", "Messages beyond the measure of their unit", "kind", shown.let_go)
        yield _gauge("loa_units_flooding", "Units that say more than their measure", shown.units_flooding)
        yield _count("loa_broker_connects", "How often the broker accepted us", shown.connects)
        yield _count("loa_messages_published", "Messages handed to the broker", shown.published)
        yield _gauge("loa_plans_dirty", "Plans that changed and are not yet compiled", shown.plans_dirty)
        yield _gauge("loa_plans_dirty_seconds", "Since when the oldest of them waits", shown.plans_dirty_s)
        yield _gauge("loa_broadcasts_waiting", "Submitted, and nobody decided yet", shown.broadcasts_waiting)
        yield split("loa_deliveries_soon", "Deliveries of the next hour: unit has them", "ready", READY, shown.soon)
        yield split("loa_uploads", "Files that are not yet a recording", "state", UPLOADS, shown.uploads)
        if shown.database_bytes is not None:
            yield _gauge("loa_database_bytes", "Size of the database", shown.database_bytes)
        yield _gauge("loa_snapshot_seconds", "Time in the database for one page of numbers", shown.database_s)
        yield split("loa_threads_alive", "Threads that live, by what they do", "thread", THREADS, shown.threads)
        ends = GaugeMetricFamily(
            "loa_certificate_end_timestamp_seconds", "When a certificate runs out", labels=["certificate"]
        )
        for name, at in shown.certificates.items():
            ends.add_metric([name], at)
        yield ends
        yield _gauge("loa_clock_timestamp_seconds", "What time it is at the controller", shown.time_s)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=float(value))


def _count(name: str, what: str, value: int) -> Metric:
    return CounterMetricFamily(name, what, value=float(value))


def _counts(name: str, what: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for value in KINDS:
        family.add_metric([value], counts.get(value, 0))
    return family
