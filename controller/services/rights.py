"""Who may do what, where: role times area, down the tree. Asked in the services, never only in a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Area, Cluster, Station


class Role(StrEnum):
    BROADCASTER = "broadcaster"
    APPROVER = "approver"
    TECHNICIAN = "technician"
    PROVINCE = "province"


class Right(StrEnum):
    COMPOSE = "compose"
    APPROVE = "approve"
    LOOK = "look"
    HEALTH = "health"
    SANDBOX = "sandbox"


_ROLES: dict[Role, frozenset[Right]] = {
    Role.BROADCASTER: frozenset({Right.COMPOSE, Right.LOOK, Right.HEALTH, Right.SANDBOX}),
    Role.APPROVER: frozenset({Right.APPROVE, Right.LOOK, Right.HEALTH, Right.SANDBOX}),
    Role.TECHNICIAN: frozenset({Right.LOOK, Right.HEALTH, Right.SANDBOX}),
    Role.PROVINCE: frozenset({Right.LOOK, Right.HEALTH, Right.SANDBOX}),
}


@dataclass(frozen=True)
class Actor:
    """A person who is logged in. `areas` are the ids of the area of the account and of all below it."""

    id: str
    name: str
    full_name: str
    role: Role
    area: str
    areas: frozenset[str]
    language: str
    must_change: bool = False
    form_token: str = ""

    def may(self, right: Right) -> bool:
        return right in _ROLES[self.role]

    def need(self, right: Right) -> None:
        """Raises Refused("no_right")."""
        if not self.may(right):
            raise Refused("no_right", right=right)


def below(session: Session, area: str) -> frozenset[str]:
    """The area and everything under it."""
    found, front = {area}, {area}
    while front:
        front = set(session.scalars(select(Area.id).where(Area.parent_id.in_(front)))) - found
        found |= front
    return frozenset(found)


def my_stations(session: Session, actor: Actor) -> list[Station]:
    return list(session.scalars(select(Station).where(Station.area_id.in_(actor.areas)).order_by(Station.name)))


def all_mine(session: Session, actor: Actor, clusters: Sequence[str]) -> bool:
    """Nobody decides for poles of another station: he would not even be shown them."""
    foreign = (
        select(Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(Cluster.id.in_(clusters), Station.area_id.not_in(actor.areas))
    )
    return session.scalar(foreign.limit(1)) is None


def my_clusters(session: Session, actor: Actor) -> list[Cluster]:
    """The clusters of the actor's area that are in use, ordered by name."""
    rows = session.scalars(
        select(Cluster)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(actor.areas), Cluster.removed_at.is_(None))
        .order_by(Cluster.id)
    )
    return list(rows)
