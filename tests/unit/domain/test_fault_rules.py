"""Memory, baselines, life and groups of faults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from broadcasts.domain import fault_memory
from broadcasts.domain.fault_classes import CLASSES, Code
from broadcasts.domain.fault_groups import Case, Grouping, group
from broadcasts.domain.fault_life import MOVES, OPEN, Mover, State, check_move, moves_from
from broadcasts.domain.fault_memory import Memory, News, step
from broadcasts.domain.health import Sign
from broadcasts.domain.horn_baseline import Horns
from broadcasts.errors import Conflict

NOW = datetime(2027, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HERE, NOT, UNKNOWN = Sign(True), Sign(False), Sign(None)


def run(code: Code, looks: Sequence[tuple[float, Sign]]) -> list[tuple[float, News]]:
    """(minute, sign) to (minute, news); the memory goes through its column each time."""
    memory, told = Memory(), []
    for minute, sign in looks:
        memory, news = step(code, Memory.load(memory.dump()), sign, NOW + minute * MINUTE)
        if news:
            told.append((minute, news))
    return told


def test_a_link_that_is_back_before_its_time_was_no_fault() -> None:
    assert run(Code.OFFLINE, [(0, HERE), (19, HERE), (19.5, NOT), (30, HERE), (49, HERE)]) == []
    assert run(Code.OFFLINE, [(0, HERE), (20, HERE), (21, NOT), (23, NOT)]) == [(20, News.RAISED), (23, News.GONE)]


def test_what_nobody_can_tell_neither_raises_nor_clears() -> None:
    assert run(Code.MAINS_LOST, [(0, HERE), (3, UNKNOWN), (6, HERE)]) == [], "it begins anew"
    assert run(Code.CABINET_HOT, [(0, HERE), (1, UNKNOWN), (600, UNKNOWN)]) == [(0, News.RAISED)]


def test_what_comes_and_goes_has_to_stay_away_longer_each_time() -> None:
    looks = [(0, HERE), (20, HERE), (21, NOT), (24, NOT), (30, HERE), (50, HERE), (51, NOT), (60, NOT), (61, NOT)]
    assert run(Code.OFFLINE, looks) == [(20, News.RAISED), (24, News.GONE), (50, News.RAISED), (61, News.GONE)]
    assert fault_memory.calm(Code.OFFLINE, Memory(returns=9)) == fault_memory.MOST_CALM


def test_the_memory_survives_its_column() -> None:
    memory, _ = step(Code.OFFLINE, Memory(), Sign(True, NOW, "x"), NOW)
    kept = {Code.OFFLINE: memory, Code.MUTE: Memory()}
    told = fault_memory.dump(kept)
    assert fault_memory.load({**told, "of_another_version": told["offline"]}) == {Code.OFFLINE: memory}


def plays(currents: Sequence[int], volume: int = 60) -> Horns:
    horns = Horns()
    for number, ma in enumerate(currents):
        horns = Horns.load(horns.after(NOW + number * MINUTE, volume, ma).dump())
    return horns


def test_one_horn_of_two_is_missed_after_two_plays_and_one_odd_play_is_nothing() -> None:
    good = [1300, 1310, 1290, 1305, 1300, 1295]
    assert plays(good).weak() == (False, "")
    assert plays([*good, 700]).weak() == (False, "")
    assert plays([*good, 700, 705]).weak() == (True, "54%")
    assert plays([*good, 700, 705, 1300]).weak() == (False, "")


def test_another_volume_is_no_weaker_horn() -> None:
    horns = plays([1300] * 8)
    for number in range(4):
        horns = horns.after(NOW + number * MINUTE, 30, 700)
    assert horns.weak() == (False, "")


def test_a_slow_drift_does_not_carry_its_measure_along() -> None:
    assert plays([1300] * 10 + [1280] * 10).drift() == (False, "98%")
    slow = [1300] * 10 + [1300 - 15 * number for number in range(30)]
    assert plays(slow).drift() == (True, "72%")
    assert plays([1300] * 6).drift() is None


def test_the_life_of_a_fault_is_what_the_table_says() -> None:
    check_move(State.NEW, State.ACKNOWLEDGED, Mover.PERSON)
    check_move(State.IN_REPAIR, State.RESOLVED, Mover.CONTROLLER)
    for before, after, mover in (
        (State.NEW, State.ACKNOWLEDGED, Mover.CONTROLLER),
        (State.RESET, State.NEW, Mover.PERSON),
        (State.RESOLVED, State.NEW, Mover.PERSON),
        (State.NEW, State.RESET, Mover.PERSON),
    ):
        with pytest.raises(Conflict, match="illegal_move"):
            check_move(before, after, mover)
    assert moves_from(State.RESET) == []
    assert {before for before, _ in MOVES} == {*OPEN, State.RESOLVED}


def cases(code: str, area: str, minutes: Sequence[float], province: str = "92") -> list[Case]:
    return [Case(f"{area}-{n}", area, province, code, NOW + at * MINUTE) for n, at in enumerate(minutes)]


def test_a_mast_that_falls_is_one_fault() -> None:
    [one] = group(cases("offline", "a", [n / 3 for n in range(14)]), {"a": 16}, Grouping())
    assert (one.area, one.code, len(one.cases)) == ("a", "offline", 14)


def test_two_poles_of_many_are_two_faults_and_so_are_three_far_apart_in_time() -> None:
    assert group(cases("offline", "a", [0, 1]), {"a": 4}, Grouping()) == []
    assert group(cases("offline", "a", [0, 1, 2]), {"a": 16}, Grouping()) == []
    assert group(cases("offline", "a", [0, 13, 26]), {"a": 3}, Grouping()) == []
    mixed = [*cases("offline", "a", [0, 1]), *cases("mains_lost", "a", [0, 1])]
    assert group(mixed, {"a": 2}, Grouping()) == []


def test_several_communes_at_once_are_one_fault_of_the_province() -> None:
    found = [
        *cases("offline", "a", [0, 1, 2]),
        *cases("offline", "b", [1, 2, 3]),
        *cases("offline", "z", [0] * 3, "91"),
    ]
    told = {(one.area, len(one.cases)) for one in group(found, {"a": 3, "b": 3, "z": 3}, Grouping())}
    assert told == {("92", 6), ("z", 3)}


def test_only_what_one_cause_can_take_with_it_is_grouped() -> None:
    assert {code for code, each in CLASSES.items() if each.grouped} == {
        *(Code.OFFLINE, Code.MUTE, Code.MAINS_LOST, Code.SUPPLY_BAD),
    }
