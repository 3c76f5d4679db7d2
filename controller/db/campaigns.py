"""Series that a law or a rule of practice asks for; their broadcasts name them (`Broadcast.campaign_id`)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class Campaign(Base):
    """One series of one station, made from a template of `domain.statutes`, with what its fulfilment is held to."""

    __tablename__ = "campaigns"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    template: Mapped[str] = mapped_column(String(32))
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), index=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(String(200))
    clusters: Mapped[list[str]] = mapped_column(JSON)
    """Where it has to be heard: what the target came to when it was handed in."""
    numbers: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What was chosen where the template leaves a choice (`domain.series.Wish`), plain JSON; and by cluster the hamlet
    that it was proven for: a proof does not change when a cluster is told to another hamlet later."""
    issued_at: Mapped[datetime | None]
    """When the decision was made, or the warning issued: spoken at each repeat (R-061)."""
    event_on: Mapped[date | None]
    other_forms: Mapped[str] = mapped_column(Text, default="")
    """How else it was made public, in the officer's words (R-039)."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str] = mapped_column(String(8), default="")
    """cancel, final; empty while it runs"""
    ended_why: Mapped[str] = mapped_column(Text, default="")
