"""Drills: tables of their own, so that no question about emergencies can ever be answered with one (R-066)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class Drill(Base):
    """One drill. A silent one goes out at once; a loud one when a second person has approved it."""

    __tablename__ = "drills"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """Of the emergency that is exercised: wire.AlertKind."""
    target: Mapped[dict[str, Any]] = mapped_column(JSON)
    places: Mapped[list[list[Any]]] = mapped_column(JSON)
    """As of an emergency."""
    areas: Mapped[list[str]] = mapped_column(JSON)
    silent: Mapped[bool]
    prefix: Mapped[list[list[str]]] = mapped_column(JSON)
    """[[language, asset], …]: the spoken "diễn tập" of a loud one."""
    content: Mapped[list[list[str]]] = mapped_column(JSON)
    """[[language, asset], …]"""
    volume: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(60))
    starts_at: Mapped[datetime]
    hard_end: Mapped[datetime] = mapped_column(index=True)
    issued_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(12))
    """asked, issued, rejected, ended; one that came to its hard end stays as it was."""
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(60), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(60), default="")


class DrillReach(Base):
    """As `EmergencyReach`, of a drill."""

    __tablename__ = "drill_reach"
    __table_args__ = (Index("ix_drill_reach_unit", "drill_id", "unit_id"),)
    drill_id: Mapped[str] = mapped_column(ForeignKey("drills.id"), primary_key=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    unit_id: Mapped[str | None] = mapped_column(String(32))
    since: Mapped[datetime | None]
    """As `EmergencyReach.since`."""
    sounded_at: Mapped[datetime | None]
    """When it sounded, or of a silent one would have."""
    ended_at: Mapped[datetime | None]
    heard: Mapped[bool | None]
    skipped: Mapped[str] = mapped_column(String(40), default="")


class DrillBefore(Base):
    """As `ReachBefore`, of a drill."""

    __tablename__ = "drill_reach_before"
    __table_args__ = (Index("ix_drill_reach_before_unit", "drill_id", "unit_id"),)
    drill_id: Mapped[str] = mapped_column(ForeignKey("drills.id"), primary_key=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    unit_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    since: Mapped[datetime | None]
    until: Mapped[datetime]
    sounded_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    heard: Mapped[bool | None]
    skipped: Mapped[str] = mapped_column(String(40), default="")


class DrillList(Base):
    """The newest drill document of a scope, exactly as it travels. Version 0: none was issued yet."""

    __tablename__ = "drill_lists"
    scope: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(Big)
    document: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime]
    seen_version: Mapped[int] = mapped_column(Big, default=0)
    published_at: Mapped[datetime | None]
    stale: Mapped[bool] = mapped_column(default=False)
    """Its drills name other units since it was signed: the next step signs it anew."""
