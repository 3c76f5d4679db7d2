"""Days that somebody typed, as instants."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from broadcasts.errors import Refused
from controller.web.days import begin_of, end_of


def test_a_day_of_viet_nam_begins_and_ends_at_its_midnights() -> None:
    assert begin_of("2026-03-03", "since") == datetime(2026, 3, 2, 17, tzinfo=UTC)
    assert end_of("2026-03-03", "until") == datetime(2026, 3, 3, 17, tzinfo=UTC)
    assert begin_of("", "since") is None


@pytest.mark.parametrize("told", ["0001-01-01", "2026-02-30", "morgen", "0000-01-01"])
def test_a_day_that_no_database_can_hold_is_refused(told: str) -> None:
    with pytest.raises(Refused, match=r"choice\.unknown"):
        begin_of(told, "since")


def test_no_day_follows_the_last_one() -> None:
    with pytest.raises(Refused, match=r"choice\.unknown"):
        end_of("9999-12-31", "until")
