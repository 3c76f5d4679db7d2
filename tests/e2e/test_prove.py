"""`loasim prove` against the controller that is registered, as an operator would run it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.requirement("R-048", "R-137")
def test_days_of_bad_luck_break_no_promise(seed: int) -> None:
    command = [sys.executable, "-m", "device_sim", "prove", "--units", "10", "--days", "3", "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    told = re.search(r"deliveries (\d+) heard (\d+) .* broken (\d+) ", done.stdout)
    assert told, done.stderr
    assert int(told[1]) >= int(told[2]) > 20
    assert told[3] == "0", done.stdout
    assert done.returncode == 0


def test_a_proof_of_nothing_is_none() -> None:
    command = [sys.executable, "-m", "device_sim", "prove", "--units", "2", "--days", "1", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    assert "nothing was judged" in done.stdout
