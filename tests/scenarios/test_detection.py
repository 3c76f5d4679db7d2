"""Each class of fault is told within its time, of the right pole and of nothing else; and ordinary weather sends nobody
out for nothing (`loasim detect`, `loasim detect --weather`)."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from broadcasts.domain.fault_classes import CLASSES, Code
from controller.bootstrap.virtual import open_counterpart
from device_sim.detect import ORDINARY, TRIALS, blows, detect, weather
from device_sim.faults import DAY, TO_THE_BOX, Fault

NOT_TRIED = {
    Code.SUPPLY_BAD: "a number that the rule is tested with",
    Code.FILE_BROKEN: "a code of the unit, tested where units raise it",
    Code.FIRMWARE_REFUSED: "a code of the unit",
    Code.RELAY_SILENT: "a code of the unit",
    Code.AUTONOMY_OVER: "a code of the unit, after a week",
    Code.OTHER: "what has no class",
}


def test_each_class_is_told_within_its_time_and_nothing_else_is_blamed() -> None:
    found = detect(seed=1, opener=open_counterpart)
    assert found.broken == []
    assert len(found.told) == sum(len(trial.expects) for trial in TRIALS)
    assert found.exit_code == 0


def test_ordinary_weather_sends_nobody_out_for_nothing_more_than_once() -> None:
    """A week of few poles, because each virtual day of a pole costs a second or two; `loasim detect --weather` takes
    --units and --days, and a month of five poles ends well too."""
    found = weather(units=3, days=7, seed=1, opener=open_counterpart)
    assert found.broken == []
    assert "units 3 days 7" in found.summary


def test_the_trials_put_every_class_on_a_pole_that_can_be_put_there() -> None:
    tried = {code for trial in TRIALS for code in trial.expects}
    assert tried | {str(code) for code in NOT_TRIED} == {str(code) for code in CLASSES}
    used = {fault for trial in TRIALS for fault, _ in trial.blows}
    assert set(TO_THE_BOX) <= used
    assert {Fault.AMPLIFIER_STUCK, Fault.HOT_CABINET, Fault.NAT_TIMEOUT} <= used


@pytest.mark.parametrize("seed", [1, 2])
def test_weather_is_as_often_as_it_says(seed: int) -> None:
    drawn = Counter(blow.fault for blow in blows(20, 0, 30 * DAY, random.Random(seed)))
    for fault in {kind.fault for kind in ORDINARY if not kind.to_all}:
        expected = sum(kind.per_day for kind in ORDINARY if kind.fault is fault) * 20 * 30
        assert expected * 0.6 < drawn[fault] < expected * 1.5
