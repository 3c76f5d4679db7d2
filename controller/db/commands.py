"""What single units were asked to do, and what they answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class Command(Base):
    """One act that a unit was asked for, once, from the order to the answer (CONTRACT.md, section 10)."""

    __tablename__ = "commands"
    __table_args__ = (
        UniqueConstraint("unit_id", "seq"),
        Index("ix_commands_cluster_issued", "cluster_id", "issued_at"),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"))
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"))
    seq: Mapped[int] = mapped_column(Big)
    """Of this unit; never goes back, and outranks what a restored database has forgotten."""
    kind: Mapped[str] = mapped_column(String(16))
    """quiet_test, capture, reboot, upload_log"""
    args: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    issued_by: Mapped[str] = mapped_column(String(60))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    sent: Mapped[int] = mapped_column(default=0)
    """How often it left for the broker, which says nothing about whether it arrived."""
    sent_at: Mapped[datetime | None]
    due_at: Mapped[datetime]
    """When it is said again, as long as it is open. A unit that connects makes it due at once."""
    answered_at: Mapped[datetime | None]
    """When the first answer was taken in. It stands, also when it came after the end."""
    done: Mapped[bool | None]
    signed: Mapped[bool | None]
    """Whether the answer carries the unit's own signature."""
    detail: Mapped[str] = mapped_column(String(500), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    """What the unit brought along: levels, or the tail of its log."""
    expired_at: Mapped[datetime | None]
    """When we gave it up."""
