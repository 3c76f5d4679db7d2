"""The parts of a programme follow each other."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.programme import BREATH, length, offsets

lengths = st.lists(st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1)), min_size=1, max_size=30)


def test_each_part_begins_on_the_next_whole_second_with_room_to_breathe() -> None:
    told = [timedelta(seconds=4), timedelta(seconds=9.6), timedelta(minutes=3)]
    assert offsets(told) == [timedelta(0), timedelta(seconds=5), timedelta(seconds=16)]
    assert length(told) == timedelta(seconds=196)
    assert (offsets([]), length([])) == ([], timedelta(0))


@given(lengths)
def test_no_part_begins_before_the_one_before_has_ended_nor_long_after(told: list[timedelta]) -> None:
    found = offsets(told)
    for (begin, long), (following, _) in pairwise(zip(found, told, strict=True)):
        assert BREATH <= following - (begin + long) < BREATH + timedelta(seconds=1)
    assert all(each % timedelta(seconds=1) == timedelta(0) for each in found)
    assert length(told) == found[-1] + told[-1]
