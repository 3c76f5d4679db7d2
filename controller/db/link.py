"""What goes to and comes from the units: plans, documents, status, journal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big, only_where


class UnitPlan(Base):
    """The newest plan of a unit, exactly as it travels. One row a unit; the reconciler makes it so out there."""

    __tablename__ = "unit_plans"
    __table_args__ = (
        Index("ix_unit_plans_due_again", "due_again"),
        only_where("ix_unit_plans_dirty", "dirty_since", where="dirty_since IS NOT NULL"),
    )
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Big)
    body_sha256: Mapped[str] = mapped_column(String(64))
    """Over the content without version and times: what decides whether a new one is worth publishing."""
    document_sha256: Mapped[str] = mapped_column(String(64))
    compiled_at: Mapped[datetime]
    horizon_end: Mapped[datetime]
    due_again: Mapped[datetime]
    """When the horizon rolls, jittered."""
    published_at: Mapped[datetime | None]
    dirty_since: Mapped[datetime | None]
    """Something changed that may change this plan."""
    document: Mapped[bytes] = mapped_column(LargeBinary)
    """Last, because SQLite reads all of a row that stands before what it looks for."""


class ScopeDocument(Base):
    """The newest alert document of a scope, and the trust document (scope "trust"). Version 0: none was issued yet."""

    __tablename__ = "scope_documents"
    scope: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(Big)
    document: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime]
    void_before: Mapped[int] = mapped_column(Big, default=0)
    seen_version: Mapped[int] = mapped_column(Big, default=0)
    """The highest one found retained on the broker: higher than ours means that we were restored."""
    dirty: Mapped[int] = mapped_column(default=0)
    """How many acts the document does not say yet: what was decided is issued, whoever dies in between."""
    published_at: Mapped[datetime | None]


class UnitStatus(Base):
    """What a unit last said of itself."""

    __tablename__ = "unit_status"
    __table_args__ = (only_where("ix_unit_status_simple", "unit_id", where="codecs IS NOT NULL"),)
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    connected: Mapped[bool | None]
    boot_id: Mapped[int | None] = mapped_column(Big)
    conn: Mapped[int | None]
    presence_at: Mapped[datetime | None]
    last_sign: Mapped[datetime | None]
    plan_version: Mapped[int | None] = mapped_column(Big)
    plan_hash: Mapped[str | None] = mapped_column(String(64))
    seen_plan_version: Mapped[int] = mapped_column(Big, default=0)
    """The highest version found retained on the broker or reported: the next one outranks it."""
    trust_version: Mapped[int | None] = mapped_column(Big)
    alert_versions: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    held: Mapped[list[str]] = mapped_column(JSON, default=list)
    codecs: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """What it decodes, the best first; none: what every unit does that says nothing of it."""
    codecs_at: Mapped[datetime | None]
    """When its plan was last marked because that changed."""
    reported: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    reported_at: Mapped[datetime | None]
    complete_at: Mapped[datetime | None]
    """All that happened at the unit before this instant, and since `complete_from`, is in the journal here: what is
    not in it did not happen."""
    complete_from: Mapped[datetime | None]
    """From here on the present journal is known to be unbroken. What came before may have been in a lost one."""
    journal_id: Mapped[str | None] = mapped_column(String(64))
    """The present journal: another one means that the storage was lost."""
    journal_epoch: Mapped[int] = mapped_column(Big, default=0)
    """Of the acknowledgements to this unit. Higher means: send again from the mark."""
    telemetry: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    telemetry_at: Mapped[datetime | None]


class JournalMark(Base):
    """How far the journal of a unit is safe here."""

    __tablename__ = "journal_marks"
    __table_args__ = (only_where("ix_journal_marks_untold", "at", where="acked_seq != seq"),)
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), primary_key=True)
    journal_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(Big)
    at: Mapped[datetime]
    acked_seq: Mapped[int] = mapped_column(Big, default=-1)
    """What the last acknowledgement we published says; -1: none yet, or to be said again."""


class JournalEntry(Base):
    """One entry of one unit's journal, once, for ever."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_item", "item"),)
    unit_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    journal_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    item: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    boot_id: Mapped[int] = mapped_column(Big)
    signed: Mapped[bool]
    entry: Mapped[dict[str, Any]] = mapped_column(JSON)


class UnitFault(Base):
    """A fault that a unit, or we about a unit, raised; latched until cleared (peers.md 6.4)."""

    __tablename__ = "unit_faults"
    __table_args__ = (only_where("ix_unit_faults_standing", "code", where="cleared_at IS NULL"),)
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), index=True)
    code: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(500), default="")
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
