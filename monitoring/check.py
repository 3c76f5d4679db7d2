"""What watches the metrics agrees with the metrics: `python -m monitoring.check` says where it does not.

Rules, their tests and the dashboards name only series, labels and values that `FleetMetrics` shows; every alert has a
heading in the runbook and a test in which it fires; every metric is looked at by somebody. Whether an expression means
what it should is for promtool, which runs the tests.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from monitoring.machine import CERTIFICATES, MachineSnapshot
from monitoring.metrics import FleetMetrics, Step
from monitoring.per_cluster import ClusterNumbers, ClusterPage
from monitoring.snapshot import FleetSnapshot

FOLDER = Path(__file__).parent
FREE_LABELS = frozenset(("le", "route", "version", "method", "status", "cluster", "commune"))
"""Labels whose values are not all shown by an idle controller."""
PROMISE = "What we promise"
"""The one heading of the runbook that is no alert."""
SCRAPE_LABELS = frozenset(("job", "instance"))
"""Given by Prometheus, not by us."""

Exposed = Mapping[str, Mapping[str, frozenset[str]]]

_NAME = re.compile(r"\b(loa[_:][a-zA-Z0-9_:]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_ALERT = re.compile(r"^ *- alert: (\w+)$", re.MULTILINE)
_RECORD = re.compile(r"^ *- record: ([\w:]+)$", re.MULTILINE)
_FIRES = re.compile(r"alertname: (\w+)\n +exp_alerts:\n +- exp_labels:")
_ALERTNAMES = re.compile(r'alertname [!=]?[=~]*\s*"?((?:Loa\w+\|?)+)')
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


def exposed() -> Exposed:
    """Series name to its labels, and to the values of each, as a controller shows them."""
    metrics = FleetMetrics(CollectorRegistry())
    machine = MachineSnapshot(database_bytes=0, certificates=dict.fromkeys(CERTIFICATES, 0.0))
    metrics.show(FleetSnapshot(audit_chain_ok=True, storage_free_ratio=1.0, files=0), machine)
    metrics.request("/", "GET", 200, 0.0)
    metrics.step_ran(Step.COMPILE, datetime.fromtimestamp(0, UTC), 0.0)
    found: dict[str, dict[str, frozenset[str]]] = {}
    one = ClusterNumbers("cl-1", "1", True, 0.0, volts=0, temperature_c=0, signal_dbm=0, storage_free_mb=0)
    single = text_string_to_metric_families(ClusterPage().render([one], 1).decode())
    for family in (*metrics.families(), *single):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels[label] = labels.get(label, frozenset()) | {value}
    return found


def problems(folder: Path = FOLDER) -> list[str]:
    """One line for each thing that does not fit; empty when all does."""
    series = exposed()
    rules = _read(folder, "prometheus/rules/*.yml")
    tests = _read(folder, "prometheus/tests/*.yml")
    boards = {path: "\n".join(_strings(json.loads(text))) for path, text in _read(folder, "grafana/dashboards/*.json")}
    recorded = {name for _, text in rules for name in _RECORD.findall(text)}
    watching = [*rules, *boards.items()]
    found = [line for path, text in (*watching, *tests) for line in _strange(path, text, series, recorded)]
    found += _unwatched(series, recorded, watching)
    alerts = [name for _, text in rules for name in _ALERT.findall(text)]
    found += _alerts(alerts, rules, tests, (folder / "RUNBOOK.md").read_text(encoding="utf-8"))
    mail = (folder / "alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    named = {name for group in _ALERTNAMES.findall(mail) for name in group.split("|")}
    found += [f"alertmanager.yml: no alert {name}" for name in sorted(named - set(alerts))]
    return found


def _strange(path: str, text: str, series: Exposed, recorded: set[str]) -> Iterator[str]:
    """Names, labels and values that nobody shows."""
    for name, matchers in _NAME.findall(_COMMENT.sub("", text)):
        if name in recorded:
            continue
        if name not in series:
            yield f"{path}: no metric {name}"
            continue
        for label, value in _MATCHER.findall(matchers):
            if label in SCRAPE_LABELS:
                continue
            if label not in series[name]:
                yield f"{path}: {name} has no label {label}"
            elif label not in FREE_LABELS:
                yield from (
                    f'{path}: {name} never has {label}="{each}"'
                    for each in value.split("|")
                    if each not in series[name][label]
                )


def _unwatched(series: Exposed, recorded: set[str], watching: list[tuple[str, str]]) -> Iterator[str]:
    """What is measured or recorded, and seen by nobody."""
    text = "\n".join(_RECORD.sub("", text) for _, text in watching)
    seen = {name for name, _ in _NAME.findall(_COMMENT.sub("", text))}
    ours = {name for name in series if name.startswith("loa_") and not name.endswith(("_created", "_sum"))}
    for name in sorted((ours | recorded) - seen):
        base = re.sub(r"_(?:count|bucket)$", "", name)
        if not any(f"{base}{end}" in seen for end in ("_count", "_bucket")):
            yield f"{name} is in no rule and on no dashboard"


def _alerts(alerts: list[str], rules: list[tuple[str, str]], tests: list[tuple[str, str]], book: str) -> Iterator[str]:
    headings = set(_HEADING.findall(book)) - {PROMISE}
    text = "\n".join(text for _, text in rules)
    firing = {name for _, test in tests for name in _FIRES.findall(test)}
    for name in alerts:
        _, _, after = text.partition(f"- alert: {name}\n")
        block = after.partition("- alert: ")[0]
        for part in ("area: ", "severity: ", "summary: ", "description: "):
            if part not in block:
                yield f"{name} has no {part.rstrip(': ')}"
        if f"runbook_url: monitoring/RUNBOOK.md#{name.lower()}\n" not in block:
            yield f"{name} does not point to its heading of the runbook"
        if name not in headings:
            yield f"{name} has no heading in RUNBOOK.md"
        if name not in firing:
            yield f"{name} fires in no test"
    yield from (f"RUNBOOK.md: {name} is no alert" for name in sorted(headings - set(alerts)))
    yield from (f"{name} is there twice" for name in sorted({name for name in alerts if alerts.count(name) > 1}))


def _read(folder: Path, pattern: str) -> list[tuple[str, str]]:
    """Path below the folder, and text. Raises FileNotFoundError on none: nothing would be checked."""
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise FileNotFoundError(folder / pattern)
    return [(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def main() -> int:
    found = problems()
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
