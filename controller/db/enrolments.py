"""How units became ours, with which certificates, and which of them are out again (R-084)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class Enrolment(Base):
    """A key that asked to be let in, and what became of it."""

    __tablename__ = "enrolments"
    __table_args__ = (Index("ix_enrolments_state_expires", "state", "expires_at"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    serial: Mapped[str] = mapped_column(String(60), index=True)
    vendor: Mapped[str] = mapped_column(String(60), default="")
    model: Mapped[str] = mapped_column(String(60), default="")
    firmware: Mapped[str] = mapped_column(String(64), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), index=True)
    code: Mapped[str] = mapped_column(String(12), index=True)
    key_x: Mapped[str] = mapped_column(String(64))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(Text)
    """PKCS#10, PEM."""
    state: Mapped[str] = mapped_column(String(16))
    """waiting, accepted, refused"""
    source: Mapped[str] = mapped_column(String(45), default="")
    """Address from which it asked first."""
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """Of one that waits: nobody accepts it later, and whoever still wants in asks again."""
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(60), default="")
    reason: Mapped[str] = mapped_column(String(300), default="")
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("units.id"), index=True)


class FactoryEntry(Base):
    """A line of a maker's list: this key is let in without asking."""

    __tablename__ = "factory_entries"
    serial: Mapped[str] = mapped_column(String(60), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    vendor: Mapped[str] = mapped_column(String(60), default="")
    listed_at: Mapped[datetime]
    listed_by: Mapped[str] = mapped_column(String(60))


class UnitCertificate(Base):
    """One that our authority gave. The newest counts; older ones of the same unit hold until they end."""

    __tablename__ = "unit_certificates"
    serial: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Hexadecimal."""
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), index=True)
    pem: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    renewed_at_ms: Mapped[int | None] = mapped_column(Big)
    """`at` of the request that it answers; none for the first."""


class Revocation(Base):
    """A unit that is out. The row of the unit says since when; this one why, and how far it has got about."""

    __tablename__ = "revocations"
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(16))
    """stolen, lost, broken, retired, other"""
    reason: Mapped[str] = mapped_column(String(300), default="")
    told_at: Mapped[datetime | None]
    """When the broker was last told."""
    cleared_at: Mapped[datetime | None]
    """When what it had left on the broker was taken off for the last time."""
    proven_at: Mapped[datetime | None]
    """When we tried in its name, and the broker refused."""
