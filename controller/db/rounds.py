"""A technician's round: which poles, in which order, why, and what was written down under each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class Round(Base):
    """The work list of one technician for a day. Never deleted."""

    __tablename__ = "rounds"
    __table_args__ = (
        UniqueConstraint("technician_id", "made_key"),
        Index("ix_rounds_technician_day", "technician_id", "day"),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    technician_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    day: Mapped[date]
    state: Mapped[str] = mapped_column(String(16), default="planned")
    """planned, under_way, over"""
    made_key: Mapped[str] = mapped_column(String(40))
    """Of the form that asked for it: sent twice, it is one round."""
    made_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RoundStop(Base):
    """One pole of a round, and why it is in it."""

    __tablename__ = "round_stops"
    __table_args__ = (UniqueConstraint("round_id", "cluster_id"),)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    round_id: Mapped[str] = mapped_column(ForeignKey("rounds.id"))
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), index=True)
    place: Mapped[int]
    """In the order of the route, from 1 on."""
    leg_m: Mapped[int | None]
    """From the stop before, along the sphere; none where one of the two stands nowhere."""
    faults: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Ids; none: a routine check."""
    state: Mapped[str] = mapped_column(String(16), default="open")
    """open, done, could_not"""
    finished_at: Mapped[datetime | None]
    """By the technician's word, on our clock."""


class RoundEntry(Base):
    """One thing that was written down under a pole. Written once; the newest of its kind and name holds."""

    __tablename__ = "round_entries"
    __table_args__ = (UniqueConstraint("by_id", "client_id"),)
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    stop_id: Mapped[str] = mapped_column(ForeignKey("round_stops.id"), index=True)
    by_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    client_id: Mapped[str] = mapped_column(String(40))
    """Made on the phone: what is sent again under it is the same."""
    kind: Mapped[str] = mapped_column(String(8))
    """check, part, note, photo, test, finish"""
    body: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    photo_sha256: Mapped[str | None] = mapped_column(ForeignKey("assets.sha256"))
    command_id: Mapped[str | None] = mapped_column(ForeignKey("commands.id"))
    at: Mapped[datetime]
    """When it was written down, reckoned from the phone's own clock."""
    phone_ms: Mapped[int | None] = mapped_column(Big)
    """What the phone's clock showed."""
    clock_off_s: Mapped[int] = mapped_column(Big, default=0)
    taken_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    """When all that follows from it was done, or told why not."""
    outcome: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """Of a finish: [{fault, key, fields}] for each fault that could not be moved as asked."""
