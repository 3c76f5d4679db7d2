"""What became of a delivery, from evidence only. A plan is no evidence; silence of the unit is not failure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from broadcasts.domain.delivery import State

GRACE = timedelta(minutes=15)
"""How long after its end a delivery may stay without evidence before it is shown as unknown."""

WHOLE = timedelta(seconds=1)
"""Less than this missing counts as whole (CONTRACT.md, section 5): nobody was kept from a word."""

_CODE = re.compile(r"^[a-z][a-z_]{1,38}\Z")
"""A reason that pages can say in words. What a decoder complained of stays in the journal."""


QUIET = "quiet_hours"
CORRUPT = "asset_corrupt"
"""A skip with this detail: the file came, again and again, and never was what its hash says."""


class Verdict(StrEnum):
    HEARD = "heard"
    PLAYED = "played"
    FAILED_TO_SOUND = "failed_to_sound"
    NOT_PLAYED = "not_played"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    STARTED = "started"
    ENDED = "ended"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Evidence:
    """One entry of the unit's journal about this delivery, in the order of its `seq`."""

    seq: int
    kind: Kind
    at: datetime
    outcome: str | None = None
    """ended: played, preempted, failed, withdrawn. skipped: why."""
    offset: timedelta = timedelta(0)
    played: timedelta = timedelta(0)
    amplifier: str | None = None
    late: timedelta = timedelta(0)
    by: str | None = None
    asset: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """State and verdict that the evidence supports. `verdict` is none while it is open; `coverage` is the part of the
    sound, 0 to 1, that left the decoder."""

    state: State
    verdict: Verdict | None
    reason: str | None = None
    coverage: float = 0.0
    started_at: datetime | None = None
    late: timedelta | None = None


def judge(evidence: Sequence[Evidence], asset: str, duration: timedelta) -> Finding | None:
    """The finding for one delivery of `asset`, or none where the evidence says nothing.

    Entries about another asset are no evidence for this one: the unit may still have played an older plan.
    """
    mine = sorted((entry for entry in evidence if entry.asset in (None, asset)), key=lambda entry: entry.seq)
    if not mine:
        return None
    begun = next((entry for entry in mine if entry.kind is Kind.STARTED), None)
    ended = [entry for entry in mine if entry.kind is Kind.ENDED]
    played = sum((entry.played for entry in ended), timedelta(0))
    coverage = min(1.0, played / duration) if duration else 0.0
    started_at, late = (begun.at, begun.late) if begun else (None, None)

    def finding(state: State, verdict: Verdict | None, reason: str | None = None) -> Finding:
        return Finding(state, verdict, reason, coverage, started_at, late)

    last = mine[-1]
    if last.kind is Kind.STARTED:
        return finding(State.PLAYING, None)
    if last.kind is Kind.SKIPPED and last.detail == CORRUPT:
        return finding(State.FAILED, Verdict.NOT_PLAYED, CORRUPT)
    if last.kind is Kind.SKIPPED:
        return finding(State.MISSED, Verdict.NOT_PLAYED, last.outcome)
    whole_all_the_same = played and duration - played < WHOLE and last.outcome in ("preempted", "withdrawn")
    match "played" if whole_all_the_same else last.outcome:
        case "played":
            heard = {entry.amplifier for entry in ended if entry.played}
            whole = last.offset == timedelta(0)
            cut = next((entry for entry in ended if entry.outcome == "preempted"), None)
            # Heard, and not all of it: the page says why.
            why = "displaced" if cut is not None and not whole else None
            if "sound" in heard:
                return finding(State.PLAYED, Verdict.HEARD, why)
            if "silent" in heard:
                return finding(State.PLAYED, Verdict.FAILED_TO_SOUND, "silent_amplifier")
            return finding(State.PLAYED, Verdict.PLAYED, why)
        case "preempted":
            return finding(State.PREEMPTED, Verdict.NOT_PLAYED, "displaced")
        case "withdrawn":
            # Stopped by hours that were changed while it sounded: nobody took it back.
            return finding(State.PREEMPTED, Verdict.NOT_PLAYED, QUIET if last.detail == QUIET else "withdrawn")
        case _:
            silent = Verdict.FAILED_TO_SOUND if begun else Verdict.NOT_PLAYED
            return finding(State.FAILED, silent, last.detail if _CODE.match(last.detail) else "decoder")
