"""How much may sound in a session, a day, a week (R-052)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from broadcasts.clock import VIETNAM
from broadcasts.domain.limits import Limits, Sound, excesses

MONDAY = datetime(2026, 3, 2, 6, 0, tzinfo=VIETNAM).astimezone(UTC)


def sound(hours: float, minutes: float) -> Sound:
    """So many hours after Monday 06:00, so long."""
    start = MONDAY + timedelta(hours=hours)
    return start, start + timedelta(minutes=minutes)


def over(there: list[Sound], more: list[Sound], **most: float) -> list[tuple[str, float]]:
    limits = Limits(**{kind: timedelta(minutes=minutes) for kind, minutes in most.items()})
    return [(each.kind, (each.at - MONDAY) / timedelta(hours=1)) for each in excesses(there, more, limits, VIETNAM)]


def test_without_limits_nothing_is_too_much() -> None:
    assert over([sound(0, 600)], [sound(1, 600)]) == []


def test_what_follows_within_five_minutes_is_one_session() -> None:
    assert over([sound(0, 20)], [sound(0.4, 20)], session=30) == [("session", 0.4)]
    assert over([sound(0, 20)], [sound(0.5, 20)], session=30) == []


def test_a_session_reaches_over_several_sounds_on_both_sides() -> None:
    assert over([sound(0, 10), sound(0.5, 10)], [sound(0.25, 12)], session=30) == [("session", 0.25)]


def test_the_limit_of_a_day_counts_what_is_there_already_and_lets_later_smaller_ones_in() -> None:
    more = [sound(6, 50), sound(8, 10), sound(24, 50)]
    assert over([sound(0, 20)], more, day=60) == [("day", 6)]


def test_a_week_begins_on_monday() -> None:
    assert over([sound(0, 60)], [sound(6 * 24, 30), sound(7 * 24, 60)], week=80) == [("week", 144)]


def test_a_day_is_a_local_day() -> None:
    late = (MONDAY + timedelta(hours=17, minutes=55), MONDAY + timedelta(hours=18, minutes=5))
    assert over([sound(0, 50)], [late, sound(18.5, 50)], day=60) == []
