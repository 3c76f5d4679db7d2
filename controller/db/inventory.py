"""What is bought and stands out there: kinds of hardware, each box with its papers and its SIM, the pole's photo, the
asset book of repairs, and sheets that wait for a word before they are taken in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class HardwareClass(Base):
    """A model of one of the classes of Art. 4(1) (R-003)."""

    __tablename__ = "hardware_classes"
    __table_args__ = (UniqueConstraint("vendor", "model"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """controller.services.hardware.KINDS"""
    vendor: Mapped[str] = mapped_column(String(60))
    model: Mapped[str] = mapped_column(String(60))
    watts: Mapped[int | None]
    """What it can give to its horns."""
    inputs: Mapped[list[str]] = mapped_column(JSON, default=list)
    codecs: Mapped[list[str]] = mapped_column(JSON, default=list)
    power: Mapped[str] = mapped_column(String(16), default="")
    """controller.services.hardware.POWERS"""
    changed_at: Mapped[datetime]


class Hardware(Base):
    """The papers of one unit: they go with the box when it is swapped (R-074, R-140 to R-142)."""

    __tablename__ = "hardware"
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    class_id: Mapped[str | None] = mapped_column(ForeignKey("hardware_classes.id"), index=True)
    serial: Mapped[str | None] = mapped_column(String(60), unique=True)
    """As it is printed on the box; one box has it."""
    supplier_code: Mapped[str] = mapped_column(String(40), default="")
    supplier: Mapped[str] = mapped_column(String(120), default="")
    contract: Mapped[str] = mapped_column(String(80), default="")
    purchased_on: Mapped[date | None]
    warranty_until: Mapped[date | None]
    """The last day of it."""
    funding: Mapped[str] = mapped_column(String(16), default="")
    """controller.services.hardware.FUNDS"""
    purpose: Mapped[str] = mapped_column(String(16), default="")
    """controller.services.hardware.PURPOSES (R-140, R-141)"""
    cost_vnd: Mapped[int | None] = mapped_column(Big)
    sim_operator: Mapped[str] = mapped_column(String(40), default="")
    sim_number: Mapped[str] = mapped_column(String(20), default="")
    sim_iccid: Mapped[str | None] = mapped_column(String(22), unique=True)
    sim_quota_mb: Mapped[int | None]
    """A month."""
    notes: Mapped[str] = mapped_column(String(500), default="")
    changed_at: Mapped[datetime]


class Pole(Base):
    """What is known of a cluster's place beside what is heard there."""

    __tablename__ = "poles"
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    photo_sha256: Mapped[str | None] = mapped_column(ForeignKey("assets.sha256"))
    photo_at: Mapped[datetime | None]
    notes: Mapped[str] = mapped_column(String(500), default="")


class BookEntry(Base):
    """A line of the asset book: repairs and replacements are paid for separately (R-142). Written once."""

    __tablename__ = "asset_book"
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), index=True)
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("units.id"))
    what: Mapped[str] = mapped_column(String(16))
    """controller.services.asset_book.WHAT"""
    on_day: Mapped[date]
    cost_vnd: Mapped[int | None] = mapped_column(Big)
    funding: Mapped[str] = mapped_column(String(16), default="")
    note: Mapped[str] = mapped_column(String(200), default="")
    at: Mapped[datetime]
    by_id: Mapped[str] = mapped_column(ForeignKey("users.id"))


class SheetImport(Base):
    """A sheet that was read and shown, and waits for the word to take it in. Gone a day later."""

    __tablename__ = "sheet_imports"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    opened_at: Mapped[datetime]
    seen: Mapped[str] = mapped_column(String(16))
    """Revision of what it was shown to change."""
    rows: Mapped[list[Any]] = mapped_column(JSON)
    """[[number in the sheet, {column: text}], …]"""


class Divergence(Base):
    """A unit that lacked its plan when a newer one was made (controller.services.diverging): since when."""

    __tablename__ = "divergences"
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    since: Mapped[datetime]
