"""By what right somebody decides: his own, one that was lent, or the exception of a one-person station (R-031)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Cluster, Delegation, OwnException, Station, User
from controller.services.facts import authors
from controller.services.own_exceptions import standing
from controller.services.rights import Actor, Grant, all_mine, grants_of


@dataclass(frozen=True)
class Title:
    """Ids of the delegation and of the exception that the decision rests on; both none: the person's own right."""

    delegation: str | None = None
    exception: str | None = None


@dataclass(frozen=True)
class ByRight:
    """What an approver is told beforehand: by whose right he would say yes, or what stands against it. All empty: his
    own right."""

    lender: str = ""
    until: datetime | None = None
    """When the lent right or the exception ends."""
    reason: str = ""
    exception: str = ""
    """Its number."""
    against: Refused | None = None


def by_right(session: Session, actor: Actor, broadcast: Broadcast, now: datetime) -> ByRight:
    """`actor` is narrowed to his grants to approve."""
    try:
        title = title_of(session, actor, broadcast, now, approves=True)
    except Refused as refused:
        return ByRight(against=refused)
    if title.delegation is not None:
        lent = session.get_one(Delegation, title.delegation)
        return ByRight(session.get_one(User, lent.from_id).full_name, lent.until, lent.reason)
    if title.exception is not None:
        granted = session.get_one(OwnException, title.exception)
        return ByRight(until=granted.until, reason=granted.reason, exception=granted.number)
    return ByRight()


def title_of(session: Session, actor: Actor, broadcast: Broadcast, now: datetime, *, approves: bool) -> Title:
    """`actor` is narrowed to his grants to approve; `now` the time of people. Who rejects needs no four eyes.

    Raises Refused: "approve.own", and what `lent_title` raises.
    """
    own = tuple(grant for grant in actor.grants if not grant.lent)
    wrote = authors(session, broadcast)
    mine = actor.id in wrote
    if _reaches(session, actor, own, broadcast):
        if not approves or not mine:
            return Title()
        return Title(exception=_exception(session, broadcast, now).id)
    if not _reaches(session, actor, actor.grants, broadcast):
        raise Refused("not_yours")
    if approves and mine:
        raise Refused("approve.own")
    return lent_title(
        session, actor, now, lambda lent: _reaches(session, actor, (*own, lent), broadcast), wrote if approves else ()
    )


def lent_title(
    session: Session, actor: Actor, now: datetime, reaches: Callable[[Grant], bool], wrote: Collection[str]
) -> Title:
    """By which lent right, beside one's own, somebody decides; the same for a bulletin, a live voice and a drill.
    `reaches`: whether all that is decided on lies within his own rights and this one. `wrote`: the ids of those whose
    work it is, none where four eyes are not needed; `now`: the time of people.

    Raises Refused: "not_yours", "delegation.over", "approve.lent_own" (the lender's own work: what he may not approve,
    he cannot lend).
    """
    held = {grant.lent for grant in grants_of(session, actor.id, now)}
    reaching = [grant for grant in actor.grants if grant.lent and reaches(grant)]
    usable = [grant for grant in reaching if grant.lent in held]
    if not usable:
        raise Refused("delegation.over" if reaching else "not_yours")
    for grant in usable:
        if grant.lender not in wrote:
            return Title(delegation=grant.lent)
    raise Refused("approve.lent_own")


def _exception(session: Session, broadcast: Broadcast, now: datetime) -> OwnException:
    """Every station whose poles sound it must have one: the exception of one does not speak for its neighbour."""
    query = select(Cluster.station_id).where(Cluster.id.in_(broadcast.clusters)).distinct()
    stations = {broadcast.station_id, *session.scalars(query)}
    found = {station: standing(session, station, now) for station in stations}
    own = found[broadcast.station_id]
    if own is None or None in found.values():
        raise Refused("approve.own")
    return own


def _reaches(session: Session, actor: Actor, grants: tuple[Grant, ...], broadcast: Broadcast) -> bool:
    narrowed = replace(actor, grants=grants)
    at = session.get_one(Station, broadcast.station_id).area_id
    return at in narrowed.areas and all_mine(session, narrowed, broadcast.clusters)
