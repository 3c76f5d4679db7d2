"""A bad day costs a second because everything slow is made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.bad_day import BadDay, Studio


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio.open(tmp_path_factory.mktemp("studio"))


@pytest.fixture
def open_day(studio: Studio) -> Iterator[Callable[..., BadDay]]:
    """`open_day("03:00")`: a day that is looked at from then on."""
    opened: list[BadDay] = []

    def begin(opens: str = "07:00") -> BadDay:
        opened.append(BadDay(studio, opens))
        return opened[-1]

    yield begin
    for day in opened:
        day.close()


@pytest.fixture
def day(open_day: Callable[..., BadDay]) -> BadDay:
    return open_day()
