"""The main job with real processes, on both brokers, and over mutual TLS: what `make smoke` does."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("broker", ["embedded", "mosquitto", "mosquitto --certificates"])
@pytest.mark.requirement("R-002", "R-046", "R-048", "R-079")
def test_a_bulletin_reaches_every_pole_and_is_proven_also_where_the_link_was_cut(broker: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.smoke", "--units", "20", "--lead", "60", "--broker", *broker.split()],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    assert re.fullmatch(r"smoke: played 20/20 heard 20/20 unknown 0 late_ms_p95 \d+ seconds [\d.]+", last), done.stderr
    assert done.returncode == 0
