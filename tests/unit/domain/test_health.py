"""The rule of health by itself: what is blamed for what, and what is nobody's fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broadcasts.domain.ear import Answer
from broadcasts.domain.fault_classes import BY_THE_UNIT, CLASSES, Code, Question
from broadcasts.domain.health import Limits, Numbers, Proof, Seen, answers, look

NOW = datetime(2027, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(days=3)
LIMITS = Limits()
NUMBERS = Numbers(NOW - MINUTE, NOW - MINUTE, True, 228, 35, -80, 1900, 20)
WELL = Seen(
    enrolled_at=LONG_AGO,
    connected=True,
    presence_at=LONG_AGO,
    last_sign=NOW - MINUTE,
    numbers=NUMBERS,
    clock_trusted=True,
    reported_at=LONG_AGO,
    proof=Proof(NOW - timedelta(hours=1), True, 1300),
)


def here(seen: Seen, *standing: str, listening: datetime | None = LONG_AGO, at: datetime = NOW) -> set[Code]:
    return {code for code, sign in look(at, seen, listening, frozenset(standing), LIMITS).items() if sign.here}


def with_numbers(**changed: Any) -> Seen:
    return replace(WELL, numbers=replace(NUMBERS, **changed))


def test_nothing_is_wrong_with_what_is_well() -> None:
    assert here(WELL) == set()


@pytest.mark.parametrize(
    ("seen", "blamed"),
    [
        (replace(WELL, connected=False, presence_at=NOW - MINUTE), Code.OFFLINE),
        (replace(WELL, last_sign=NOW - 16 * MINUTE), Code.MUTE),
        (with_numbers(on_mains=False, volts=12.4), Code.MAINS_LOST),
        (with_numbers(volts=255), Code.SUPPLY_BAD),
        (with_numbers(volts=80), Code.SUPPLY_BAD),
        (with_numbers(temperature_c=75), Code.CABINET_HOT),
        (with_numbers(storage_free_mb=19), Code.STORAGE_FULL),
        (with_numbers(signal_dbm=-109), Code.SIGNAL_WEAK),
        (with_numbers(said_at=datetime(1970, 1, 1, tzinfo=UTC)), Code.CLOCK_WRONG),
        (with_numbers(said_at=NOW + timedelta(days=400)), Code.CLOCK_WRONG),
        (replace(WELL, clock_trusted=False), Code.CLOCK_WRONG),
        (replace(WELL, proof=Proof(NOW, False, 12)), Code.LINE_OPEN),
        (replace(WELL, proof=Proof(NOW, False, 0)), Code.AMPLIFIER_DEAD),
        (replace(WELL, proof=Proof(NOW, False, 1300, "ear")), Code.FAILED_TO_SOUND),
        (replace(WELL, quota_mb=22), Code.QUOTA_NEAR),
        (replace(WELL, connections=[NOW - n * MINUTE for n in range(12)]), Code.LINK_FLAPPING),
        (replace(WELL, boots=[NOW - n * 30 * MINUTE for n in range(6)]), Code.RESTARTS),
        (replace(WELL, raised={"a_new_code": (NOW, "x")}), Code.OTHER),
        *((replace(WELL, raised={name: (NOW, "")}), code) for name, code in BY_THE_UNIT.items()),
    ],
)
def test_each_trouble_is_blamed_for_itself_alone(seen: Seen, blamed: Code) -> None:
    assert here(seen) == {blamed}


def test_a_battery_that_runs_out_says_so_beside_the_mains_that_are_gone() -> None:
    assert here(with_numbers(on_mains=False, volts=11.5)) == {Code.MAINS_LOST, Code.BATTERY_LOW}
    assert here(with_numbers(on_mains=False, volts=23.1)) == {Code.MAINS_LOST, Code.BATTERY_LOW}, "of 24 V"
    assert here(with_numbers(on_mains=False, volts=24.9)) == {Code.MAINS_LOST}


def test_what_stands_has_to_fall_below_the_lower_mark() -> None:
    warm = with_numbers(temperature_c=70)
    assert here(warm) == set()
    assert here(warm, Code.CABINET_HOT) == {Code.CABINET_HOT}
    assert here(with_numbers(temperature_c=64), Code.CABINET_HOT) == set()


def test_while_we_hear_nobody_no_unit_is_blamed_for_silence() -> None:
    gone = replace(WELL, connected=False, presence_at=NOW - timedelta(hours=3))
    assert here(gone, listening=None) == set()
    told = answers(NOW, gone, None, {}, LIMITS)
    assert told[Question.CONNECTED].answer is Answer.UNKNOWN
    sign = look(NOW, gone, NOW - MINUTE, frozenset(), LIMITS)[Code.OFFLINE]
    assert sign.since == NOW - MINUTE, "it counts from when we listened again"


def test_a_unit_that_is_away_neither_cools_down_nor_gets_hot() -> None:
    away = replace(with_numbers(temperature_c=20), connected=False, presence_at=NOW - MINUTE)
    assert look(NOW, away, LONG_AGO, frozenset({Code.CABINET_HOT}), LIMITS)[Code.CABINET_HOT].here is None


def test_an_empty_data_plan_is_blamed_for_the_link_that_is_gone() -> None:
    gone = replace(WELL, connected=False, presence_at=NOW - MINUTE, quota_mb=20)
    assert here(gone) == {Code.QUOTA_USED}


def test_no_current_is_told_apart_from_no_horn_also_when_only_a_test_told_it() -> None:
    silent = replace(WELL, proof=Proof(NOW, False, None, "test"))
    assert here(silent) == {Code.LINE_OPEN}
    assert here(silent, Code.AMPLIFIER_DEAD) == {Code.AMPLIFIER_DEAD}


def test_the_four_answers_are_four_things() -> None:
    told = answers(NOW, WELL, LONG_AGO, {}, LIMITS)
    assert {question: each.answer for question, each in told.items()} == dict.fromkeys(Question, Answer.YES)
    mute = replace(WELL, last_sign=NOW - 70 * MINUTE, numbers=replace(NUMBERS, came_at=NOW - 70 * MINUTE))
    told = answers(NOW, mute, LONG_AGO, {Code.MUTE: NOW}, LIMITS)
    assert [told[each].answer for each in Question] == [Answer.YES, Answer.NO, Answer.UNKNOWN, Answer.YES]
    cut = answers(NOW, WELL, LONG_AGO, {Code.LINE_OPEN: NOW - MINUTE}, LIMITS)
    assert [cut[each].answer for each in Question] == [Answer.YES, Answer.YES, Answer.NO, Answer.NO]
    assert cut[Question.ABLE].reasons == (Code.LINE_OPEN,)
    assert cut[Question.ABLE].since == NOW - MINUTE
    never = answers(NOW, Seen(), LONG_AGO, {}, LIMITS)
    assert {each.answer for each in never.values()} == {Answer.UNKNOWN}


def test_every_class_keeps_its_promise_on_paper() -> None:
    """What is promised leaves time for what it waits for itself, and for one look a minute."""
    for code, each in CLASSES.items():
        assert each.within > each.raise_after, code
    assert set(CLASSES) == set(Code)


def test_the_guide_tells_the_promises_as_the_table_has_them() -> None:
    text = (Path(__file__).parents[3] / "deploy" / "README.md").read_text(encoding="utf-8")
    for code, each in CLASSES.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"| `{code}` | {each.urgency} |")]
        assert f"| {each.within // MINUTE} min |" in line
