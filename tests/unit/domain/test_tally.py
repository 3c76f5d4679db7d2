"""The tally's rule alone: from facts to a mark, a reason and seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broadcasts.domain.tally import Facts, Mark, Why, find, sums

PRESS = datetime(2026, 11, 3, 9, 55, tzinfo=UTC)
BOUND = timedelta(seconds=10)


def at(seconds: float) -> datetime:
    return PRESS + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("facts", "mark", "why"),
    [
        (Facts("u", heard=True, sounded_at=at(1)), Mark.HEARD, None),
        (Facts("u", sounded_at=at(1)), Mark.SOUNDED, None),
        (Facts("u", heard=False, sounded_at=at(1)), Mark.MUTE, None),
        (Facts("u", told=True), Mark.REACHED, None),
        (Facts("u", told=True, holds=False), Mark.REACHED, Why.FETCHING),
        (Facts("u", told=True, skipped="no_asset"), Mark.REACHED, Why.NO_ASSET),
        (Facts("u", told=True, skipped="power_off"), Mark.REACHED, Why.SKIPPED),
        (Facts("u", told=True, over=True), Mark.NOT_REACHED, Why.EXPIRED),
        (Facts("u", connected=False, over=True), Mark.NOT_REACHED, Why.EXPIRED),
        (Facts("u", told=True, over=True, skipped="no_asset"), Mark.REACHED, Why.NO_ASSET),
        (Facts("u", connected=True), Mark.NOT_REACHED, Why.NO_ANSWER),
        (Facts("u", connected=True, refused="older"), Mark.NOT_REACHED, Why.REFUSED),
        (Facts("u", connected=False, last_sign=at(-60)), Mark.NOT_REACHED, Why.OFFLINE),
        (Facts("u"), Mark.NOT_REACHED, Why.NEVER_SEEN),
        (Facts("u", revoked=True, connected=True), Mark.NOT_REACHED, Why.REVOKED),
        (Facts(None), Mark.NOT_REACHED, Why.NO_UNIT),
        (Facts("u", silenced_at=at(9)), Mark.CANCELLED, None),
        (Facts("u", silenced_at=at(9), sounded_at=at(1)), Mark.SOUNDED, None),
    ],
)
def test_facts_become_a_mark_and_a_reason(facts: Facts, mark: Mark, why: Why | None) -> None:
    found = find(facts, PRESS, BOUND)
    assert (found.mark, found.why) == (mark, why)
    assert (found.since is not None) is (why is Why.OFFLINE)


@pytest.mark.parametrize(("seconds", "late"), [(9.9, False), (10.0, False), (10.1, True)])
def test_what_sounds_after_the_bound_is_late(seconds: float, late: bool) -> None:
    found = find(Facts("u", sounded_at=at(seconds)), PRESS, BOUND)
    assert (found.seconds, found.late) == (pytest.approx(seconds), late)


@pytest.mark.parametrize(
    ("facts", "silent", "seconds"),
    [
        (Facts("u", sounded_at=at(1)), None, None),
        (Facts("u", silenced_at=at(9), sounded_at=at(1)), False, None),
        (Facts("u", silenced_at=at(9), sounded_at=at(1), ended_at=at(5)), False, None),
        (Facts("u", silenced_at=at(9), sounded_at=at(1), ended_at=at(5), told_end=True), True, 0.0),
        (Facts("u", silenced_at=at(9), sounded_at=at(1), ended_at=at(11)), True, 2.0),
        (Facts("u", silenced_at=at(9), sounded_at=at(10), told_end=True), True, None),
        (Facts("u", silenced_at=at(9), told_end=True), True, 0.0),
        (Facts("u", silenced_at=at(9), told_end=False), False, None),
        (Facts(None, silenced_at=at(9)), True, 0.0),
    ],
)
def test_a_pole_is_silent_again_when_its_last_sound_stopped_or_it_will_not_begin(
    facts: Facts, silent: bool | None, seconds: float | None
) -> None:
    found = find(facts, PRESS, BOUND)
    assert (found.silent, found.silence_s) == (silent, seconds)


def test_the_sums_count_who_was_heard_as_sounded_and_as_reached() -> None:
    facts = [Facts("u", sounded_at=at(n), heard=True if n == 1 else None) for n in range(1, 21)]
    told = sums(find(each, PRESS, BOUND) for each in [*facts, Facts("u", told=True), Facts(None)])
    assert (told.clusters, told.reached, told.sounded, told.heard, told.late, told.not_reached) == (
        22,
        21,
        20,
        1,
        10,
        1,
    )
    assert (told.median_s, told.p95_s, told.last_s) == (10.0, 19.0, 20.0)
    empty = sums([])
    assert (empty.median_s, empty.p95_s, empty.last_s, empty.silence_last_s) == (None, None, None, None)
