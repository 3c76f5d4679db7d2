"""The same sound in other codecs, and what nothing names any more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base


class Encoding(Base):
    """One recording in another codec, for units that do not decode the first. Everything that is decided, approved and
    proven is about the first; only plans, alerts and downloads know of the other."""

    __tablename__ = "encodings"
    asset_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), primary_key=True)
    codec: Mapped[str] = mapped_column(String(8), primary_key=True)
    encoded_sha256: Mapped[str] = mapped_column(ForeignKey("assets.sha256"), index=True)
    made_at: Mapped[datetime]


class Unnamed(Base):
    """A file that nothing named when the collector last looked: `asset` or `original`, and since when."""

    __tablename__ = "unnamed_files"
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    since: Mapped[datetime]
