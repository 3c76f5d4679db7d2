"""The check finds what it is for: each kind of fault planted into a copy, and none in what we ship."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitoring.check import FOLDER, problems

ALERTS = "prometheus/rules/alerts.yml"
RECORDING = "prometheus/rules/recording.yml"
BOARD = "grafana/dashboards/fleet.json"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "monitoring"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def plant(folder: Path, name: str, before: str, after: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_rules_tests_dashboards_and_runbook_agree_with_the_metrics() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (ALERTS, "loa_plan_lag_seconds >", "loa_plan_lag >", "no metric loa_plan_lag"),
        (ALERTS, "loa:units_missing:ratio > 0.5", "loa:units_gone:ratio > 0.5", "no metric loa:units_gone:ratio"),
        (ALERTS, 'step="reconcile"', 'phase="reconcile"', "has no label phase"),
        (ALERTS, 'step="reconcile"', 'step="reconciled"', 'never has step="reconciled"'),
        (ALERTS, "bad_signature|", "bad_signatur|", 'never has reason="bad_signatur"'),
        (RECORDING, "(loa_units)", "(loa_unit)", "no metric loa_unit"),
        (BOARD, "loa_alerts_active", "loa_alerts", "no metric loa_alerts"),
        (BOARD, "max(loa_units_flooding)", "max(loa_alert_active)", "no metric loa_alert_active"),
        (
            "grafana/dashboards/cluster.json",
            "loa_cluster_volts",
            "loa_cluster_watts",
            "loa_cluster_volts is in no rule",
        ),
        ("prometheus/tests/plans.yml", "loa_plan_lag_seconds{", "loa_plan_lag{", "no metric loa_plan_lag"),
        ("RUNBOOK.md", "## LoaPlansBehind", "## LoaPlanBehind", "LoaPlansBehind has no heading"),
        ("RUNBOOK.md", "## LoaPlansBehind", "## LoaPlanBehind", "LoaPlanBehind is no alert"),
        (ALERTS, "RUNBOOK.md#loaplansbehind", "RUNBOOK.md#plans", "LoaPlansBehind does not point"),
        (ALERTS, "- alert: LoaPlansBehind", "- alert: LoaPlanBehind", "LoaPlanBehind fires in no test"),
        (ALERTS, "severity: warning", "team: radio", "has no severity"),
        ("alertmanager/alertmanager.yml", "LoaFleetGone]", "LoaFleetLost]", "no alert LoaFleetLost"),
    ],
)
def test_a_planted_fault_is_named(copy: Path, name: str, before: str, after: str, said: str) -> None:
    assert problems(copy) == []
    plant(copy, name, before, after)
    found = problems(copy)
    assert any(said in line for line in found), found


def test_an_alert_that_is_only_tested_to_be_quiet_counts_as_untested(copy: Path) -> None:
    path = copy / "prometheus/tests/emergency.yml"
    text = path.read_text(encoding="utf-8")
    quiet = text.partition("      - eval_time: 115m")[0]
    assert quiet != text
    path.write_text(quiet, encoding="utf-8")
    assert problems(copy) == ["LoaAlertStands fires in no test"]


def test_a_folder_without_rules_is_an_error_and_not_a_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        problems(tmp_path)


def test_no_shipped_file_holds_a_secret() -> None:
    names = ("alertmanager/alertmanager.yml", "prometheus/prometheus.yml")
    for text in ((FOLDER / name).read_text(encoding="utf-8") for name in names):
        lines = [line.split("#")[0] for line in text.splitlines()]
        keys = {line.split(":")[0].strip(" -") for line in lines if ":" in line}
        assert not keys & {"password", "credentials", "bearer_token", "smtp_auth_password", "api_url", "routing_key"}
