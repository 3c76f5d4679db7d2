"""Grafana's dashboards, made: `python -m monitoring.dashboards` writes `grafana/dashboards/*.json`.

A test says when a file there is not what this makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from monitoring.boards_machine import CONTROLLER, PLANNER
from monitoring.boards_poles import CLUSTER, COMMUNE, FLEET
from monitoring.panels import rendered

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
BOARDS = (FLEET, COMMUNE, CLUSTER, PLANNER, CONTROLLER)


def main() -> int:
    for board in BOARDS:
        path = FOLDER / f"{board.uid.removeprefix('loa-')}.json"
        path.write_text(rendered(board), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
