"""What citizens say of broadcasts and loudspeakers, and what they were answered (R-028)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class Feedback(Base):
    """One thing that somebody said. Who he is need not be told, and is forgotten when he, or an officer, wishes it."""

    __tablename__ = "feedback"
    __table_args__ = (Index("ix_feedback_area_received", "area_id", "received_at"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    """The commune."""
    broadcast_id: Mapped[str | None] = mapped_column(ForeignKey("broadcasts.id"), index=True)
    cluster_id: Mapped[str | None] = mapped_column(ForeignKey("clusters.id"))
    """What it is about, where it is about one."""
    channel: Mapped[str] = mapped_column(String(8))
    """services.feedback.Channel: how it came."""
    text: Mapped[str] = mapped_column(Text)
    contact: Mapped[str] = mapped_column(String(200), default="")
    received_at: Mapped[datetime]
    taken_by: Mapped[str] = mapped_column(String(60))
    contact_erased_at: Mapped[datetime | None]
    contact_erased_by: Mapped[str] = mapped_column(String(60), default="")
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str] = mapped_column(String(60), default="")
    answer_broadcast_id: Mapped[str | None] = mapped_column(ForeignKey("broadcasts.id"), index=True)
    """The bulletin that answers it on air."""
