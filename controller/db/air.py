"""Broadcasts, approvals, deliveries and every move they made."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big, only_where


class Broadcast(Base):
    """The intent: a bulletin for a target by a schedule with a priority. An edit is a new revision."""

    __tablename__ = "broadcasts"
    __table_args__ = (
        Index("ix_broadcasts_behind", "status", "last_day", "expanded_until"),
        only_where("ix_broadcasts_routed", "status", "last_day", where="routing != ''"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    bulletin_id: Mapped[str] = mapped_column(ForeignKey("bulletins.id"), index=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), index=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    status: Mapped[str] = mapped_column(String(16))
    """draft, submitted, approved, rejected, withdrawn"""
    revision: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int]
    rank: Mapped[int] = mapped_column(default=0)
    on_preempt: Mapped[str] = mapped_column(String(16), default="resume")
    late: Mapped[str] = mapped_column(String(16), default="drop")
    routing: Mapped[str] = mapped_column(String(16), default="")
    """broadcasts.domain.routing.Routing: where it goes when its time is taken at some clusters."""
    stack_minutes: Mapped[int | None]
    """How long it waits in line, where it does."""
    volume: Mapped[int | None]
    target_areas: Mapped[list[str]] = mapped_column(JSON)
    target_clusters: Mapped[list[str]] = mapped_column(JSON)
    """As chosen; what it came to is frozen in `clusters` at submission."""
    target_more: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Tags, groups and polygon as chosen (`services.targets.stored`); empty where there are none."""
    clusters: Mapped[list[str]] = mapped_column(JSON)
    also_later: Mapped[bool] = mapped_column(default=False)
    """Clusters that come to the target after the approval join in."""
    joined: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Those that did: never part of `clusters`, which was approved."""
    repeat: Mapped[str] = mapped_column(String(16))
    first_day: Mapped[date]
    at_time: Mapped[time]
    until_day: Mapped[date | None]
    pattern: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The rest of the schedule (`services.schedules.stored`); empty for a plain one."""
    taken_off: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Starts that were taken off since it was handed in, as a pattern: never part of what was approved."""
    last_day: Mapped[date | None]
    """Local day of the last start; none where it goes on until it is taken off the air."""
    replaces: Mapped[str | None] = mapped_column(String(32))
    """The broadcast of which this one is an edit or a copy."""
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("campaigns.id"), index=True)
    """The series that it belongs to, also as an edit or a copy of one of its broadcasts."""
    ahead_minutes: Mapped[int | None]
    """Units hold it only so far ahead: an old warning must end by itself where its cancellation did not arrive."""
    relay_source_id: Mapped[str | None] = mapped_column(ForeignKey("relay_sources.id"), index=True)
    """Of a relay: the bulletin's recording is what sounds where the source is silent."""
    relay_minutes: Mapped[int | None]
    """How long its slot lasts."""
    relay_silence_s: Mapped[int | None]
    """So long the source may be silent until the fallback sounds, seconds."""
    push_now: Mapped[bool] = mapped_column(default=False)
    """A start inside the lock window was asked for in so many words."""
    unusual: Mapped[str] = mapped_column(Text, default="")
    """Hours outside the normal ones that the author confirmed (`services.unusual`)."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    expanded_until: Mapped[datetime | None]


class ProgrammePart(Base):
    """One part of a broadcast that is an ordered programme; a broadcast of one recording has none."""

    __tablename__ = "programme_parts"
    broadcast_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    """broadcasts.domain.programme.PartKind"""
    title: Mapped[str] = mapped_column(String(200))
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)


class Approval(Base):
    """One decision about exactly these bytes, this target, this schedule, this priority (R-029, R-030)."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("broadcast_id", "revision"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    broadcast_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"), index=True)
    revision: Mapped[int]
    approved: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text, default="")
    by_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    delegation_id: Mapped[str | None] = mapped_column(ForeignKey("delegations.id"))
    """By whose lent right, where it was not one's own."""
    exception_id: Mapped[str | None] = mapped_column(ForeignKey("own_exceptions.id"))
    """By which exception somebody decided on what is his own."""
    valid_until: Mapped[datetime | None]
    """A standing approval ends by itself: nothing of it sounds at or after this instant."""
    at: Mapped[datetime]
    content_sha256: Mapped[str] = mapped_column(String(64))
    """Over everything that was decided on."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """That everything, kept: a later edit changes the bulletin, never what was decided."""


def _alone(context: DefaultExecutionContext) -> datetime:
    found: datetime = context.get_current_parameters()["start"]  # type: ignore[no-untyped-call]
    return found


class Delivery(Base):
    """One occurrence at one cluster: its state, and apart from it the verdict."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("broadcast_id", "revision", "start", "cluster_id"),
        Index("ix_deliveries_cluster_start", "cluster_id", "start"),
        Index("ix_deliveries_open_end", "verdict", "end"),
        only_where("ix_deliveries_leaving", "unit_id", where="state = 'planned' AND plan_version IS NOT NULL"),
        only_where("ix_deliveries_taken_back", "verdict", "unit_id", where="state = 'withdrawn'"),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    broadcast_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"))
    revision: Mapped[int]
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"))
    unit_id: Mapped[str | None] = mapped_column(String(32))
    """Who served the cluster at the start, as far as known when it was planned."""
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)
    language: Mapped[str] = mapped_column(String(3), default="")
    """Of the rendition that sounds; "" for a part of a programme that is no bulletin."""
    part: Mapped[int | None]
    """Of a programme: which one, from 0."""
    frame: Mapped[bool] = mapped_column(default=False)
    """A chime, an opening or a closing: whether a bulletin was heard does not rest on it."""
    begin: Mapped[datetime] = mapped_column(default=_alone)
    """The start of the whole that this is a piece of: all languages and parts of one playing have the same."""
    relayed: Mapped[str | None] = mapped_column(String(120))
    """Name of the station that is relayed, as it was then; none: no relay (R-024, R-099)."""
    source_ms: Mapped[int | None]
    """Of a relay: how long the source sounded, as far as the journal tells."""
    fallback_ms: Mapped[int | None]
    """And how long its fallback did."""
    start: Mapped[datetime]
    end: Mapped[datetime]
    not_after: Mapped[datetime]
    priority: Mapped[int]
    rank: Mapped[int]
    on_preempt: Mapped[str] = mapped_column(String(16))
    late: Mapped[str] = mapped_column(String(16))
    volume: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(40))
    verdict_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    late_ms: Mapped[int | None]
    coverage: Mapped[float] = mapped_column(default=0.0)
    plan_version: Mapped[int | None] = mapped_column(Big)
    """The first plan that named it."""
    last_plan: Mapped[int | None] = mapped_column(Big)
    """Of one that was taken off the air: the newest plan that may name it. Whoever follows a later one does not."""
    signed_evidence: Mapped[bool | None]
    silent_since: Mapped[datetime | None]
    """The unit's last sign of life, where it was away when this became unknown: why there is a gap."""


class DeliveryMove(Base):
    """Every move of a delivery: from, to, at, why."""

    __tablename__ = "delivery_moves"
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("deliveries.id"), index=True)
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    why: Mapped[str] = mapped_column(String(80))


class PriorityDecision(Base):
    """A commune decided which of two priority broadcasts goes first at its own horns (R-016). Written once; the newest
    counts where several say different things (`domain.precedence`)."""

    __tablename__ = "priority_decisions"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), index=True)
    first_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"))
    second_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"))
    reason: Mapped[str] = mapped_column(Text)
    by_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime]
