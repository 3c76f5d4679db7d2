"""What programs send and get: JSON, instants as RFC 3339 in UTC, times of a schedule local to the station."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from broadcasts.domain.content import MOST_LANGUAGES, Category, Origin, Translation
from broadcasts.domain.polygon import read
from broadcasts.domain.programme import MOST_PARTS, Part
from broadcasts.errors import LoaError
from controller.api.airtime import AgainOut, ChangeOut, EditOut, OverlapOut, UnusualOut
from controller.api.languages import HearingOut, TranslationIn
from controller.api.patterns import Day, Instant, PartIn, PatternIn
from controller.api.relays import RelayIn
from controller.db.tables import Asset, Broadcast
from controller.services.composing import Draft, Preview
from controller.services.schedules import schedule_of, stored
from controller.services.views.broadcast import Row
from controller.services.views.clusters import ClusterLine
from controller.services.views.commands import CommandLine
from controller.services.views.holders import Holders
from controller.services.views.today import Slip


class DraftIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str = Field(max_length=200)
    field: int = 1
    language: str = Field("vi", pattern="^[a-z]{2,3}$")
    asset: str = Field(pattern="^[0-9a-f]{64}$")
    areas: list[str] = Field(default=[], max_length=500)
    clusters: list[str] = Field(default=[], max_length=5_000)
    repeat: str = "once"
    first_day: Day
    at: time
    until_day: Day | None = None
    pattern: PatternIn = PatternIn()
    parts: list[PartIn] = Field(default=[], max_length=MOST_PARTS)
    """Of a programme, in order; `asset` is one of theirs."""
    more: list[TranslationIn] = Field(default=[], max_length=MOST_LANGUAGES)
    """Further languages of the same bulletin."""
    origin: Origin = Origin.OWN
    source: str = Field("", max_length=200)
    relay: RelayIn | None = None
    """Of origin "relay": another station; `asset` is its fallback, and `source` follows from it."""
    category: Literal[""] | Category = ""
    issued_at: Instant | None = None
    tags: list[str] = Field(default=[], max_length=20)
    groups: list[str] = Field(default=[], max_length=100)
    polygon: dict[str, Any] | None = None
    """GeoJSON: the clusters that stand in it."""
    also_later: bool = False
    priority: int = 3
    on_preempt: str = "resume"
    late: str = "drop"
    routing: str = Field("", max_length=16)
    """Of a priority bulletin where its time is taken: partial, all_or_none, stacked (`stack_minutes` at most)."""
    stack_minutes: int | None = None
    volume: int | None = None
    text: str = Field("", max_length=20_000)
    push_now: bool = False
    unusual: str = Field("", max_length=20_000)
    """The mark of the unusual hours that a preview asked about: said yes to."""

    def draft(self) -> Draft:
        told = self.model_dump()
        at = self.at.replace(microsecond=0, tzinfo=None)
        parts = tuple(Part(part.kind, part.title, part.asset) for part in self.parts)
        targets: dict[str, Any] = {"areas": tuple(self.areas), "clusters": tuple(self.clusters)}
        targets |= {"tags": tuple(self.tags), "groups": tuple(self.groups)}
        more = tuple(Translation(**each.model_dump()) for each in self.more)
        shape = read(json.dumps(self.polygon)) if self.polygon is not None else ()
        relay = self.relay.relay() if self.relay is not None else None
        said = {
            "relay": relay,
            "at": at,
            "pattern": self.pattern.pattern(),
            "parts": parts,
            "more": more,
            "polygon": shape,
        }
        return Draft(**told | targets | said)


class EditIn(DraftIn):
    revision: int


class DecisionIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    seen: str = Field(pattern="^[0-9a-f]{64}$")
    """The hash that came with the broadcast one looked at."""
    unusual: str = Field("", max_length=20_000)
    """For an approval: the mark of the unusual hours, confirmed once more."""
    until: AwareDatetime | None = None
    """For an approval: when it ends by itself; nothing sounds by it afterwards. A relay needs one."""


class RejectionIn(DecisionIn):
    reason: str = Field(max_length=500)


class AssetOut(BaseModel):
    sha256: str
    size: int
    codec: str
    duration_ms: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    warnings: list[str]

    @classmethod
    def of(cls, asset: Asset) -> AssetOut:
        return cls(**{name: getattr(asset, name) for name in cls.model_fields})


class ProblemOut(BaseModel):
    key: str
    fields: dict[str, str]

    @classmethod
    def of(cls, error: LoaError) -> ProblemOut:
        return cls(key=error.key, fields={name: str(value) for name, value in error.fields.items()})


class NotThereOut(BaseModel):
    start: datetime
    why: str
    clusters: list[str]


class PreviewOut(BaseModel):
    clusters: list[str]
    horns: int
    duration_ms: int
    starts: list[datetime]
    """Within the next 7 days, or the very first."""
    coming: list[datetime]
    """The next few, however far."""
    inside_lock: bool
    clashes: int
    hearing: list[HearingOut]
    unusual: UnusualOut | None
    """Outside the normal hours: wants its mark in the draft, and again in the decision."""
    again: list[AgainOut]
    overlaps: list[OverlapOut]
    changes: list[ChangeOut]
    """Within the next 7 days, against what is on the plans."""
    not_there: list[NotThereOut]
    """Where its routing keeps it off the air, as things stand."""
    problems: list[ProblemOut]
    edit: EditOut | None = None
    """Of an edit: what it changes, and what stays."""

    @classmethod
    def of(cls, seen: Preview) -> PreviewOut:
        return cls(
            clusters=[cluster.id for cluster in seen.clusters],
            horns=seen.horns,
            duration_ms=round(seen.duration.total_seconds() * 1000),
            starts=list(seen.starts),
            coming=list(seen.coming),
            inside_lock=seen.inside_lock,
            clashes=len(seen.clashes),
            hearing=[HearingOut.of(each) for each in seen.hearing],
            unusual=UnusualOut.of(seen.air.unusual) if seen.air.unusual else None,
            again=[AgainOut(**vars(each)) for each in seen.air.again],
            overlaps=[OverlapOut(**vars(each)) for each in seen.air.overlaps],
            changes=[
                ChangeOut(kind=each.kind, at=each.at, was=each.was, clusters=sorted(each.clusters))
                for each in seen.air.changes
            ],
            not_there=[
                NotThereOut(start=each.start, why=each.why, clusters=list(each.clusters)) for each in seen.not_there
            ],
            problems=[ProblemOut.of(problem) for problem in seen.problems],
        )


class BroadcastOut(BaseModel):
    id: str
    status: str
    revision: int
    title: str
    priority: int
    repeat: str
    first_day: date
    at: time
    until_day: date | None
    pattern: dict[str, Any]
    """As `PatternIn`, only what is not as usual, without what was taken off since."""
    clusters: list[str]
    asset: str
    seen: str
    """The hash over everything that a decision is about."""
    approved_until: datetime | None
    """When the approval in force ends by itself."""

    @classmethod
    def of(
        cls, broadcast: Broadcast, title: str, asset: str, seen: str, approved_until: datetime | None
    ) -> BroadcastOut:
        return cls(
            id=broadcast.id,
            status=broadcast.status,
            revision=broadcast.revision,
            title=title,
            priority=broadcast.priority,
            repeat=broadcast.repeat,
            first_day=broadcast.first_day,
            at=broadcast.at_time,
            until_day=broadcast.until_day,
            pattern=stored(schedule_of(broadcast).pattern),
            clusters=broadcast.clusters,
            asset=asset,
            seen=seen,
            approved_until=approved_until,
        )


class SlipOut(BaseModel):
    id: str
    title: str
    status: str
    priority: int
    first: datetime
    clusters: int

    @classmethod
    def of(cls, slip: Slip) -> SlipOut:
        return cls(**{name: getattr(slip, name) for name in cls.model_fields})


class DeliveryOut(BaseModel):
    id: str
    cluster: str
    language: str
    unit: str | None
    start: datetime
    end: datetime
    relayed: str | None
    """Name of the station that was relayed; null where it is no relay."""
    source_ms: int | None
    """Of a relay, how long the source sounded, and how long its fallback did."""
    fallback_ms: int | None
    state: str
    verdict: str | None
    reason: str | None
    started_at: datetime | None
    late_ms: int | None
    coverage: float
    signed_evidence: bool | None
    plan_confirmed: bool

    @classmethod
    def of(cls, row: Row) -> DeliveryOut:
        it = row.delivery
        return cls(
            id=it.id,
            cluster=it.cluster_id,
            language=it.language,
            unit=it.unit_id,
            start=it.start,
            end=it.end,
            relayed=it.relayed,
            source_ms=it.source_ms,
            fallback_ms=it.fallback_ms,
            state=it.state,
            verdict=it.verdict,
            reason=it.reason,
            started_at=it.started_at,
            late_ms=it.late_ms,
            coverage=it.coverage,
            signed_evidence=it.signed_evidence,
            plan_confirmed=row.confirmed,
        )


class HolderOut(BaseModel):
    """`certain`: the unit reported a plan that names it, and none since. After `until` it plays nothing of it."""

    cluster: str
    name: str
    unit: str
    presence: str
    last_sign: datetime | None
    certain: bool
    times: int
    next: datetime
    until: datetime


class HoldersOut(BaseModel):
    """`all`: clusters where something that may still sound was taken off; `still`: those that may play it."""

    all: int
    still: list[HolderOut]

    @classmethod
    def of(cls, it: Holders) -> HoldersOut:
        return cls(all=it.all, still=[HolderOut(**vars(each)) for each in it.still])


class ClusterOut(BaseModel):
    id: str
    name: str
    station: str
    unit: str | None
    presence: str
    last_sign: datetime | None
    plan_wanted: int | None
    plan_applied: int | None
    faults: list[str]
    able: bool
    """Connected, reporting, and no open fault says that it cannot sound."""
    not_converged: str | None
    """Why it has not what is wanted of it; none: it has."""
    differs_since: datetime | None

    @classmethod
    def of(cls, line: ClusterLine) -> ClusterOut:
        return cls(
            id=line.id,
            name=line.name,
            station=line.station,
            unit=line.unit,
            presence=line.presence,
            last_sign=line.last_sign,
            plan_wanted=line.wanted,
            plan_applied=line.applied,
            faults=[fault.code for fault in line.faults],
            able=line.able,
            not_converged=line.convergence.reason,
            differs_since=line.convergence.since,
        )


class CommandIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: str = Field(max_length=20)
    """quiet_test, capture, reboot, upload_log, amplifier, volume, refetch"""
    args: dict[str, str] = Field(default={}, max_length=8)
    """capture: seconds, 1 to 30; amplifier: power, on or off; volume: percent, 20 to 100, minutes; refetch: asset"""
    minutes: int | None = Field(None, ge=0, le=100_000)
    """For how long somebody waits for it; without it, what its kind has."""
    sure: bool = False
    """Said in so many words, which a reboot asks for."""


class CommandOut(BaseModel):
    id: str
    unit: str
    kind: str
    args: dict[str, str]
    state: str
    """asked, sent, accepted, done, failed, refused, expired, timed_out, cancelled, done_late, failed_late"""
    order: str | None
    by: str
    issued_at: datetime
    expires_at: datetime
    sent: int
    """How often it left, which says nothing about whether it arrived."""
    sent_at: datetime | None
    answered_at: datetime | None
    signed: bool | None
    """Whether the answer carries the unit's own signature."""
    late: bool
    """The answer came after the end."""
    detail: str
    text: str

    @classmethod
    def of(cls, line: CommandLine) -> CommandOut:
        it = line.command
        same = (
            "id",
            "kind",
            "args",
            "issued_at",
            "expires_at",
            "sent",
            "sent_at",
            "answered_at",
            "signed",
            "detail",
            "text",
        )
        return cls(
            unit=it.unit_id,
            state=line.state,
            by=it.issued_by,
            order=it.order_id,
            late=line.late,
            **{name: getattr(it, name) for name in same},
        )
