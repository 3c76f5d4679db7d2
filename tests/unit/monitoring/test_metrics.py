"""What a scrape shows after what happened."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from broadcasts.domain.command_life import State as CommandState
from broadcasts.domain.delivery import State
from broadcasts.domain.presence import Presence
from broadcasts.domain.verdict import Verdict
from monitoring.metrics import MAX_ROUTES, REASONS, FleetMetrics, Step
from monitoring.snapshot import COMMAND_STATES, PRESENCES, STATES, VERDICTS, FleetSnapshot

ROOT = Path(__file__).parents[3]
SOURCES = ("broadcasts", "controller")


@pytest.fixture
def metrics() -> FleetMetrics:
    return FleetMetrics(CollectorRegistry())


def shown(metrics: FleetMetrics, name: str, **labels: str) -> float | None:
    """The value in the page as Prometheus would read it; none when there is no such series."""
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def test_the_fleet_is_shown_as_the_newest_snapshot_says(metrics: FleetMetrics) -> None:
    metrics.show(FleetSnapshot(units={"online": 1}))
    metrics.show(
        FleetSnapshot(
            units={"online": 78, "offline": 2},
            states={"played": 70},
            verdicts={"heard": 60, "open": 7},
            commands={"sent": 2, "expired": 1},
            faults={"relay_silent": 5, "of_a_newer_unit": 1},
            plans_behind=3,
            plan_lag_s=41.5,
            alerts_active=2,
            ingest_queue=9,
            ingest_dropped=4,
            broker_thread_alive=True,
        )
    )
    assert shown(metrics, "loa_ingest_dropped_total") == 4
    assert shown(metrics, "loa_units", presence="online") == 78
    assert shown(metrics, "loa_units", presence="offline") == 2
    assert shown(metrics, "loa_units", presence="silent") == 0
    assert shown(metrics, "loa_deliveries_recent", state="played") == 70
    assert shown(metrics, "loa_deliveries_recent_verdicts", verdict="heard") == 60
    assert shown(metrics, "loa_deliveries_recent_verdicts", verdict="open") == 7
    assert shown(metrics, "loa_commands_recent", state="sent") == 2
    assert shown(metrics, "loa_commands_recent", state="expired") == 1
    assert shown(metrics, "loa_commands_recent", state="done") == 0
    assert shown(metrics, "loa_unit_faults", code="relay_silent") == 5
    assert shown(metrics, "loa_unit_faults", code="speaker_wire") == 0
    assert shown(metrics, "loa_unit_faults", code="other") == 1
    assert shown(metrics, "loa_plans_behind") == 3
    assert shown(metrics, "loa_plan_lag_seconds") == 41.5
    assert shown(metrics, "loa_alerts_active") == 2
    assert shown(metrics, "loa_ingest_queue_depth") == 9
    assert shown(metrics, "loa_broker_thread_alive") == 1
    assert shown(metrics, "loa_broker_connected") == 0


def test_before_the_first_snapshot_the_fleet_is_absent_and_not_zero(metrics: FleetMetrics) -> None:
    assert shown(metrics, "loa_units", presence="online") is None
    assert shown(metrics, "loa_broker_connected") is None


@pytest.mark.parametrize(("told", "value"), [(None, None), (True, 1), (False, 0)])
def test_an_audit_log_that_nobody_checked_yet_is_neither_whole_nor_broken(
    metrics: FleetMetrics, told: bool | None, value: float | None
) -> None:
    metrics.show(FleetSnapshot(audit_chain_ok=told))
    assert shown(metrics, "loa_audit_chain_ok") == value


def test_the_free_part_of_the_disk_is_shown_when_it_is_known(metrics: FleetMetrics) -> None:
    metrics.show(FleetSnapshot())
    assert shown(metrics, "loa_storage_free_ratio") is None
    metrics.show(FleetSnapshot(storage_free_ratio=0.25))
    assert shown(metrics, "loa_storage_free_ratio") == 0.25


def test_a_word_that_is_on_no_list_is_counted_as_other_and_not_lost(metrics: FleetMetrics) -> None:
    metrics.show(FleetSnapshot(units={"online": 1, "flying": 2, "swimming": 3}))
    assert shown(metrics, "loa_units", presence="other") == 5
    assert shown(metrics, "loa_units", presence="online") == 1


def test_the_words_are_those_of_the_rules() -> None:
    assert set(PRESENCES) == set(Presence)
    assert set(STATES) == set(State)
    assert set(VERDICTS) == {*Verdict, "open"}
    assert set(COMMAND_STATES) == set(CommandState)


def test_every_reason_that_the_code_gives_has_its_own_count() -> None:
    given: set[str] = set()
    for path in (path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "ContractViolation"
                and isinstance(node.args[0], ast.Constant)
            ):
                given.add(str(node.args[0].value))
    assert "oversized" in given
    assert given - set(REASONS) == set()


def test_a_violation_counts_by_its_reason_and_an_unknown_one_as_other(metrics: FleetMetrics) -> None:
    assert shown(metrics, "loa_contract_violations_total", reason="oversized") == 0
    metrics.violation("oversized")
    metrics.violation("oversized")
    metrics.violation("loa/v1/u/evil/out/journal")
    assert shown(metrics, "loa_contract_violations_total", reason="oversized") == 2
    assert shown(metrics, "loa_contract_violations_total", reason="other") == 1
    assert b"evil" not in metrics.render()


def test_a_voice_is_counted_by_who_spoke_and_how_it_went(metrics: FleetMetrics) -> None:
    assert shown(metrics, "loa_voice_requests_total", voice="http", result="failed") == 0
    metrics.spoke("http", 60.0, well=False)
    metrics.spoke("espeak", -0.1, well=True)
    metrics.spoke("a voice of tomorrow", 1.0, well=True)
    assert shown(metrics, "loa_voice_requests_total", voice="http", result="failed") == 1
    assert shown(metrics, "loa_voice_requests_total", voice="espeak", result="ok") == 1
    assert shown(metrics, "loa_voice_requests_total", voice="other", result="ok") == 1
    assert shown(metrics, "loa_voice_seconds_sum", voice="http") == 60
    assert b"tomorrow" not in metrics.render()


def test_a_batch_adds_its_tally_and_its_work(metrics: FleetMetrics) -> None:
    metrics.ingested(0.004, entries=30, verdicts=4)
    metrics.ingested(0.3, entries=2, illegal_moves=1)
    assert shown(metrics, "loa_journal_entries_total") == 32
    assert shown(metrics, "loa_verdicts_total") == 4
    assert shown(metrics, "loa_illegal_moves_total") == 1
    assert shown(metrics, "loa_ingest_batch_seconds_bucket", le="0.005") == 1
    assert shown(metrics, "loa_ingest_batch_seconds_count") == 2


def test_lags_are_told_apart_and_a_clock_that_went_back_gives_no_negative_one(metrics: FleetMetrics) -> None:
    metrics.dispatched(1.5)
    metrics.applied(-3.0)
    metrics.applied(40.0)
    assert shown(metrics, "loa_dispatch_lag_seconds_sum") == 1.5
    assert shown(metrics, "loa_apply_lag_seconds_sum") == 40.0
    assert shown(metrics, "loa_apply_lag_seconds_bucket", le="0.1") == 1
    assert shown(metrics, "loa_apply_lag_seconds_bucket", le="60.0") == 2


def test_a_step_says_when_it_ran_how_long_and_how_often_it_failed(metrics: FleetMetrics) -> None:
    at = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
    metrics.step_ran(Step.COMPILE, at, 0.75)
    metrics.step_failed(Step.SETTLE)
    assert shown(metrics, "loa_step_last_run_timestamp_seconds", step="compile") == at.timestamp()
    assert shown(metrics, "loa_step_last_duration_seconds", step="compile") == 0.75
    assert shown(metrics, "loa_step_last_run_timestamp_seconds", step="settle") == 0
    assert shown(metrics, "loa_step_failures_total", step="settle") == 1
    assert shown(metrics, "loa_step_failures_total", step="compile") == 0


def test_an_answer_counts_by_template_method_and_kind_of_status(metrics: FleetMetrics) -> None:
    metrics.request("/clusters/{cluster}", "GET", 204, 0.02)
    metrics.request(None, "BREW", 404, 0.02)
    assert (
        shown(metrics, "loa_http_request_seconds_count", route="/clusters/{cluster}", method="GET", status="2xx") == 1
    )
    assert shown(metrics, "loa_http_request_seconds_count", route="unmatched", method="other", status="4xx") == 1


def test_a_caller_that_passes_paths_for_templates_cannot_fill_the_memory(metrics: FleetMetrics) -> None:
    for number in range(MAX_ROUTES + 5):
        metrics.request(f"/clusters/{number}", "GET", 200, 0.02)
    assert shown(metrics, "loa_http_request_seconds_count", route="other", method="GET", status="2xx") == 5
    assert shown(metrics, "loa_http_request_seconds_count", route="/clusters/0", method="GET", status="2xx") == 1


def test_a_live_voice_that_is_over_is_counted_with_what_came_late_and_its_work(metrics: FleetMetrics) -> None:
    metrics.talked(600, 3, 2.5)
    assert shown(metrics, "loa_live_sessions_total") == 1
    assert shown(metrics, "loa_live_packets_total", fate="sent") == 600
    assert shown(metrics, "loa_live_packets_total", fate="late") == 3
    assert shown(metrics, "loa_live_work_seconds_total") == 2.5


def test_two_controllers_do_not_add_up() -> None:
    one, other = FleetMetrics(CollectorRegistry()), FleetMetrics(CollectorRegistry())
    one.violation("empty")
    assert shown(other, "loa_contract_violations_total", reason="empty") == 0


def test_a_fleet_of_ten_thousand_costs_a_scrape_no_more_lines_than_one_of_eighty(metrics: FleetMetrics) -> None:
    metrics.show(FleetSnapshot(units={"online": 80}))
    small = metrics.render().count(b"\n")
    metrics.show(FleetSnapshot(units={"online": 10_000}))
    assert metrics.render().count(b"\n") == small


def test_the_version_that_runs_is_shown(metrics: FleetMetrics) -> None:
    assert b'loa_build_info{version="' in metrics.render()
