"""What is looked at, what is taken along, and whose clock is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broadcasts.clock import unix_ms
from broadcasts.domain.fault_classes import CLASSES, Code
from broadcasts.domain.round_rules import CHECKS, PARTS, bring, checklist, happened_at

NOW = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
MADE = NOW - timedelta(hours=8)


@given(st.lists(st.sampled_from(list(Code)), max_size=6))
def test_what_a_fault_asks_for_comes_first_and_everything_is_asked_once(codes: list[Code]) -> None:
    asked = checklist(codes)
    assert len(asked) == len(set(asked))
    assert set(asked) <= set(CHECKS)
    assert set(checklist([])) <= set(asked)
    told = bring(codes)
    assert set(told) <= set(PARTS)
    assert sum(told.values()) == sum(len(CLASSES[code].bring) for code in codes)


@given(st.integers(-(10**14), 10**14), st.integers(-(10**14), 10**14))
def test_whatever_a_phone_says_nothing_was_written_before_the_round_or_after_now(phone: int, sent: int) -> None:
    at, _ = happened_at(phone, sent, NOW, MADE)
    assert MADE <= at <= NOW


def test_a_phone_of_1970_is_believed_about_how_long_ago_and_told_of() -> None:
    at, off = happened_at(3_600_000, 7_200_000, NOW, MADE)
    assert at == NOW - timedelta(hours=1)
    assert off < -365 * 24 * 3600


def test_a_phone_that_is_right_is_taken_at_its_word() -> None:
    ms = unix_ms(NOW)
    assert happened_at(ms - 60_000, ms, NOW, MADE) == (NOW - timedelta(minutes=1), 0)
    assert happened_at(ms + 60_000, ms, NOW, MADE) == (NOW, 0), "written down after it was sent"
    assert happened_at(None, ms, NOW, MADE) == (NOW, 0)
    assert happened_at(ms, None, NOW, MADE) == (NOW, 0)
