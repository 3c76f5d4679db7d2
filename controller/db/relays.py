"""Stations that may be relayed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class RelaySource(Base):
    """A station whose programme may be relayed (R-024). Its address is part of what an approver decides on: where it
    changes, everything that relays it waits for a new decision."""

    __tablename__ = "relay_sources"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """As units say it in their journal."""
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16))
    """broadcasts.domain.relay.SourceKind"""
    url: Mapped[str] = mapped_column(String(300), default="")
    """"" where units receive it by their own tuner."""
    frequency_khz: Mapped[int | None]
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """Only stations in it relay this; none: all of them."""
    illustrative: Mapped[bool] = mapped_column(default=False)
    """Made up for a demo."""
    revision: Mapped[int] = mapped_column(default=1)
    """Of two people who change it at once, the second is told."""
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(60))
    retired_at: Mapped[datetime | None]
