"""The words that every station begins with."""

from __future__ import annotations

import pytest

from broadcasts.domain.reading.reader import read
from broadcasts.domain.reading.sentences import split
from broadcasts.wire.alert import AlertKind
from controller.services.standard_texts import AROUND_A_DRILL, StandardText, standard_texts


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
    texts = {each.kind: each.text for each in standard_texts()}
    assert f"số {number}" in read(texts[kind]).spoken
