"""What a machine's voice spoke, how words are pronounced, and the recorded pieces of phrases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class SpokenText(Base):
    """A recording that was made of a text: what was written, what was said for it, by which voice. Never changed."""

    __tablename__ = "spoken_texts"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of all that went in, the written text too."""
    heard: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of what the sound follows from: texts that are read alike share it, and the recording."""
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)
    language: Mapped[str] = mapped_column(String(3))
    written: Mapped[str] = mapped_column(Text)
    spoken: Mapped[str] = mapped_column(Text)
    words: Mapped[list[Any]] = mapped_column(JSON)
    """[start, end, spoken, doubtful] of each stretch that is not spoken as it is written."""
    voice: Mapped[str] = mapped_column(String(120))
    version: Mapped[str] = mapped_column(String(80))
    percent: Mapped[int]
    """Of the voice's own pace."""
    sent_out: Mapped[bool]
    """The text left this machine for it."""
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(60))


class Pronunciation(Base):
    """A word as a province or a commune's station says it (broadcasts.domain.reading.glossary.Entry)."""

    __tablename__ = "pronunciations"
    __table_args__ = (UniqueConstraint("area_id", "written"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    written: Mapped[str] = mapped_column(String(60))
    spoken: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(String(200), default="")
    alternatives: Mapped[list[str]] = mapped_column(JSON, default=list)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(60))


class ReadingStyle(Base):
    """Whose words for numbers a province or a commune's station says; none here: as the area above has it."""

    __tablename__ = "reading_styles"
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), primary_key=True)
    style: Mapped[str] = mapped_column(String(8))
    """broadcasts.domain.reading.numerals.STYLES"""
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(60))


class PhrasePiece(Base):
    """A recorded piece of the phrase bank. Its file is an asset of the codec `wav`, which no pole is sent."""

    __tablename__ = "phrase_pieces"
    __table_args__ = (UniqueConstraint("area_id", "language", "piece"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    language: Mapped[str] = mapped_column(String(3))
    piece: Mapped[str] = mapped_column(String(200))
    """As broadcasts.domain.phrases names it."""
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(60))
