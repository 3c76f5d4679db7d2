"""When an item may begin, and where in its sound: the unit's own reading of CONTRACT.md, section 5.

Pure arithmetic on Unix milliseconds; written from the contract, never shared with the controller.
"""

from __future__ import annotations

from dataclasses import dataclass

from broadcasts.wire.plan import Item, Late, OnPreempt, Policy, Window

ON_TIME_MS = 1_000
"""A start within the second is a start on the second."""
DAY_MS = 86_400_000
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Begin:
    """It may begin now, `offset_ms` into its sound; this chance stands up to and with `until`."""

    offset_ms: int
    until: int


@dataclass(frozen=True, slots=True)
class Wait:
    until: int


@dataclass(frozen=True, slots=True)
class Over:
    """It can not begin any more; `since` is the last instant at which it could."""

    since: int
    hard_end: bool = False


Chance = Begin | Wait | Over


def order(item: Item) -> tuple[int, int, int, str]:
    """Lower goes first."""
    return item.level, -item.rank, item.start, item.id


def first_chance(item: Item, duration_ms: int, now: int) -> Chance:
    """For an item that never began and lost the horn to nobody."""
    if (gone := _gone(item, now)) is not None:
        return gone
    if now < item.start:
        return Wait(item.start)
    slot_end = item.start + duration_ms
    whole_until = max(item.not_after, item.start + min(ON_TIME_MS, duration_ms))
    if item.late is Late.SHIFT:
        return Begin(0, whole_until) if now <= whole_until else Over(whole_until)
    if now < slot_end:
        until = slot_end - 1 if item.late is Late.DROP else max(slot_end - 1, item.not_after)
        return Begin(0 if now <= item.start + ON_TIME_MS else now - item.start, until)
    if item.late is Late.PLAY:
        return Begin(0, item.not_after) if now <= item.not_after else Over(max(slot_end, item.not_after))
    return Over(slot_end)


def after_losing(item: Item, duration_ms: int, origin_ms: int, now: int) -> Chance:
    """For an item that a better one displaced. `origin_ms`: where its beginning lies on the clock."""
    if (gone := _gone(item, now)) is not None:
        return gone
    if now < item.start:
        return Wait(item.start)
    match item.on_preempt:
        case OnPreempt.RESUME:
            return rejoin(item, duration_ms, origin_ms, now)
        case OnPreempt.RESTART:
            return Begin(0, item.not_after) if now <= item.not_after else Over(item.not_after)
        case OnPreempt.NEXT_SLOT:
            until = item.deadline if item.deadline is not None else item.not_after
            return Begin(0, until) if now <= until else Over(until)
        case OnPreempt.DROP:
            return Over(now)


def rejoin(item: Item, duration_ms: int, origin_ms: int, now: int) -> Chance:
    """For an item that was cut in the middle: goes on where the clock demands."""
    if (gone := _gone(item, now)) is not None:
        return gone
    end = origin_ms + duration_ms
    return Begin(max(0, now - origin_ms), end - 1) if now < end else Over(end)


def _gone(item: Item, now: int) -> Over | None:
    return Over(item.hard_end, hard_end=True) if item.hard_end is not None and now >= item.hard_end else None


def inside_hours(policy: Policy, begin: int, end: int) -> bool:
    """Whether [begin, end) lies inside one window. Windows that touch, also over midnight, count as one."""
    if policy.weekend_hours is not None:
        return _inside_a_week(policy, policy.weekend_hours, begin, end)
    spans = _joined(policy.hours)
    if spans == [(0, DAY_MS)]:
        return True
    local = begin + policy.utc_offset_min * MINUTE_MS
    midnight = local - local % DAY_MS
    length = end - begin
    for day in (-1, 0):
        for first, last in spans:
            if midnight + day * DAY_MS + first <= local and local + length <= midnight + day * DAY_MS + last:
                return True
    return False


def next_closing(policy: Policy, now: int, length: int) -> int | None:
    """The next instant from which on a sound of this length may reach past the end of some hours."""
    midnight = now - (now + policy.utc_offset_min * MINUTE_MS) % DAY_MS
    windows = [*policy.hours, *(policy.weekend_hours or [])]
    marks = [midnight + day * DAY_MS + each.end * MINUTE_MS - length + 1 for each in windows for day in (0, 1)]
    return min((mark for mark in marks if mark > now), default=None)


def next_opening(policy: Policy, now: int) -> int | None:
    """The next instant at which some hours begin."""
    midnight = now - (now + policy.utc_offset_min * MINUTE_MS) % DAY_MS
    windows = [*policy.hours, *(policy.weekend_hours or [])]
    marks = [midnight + day * DAY_MS + each.start * MINUTE_MS for each in windows for day in (0, 1)]
    return min((mark for mark in marks if mark > now), default=None)


def _inside_a_week(policy: Policy, weekend: list[Window], begin: int, end: int) -> bool:
    """Minute marks are laid out over the local days that the sound may touch."""
    shift = policy.utc_offset_min * MINUTE_MS
    covered = begin + shift
    for day in range((begin + shift) // DAY_MS - 1, (end + shift) // DAY_MS + 1):
        saturday_or_sunday = (day + 3) % 7 >= 5  # day 0, 1 January 1970, was a Thursday
        for window in sorted(weekend if saturday_or_sunday else policy.hours, key=lambda each: each.start):
            if day * DAY_MS + window.start * MINUTE_MS <= covered:
                covered = max(covered, day * DAY_MS + window.end * MINUTE_MS)
    return begin + shift < covered and end + shift <= covered


def _joined(windows: list[Window]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for window in sorted(windows, key=lambda each: each.start):
        begin, end = window.start * MINUTE_MS, window.end * MINUTE_MS
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((begin, end))
    if len(spans) > 1 and spans[0][0] == 0 and spans[-1][1] == DAY_MS:
        # Over midnight: the evening window runs on into the next morning.
        spans.append((spans.pop()[0], DAY_MS + spans[0][1]))
    return spans


def ceiling(policy: Policy, now: int) -> int:
    """The lowest ceiling in force at `now`."""
    minute = _minute(policy, now)
    return min((each.volume for each in policy.ceilings if each.start <= minute < each.end), default=100)


def next_ceiling_change(policy: Policy, now: int) -> int | None:
    """The next instant at which `ceiling` may change."""
    if not policy.ceilings:
        return None
    local = now + policy.utc_offset_min * MINUTE_MS
    into = local % DAY_MS
    marks = {mark * MINUTE_MS for each in policy.ceilings for mark in (each.start, each.end)}
    return min(now + ((mark - into - 1) % DAY_MS) + 1 for mark in marks)


def _minute(policy: Policy, now: int) -> int:
    return (now + policy.utc_offset_min * MINUTE_MS) % DAY_MS // MINUTE_MS
