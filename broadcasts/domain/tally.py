"""What an emergency came to at each pole, from what its unit told (R-069): sent is never shown as done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Mark(StrEnum):
    """From the best to the worst."""

    HEARD = "heard"
    """It sounded whole or in part, and a sensor agrees."""
    SOUNDED = "sounded"
    """Samples left the decoder; no sensor says more, or not yet."""
    MUTE = "mute"
    """The decoder ran, and the amplifier drew nothing: failed to sound."""
    REACHED = "reached"
    """The unit has applied a list that carries it, and has not begun."""
    NOT_REACHED = "not_reached"
    CANCELLED = "cancelled"
    """Silenced before the unit had heard of it: it will never sound there."""


class Why(StrEnum):
    """Why a unit has not begun, or was not reached."""

    NO_UNIT = "no_unit"
    REVOKED = "revoked"
    OFFLINE = "offline"
    NEVER_SEEN = "never_seen"
    REFUSED = "refused"
    NO_ASSET = "no_asset"
    FETCHING = "fetching"
    EXPIRED = "expired"
    """It was over before the unit knew of it, or could sound it."""
    SKIPPED = "skipped"
    NO_ANSWER = "no_answer"
    """Connected, and has not reported the list yet."""


@dataclass(frozen=True)
class Facts:
    """Of one pole. `told`: its unit reported a list that carries the alert; `told_end`: one that carries it no more,
    none where the alert still stands. `ended_at`: when its last sounding stopped. `skipped`: why it says that it never
    sounded. `holds`: the files of the alert are on its disk. `refused`: why it refused the list."""

    unit: str | None
    revoked: bool = False
    connected: bool | None = None
    last_sign: datetime | None = None
    told: bool = False
    told_at: datetime | None = None
    told_end: bool | None = None
    sounded_at: datetime | None = None
    ended_at: datetime | None = None
    heard: bool | None = None
    skipped: str = ""
    holds: bool = True
    refused: str = ""
    silenced_at: datetime | None = None
    over: bool = False
    """Its hard end has passed."""


@dataclass(frozen=True)
class Finding:
    """`seconds` from the release (end of the cancel interval) to the first sound. `since`: for how long the unit has
    been away. `silence_s` from the silencing to the end of the sound at this pole, 0 where nothing sounded then; none:
    not known, or not silenced."""

    mark: Mark
    why: Why | None = None
    detail: str = ""
    seconds: float | None = None
    late: bool = False
    since: datetime | None = None
    silence_s: float | None = None
    silent: bool | None = None
    """Whether it is known to be silent again; none while the alert stands."""


def find(facts: Facts, released_at: datetime, bound: timedelta) -> Finding:
    """`bound`: what comes later after the release is late."""
    seconds = None if facts.sounded_at is None else (facts.sounded_at - released_at).total_seconds()
    late = seconds is not None and seconds > bound.total_seconds()
    silent, silence_s = _silence(facts)
    mark, why, detail = _mark(facts)
    since = facts.last_sign if why is Why.OFFLINE else None
    return Finding(mark, why, detail, seconds, late, since, silence_s, silent)


def _mark(facts: Facts) -> tuple[Mark, Why | None, str]:
    if facts.heard:
        return Mark.HEARD, None, ""
    if facts.sounded_at is not None:
        return (Mark.MUTE if facts.heard is False else Mark.SOUNDED), None, ""
    if facts.unit is None:
        return Mark.NOT_REACHED, Why.NO_UNIT, ""
    if facts.revoked:
        return Mark.NOT_REACHED, Why.REVOKED, ""
    if facts.silenced_at is not None:
        return Mark.CANCELLED, None, ""
    if facts.skipped:
        known = facts.skipped in (Why.NO_ASSET, Why.EXPIRED)
        return Mark.REACHED, Why(facts.skipped) if known else Why.SKIPPED, "" if known else facts.skipped
    if facts.over:
        # Whoever knew of it in time and did not sound it says so in the journal.
        return Mark.NOT_REACHED, Why.EXPIRED, ""
    if facts.told:
        return Mark.REACHED, None if facts.holds else Why.FETCHING, ""
    if facts.refused:
        return Mark.NOT_REACHED, Why.REFUSED, facts.refused
    if facts.connected:
        return Mark.NOT_REACHED, Why.NO_ANSWER, ""
    return Mark.NOT_REACHED, Why.NEVER_SEEN if facts.last_sign is None else Why.OFFLINE, ""


def _silence(facts: Facts) -> tuple[bool | None, float | None]:
    begun, ended, silenced = facts.sounded_at, facts.ended_at, facts.silenced_at
    if silenced is None:
        return None, None
    if facts.unit is None or (begun is None and facts.told_end):
        return True, 0.0
    if begun is not None and ended is not None and ended >= silenced:
        return True, (ended - silenced).total_seconds()
    if begun is not None and begun <= silenced and ended is not None and facts.told_end:
        return True, 0.0  # between two soundings
    return bool(facts.told_end), None


@dataclass(frozen=True)
class Sums:
    """`sounded` counts those that were heard as well; `late` and `lagging` are of these. `median_s`, `p95_s`, `last_s`:
    from the release to sound."""

    clusters: int
    reached: int
    sounded: int
    heard: int
    mute: int
    late: int
    not_reached: int
    silent: int
    median_s: float | None = None
    p95_s: float | None = None
    last_s: float | None = None
    silence_last_s: float | None = None


def sums(findings: Iterable[Finding]) -> Sums:
    found = list(findings)
    marks = Counter(one.mark for one in found)
    seconds = sorted(one.seconds for one in found if one.seconds is not None)
    quiet = [one.silence_s for one in found if one.silence_s is not None]
    sounded = marks[Mark.SOUNDED] + marks[Mark.HEARD]
    return Sums(
        clusters=len(found),
        reached=sounded + marks[Mark.MUTE] + marks[Mark.REACHED],
        sounded=sounded,
        heard=marks[Mark.HEARD],
        mute=marks[Mark.MUTE],
        late=sum(one.late for one in found),
        not_reached=marks[Mark.NOT_REACHED],
        silent=sum(one.silent is True for one in found),
        median_s=_at(seconds, 0.5),
        p95_s=_at(seconds, 0.95),
        last_s=_at(seconds, 1.0),
        silence_last_s=max(quiet, default=None),
    )


def _at(ordered: list[float], part: float) -> float | None:
    """Nearest rank."""
    return ordered[max(0, -(-len(ordered) * round(part * 100) // 100) - 1)] if ordered else None
