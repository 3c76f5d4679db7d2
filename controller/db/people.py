"""Accounts, what they may do where, their sessions and second factors, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class User(Base):
    """One account per person (R-113)."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    full_name: Mapped[str] = mapped_column(String(120))
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """Where the person works: whose administrators look after the account. What it may do stands in `grants`."""
    password_hash: Mapped[str] = mapped_column(String(200))
    """Empty until an invitation is taken up."""
    password_at: Mapped[datetime | None]
    old_hashes: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Of former passwords, the newest first (R-116)."""
    must_change: Mapped[bool] = mapped_column(default=False)
    failed: Mapped[int] = mapped_column(default=0)
    locks: Mapped[int] = mapped_column(default=0)
    """How often it was locked since the last right log-in: each lock is twice as long as the one before."""
    locked_until: Mapped[datetime | None]
    factor_secret: Mapped[str] = mapped_column(String(200), default="")
    """The sealed secret of the code generator (RFC 6238); empty: none."""
    factor_at: Mapped[datetime | None]
    """Since when it counts; none while it was only shown."""
    factor_step: Mapped[int] = mapped_column(Big, default=0)
    """The last 30-second step whose code was taken: it and all before it are worth nothing any more."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    """The last log-in."""
    reviewed_at: Mapped[datetime | None]
    """When somebody last confirmed that this person should have this account (R-119)."""
    disabled_at: Mapped[datetime | None]
    language: Mapped[str] = mapped_column(String(3), default="vi")


class RoleGrant(Base):
    """A role in an area and all below it, in [since, until)."""

    __tablename__ = "grants"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    granted_by: Mapped[str] = mapped_column(String(60))


class Invitation(Base):
    """A link that lets one person set a password once. Only the SHA-256 of its code is here."""

    __tablename__ = "invitations"
    code_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(60))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """For a lost telephone; each opens once. Random enough (80 bits) for a plain SHA-256."""

    __tablename__ = "recovery_codes"
    code_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    used_at: Mapped[datetime | None]


class FactorReset(Base):
    """One administrator asks that somebody's second factor be forgotten, another one confirms. Open while `ended_at` is
    none and `expires_at` not over."""

    __tablename__ = "factor_resets"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    asked_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(60), default="")
    confirmed: Mapped[bool] = mapped_column(default=False)
    """False with `ended_at`: somebody said no, or took it back."""


class LoginSession(Base):
    """The cookie holds a random token; only its SHA-256 is here."""

    __tablename__ = "login_sessions"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    """What the list of sessions calls it."""
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    form_token: Mapped[str] = mapped_column(String(64))
    """What every form must send back: a page of another site cannot know it."""
    client: Mapped[str] = mapped_column(String(160), default="")
    """What the browser says of itself, so that a person can tell the sessions apart."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    strong_at: Mapped[datetime | None]
    """When the second factor was given."""
    ended_at: Mapped[datetime | None]


class AuditEntry(Base):
    """Who did what to what, where and when. Each line holds the hash of the one before (R-104); the database itself
    refuses to change or take away a line (`controller/db/append_only.py`)."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(60), index=True)
    act: Mapped[str] = mapped_column(String(60), index=True)
    about: Mapped[str] = mapped_column(String(80), index=True)
    area: Mapped[str] = mapped_column(String(32), index=True, default="")
    """The area it concerned, so that an auditor sees his own; empty: none, or not known any more."""
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditCheckpoint(Base):
    """The log up to and with line `through_id` lies in a file outside. The chain goes on from `hash`, that line's; the
    line `line_id` of the log itself says so too. Only what a checkpoint covers can be deleted from the log
    (`controller/db/append_only.py`)."""

    __tablename__ = "audit_checkpoints"
    through_id: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    line_id: Mapped[int] = mapped_column(Big)
    lines: Mapped[int]
    """How many the file holds."""
    file_sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(60))
