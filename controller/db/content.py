"""Bulletins, their renditions, and the files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class Asset(Base):
    """An immutable file named by its SHA-256, as the units fetch it."""

    __tablename__ = "assets"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(Big)
    codec: Mapped[str] = mapped_column(String(8))
    duration_ms: Mapped[int]
    chunk_size: Mapped[int]
    chunks: Mapped[list[str]] = mapped_column(JSON)
    loudness_lufs: Mapped[float | None]
    true_peak_dbtp: Mapped[float | None]
    original_sha256: Mapped[str] = mapped_column(String(64), default="")
    original_lufs: Mapped[float | None]
    mastering: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)
    """The fields of broadcasts.audio.mastering.Mastering; empty where nothing was done."""
    warnings: Mapped[list[str]] = mapped_column(JSON, default=list)
    peaks: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    created_at: Mapped[datetime]


class Bulletin(Base):
    """Content: title, field, who issued it and at which level (R-013, R-021, R-025, R-026)."""

    __tablename__ = "bulletins"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    field: Mapped[int]
    origin: Mapped[str] = mapped_column(String(16), default="own")
    """broadcasts.domain.content.Origin"""
    source: Mapped[str] = mapped_column(String(200), default="")
    """The body that issued it, by name; "" for the station itself."""
    category: Mapped[str] = mapped_column(String(16), default="")
    """broadcasts.domain.content.Category, or ""."""
    issued_at: Mapped[datetime | None]
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]


class Rendition(Base):
    """One language of a bulletin: its text and its audio (R-027, R-143)."""

    __tablename__ = "renditions"
    __table_args__ = (UniqueConstraint("bulletin_id", "language"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bulletin_id: Mapped[str] = mapped_column(ForeignKey("bulletins.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    """0 is the one that the bulletin was written in."""
    language: Mapped[str] = mapped_column(String(3))
    title: Mapped[str] = mapped_column(String(200), default="")
    """In this language; "" where it is the bulletin's."""
    text: Mapped[str] = mapped_column(Text, default="")
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)


class KeptSound(Base):
    """A chime, an opening or a closing that is used again and again, owned by an area, for everybody who writes there
    or below."""

    __tablename__ = "sounds"
    __table_args__ = (UniqueConstraint("area_id", "name"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    kind: Mapped[str] = mapped_column(String(16))
    """chime, intro, outro (broadcasts.domain.programme.PartKind)"""
    name: Mapped[str] = mapped_column(String(80))
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)
    added_at: Mapped[datetime]


class Quarantined(Base):
    """A message that was not the contract, kept for a look; the oldest go when there are too many."""

    __tablename__ = "quarantine"
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    topic: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(200))
    head: Mapped[bytes] = mapped_column(LargeBinary)
    """The first 512 bytes."""


class Kept(Base):
    """Small facts of the controller itself, such as the canary that it left at the broker."""

    __tablename__ = "kept"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
