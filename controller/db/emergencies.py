"""Emergencies: the act of one person, whom it was meant for, and the entry it makes in the list of each scope."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big, only_where


class Emergency(Base):
    """One emergency act: one id, the same in the lists of all scopes that carry it. Drills are no rows here."""

    __tablename__ = "emergencies"
    __table_args__ = (
        Index("ix_emergencies_issued_at", "issued_at"),
        only_where("ix_emergencies_waiting", "release_at", where="state = 'waiting'"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """wire.AlertKind"""
    target: Mapped[dict[str, Any]] = mapped_column(JSON)
    """As asked (`services.alert_reach.stored`)."""
    places: Mapped[list[list[Any]]] = mapped_column(JSON)
    """[[scope, [unit, …] or null for all of it], …]: whose lists carry it, from wide to narrow."""
    areas: Mapped[list[str]] = mapped_column(JSON)
    """Of all that it concerns: who has them all may silence it, and confirm it."""
    content: Mapped[list[list[str]]] = mapped_column(JSON)
    """[[language, asset], …] in the order of playing; empty: the preloaded recordings of each place."""
    reason: Mapped[str] = mapped_column(Text)
    repeat: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """wire.alert.Repeat"""
    rule: Mapped[str] = mapped_column(String(24), default="")
    """broadcasts.domain.alert_rules.Rule by which it repeats; "" where somebody set the interval himself."""
    volume: Mapped[int]
    ends: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Alerts that it takes back when it is released (R-064)."""
    inline: Mapped[bool] = mapped_column(default=False)
    """Its sound travels in the document itself."""
    lasts_s: Mapped[int]
    pressed_at: Mapped[datetime]
    release_at: Mapped[datetime]
    """Until then it can be cancelled and nobody outside has heard of it."""
    issued_at: Mapped[datetime]
    """When it went into the lists; while it waits, when it will."""
    hard_end: Mapped[datetime]
    issued_by: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(12))
    """waiting, issued, cancelled, lapsed, silenced; one that came to its hard end stays `issued`."""
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(60), default="")

    @property
    def scopes(self) -> list[str]:
        return [str(scope) for scope, _ in self.places]

    @property
    def scope(self) -> str:
        """The widest of its lists."""
        return self.scopes[0] if self.places else ""


class EmergencyReach(Base):
    """A cluster that an emergency was meant for, with the unit that served it then: the tally is of these."""

    __tablename__ = "emergency_reach"
    __table_args__ = (Index("ix_emergency_reach_unit", "emergency_id", "unit_id"),)
    emergency_id: Mapped[str] = mapped_column(ForeignKey("emergencies.id"), primary_key=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    unit_id: Mapped[str | None] = mapped_column(String(32))
    """None: no unit hangs there, so nothing can sound."""
    since: Mapped[datetime | None]
    """When this unit came, where another one, or none, was there when it was sounded."""
    silenced_at: Mapped[datetime | None]
    """An all-clear took it back here while it goes on elsewhere, or it was silenced everywhere."""
    sounded_at: Mapped[datetime | None]
    """First of all: when samples left the decoder, by the unit's clock where it knows the time."""
    ended_at: Mapped[datetime | None]
    """When the last sounding so far stopped."""
    heard: Mapped[bool | None]
    """True: the amplifier drew its current in some sounding; False: in none of those that were measured."""
    skipped: Mapped[str] = mapped_column(String(40), default="")
    """Why the unit says that it never sounded."""


class ReachBefore(Base):
    """What a unit told of an emergency that hung at the cluster then, and was swapped while it stood."""

    __tablename__ = "emergency_reach_before"
    __table_args__ = (Index("ix_emergency_reach_before_unit", "emergency_id", "unit_id"),)
    emergency_id: Mapped[str] = mapped_column(ForeignKey("emergencies.id"), primary_key=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    unit_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    since: Mapped[datetime | None]
    """As `EmergencyReach.since`."""
    until: Mapped[datetime]
    """When it was taken off there: what it sounds later, it sounds elsewhere."""
    sounded_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    heard: Mapped[bool | None]
    skipped: Mapped[str] = mapped_column(String(40), default="")


class StandingAlert(Base):
    """The entry of one emergency in the list of one scope, until it is silenced."""

    __tablename__ = "alerts"
    __table_args__ = (Index("ix_alerts_scope_hard_end", "scope", "hard_end"),)
    id: Mapped[str] = mapped_column(ForeignKey("emergencies.id"), primary_key=True)
    scope: Mapped[str] = mapped_column(String(32), primary_key=True)
    entry: Mapped[dict[str, Any]] = mapped_column(JSON)
    """As it stands in the document (wire.Alert)."""
    issued_at: Mapped[datetime]
    hard_end: Mapped[datetime]
    issued_by: Mapped[str] = mapped_column(String(60))
    silenced_at: Mapped[datetime | None]
    silenced_by: Mapped[str | None] = mapped_column(String(60))
    version: Mapped[int | None] = mapped_column(Big)
    """Of the first list that says it as it stands here."""
    gone_version: Mapped[int | None] = mapped_column(Big)
    """Of the first list without it."""
