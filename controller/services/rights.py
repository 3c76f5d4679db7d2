"""Who may do what, where: role times area, down the tree (R-112). Asked in the services, never only in a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Area, Cluster, Delegation, RoleGrant, Station, User


class Role(StrEnum):
    BROADCASTER = "broadcaster"
    APPROVER = "approver"
    TECHNICIAN = "technician"
    PROVINCE = "province"
    EMERGENCY = "emergency"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Right(StrEnum):
    COMPOSE = "compose"
    APPROVE = "approve"
    LOOK = "look"
    HEALTH = "health"
    SANDBOX = "sandbox"
    COMMAND = "command"
    """Ask a unit for something: no horn sounds for it."""
    METRICS = "metrics"
    ALERT = "alert"
    """Sound and silence an emergency."""
    PRELOAD = "preload"
    """Say which recordings for emergencies every unit holds beforehand."""
    UPKEEP = "upkeep"
    """Say which firmware and settings units should have."""
    PEOPLE = "people"
    """Invite, grant, disable."""
    UNLOCK = "unlock"
    """Let somebody in again who was locked out, with a reason (R-117)."""
    REGULATE = "regulate"
    """Change a station's operating regulation (R-032)."""
    RELAY = "relay"
    """Say which other stations may be relayed, and where they are received (R-024)."""
    AUDIT = "audit"
    PLACES = "places"
    """Say what a cluster is: its hamlet, its kind of site, what it plays and is tagged with."""
    AREAS = "areas"
    """Merge communes (R-011)."""
    SWAP = "swap"
    """Say which unit serves a cluster (R-085)."""
    ENROL = "enrol"
    """Accept a unit that asks to be let in (R-084)."""
    REVOKE = "revoke"
    """Take a unit's credential away, at once and for good."""


ROLES: dict[Role, frozenset[Right]] = {
    Role.BROADCASTER: frozenset({Right.COMPOSE, Right.LOOK, Right.HEALTH, Right.SANDBOX}),
    Role.APPROVER: frozenset({Right.APPROVE, Right.REGULATE, Right.LOOK, Right.HEALTH, Right.SANDBOX}),
    Role.TECHNICIAN: frozenset(
        {Right.COMMAND, Right.PLACES, Right.ENROL, Right.SWAP, Right.LOOK, Right.HEALTH, Right.SANDBOX}
    ),
    Role.PROVINCE: frozenset(
        {
            *(Right.LOOK, Right.HEALTH, Right.SANDBOX, Right.METRICS, Right.UNLOCK, Right.PRELOAD, Right.UPKEEP),
            *(Right.PLACES, Right.RELAY, Right.ENROL, Right.REVOKE),
        }
    ),
    Role.EMERGENCY: frozenset({Right.ALERT, Right.PRELOAD, Right.LOOK, Right.HEALTH, Right.SANDBOX}),
    Role.ADMINISTRATOR: frozenset({Right.PEOPLE, Right.REGULATE, Right.UNLOCK, Right.AREAS, Right.RELAY, Right.LOOK}),
    Role.AUDITOR: frozenset({Right.AUDIT, Right.LOOK}),
}
"""Least privilege (R-120): who manages accounts neither writes nor approves, who checks does nothing else."""

STRONG = frozenset(
    {
        *(Right.APPROVE, Right.ALERT, Right.PEOPLE, Right.UNLOCK, Right.AUDIT, Right.REGULATE),
        *(Right.PRELOAD, Right.UPKEEP, Right.AREAS, Right.RELAY, Right.REVOKE),
    }
)
"""What is done only in a session that gave a second factor (R-115)."""

APART: frozenset[frozenset[Role]] = frozenset(
    {
        frozenset({Role.BROADCASTER, Role.APPROVER}),
        *(frozenset({Role.ADMINISTRATOR, role}) for role in Role if role is not Role.ADMINISTRATOR),
        *(frozenset({Role.AUDITOR, role}) for role in Role if role is not Role.AUDITOR),
    }
)
"""Roles that no account holds both of at one station (R-120). The first pair yields to a station's logged exception."""


def needs_factor(roles: Sequence[Role]) -> bool:
    return any(ROLES[role] & STRONG for role in roles)


@dataclass(frozen=True)
class Grant:
    """`areas` are the ids of `area` and of all below it. `lent`: the id of the delegation that it comes by, `lender` of
    the person whose right it is."""

    role: Role
    area: str
    areas: frozenset[str]
    lent: str = ""
    lender: str = ""

    @property
    def rights(self) -> frozenset[Right]:
        """Lent is the word on broadcasts, not the one on a station's own rules (R-032)."""
        return ROLES[self.role] - {Right.REGULATE} if self.lent else ROLES[self.role]


@dataclass(frozen=True)
class Actor:
    """A person who asks for something, with the grants that hold now, the widest first. `strong`: the second factor
    was given, the last time at `strong_at`. `owes`: what has to be done first, "code", "password", "factor" or
    nothing."""

    id: str
    name: str
    full_name: str
    grants: tuple[Grant, ...]
    language: str
    home: str = ""
    strong: bool = False
    strong_at: datetime | None = None
    owes: str = ""
    form_token: str = ""
    session: str = ""

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(dict.fromkeys(grant.role for grant in self.grants))

    @property
    def areas(self) -> frozenset[str]:
        """Everything that any of the grants reaches: narrow it with `need` before anything is decided by it."""
        return frozenset().union(*(grant.areas for grant in self.grants))

    @property
    def area(self) -> str:
        """The top of the widest grant."""
        return self.grants[0].area if self.grants else self.home

    @property
    def must_change(self) -> bool:
        return self.owes == "password"

    def may(self, right: Right) -> bool:
        return any(right in grant.rights for grant in self.grants)

    def within(self, right: Right) -> frozenset[str]:
        """The areas where this right is held."""
        return frozenset().union(*(grant.areas for grant in self.grants if right in grant.rights))

    def need(self, *any_of: Right) -> Actor:
        """This person with nothing but the grants that give one of these rights: who may write here and approve there
        approves nothing here. Raises Refused: "no_right", "second_factor.needed"."""
        held = {right for right in any_of if self.may(right)}
        if not held:
            raise Refused("no_right", right=any_of[0])
        usable = held if self.strong else held - STRONG
        if not usable:
            raise Refused("second_factor.needed", right=any_of[0])
        return replace(self, grants=tuple(grant for grant in self.grants if usable & grant.rights))

    def besides(self, lender: str) -> Actor:
        """This person without what `lender` (an account's id) lent him: what somebody may not say himself, nobody says
        in his name."""
        return replace(self, grants=tuple(grant for grant in self.grants if not lender or grant.lender != lender))

    def only_in(self, areas: frozenset[str]) -> Actor:
        """This person with every grant cut down to these areas."""
        cut = (replace(grant, areas=grant.areas & areas) for grant in self.grants)
        return replace(self, grants=tuple(grant for grant in cut if grant.areas))

    def freshly(self, now: datetime, within: timedelta) -> None:
        """For what wakes a whole province: whoever sits down at a desk left open does not do it. Raises
        Refused("second_factor.again") where the second factor was given longer ago than `within`."""
        if self.strong_at is None or now - self.strong_at > within:
            raise Refused("second_factor.again", minutes=int(within.total_seconds() // 60))


def below(session: Session, area: str) -> frozenset[str]:
    """The area and everything under it, or that was under it until its level ended."""
    found, front = {area}, {area}
    while front:
        under = or_(Area.parent_id.in_(front), Area.former_parent_id.in_(front))
        front = set(session.scalars(select(Area.id).where(under))) - found
        found |= front
    return frozenset(found)


def grants_of(session: Session, user: str, now: datetime) -> tuple[Grant, ...]:
    """Those that hold at `now`, the widest first; what is lent comes after one's own of the same width."""
    own = _own(session, user, now)
    lent = [] if any(bars(grant.role, Role.APPROVER) for grant in own) else _lent(session, user, now)
    return tuple(sorted([*own, *lent], key=lambda grant: -len(grant.areas)))


def bars(role: Role, other: Role) -> bool:
    """Whether who holds `role` is not lent `other` either. The pair of a one-person station is no bar: at each decision
    four eyes are asked for by themselves."""
    return frozenset({role, other}) in APART - {frozenset({Role.BROADCASTER, Role.APPROVER})}


def _own(session: Session, user: str, now: datetime) -> list[Grant]:
    rows = session.scalars(
        select(RoleGrant)
        .where(RoleGrant.user_id == user, RoleGrant.since <= now, or_(RoleGrant.until.is_(None), RoleGrant.until > now))
        .order_by(RoleGrant.id)
    )
    return [Grant(Role(row.role), row.area_id, below(session, row.area_id)) for row in rows]


def _lent(session: Session, user: str, now: datetime) -> list[Grant]:
    """The right to approve that others lent, as far as they have it themselves at `now`: by a grant of their own, and
    with an account that is on."""
    rows = session.scalars(
        select(Delegation)
        .join(User, Delegation.from_id == User.id)
        .where(
            Delegation.to_id == user,
            Delegation.since <= now,
            Delegation.until > now,
            Delegation.ended_at.is_(None),
            User.disabled_at.is_(None),
        )
        .order_by(Delegation.id)
    )
    found = []
    for row in rows:
        theirs = [grant.areas for grant in _own(session, row.from_id, now) if Right.APPROVE in grant.rights]
        if areas := below(session, row.area_id) & frozenset().union(*theirs):
            found.append(Grant(Role.APPROVER, row.area_id, areas, lent=row.id, lender=row.from_id))
    return found


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
