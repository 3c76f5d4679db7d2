"""The arithmetic of hours, ceilings and chances against slow and obvious versions of itself."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rig import Rig
from support.signed import MINUTE, SECOND, T0, Ceiling, Window, asset_of, item, opus, policy

from broadcasts.wire.journal import Ended, Outcome, Skipped
from broadcasts.wire.plan import Item, Late, OnPreempt
from device_sim import rules

windows = st.lists(
    st.tuples(st.integers(0, 1440), st.integers(0, 1440)).filter(lambda pair: pair[0] < pair[1]), max_size=5
)


@given(windows, st.integers(0, 3 * 1440), st.integers(1, 600), st.sampled_from([420, 0, -300]))
def test_a_sound_is_inside_hours_when_each_of_its_minutes_is_allowed_without_a_gap(
    pairs: list[tuple[int, int]], begin: int, length: int, offset: int
) -> None:
    hours = policy(hours=[Window(start=a, end=b) for a, b in pairs], utc_offset_min=offset)
    allowed = {minute for a, b in pairs for minute in range(a, b)}
    expected = all((begin + offset + n) % 1440 in allowed for n in range(length))
    start = T0 + begin * MINUTE
    assert rules.inside_hours(hours, start, start + length * MINUTE) is (expected and length <= 1440)


def test_a_sound_that_ends_with_the_window_is_inside_and_a_millisecond_more_is_not() -> None:
    hours = policy(hours=[Window(start=300, end=480)])
    end = T0 + 60 * MINUTE  # 08:00 at the pole
    assert rules.inside_hours(hours, end - MINUTE, end)
    assert not rules.inside_hours(hours, end - MINUTE, end + 1)


@given(
    st.lists(st.tuples(st.integers(0, 1438), st.integers(1, 1440), st.integers(0, 100)), max_size=4),
    st.integers(0, 1439),
)
def test_between_two_changes_the_ceiling_stands_still(raw: list[tuple[int, int, int]], minute: int) -> None:
    ceilings = [Ceiling(start=min(a, b), end=max(a, b), volume=v) for a, b, v in raw if a != b]
    rule = policy(ceilings=ceilings)
    now = T0 + minute * MINUTE + 17 * SECOND
    change = rules.next_ceiling_change(rule, now)
    until = change if change is not None else now + 1440 * MINUTE
    assert until > now
    assert all(rules.ceiling(rule, at) == rules.ceiling(rule, now) for at in range(now, until, 13 * MINUTE))
    assert rules.ceiling(rule, until - 1) == rules.ceiling(rule, now)


items = st.builds(
    lambda start, allow, **fields: (start, allow, fields),
    start=st.integers(0, 40),
    allow=st.integers(0, 20),
    level=st.sampled_from([2, 3, 3]),
    rank=st.sampled_from([0, 0, 1, 5]),
    on_preempt=st.sampled_from(OnPreempt),
    late=st.sampled_from(Late),
    n=st.integers(0, 2),
)
SOUNDS = [(opus(length, str(length), 640), length) for length in (2 * MINUTE, 3 * MINUTE, 7 * MINUTE)]
ASSETS = [(asset_of(data, length), data) for data, length in SOUNDS]


def plan_of(drawn: list[tuple[int, int, dict[str, object]]]) -> list[Item]:
    made = []
    for number, (start, allow, fields) in enumerate(drawn):
        at = T0 + (5 + start) * MINUTE
        asset = ASSETS[int(str(fields.pop("n", 0)))][0]
        end = at + allow * MINUTE
        made.append(item(f"i-{number}", asset, at, not_after=end, deadline=end, **fields))
    return made


@settings(max_examples=60, deadline=None)
@given(st.lists(items, min_size=1, max_size=8), st.integers(0, 2**32))
def test_whatever_is_planned_each_item_sounds_wholly_at_most_once_and_has_an_answer(
    drawn: list[tuple[int, int, dict[str, object]]], seed: int
) -> None:
    chance = random.Random(seed)
    rig = Rig()
    rig.hold(*ASSETS)
    planned = plan_of([(start, allow, dict(fields)) for start, allow, fields in drawn])
    rig.plan(planned, [asset for asset, _ in ASSETS])
    now = T0
    while now < T0 + 90 * MINUTE:
        now += chance.randint(1, 30 * MINUTE)
        rig.run(now)
        if chance.random() < 0.3:
            rig.power_off()
            rig.run(now + chance.randint(1, 3 * MINUTE))
            rig.power_on()
    rig.run(T0 + 120 * MINUTE)
    sounds = rig.heard
    assert all(a.to_ms <= b.from_ms for a, b in pairwise(sounds))
    lengths = {asset.sha256: asset.duration_ms for asset, _ in ASSETS}
    for each in planned:
        whole = [s for s in sounds if s.item == each.id and s.to_ms - s.from_ms == lengths[each.asset]]
        assert len(whole) <= 1
        assert all(s.from_ms >= each.start for s in sounds if s.item == each.id)
        answers = [e for e in rig.journal(each.id) if isinstance(e, Ended | Skipped)]
        assert answers
        settled = [e for e in answers if isinstance(e, Skipped) or e.outcome is not Outcome.PREEMPTED]
        assert len(settled) <= 1
        if whole:
            assert settled
            assert isinstance(settled[0], Ended)


@pytest.mark.parametrize("late", list(Late))
def test_a_chance_ends_when_it_says(late: Late) -> None:
    each = item("x", ASSETS[0][0], T0, late=late, not_after=T0 + 4 * MINUTE)
    now = T0
    while isinstance(chance := rules.first_chance(each, 2 * MINUTE, now), rules.Begin):
        assert chance.until >= now
        later = rules.first_chance(each, 2 * MINUTE, chance.until)
        assert isinstance(later, rules.Begin)
        now = chance.until + 1
    assert isinstance(chance, rules.Over)
    assert now == T0 + (2 * MINUTE if late is Late.DROP else 4 * MINUTE + 1)
