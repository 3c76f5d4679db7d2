"""Warnings of other authorities (CAP 1.2): where they come from, what came, and what may sound without asking."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big


class CapFeed(Base):
    """One sender's warnings, fetched by us or handed in with a token."""

    __tablename__ = "cap_feeds"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """Nothing of it sounds outside of this area."""
    url: Mapped[str] = mapped_column(String(300), default="")
    """Of a list (Atom, RSS) or of one message; "" where they are only handed in."""
    senders: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Who may speak here (CAP `sender`); empty: anybody."""
    systems: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Names of code lists (`valueName`) whose codes are the official ones of our areas."""
    certificate: Mapped[str] = mapped_column(Text, default="")
    """PEM; one or several while they change."""
    signed: Mapped[bool] = mapped_column(default=False)
    """What carries no valid signature is only kept."""
    token_sha256: Mapped[str] = mapped_column(String(64), default="", index=True)
    """Of what hands in; "": nobody may."""
    every_s: Mapped[int] = mapped_column(default=60)
    revision: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(60))
    retired_at: Mapped[datetime | None]
    etag: Mapped[str] = mapped_column(String(300), default="")
    """As the server said it; ours to say back."""
    modified: Mapped[str] = mapped_column(String(100), default="")
    next_at: Mapped[datetime | None]
    """When it is fetched next; none: now."""
    heard_at: Mapped[datetime | None]
    """The last time that its server answered as it should, or somebody handed in."""
    failures: Mapped[int] = mapped_column(default=0)
    """In a row."""
    trouble: Mapped[str] = mapped_column(String(60), default="")
    """Key of the last failure; "" where the last fetch went well."""


class CapMessage(Base):
    """A message as it came, byte for byte, and what became of it."""

    __tablename__ = "cap_messages"
    __table_args__ = (
        UniqueConstraint("feed_id", "digest"),
        Index("ix_cap_messages_feed_sender", "feed_id", "sender", "received_at"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(Big, index=True)
    """The order in which they came, over all feeds."""
    feed_id: Mapped[str] = mapped_column(ForeignKey("cap_feeds.id"))
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of `body`."""
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """Only fetched where it is read: a list of messages is no list of megabytes."""
    link: Mapped[str] = mapped_column(String(400), default="")
    """Where a list said that it lies, with what the list said of its age."""
    received_at: Mapped[datetime] = mapped_column(index=True)
    sender: Mapped[str] = mapped_column(String(300), default="")
    identifier: Mapped[str] = mapped_column(String(300), default="")
    sent: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(16), default="")
    msg_type: Mapped[str] = mapped_column(String(16), default="")
    scope: Mapped[str] = mapped_column(String(16), default="")
    refers: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Its references, as CAP writes them."""
    words: Mapped[str] = mapped_column(String(64), default="")
    """SHA-256 of all that it says; "" where it says nothing but its head."""
    title: Mapped[str] = mapped_column(String(300), default="")
    """For a list: headline or event, the Vietnamese one where there is one."""
    end: Mapped[datetime | None]
    seal: Mapped[str] = mapped_column(String(16), default="none")
    """services.cap_signature.Seal"""
    unread: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Key and fields of the reason, where it could not be read at all."""
    refused: Mapped[str] = mapped_column(String(16), default="")
    """What the feed's settings said against it when it came (domain.cap_rules.Why)."""
    fate: Mapped[str] = mapped_column(String(16), index=True)
    """domain.cap_rules.Fate"""
    why: Mapped[str] = mapped_column(String(32), default="")
    """domain.cap_rules.Why; "unread" for what could not be read."""
    by_id: Mapped[str] = mapped_column(String(32), default="")
    """The message that took this one back."""
    decision: Mapped[str] = mapped_column(String(16), default="", index=True)
    """sounded, automatic, drilled, rejected; "" while nobody decided."""
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(60), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    tried_at: Mapped[datetime | None]
    """When the standing rules were asked."""
    held: Mapped[str] = mapped_column(String(60), default="")
    """Why a standing rule that was meant for it did not sound its part: the key of the first refusal."""


class CapMessageAlert(Base):
    """What sounds for a message: one for each standing rule that it reaches, or the one that a person decided on."""

    __tablename__ = "cap_message_alerts"
    message_id: Mapped[str] = mapped_column(ForeignKey("cap_messages.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """In the order of sounding."""
    rule_id: Mapped[str] = mapped_column(String(32), default="")
    """ "": a person decided."""
    alert_id: Mapped[str] = mapped_column(String(32), default="", index=True)
    """The emergency or the drill; "" while, or because, none sounds."""
    clusters: Mapped[int] = mapped_column(default=0)
    held: Mapped[str] = mapped_column(String(60), default="")
    """Why it did not sound: the key of the refusal."""
    silenced_at: Mapped[datetime | None]
    """When a Cancel took that off the air."""


class CapRule(Base):
    """A standing rule of the province: what reaches its thresholds sounds without asking, by a recording that every
    pole holds. One person writes it, another one puts it into force; it ends by itself."""

    __tablename__ = "cap_rules"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    feed_id: Mapped[str] = mapped_column(ForeignKey("cap_feeds.id"), index=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    """Nothing of it sounds outside."""
    events: Mapped[list[str]] = mapped_column(JSON, default=list)
    severity: Mapped[str] = mapped_column(String(16))
    urgency: Mapped[str] = mapped_column(String(16))
    certainty: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    """wire.alert.AlertKind: whose recordings sound."""
    minutes: Mapped[int]
    """How long at the most."""
    until: Mapped[datetime]
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    feed_revision: Mapped[int]
    """Of the feed as it was decided on: another address or certificate is another sender."""
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(60), default="")
