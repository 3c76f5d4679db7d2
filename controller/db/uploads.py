"""Recordings on their way in: pieces that came, and what is done with them afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class Upload(Base):
    """A file that comes in pieces, then waits for a core, then is an asset or was refused. The bytes lie on the disk
    under `id` until then; `received` of them are safe there."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    """What the sender calls it: only shown and logged."""
    use: Mapped[str] = mapped_column(String(16))
    """controller.services.uploads.Use"""
    size: Mapped[int] = mapped_column(Big)
    received: Mapped[int] = mapped_column(Big, default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    """Of the whole, as promised; "" where nothing was."""
    state: Mapped[str] = mapped_column(String(12), index=True)
    """controller.services.uploads.State"""
    stage: Mapped[str] = mapped_column(String(16), default="")
    """Of what is being prepared: one of broadcasts.audio.keys.STAGES."""
    cut_of: Mapped[str | None] = mapped_column(ForeignKey("assets.sha256"))
    """Nothing was sent: it is a part of this recording, made anew from its original."""
    cut_from_ms: Mapped[int | None]
    cut_to_ms: Mapped[int | None]
    asset_sha256: Mapped[str | None] = mapped_column(ForeignKey("assets.sha256"))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Why it was refused: key, fields, and whether the fault is ours."""
    opened_at: Mapped[datetime]
    changed_at: Mapped[datetime]
