"""Faults with a life, what is remembered of each unit to find them, planned work, and what is to be told to whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big, only_where


class UnitHealth(Base):
    """What the rules of health remember of a unit from one look to the next (`broadcasts.domain.health`)."""

    __tablename__ = "unit_health"
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    memory: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """By code, as `fault_memory.dump` has it."""
    horns: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """`Horns.dump`."""
    proof: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The last sounding or quiet test: at, sounded, ma, what, item."""
    connections: Mapped[list[str]] = mapped_column(JSON, default=list)
    boots: Mapped[list[str]] = mapped_column(JSON, default=list)
    boot_id: Mapped[int | None] = mapped_column(Big)
    conn: Mapped[int | None]
    journal_id: Mapped[str] = mapped_column(String(64), default="")
    seq: Mapped[int] = mapped_column(Big, default=0)
    """Soundings up to here are in `horns` and `proof`."""
    looked_at: Mapped[datetime]


class FaultCase(Base):
    """One thing wrong, with a life: at one cluster, or one cause at many (then `cluster_id` is none and its members
    name it as their group). Never deleted."""

    __tablename__ = "faults"
    __table_args__ = (
        Index("ix_faults_cluster_code", "cluster_id", "code"),
        only_where("ix_faults_open", "state", where="state IN ('new', 'acknowledged', 'in_repair', 'resolved')"),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code: Mapped[str] = mapped_column(String(24))
    cluster_id: Mapped[str | None] = mapped_column(ForeignKey("clusters.id"))
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("units.id"))
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """Of the station; of a group: the area that its members have in common."""
    group_id: Mapped[str | None] = mapped_column(ForeignKey("faults.id"), index=True)
    previous_id: Mapped[str | None] = mapped_column(ForeignKey("faults.id"))
    """The same trouble here before, which was taken for over."""
    state: Mapped[str] = mapped_column(String(16), default="new")
    since: Mapped[datetime]
    """When the trouble began, as far as is known; `raised_at`: when we were sure."""
    raised_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    """When the trouble was over."""
    resolved_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    """Of one that a person called repaired: when we looked whether it is."""
    returns: Mapped[int] = mapped_column(default=0)
    """How often it came back within a day."""
    detail: Mapped[str] = mapped_column(String(500), default="")
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What was known when it was raised; kept as it was."""
    silenced_until: Mapped[datetime | None]
    """Work was planned there: nobody is told before, if it still stands then."""
    escalated_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=0)


class FaultMove(Base):
    """One move in the life of a fault: from, to, at, who, why. Written once."""

    __tablename__ = "fault_moves"
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    fault_id: Mapped[str] = mapped_column(ForeignKey("faults.id"), index=True)
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(60))
    why: Mapped[str] = mapped_column(String(500), default="")


class PlannedWork(Base):
    """Somebody works there: what breaks meanwhile is shown, and nobody is called."""

    __tablename__ = "planned_works"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    cluster_id: Mapped[str | None] = mapped_column(ForeignKey("clusters.id"))
    """None: all clusters of the area and below."""
    begins: Mapped[datetime]
    ends: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(300))
    made_by: Mapped[str] = mapped_column(String(60))
    made_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(String(60))
    """Who ended it early."""


class Notice(Base):
    """Something to be told to somebody outside: written in the transaction that made it so, sent afterwards."""

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("key"),
        only_where("ix_notices_waiting", "due_at", where="done_at IS NULL"),
    )
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(120))
    """Fault, event and channel: what was told once is not told again."""
    channel: Mapped[str] = mapped_column(String(40))
    event: Mapped[str] = mapped_column(String(16))
    """raised, escalated, resolved"""
    fault_id: Mapped[str] = mapped_column(ForeignKey("faults.id"))
    urgency: Mapped[str] = mapped_column(String(8))
    made_at: Mapped[datetime]
    due_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    message_id: Mapped[str] = mapped_column(String(80), default="")
    """Under which it leaves, also when it leaves again: whoever had it already can tell."""
    done_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(16), default="")
    """sent, void (over before anybody was told), given_up"""
    failure: Mapped[str] = mapped_column(Text, default="")
