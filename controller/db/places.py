"""Areas, stations, clusters, units, and which unit serves which cluster since when."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.base import Base, Big, only_one


class Area(Base):
    """A node of the administrative tree. The official code holds for a time: communes merge (R-010, R-011)."""

    __tablename__ = "areas"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    """province, district (dated history), commune, hamlet"""
    name: Mapped[str] = mapped_column(String(120))
    code: Mapped[str] = mapped_column(String(16), index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    """The first day on which it is no more."""
    successor_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"))
    """What it became part of."""
    former_parent_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """What it lay in until that level ended (`services.ending_districts`): the past is still told by it."""


class ClusterGroup(Base):
    """A saved choice of clusters, owned by an area: everybody who writes there may use it."""

    __tablename__ = "cluster_groups"
    __table_args__ = (UniqueConstraint("area_id", "name"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    name: Mapped[str] = mapped_column(String(80))
    clusters: Mapped[list[str]] = mapped_column(JSON)
    changed_at: Mapped[datetime]


class Station(Base):
    """A commune's station and its operating regulation (R-008, R-032)."""

    __tablename__ = "stations"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    scope: Mapped[str] = mapped_column(String(32), unique=True)
    """The standing scope of its commune (design, section 4)."""
    regulation_number: Mapped[str] = mapped_column(String(60), default="")
    regulation_date: Mapped[date | None]
    hours: Mapped[list[list[int]]] = mapped_column(JSON)
    """[[start, end], …] in minutes of the local day."""
    ceilings: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    """[[start, end, volume], …]"""
    rules: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The rest of the regulation (`services.stations.Rules`); empty for one that says no more."""
    regulation_revision: Mapped[int] = mapped_column(default=0)
    """Counts the changes; each is a row of `regulations`."""
    volume: Mapped[int] = mapped_column(default=70)
    emergency_volume: Mapped[int] = mapped_column(default=100)
    illustrative: Mapped[bool] = mapped_column(default=False)
    chime_sha256: Mapped[str | None] = mapped_column(ForeignKey("assets.sha256"))
    """What the form offers to sound before a bulletin; what does sound is chosen, and approved, with each."""


class RegulationChange(Base):
    """A station's operating regulation as somebody left it: who, when, and all of it (R-032). Written once."""

    __tablename__ = "regulations"
    __table_args__ = (UniqueConstraint("station_id", "revision"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    revision: Mapped[int]
    at: Mapped[datetime]
    by_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)


class Cluster(Base):
    """A pole with horns. Keeps schedule and history when hardware is swapped (R-085)."""

    __tablename__ = "clusters"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    hamlet: Mapped[str] = mapped_column(String(120), default="")
    """The hamlet that hears it, by name: what a series is proven for (R-043)."""
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    horns: Mapped[int] = mapped_column(default=2)
    horn_watts: Mapped[int] = mapped_column(default=30)
    """Of one horn. R-073: together 50 to 120 W, else the cluster's page flags it."""
    site: Mapped[str] = mapped_column(String(16), default="ordinary")
    """ordinary, hospital, school, pagoda: all but the first have lower ceilings (R-107)."""
    languages: Mapped[list[str]] = mapped_column(JSON, default=lambda: ["vi"])
    """What is played there, in this order (R-027)."""
    tags: Mapped[list[str]] = mapped_column(JSON, default=list)
    added_at: Mapped[datetime] = mapped_column(index=True)
    removed_at: Mapped[datetime | None]


class Unit(Base):
    """The hardware receiver: its own key, its own credential, each revoked alone (R-084)."""

    __tablename__ = "units"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    vendor: Mapped[str] = mapped_column(String(60), default="")
    key_x: Mapped[str] = mapped_column(String(64))
    """Its Ed25519 public key, base64url; "" for one that has none."""
    password_only: Mapped[bool] = mapped_column(default=False)
    """Enrolled without a key of its own: what it says proves less, and is shown so. Of a unit with a key nothing
    unsigned counts."""
    secret_hashes: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`sha256` of one random secret that is stored nowhere: for the broker's gate and for the files (decision 7)."""
    enrolled_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Assignment(Base):
    """Unit at cluster in [since, until). Evidence counts only from the unit that was assigned at that instant."""

    __tablename__ = "assignments"
    __table_args__ = (
        Index("ix_assignments_cluster_since", "cluster_id", "since"),
        only_one("uq_assignments_unit_now", "unit_id", where="until IS NULL"),
        only_one("uq_assignments_cluster_now", "cluster_id", where="until IS NULL"),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(ForeignKey("units.id"), index=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("clusters.id"))
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    last_plan: Mapped[int | None] = mapped_column(Big)
    """Of one that ended: the newest plan that it may have from here. Once the unit reports a later one it sounds
    nothing of this place any more."""
    sounds_until: Mapped[datetime | None]
    """Of one that ended: until here it may follow that plan, if it never hears of its end."""
