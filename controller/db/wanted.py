"""What units should come to hold beside their bulletins: recordings for emergencies, firmware, settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class EmergencyRecording(Base):
    """One entry of the emergency set of a province or a commune: what sounds for this kind in this language. Every
    unit below the area holds it from the day it is named, so that an alert needs no download (design, section 6)."""

    __tablename__ = "emergency_recordings"
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    """wire.AlertKind"""
    language: Mapped[str] = mapped_column(String(3), primary_key=True)
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)
    set_at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(60))


class WantedState(Base):
    """Firmware and settings that one unit, or all units of a model below an area, should come to have. The narrowest
    row that says something about the one or the other holds."""

    __tablename__ = "wanted"
    target: Mapped[str] = mapped_column(String(40), primary_key=True)
    """`unit:<id>` or `area:<id>`"""
    model: Mapped[str] = mapped_column(String(60), primary_key=True)
    """The unit's `vendor`: firmware of one maker has no business in the box of another."""
    firmware_version: Mapped[str | None] = mapped_column(String(64))
    firmware_sha256: Mapped[str | None] = mapped_column(ForeignKey("assets.sha256"), index=True)
    settings: Mapped[dict[str, str] | None] = mapped_column(JSON)
    set_at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(60))
