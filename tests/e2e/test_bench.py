"""The bench in its smallest form, so that it still runs on the day when somebody wants its figures."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e


def test_the_dispatch_bench_measures_every_unit_against_its_floor_and_ends_with_one_json_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "dispatch", "--units", "5", "--rounds", "1", "--broker", "embedded"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["broker"] == "embedded"
    assert told["units"] == 5
    assert told["figure"] > 0
    assert told["floor"] > 0
    assert told["ratio"] == pytest.approx(told["figure"] / told["floor"], rel=0.5)  # of figures rounded to 1 ms
    assert told["start_spread_ms"] >= 0
    assert told["processor_s"].keys() == {"serve", "loasim", "broker"}


@pytest.mark.parametrize("wish", [(), ("--database", "postgresql")], ids=["sqlite", "postgresql"])
def test_the_compile_bench_makes_a_communes_plans_anew_against_its_floor_and_ends_with_one_json_line(
    wish: tuple[str, ...],
) -> None:
    size = ["--clusters", "12", "--per-commune", "3", "--per-day", "10", "--rounds", "2", *wish]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "compile", *size],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["database"] == (wish[-1] if wish else "sqlite")
    assert told["clusters"] == 12
    assert told["changed_units"] == 3
    assert told["deliveries"] == 12 * 10 * 7
    assert told["figure"] > 0
    assert told["floor"] > 0
    assert told["ratio"] == pytest.approx(told["figure"] / told["floor"], rel=0.1)
    assert 0 < told["peak_mib"] < 1024
