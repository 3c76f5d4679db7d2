"""What stands around an approval: every revision as it was handed in, a right lent to somebody, the exception of a
one-person station, the second word on an emergency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class Revision(Base):
    """A broadcast as somebody handed it in. Written once: a later edit changes the bulletin, never this."""

    __tablename__ = "revisions"
    broadcast_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    by_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime]
    title: Mapped[str] = mapped_column(String(200))
    content_sha256: Mapped[str] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`services.facts.facts_of`"""


class Delegation(Base):
    """The right to approve, lent by its holder to one named person in an area and all below it, in [since, until)."""

    __tablename__ = "delegations"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    from_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    to_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    since: Mapped[datetime]
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """Taken back before its time."""
    ended_by: Mapped[str] = mapped_column(String(60), default="")


class OwnException(Base):
    """At this station an author may approve what is his own, in [granted_at, until) (R-031)."""

    __tablename__ = "own_exceptions"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), index=True)
    number: Mapped[str] = mapped_column(String(60))
    """Of the paper that grants it."""
    reason: Mapped[str] = mapped_column(Text)
    granted_at: Mapped[datetime]
    granted_by: Mapped[str] = mapped_column(String(60))
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(60), default="")


class AlertConfirmation(Base):
    """What somebody else than who sounded an alert said of it afterwards."""

    __tablename__ = "alert_confirmations"
    alert_id: Mapped[str] = mapped_column(ForeignKey("emergencies.id"), primary_key=True)
    by_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime]
    right: Mapped[bool]
    """False: looked at, and it should not have sounded."""
    note: Mapped[str] = mapped_column(Text, default="")
