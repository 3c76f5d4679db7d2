"""Whether a unit has come to what is wanted of it, and why not: from what is known, nothing is asked (R-079)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why it has not: the first of these that is so."""

    NO_UNIT = "no_unit"
    NO_PLAN = "no_plan"
    NEVER = "never_connected"
    OFFLINE = "offline"
    CLOCK = "clock_wrong"
    REFUSED = "refused"
    STORAGE = "storage_full"
    NOT_SENT = "not_sent"
    ON_ITS_WAY = "on_its_way"
    NO_ANSWER = "no_answer"
    UPKEEP = "upkeep"


SOON = timedelta(minutes=2)
"""Between the plan that left and the report of it: the reconciler says it again after one."""
FULL = frozenset({"storage_full"})
"""Faults of a unit that has no room for what the plan names."""


@dataclass(frozen=True)
class Wanted:
    """`at`: since when it is wanted: when the newest plan was made, or the first of those
    that it lacks; `sent`: when it left. Versions of firmware and settings: none for any."""

    plan: int | None
    at: datetime | None = None
    sent: datetime | None = None
    firmware: str | None = None
    configuration: str | None = None


@dataclass(frozen=True)
class Convergence:
    """`since`: from when on it differs at the latest, as far as is known. No reason: it has what it should."""

    reason: Reason | None
    since: datetime | None = None
    detail: str = ""

    @property
    def converged(self) -> bool:
        return self.reason is None

    def lag(self, now: datetime) -> timedelta:
        return max(now - self.since, timedelta(0)) if self.since is not None else timedelta(0)


def of(
    *,
    unit: str | None,
    wanted: Wanted,
    applied: int | None,
    connected: bool | None,
    presence_at: datetime | None,
    reported: Mapping[str, Any],
    faults: Collection[str],
    now: datetime,
) -> Convergence:
    """`reported` as the unit's newest report has it (`broadcasts.wire.status.Reported`)."""
    if unit is None:
        return Convergence(Reason.NO_UNIT)
    if wanted.plan is None:
        return Convergence(Reason.NO_PLAN)
    if (applied or 0) >= wanted.plan:
        return _upkeep(wanted, reported)
    if connected is None:
        return Convergence(Reason.NEVER, wanted.at)
    if not connected:
        return Convergence(Reason.OFFLINE, wanted.at, presence_at.isoformat() if presence_at else "")
    refusal = reported.get("refused") or {}
    if not (reported.get("clock") or {"trusted": True}).get("trusted"):
        return Convergence(Reason.CLOCK, wanted.at)
    if refusal.get("document") == "plan" and (refusal.get("version") or 0) > (applied or 0):
        return Convergence(Reason.REFUSED, wanted.at, str(refusal.get("reason", ""))[:40])
    if FULL & set(faults):
        return Convergence(Reason.STORAGE, wanted.at)
    if wanted.sent is None:
        return Convergence(Reason.NOT_SENT, wanted.at)
    return Convergence(Reason.ON_ITS_WAY if now - wanted.sent <= SOON else Reason.NO_ANSWER, wanted.at)


def _upkeep(wanted: Wanted, reported: Mapping[str, Any]) -> Convergence:
    """The plan is there; what it asks for beside sound may take a quiet hour."""
    for name, asked in (("firmware", wanted.firmware), ("configuration", wanted.configuration)):
        if asked is not None and reported.get(name) != asked:
            return Convergence(Reason.UPKEEP, wanted.at, name)
    return Convergence(None)
