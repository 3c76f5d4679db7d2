"""Single clusters in Prometheus: only by choice, bounded, readable, and counted where they are left out."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from monitoring.machine import MachineSnapshot
from monitoring.metrics import FleetMetrics
from monitoring.per_cluster import LEFT_OUT, MOST_CLUSTERS, ClusterNumbers, ClusterPage
from monitoring.snapshot import FleetSnapshot


def values(page: bytes) -> dict[tuple[str, str], float]:
    """By series and cluster, as Prometheus reads it."""
    return {
        (sample.name, sample.labels.get("cluster", "")): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def fleet(count: int) -> list[ClusterNumbers]:
    return [
        ClusterNumbers(
            f"cl-{number}",
            "31618",
            True,
            1.7e9,
            due=8,
            volts=12.1,
            temperature_c=41,
            signal_dbm=-97,
            storage_free_mb=512,
        )
        for number in range(count)
    ]


def test_nobody_asks_and_no_cluster_is_a_label() -> None:
    metrics = FleetMetrics(CollectorRegistry())
    metrics.show(FleetSnapshot(units={"online": 10_000}), MachineSnapshot())
    page = metrics.render()
    assert b"cluster=" not in page
    assert b"loa_cluster" not in page
    assert page.count(b"\n") < 1_000


def test_what_is_asked_for_is_shown_with_what_is_known() -> None:
    one = ClusterNumbers("cl-1", "31618", False, plan_behind=True, faults=2, due=4, unsounded=1, volts=11.5)
    told = values(ClusterPage().render([one], 1))
    assert told[("loa_cluster_online", "cl-1")] == 0
    assert told[("loa_cluster_plan_behind", "cl-1")] == 1
    assert told[("loa_cluster_volts", "cl-1")] == 11.5
    assert told[("loa_cluster_unsounded_recent", "cl-1")] == 1
    assert ("loa_cluster_last_sign_timestamp_seconds", "cl-1") not in told, "it never spoke"
    assert told[(LEFT_OUT, "")] == 0


def test_beyond_the_bound_clusters_are_counted_and_not_shown() -> None:
    told = values(ClusterPage().render(fleet(MOST_CLUSTERS + 5), 10_000))
    assert sum(name == "loa_cluster_online" for name, _ in told) == MOST_CLUSTERS
    assert told[(LEFT_OUT, "")] == 10_000 - MOST_CLUSTERS


def test_a_name_with_odd_signs_breaks_no_line() -> None:
    odd = 'a"b\\c\nd'
    told = values(ClusterPage().render([ClusterNumbers(odd, "1", True)], 1))
    assert told[("loa_cluster_online", odd)] == 1


def test_clusters_that_come_and_go_fill_no_memory() -> None:
    page = ClusterPage()
    for number in range(10 * MOST_CLUSTERS):
        page.render([ClusterNumbers(f"cl-{number}", "1", True)], 1)
    assert len(page._labels) <= 2 * MOST_CLUSTERS + 1


def test_the_machine_is_shown_as_it_is_and_absent_before_anybody_looked() -> None:
    metrics = FleetMetrics(CollectorRegistry())
    assert b"loa_plans_dirty" not in metrics.render()
    metrics.show(
        FleetSnapshot(sounded={"1h": {"yes": 70, "no": 2}}),
        MachineSnapshot(
            received={"journal": 5, "strange": 7},
            let_go={"telemetry": 9},
            soon={"no": 3},
            uploads={"queued": 4},
            threads={"prepare": 2},
            certificates={"pages": 1.8e9},
        ),
    )
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    assert samples[("loa_objective_deliveries", "no", "1h")] == 2
    assert samples[("loa_objective_deliveries", "yes", "3d")] == 0
    assert samples[("loa_messages_received_total", "strange")] == 7
    assert samples[("loa_flood_dropped_total", "telemetry")] == 9
    assert samples[("loa_deliveries_soon", "no")] == 3
    assert samples[("loa_uploads", "queued")] == 4
    assert samples[("loa_threads_alive", "ingest")] == 0
    assert samples[("loa_certificate_end_timestamp_seconds", "pages")] == 1.8e9
    assert ("loa_database_bytes",) not in samples
