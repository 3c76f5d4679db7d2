"""One line for each cluster and number, by choice (LOA_METRICS_PER_CLUSTER), with a hard bound.

Rendered by hand from labels that are escaped once: the exposition of prometheus_client takes 25 times as long, and
holds the interpreter all that time. `python -m tests.bench scrape` tells what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_CLUSTERS = 2_000
"""Clusters that are shown one by one, whatever the setting says."""


@dataclass(frozen=True)
class ClusterNumbers:
    """One cluster, now. None: nobody has said, and no line is shown."""

    cluster: str
    commune: str
    """Official code."""
    online: bool
    last_sign_s: float | None = None
    """Unix seconds."""
    plan_behind: bool = False
    faults: int = 0
    due: int = 0
    """Deliveries due to start in the last 24 h, that have a verdict."""
    unsounded: int = 0
    """Those of them that did not sound (`controller.services.objective`)."""
    volts: float | None = None
    temperature_c: float | None = None
    signal_dbm: float | None = None
    storage_free_mb: float | None = None


_SHOWN: tuple[tuple[str, str, Callable[[ClusterNumbers], float | None]], ...] = (
    ("loa_cluster_online", "1 while the cluster's unit is connected and says so", lambda one: one.online),
    ("loa_cluster_last_sign_timestamp_seconds", "Last sign of life of its unit", lambda one: one.last_sign_s),
    ("loa_cluster_plan_behind", "1 while its unit lacks the newest plan", lambda one: one.plan_behind),
    ("loa_cluster_faults", "Faults that stand at its unit", lambda one: one.faults),
    ("loa_cluster_deliveries_recent", "Settled deliveries of the last 24 h", lambda one: one.due),
    ("loa_cluster_unsounded_recent", "Those that did not sound", lambda one: one.unsounded),
    ("loa_cluster_volts", "Supply of its unit", lambda one: one.volts),
    ("loa_cluster_temperature_celsius", "In the cabinet", lambda one: one.temperature_c),
    ("loa_cluster_signal_dbm", "Of the mobile network", lambda one: one.signal_dbm),
    ("loa_cluster_storage_free_megabytes", "On the unit", lambda one: one.storage_free_mb),
)
LEFT_OUT = "loa_clusters_left_out"


class ClusterPage:
    """Keeps the label strings of the clusters that it has shown; they are few, and change seldom."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], str] = {}

    def render(self, clusters: Sequence[ClusterNumbers], asked: int) -> bytes:
        """Prometheus text. `asked`: how many the setting asks for; what is beyond `MOST_CLUSTERS` is only counted."""
        shown = clusters[:MOST_CLUSTERS]
        if len(self._labels) > 2 * MOST_CLUSTERS:
            self._labels.clear()
        labels = [self._label(one) for one in shown]
        lines = _head(LEFT_OUT, "Clusters that the setting asks for beyond the bound")
        lines.append(f"{LEFT_OUT} {max(0, asked - len(shown))}\n")
        for name, what, read in _SHOWN if shown else ():
            lines += _head(name, what)
            for one, label in zip(shown, labels, strict=True):
                value = read(one)
                if value is not None:
                    lines.append(f"{name}{label}{float(value)!r}\n")
        return "".join(lines).encode()

    def _label(self, one: ClusterNumbers) -> str:
        key = (one.cluster, one.commune)
        if (label := self._labels.get(key)) is None:
            label = f'{{cluster="{_escaped(one.cluster)}",commune="{_escaped(one.commune)}"}} '
            self._labels[key] = label
        return label


def _head(name: str, what: str) -> list[str]:
    return [f"# HELP {name} {what}\n", f"# TYPE {name} gauge\n"]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
