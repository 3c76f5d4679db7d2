"""Proof by ear: what units heard of their own sound, and what it came to. No sound is kept here, only envelopes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big, only_where


class EnvelopePart(Base):
    """One `envelope` entry of a journal about one delivery (CONTRACT.md, section 12): the journal keeps the entry
    without its data, which is here as bytes."""

    __tablename__ = "envelope_parts"
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    journal_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("deliveries.id"), index=True)
    asset_sha256: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    """Of the sounding, by the unit's clock: parts of one sounding have the same."""
    offset_ms: Mapped[int]
    frames: Mapped[int]
    source: Mapped[str] = mapped_column(String(16))
    """line_out, microphone"""
    level_dbfs: Mapped[int | None]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    signed: Mapped[bool]
    received_at: Mapped[datetime] = mapped_column(index=True)


class AssetSound(Base):
    """The envelope of a file, computed once."""

    __tablename__ = "asset_sounds"
    sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), primary_key=True)
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    """Empty where it could not be computed."""
    made_at: Mapped[datetime]


class Hearing(Base):
    """What the ear at a pole says of one delivery: of its whole length by the envelopes, of ten seconds by a clip."""

    __tablename__ = "hearings"
    __table_args__ = (only_where("ix_hearings_due", "due_since", where="due_since IS NOT NULL"),)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    due_since: Mapped[datetime | None]
    """Something came that is not matched yet."""
    answer: Mapped[str | None] = mapped_column(String(8))
    """yes, no, unknown; none: no envelope was matched."""
    why: Mapped[str] = mapped_column(String(16), default="")
    score: Mapped[float] = mapped_column(default=0.0)
    heard_ms: Mapped[int] = mapped_column(default=0)
    listened_ms: Mapped[int] = mapped_column(default=0)
    stretches: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    """[from_ms, to_ms, 1 for heard and 0 for not], where in the asset."""
    source: Mapped[str] = mapped_column(String(16), default="")
    signed: Mapped[bool] = mapped_column(default=False)
    """All of it carries the unit's own signature."""
    matched_at: Mapped[datetime | None]
    clip_answer: Mapped[str | None] = mapped_column(String(8))
    clip_why: Mapped[str] = mapped_column(String(16), default="")
    clip_score: Mapped[float] = mapped_column(default=0.0)
    clip_from_ms: Mapped[int] = mapped_column(default=0)
    """Where in the asset those ten seconds lay."""
    clip_source: Mapped[str] = mapped_column(String(16), default="")
    clip_signed: Mapped[bool] = mapped_column(default=False)
    clip_at: Mapped[datetime | None]
