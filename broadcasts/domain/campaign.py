"""Whether a series is fulfilled, from evidence only: what sounded, what did not, what may still turn out (R-043)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import IntEnum, StrEnum

from broadcasts.domain.statutes import Kind

_DAY = timedelta(days=1)
WHOLE = 0.9
"""The part of a recording that has to have sounded before its playing counts. Our choice: no article names one."""


class Outcome(StrEnum):
    SOUNDED = "sounded"
    MISSED = "missed"
    """Proven not to have sounded, or not whole."""
    OPEN = "open"
    """Still to come, or nobody knows yet."""


class Status(IntEnum):
    """The lower one is the worse: of several clusters the worst speaks for the hamlet."""

    NOT_FULFILLED = 0
    POSSIBLE = 1
    FULFILLED = 2


@dataclass(frozen=True)
class Play:
    """One start at one place. `cause` is a word of the verdict's reasons, `since` the instant that belongs to it."""

    at: datetime
    outcome: Outcome
    cause: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Rule:
    """What one series is held to; fields as in `statutes.Template`, with its own numbers and instants."""

    kind: Kind
    days: int = 1
    times: int = 1
    latest_first: datetime | None = None
    """The first one sounds no later."""
    latest_day: date | None = None
    """Of a notice: once on this day or before."""
    due: tuple[datetime, ...] = ()
    """Of repeats: each of these, and at least one."""


@dataclass(frozen=True)
class Gap:
    """What is missing at one place. `day` counts the local days of the series from 1; `final` is false where evidence
    may still come."""

    cause: str
    at: datetime | None = None
    day: int = 0
    since: datetime | None = None
    final: bool = True


@dataclass(frozen=True)
class Fulfilment:
    status: Status
    gaps: Sequence[Gap] = ()
    sounded: int = 0
    open: int = 0


def check(rule: Rule, plays: Iterable[Play], now: datetime, zone: tzinfo) -> Fulfilment:
    """Fulfilled by what sounded; still possible if all that is open turned out well; else not fulfilled."""
    every = sorted(plays, key=lambda play: play.at)
    good = [play.at for play in every if play.outcome is Outcome.SOUNDED]
    hoped = [play.at for play in every if play.outcome is not Outcome.MISSED]
    if met(rule, good, zone):
        status = Status.FULFILLED
    else:
        status = Status.POSSIBLE if met(rule, hoped, zone) else Status.NOT_FULFILLED
    gaps = _gaps(every, now, zone)
    if rule.latest_first is not None and hoped and hoped[0] > rule.latest_first:
        gaps.append(Gap("first_late", hoped[0], 1, rule.latest_first))
    if status is Status.NOT_FULFILLED and not gaps:
        gaps.append(Gap("too_few"))
    return Fulfilment(status, gaps, len(good), len(hoped) - len(good))


def worst(found: Iterable[Fulfilment]) -> Status:
    """Of the clusters of a hamlet; nothing planned there is not fulfilled."""
    return min((each.status for each in found), default=Status.NOT_FULFILLED)


def met(rule: Rule, sounded: Iterable[datetime], zone: tzinfo) -> bool:
    """Whether these starts alone fulfil the rule. Adding one never turns a yes into a no."""
    found = set(sounded)
    if not found:
        return False
    if rule.latest_first is not None and min(found) > rule.latest_first:
        return False
    days = Counter(each.astimezone(zone).date() for each in found)
    match rule.kind:
        case Kind.CONSECUTIVE:
            return longest_run(day for day, count in days.items() if count >= rule.times) >= rule.days
        case Kind.SPREAD:
            return len(found) >= rule.times and (max(days) - min(days)).days + 1 >= rule.days
        case Kind.NOTICE:
            return rule.latest_day is not None and min(days) <= rule.latest_day
        case Kind.REPEATS:
            return bool(rule.due) and found.issuperset(rule.due)


def longest_run(days: Iterable[date]) -> int:
    """Of days without one missing between them."""
    there = set(days)
    best = 0
    for day in there:
        if day - _DAY not in there:
            length = 1
            while day + length * _DAY in there:
                length += 1
            best = max(best, length)
    return best


def _gaps(plays: Sequence[Play], now: datetime, zone: tzinfo) -> list[Gap]:
    """What did not sound, and what should have and is not known."""
    if not plays:
        return []
    first = plays[0].at.astimezone(zone).date()
    return [
        Gap(
            play.cause or "unknown",
            play.at,
            (play.at.astimezone(zone).date() - first).days + 1,
            play.since,
            final=play.outcome is Outcome.MISSED,
        )
        for play in plays
        if play.outcome is Outcome.MISSED or (play.outcome is Outcome.OPEN and play.cause and play.at <= now)
    ]
