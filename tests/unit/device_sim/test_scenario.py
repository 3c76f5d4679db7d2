"""A scene file with a mistake in it is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcasts.errors import Refused
from device_sim.faults import Fault
from device_sim.scenario import Scene, read

GOOD = """
units = 5
days = 2
seed = 9
scale = 0.5
[per_day]
power_cut = 1
[odds]
fetch_broken = 0.25
"""


def scene_of(folder: Path, text: str) -> Scene:
    file = folder / "scene.toml"
    file.write_text(text, encoding="utf-8")
    return read(file)


def test_a_scene_is_read(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, GOOD)
    assert (scene.units, scene.days, scene.seed, scene.scale) == (5, 2, 9, 0.5)
    assert scene.per_day == {Fault.POWER_CUT: 1}
    assert scene.odds.fetch_broken == 0.25


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ("unitz = 5", "unitz", "unknown"),
        ("units = 0", "units", "between 1"),
        ("units = 2.5", "units", "whole number"),
        ('seed = "x"', "seed", "whole number"),
        ("units = true", "units", "whole number"),
        ("[per_day]\nearthquake = 1", "per_day.earthquake", "unknown"),
        ("[per_day]\npower_cut = -1", "per_day.power_cut", "between 0"),
        ("[odds]\nfetch_broken = 2", "odds.fetch_broken", "between 0 and 1"),
        ("odds = 3", "odds", "not a table"),
        ("units = [", "", "Invalid"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, field: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        scene_of(tmp_path, text)
    assert caught.value.key == "sim_scene"
    assert caught.value.fields["field"] == field
    assert why in str(caught.value.fields["why"])
    assert caught.value.fields["path"] == tmp_path / "scene.toml"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        read(tmp_path / "none.toml")
