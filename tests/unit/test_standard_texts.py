"""The words that every station begins with."""

from __future__ import annotations

import pytest

from broadcasts.domain.reading.reader import read
from broadcasts.domain.reading.sentences import split
from broadcasts.wire.alert import AlertKind
from controller.services.standard_texts import (
    AFTER_DRILL,
    BEFORE_DRILL,
    StandardText,
    as_drill,
    standard_text,
    standard_texts,
)

AROUND_A_DRILL = {BEFORE_DRILL, AFTER_DRILL}


def test_every_kind_of_alert_has_its_words_once() -> None:
    kinds = [each.kind for each in standard_texts()]
    assert sorted(kinds) == sorted({*AlertKind, *AROUND_A_DRILL})


@pytest.mark.parametrize("given", standard_texts(), ids=lambda given: given.kind)
def test_a_standard_text_is_short_and_is_read_without_any_doubt(given: StandardText) -> None:
    reading = read(given.text)
    assert (reading.doubtful, reading.left_out) == ((), ())
    assert 40 < len(given.text) < 260
    assert all(len(sentence.text) < 180 for sentence in split(reading.spoken))
    assert given.title
    assert given.title == given.title.strip()


@pytest.mark.parametrize("given", standard_texts(), ids=lambda given: given.kind)
def test_only_a_drill_speaks_of_a_drill(given: StandardText) -> None:
    assert ("diễn tập" in given.text.lower()) == (given.kind in AROUND_A_DRILL)


@pytest.mark.parametrize(
    ("kind", "number"), [("fire", "một một bốn"), ("flood", "một một hai"), ("missing", "một một ba")]
)
def test_numbers_to_call_are_said_digit_by_digit(kind: str, number: str) -> None:
    found = standard_text(kind)
    assert found is not None
    assert f"số {number}" in read(found.text).spoken


def test_a_drill_says_so_before_and_after() -> None:
    text = as_drill("Cháy! Cháy!")
    assert text.startswith("Diễn tập!")
    assert text.endswith("Xin cảm ơn bà con.")
    assert text.split("\n")[1] == "Cháy! Cháy!"


def test_there_are_no_words_in_a_language_that_nobody_wrote() -> None:
    assert standard_text("storm", "km") is None
    with pytest.raises(KeyError):
        as_drill("…", "km")
