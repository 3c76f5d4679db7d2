"""Where bars and marks of the picture of a pole's past lie."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from broadcasts.clock import VIETNAM
from controller.web.lanes import LEAST, WIDE, Span, bars, columns, ticks

BEGIN = datetime(2026, 3, 3, 12, 0, tzinfo=VIETNAM)
END = BEGIN + timedelta(days=1)


def hours(first: float, last: float | None, kind: str = "there") -> Span:
    end = None if last is None else BEGIN + timedelta(hours=last)
    return Span(BEGIN + timedelta(hours=first), end, kind, "")


@pytest.mark.parametrize(
    ("span", "x", "width"),
    [
        (hours(0, 24), 0.0, WIDE),
        (hours(6, 12), 90.0, 90.0),
        (hours(-5, 6), 0.0, 90.0),
        (hours(18, 40), 270.0, 90.0),
        (hours(12, None), 180.0, 180.0),
        (hours(1, 1.001), 15.0, LEAST),
        (hours(23.999, 24), WIDE - LEAST, LEAST),
    ],
)
def test_a_bar_is_cut_to_the_picture_and_never_too_thin_to_be_seen(span: Span, x: float, width: float) -> None:
    [bar] = bars([span], BEGIN, END)
    assert (bar.x, bar.width) == (round(x, 1), round(width, 1))


@pytest.mark.parametrize("span", [hours(-5, -1), hours(-5, 0), hours(24, 30), hours(24, None)])
def test_what_lies_outside_is_not_drawn(span: Span) -> None:
    assert bars([span], BEGIN, END) == []


@pytest.mark.parametrize(("days", "first", "count"), [(1, 16, 5), (7, 0, 7), (30, 0, 6)])
def test_marks_are_hours_of_a_day_and_midnights_of_more(days: int, first: int, count: int) -> None:
    found = ticks(BEGIN, BEGIN + timedelta(days=days))
    assert {each.at.hour % 4 for each in found} == {0}
    assert found[0].at.hour == first
    assert abs(len(found) - count) <= 1
    assert all(14 <= each.x <= WIDE - 14 for each in found)


def test_a_column_is_as_high_as_its_share_and_nothing_is_no_column() -> None:
    assert columns([1.0, 0.5, None, 2.0], wide=40, high=10) == [
        (0.0, 0.0, 10.0), (10.0, 5.0, 5.0), (20.0, 10.0, 0.0), (30.0, 0.0, 10.0),
    ]  # fmt: skip
