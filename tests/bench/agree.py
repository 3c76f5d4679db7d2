"""Random fleets and weeks lived through: whether dry run, signed plans and what is heard agree, thousands of times.

    python -m tests.bench agree --cases 3000 --workers 2 --seed 1

Each case is a week of `tests/support/weeks.py`; the checks are those of `tests/scenarios/test_plan_and_ear.py`, which
is run here with more cases. The last line is JSON: what was lived through, heard, and done.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEST = "tests/scenarios/test_plan_and_ear.py"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench agree", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=3_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1, help="of the first worker; the others follow it")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="loa-agree-") as folder:
        reports = [Path(folder, f"{number}.json") for number in range(asked.workers)]
        running = [
            _start(-(-asked.cases // asked.workers), asked.seed + number, report)
            for number, report in enumerate(reports)
        ]
        codes = [each.wait() for each in running]
        told = [json.loads(report.read_text(encoding="utf-8")) for report in reports if report.exists()]
    print(json.dumps({"agree": not any(codes), **_together(told)}, ensure_ascii=False))
    return max(codes)


def _start(cases: int, seed: int, report: Path) -> subprocess.Popen[bytes]:
    """A failure is shrunk and told on its output, with the week that shows it again."""
    asked = {"LOA_AGREE_CASES": str(cases), "LOA_AGREE_SEED": str(seed), "LOA_AGREE_REPORT": str(report)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", TEST]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | asked)


def _together(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for one in told:
        for name, value in one.items():
            if isinstance(value, dict):
                sums[name] = dict(Counter(sums.get(name, {})) + Counter(value))
            else:
                sums[name] = sums.get(name, 0) + value
    return sums
