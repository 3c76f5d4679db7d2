"""What single units were asked to do, and what they answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class CommandOrder(Base):
    """One order to many clusters; its executions are commands."""

    __tablename__ = "command_orders"
    __table_args__ = (Index("ix_command_orders_issued", "issued_at"),)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    args: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    target: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    """As it was asked: areas, clusters, tags, groups."""
    reason: Mapped[str] = mapped_column(String(300), default="")
    clusters: Mapped[int]
    """How many were meant."""
    left_out: Mapped[int]
    """Of them without a unit, with one of the kind on its way, or at a limit."""
    per_minute: Mapped[int]
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    issued_by: Mapped[str] = mapped_column(String(60))
    issued_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    """When the last execution is given up."""
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str] = mapped_column(String(60), default="")


class Command(Base):
    """One act that a unit was asked for, once, from the order to the answer (CONTRACT.md, section 10)."""

    __tablename__ = "commands"
    __table_args__ = (
        UniqueConstraint("unit_id", "seq"),
        Index("ix_commands_cluster_issued", "cluster_id", "issued_at"),
        Index("ix_commands_issued", "issued_at"),
        Index("ix_commands_order", "order_id"),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"))
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"))
    seq: Mapped[int] = mapped_column(Big)
    """Of this unit; never goes back, and outranks what a restored database has forgotten."""
    kind: Mapped[str] = mapped_column(String(16))
    """quiet_test, capture, reboot, upload_log, amplifier, volume, refetch"""
    order_id: Mapped[str | None] = mapped_column(ForeignKey("command_orders.id"))
    state: Mapped[str] = mapped_column(String(12), default="asked")
    """`broadcasts.domain.command_life`; what the clock has ended meanwhile is not written yet (`views.commands`)."""
    args: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    issued_by: Mapped[str] = mapped_column(String(60))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    sent: Mapped[int] = mapped_column(default=0)
    """How often it left for the broker, which says nothing about whether it arrived."""
    sent_at: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    """Of an order, its turn; it gets its number then, so that nothing younger is passed over meanwhile."""
    due_at: Mapped[datetime]
    """When it is said again, as long as it is open. A unit that connects makes it due at once."""
    accepted_at: Mapped[datetime | None]
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
