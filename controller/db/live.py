"""Somebody speaks to the horns: asked for, approved, on air, over; and what was kept of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class LiveSession(Base):
    """One live voice to one target in one window. What a crash leaves on air is ended at the next start."""

    __tablename__ = "live_sessions"
    __table_args__ = (Index("ix_live_sessions_state", "state", "hard_end"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    """asked, approved, rejected, on_air, ended"""
    priority: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16), default="")
    """Of an emergency: broadcasts.wire.alert.AlertKind."""
    reason: Mapped[str] = mapped_column(Text)
    """What will be said, and why live."""
    speaker_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    asked_at: Mapped[datetime]
    target: Mapped[dict[str, Any]] = mapped_column(JSON)
    """As chosen: areas, clusters, groups; what it came to is frozen in `clusters`."""
    clusters: Mapped[list[str]] = mapped_column(JSON)
    scopes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """While on air and afterwards: standing scope to its units, or "all"."""
    begins_at: Mapped[datetime]
    hard_end: Mapped[datetime]
    """The window: nothing sounds before the one, nor at or after the other."""
    most_s: Mapped[int]
    """So long it lasts at the most, chimes included."""
    chime: Mapped[str] = mapped_column(String(16), default="")
    """broadcasts.audio.chime.TUNES, or none."""
    unusual: Mapped[str] = mapped_column(Text, default="")
    """Hours outside the normal ones that who asked confirmed (`services.unusual`)."""
    decided_by_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(Text, default="")
    delegation_id: Mapped[str | None] = mapped_column(ForeignKey("delegations.id"))
    exception_id: Mapped[str | None] = mapped_column(ForeignKey("own_exceptions.id"))
    """What the decision rests on, where it is not the decider's own right."""
    key_x: Mapped[str] = mapped_column(String(43), default="")
    """The session's public key; the private one is only ever in memory."""
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_why: Mapped[str] = mapped_column(String(16), default="")
    """services.live_room.End"""
    ended_by: Mapped[str] = mapped_column(String(60), default="")
    packets: Mapped[int] = mapped_column(default=0)
    late: Mapped[int] = mapped_column(default=0)
    """Packets that came too late from the speaker to be sent."""
    cpu_ms: Mapped[int] = mapped_column(default=0)
    recording: Mapped[str] = mapped_column(String(40), default="")
    """A file in the folder of live recordings, until it is an asset."""
    recording_error: Mapped[str] = mapped_column(String(60), default="")
    """Why there is none: the key of a failure, or "torn"."""
    asset_sha256: Mapped[str | None] = mapped_column(ForeignKey("assets.sha256"), index=True)
    later_until: Mapped[datetime | None]
    """Of an emergency: units that were away get the recording as an alert until then; none: they do not."""
    alerts: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Those alerts."""
    confirmed_by_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    confirmed_at: Mapped[datetime | None]
    confirmed_right: Mapped[bool | None]
    confirmed_note: Mapped[str] = mapped_column(Text, default="")
