"""The state of the fleet in plain numbers, filled by the controller for one scrape, shown as gauges.

Gauges of this kind are counted when somebody asks and never kept: a kept gauge is wrong after the first missed update.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

OTHER = "other"
"""Where a value goes that is on no list: labels stay few, and nothing is lost from the sum."""
PRESENCES = ("online", "silent", "offline", "never")
STATES = (
    "planned",
    "published",
    "ready",
    "playing",
    "played",
    "preempted",
    "missed",
    "failed",
    "withdrawn",
)
FAULTS = (
    *("clock_untrusted", "clock_drift", "clock_jump", "autonomy_over", "asset_corrupt", "cache_full"),
    *("firmware_refused", "speaker_wire", "relay_silent", "plan_refused", "broadcast_broken", "no_encoding"),
)
"""What stands in the way of a unit; a unit may know others."""
COMMAND_STATES = (
    *("asked", "sent", "accepted", "done", "failed", "refused", "expired", "timed_out", "cancelled"),
    *("done_late", "failed_late"),
)
WINDOWS = ("30m", "1h", "6h", "1d", "3d")
"""Of the objective "99.5 % of deliveries sounded"; the alerts look at two of them at a time."""
SOUNDED = ("yes", "no")
VERDICTS = ("heard", "played", "failed_to_sound", "not_played", "unknown", "open")
"""The five verdicts, and "open" for a delivery that has none yet."""


@dataclass(frozen=True)
class FleetSnapshot:
    """Counts as of one instant. A key that is missing counts 0; none means "not known", and shows no series."""

    units: Mapping[str, int] = field(default_factory=dict)
    """Enrolled and not revoked units by presence (`PRESENCES`)."""
    states: Mapping[str, int] = field(default_factory=dict)
    """Deliveries that were due to start in the last 24 h, by state (`STATES`)."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """The same deliveries by verdict (`VERDICTS`), without the withdrawn ones: nobody waits for those to sound."""
    sounded: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By window (`WINDOWS`) that ends now: deliveries of which some time lies in it, and that count for the objective,
    by whether they sounded (`SOUNDED`). `controller.services.objective` says which count."""
    commands: Mapping[str, int] = field(default_factory=dict)
    """Commands that were issued in the last 24 h, by state (`COMMAND_STATES`)."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Units on which a fault stands, by its code (`FAULTS`)."""
    plans_behind: int = 0
    """Connected units that have not reported their newest plan as applied, published or not."""
    plan_lag_s: float = 0.0
    """Seconds since the oldest of those plans was compiled; 0 with none behind."""
    alerts_active: int = 0
    """Alerts that stand in any scope's document: not silenced, hard end not reached."""
    ingest_queue: int = 0
    """Messages from the broker that wait for the consumer."""
    ingest_dropped: int = 0
    """Messages that found that queue full, since the start: journals come again, the rest was status of the moment."""
    broker_thread_alive: bool = False
    """`Thread.is_alive()` of the network thread, never the client's own opinion: paho stays "connected" after an
    exception has killed its thread."""
    broker_connected: bool = False
    audit_chain_ok: bool | None = None
    """What the last check of the audit log found (R-104); the check itself is too slow for a scrape."""
    storage_free_ratio: float | None = None
    """Free part, 0 to 1, of the disk with the data folder."""
    files: int | None = None
    """Recordings and originals that are kept, as the collector last counted them."""
    file_bytes: int = 0
    files_missing: int = 0
    """Rows without a file, and files that are not what their name says."""
    files_looked_at: float = 0.0
    """When the collector last ran, Unix seconds."""


class Fleet(Collector):
    """Shows the newest snapshot; nothing before the first one."""

    def __init__(self) -> None:
        self.newest: FleetSnapshot | None = None

    def collect(self) -> Iterator[Metric]:
        shown = self.newest
        if shown is None:
            return
        yield split("loa_units", "Units by presence", "presence", PRESENCES, shown.units)
        yield split(
            "loa_deliveries_recent", "Deliveries due to start in the last 24 h, by state", "state", STATES, shown.states
        )
        yield split(
            "loa_deliveries_recent_verdicts",
            "Deliveries due to start in the last 24 h, by verdict",
            "verdict",
            VERDICTS,
            shown.verdicts,
        )
        objective = GaugeMetricFamily(
            "loa_objective_deliveries",
            "Deliveries that count for the objective, by window and whether they sounded",
            labels=["window", "sounded"],
        )
        for window in WINDOWS:
            for answer in SOUNDED:
                objective.add_metric([window, answer], shown.sounded.get(window, {}).get(answer, 0))
        yield objective
        yield split(
            "loa_commands_recent",
            "Commands to units issued in the last 24 h, by state",
            "state",
            COMMAND_STATES,
            shown.commands,
        )
        yield split("loa_unit_faults", "Units on which a fault stands, by its code", "code", FAULTS, shown.faults)
        yield _one("loa_plans_behind", "Connected units that did not report their newest plan", shown.plans_behind)
        yield _one("loa_plan_lag_seconds", "Age of the oldest plan that a connected unit lacks", shown.plan_lag_s)
        yield _one("loa_alerts_active", "Emergency alerts that stand", shown.alerts_active)
        yield _one("loa_ingest_queue_depth", "Messages that wait to be taken in", shown.ingest_queue)
        yield CounterMetricFamily(
            "loa_ingest_dropped", "Messages thrown away because the queue was full", value=float(shown.ingest_dropped)
        )
        yield _one("loa_broker_thread_alive", "1 while the network thread lives", shown.broker_thread_alive)
        yield _one("loa_broker_connected", "1 while the broker has accepted us", shown.broker_connected)
        if shown.audit_chain_ok is not None:
            yield _one("loa_audit_chain_ok", "1 while every line of the audit log follows", shown.audit_chain_ok)
        if shown.storage_free_ratio is not None:
            yield _one("loa_storage_free_ratio", "Free part of the data folder's disk", shown.storage_free_ratio)
        if shown.files is not None:
            yield _one("loa_files", "Recordings and originals that are kept", shown.files)
            yield _one("loa_files_bytes", "Their bytes", shown.file_bytes)
            yield _one("loa_files_missing", "Recordings whose file is missing or damaged", shown.files_missing)
            yield _one("loa_files_looked_at_seconds", "When the collector last looked", shown.files_looked_at)


def _one(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=float(value))


def split(name: str, what: str, label: str, known: Sequence[str], counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for value in known:
        family.add_metric([value], counts.get(value, 0))
    if strange := sum(count for value, count in counts.items() if value not in known):
        family.add_metric([OTHER], strange)
    return family
