"""Panels, rows and boards, and what Grafana's provisioning takes of them. Titles are Vietnamese first, then English."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "loa-prometheus"}
WIDE, TALL = 24, 8
BELOW_ZERO = ("dBm", "celsius")
"""Units whose axis does not begin at nothing."""


@dataclass(frozen=True)
class Panel:
    vi: str
    en: str
    targets: tuple[tuple[str, str], ...]
    """(expression, legend)."""
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    steps: tuple[tuple[str, float | None], ...] = (("green", None),)
    """(colour, from), the first from nothing on."""
    about: str = ""


@dataclass(frozen=True)
class Row:
    vi: str
    en: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    name: str
    vi: str
    query: str


@dataclass(frozen=True)
class Board:
    uid: str
    vi: str
    en: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()


def rendered(board: Board) -> str:
    """JSON as Grafana's provisioning takes it, the same for the same board."""
    panels: list[dict[str, Any]] = []
    at = 0
    for row in board.rows:
        at = _row(panels, row, at)
    whole = {
        "uid": board.uid,
        "title": f"Loa: {board.vi} / {board.en}",
        "tags": ["loa"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_variable(each) for each in board.variables]},
        "annotations": {"list": []},
        "panels": panels,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _row(panels: list[dict[str, Any]], row: Row, at: int) -> int:
    """Adds it and its panels from height `at` on; where the next may begin."""
    panels.append(
        {
            "id": len(panels) + 1,
            "type": "row",
            "title": f"{row.vi} / {row.en}",
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDE, "x": 0, "y": at},
            "panels": [],
        }
    )
    x, y = 0, at + 1
    for panel in row.panels:
        if x + panel.width > WIDE:
            x, y = 0, y + TALL
        panels.append(_panel(panel, len(panels) + 1, x, y))
        x += panel.width
    return y + TALL


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    steps = [{"color": color, "value": value} for color, value in panel.steps]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.unit not in BELOW_ZERO:
        defaults["min"] = 0
    return {
        "id": number,
        "type": panel.kind,
        "title": f"{panel.vi} / {panel.en}",
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": {"h": TALL, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(panel.targets)
        ],
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "label": variable.vi,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": variable.query, "refId": variable.name},
        "definition": variable.query,
        "refresh": 2,
        "sort": 1,
        "includeAll": False,
        "multi": False,
    }


GOOD_HIGH = (("red", None), ("orange", 0.98), ("green", 0.995))
BAD_FROM_1 = (("green", None), ("red", 1.0))
BAD_AT_0 = (("red", None), ("green", 1.0))


def stat(
    vi: str,
    en: str,
    expression: str,
    unit: str = "short",
    steps: tuple[tuple[str, float | None], ...] = (("green", None),),
) -> Panel:
    return Panel(vi, en, ((expression, en),), unit, "stat", 4, steps)


def p95(name: str, window: str = "15m", by: str = "le") -> str:
    return f"histogram_quantile(0.95, sum by ({by}) (rate({name}_bucket[{window}])))"
