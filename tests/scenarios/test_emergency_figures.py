"""The promise of the emergency in virtual time: 200 poles on mobile links of 100 to 300 ms that lose 1 % of packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import reach


@pytest.mark.requirement("R-064")
def test_reachable_poles_sound_and_fall_silent_within_seconds_and_nobody_hears_it_twice(tmp_path: Path) -> None:
    found = reach.measure(units=200, rounds=5, folder=tmp_path)
    assert len(found.sound) + found.missed == 5 * 196
    assert reach.percentile(found.sound, 95) <= 3
    assert reach.percentile(found.sound, 99) <= 10
    assert found.within(60) >= 0.999
    assert reach.percentile(found.silence, 99) <= 5
    assert found.twice == 0
    assert found.woke > 0, "who comes back while it stands sounds it"
    assert found.late == 0, "and who comes back afterwards does not"
    assert min(found.sound) >= 0.1, "nothing is quicker than its link"
