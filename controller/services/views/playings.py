"""What was played where, line by line: each bulletin at each cluster with all that is known of it, emergencies, drills
and live voices among them (R-099)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.content import type_code
from broadcasts.errors import Refused
from controller.db.tables import Approval, Area, Cluster, Delivery, Revision, Station, User
from controller.services.rights import Actor, Right, below
from controller.services.views.playing import Kind, Playing, ms
from controller.services.views.playings_unplanned import Where, instants, unplanned

LONGEST = 92
"""Days in one table: a quarter."""
MOST = 20_000
"""Lines on one page."""
AT_ONCE = 300


@dataclass(frozen=True)
class Page:
    """`next`: the instant from which the next one goes on; none for the last."""

    lines: Sequence[Playing]
    next: datetime | None


def page(
    session: Session,
    actor: Actor,
    first: date,
    last: date,
    now: datetime,
    area: str = "",
    since: datetime | None = None,
    limit: int = MOST,
) -> Page:
    """What should have begun by now on these local days, from the instant `since` on, in order of time and place;
    `area`: at its clusters alone, which may be one that was merged since.

    Nothing is ever left out, and nothing stands on two pages, whatever happens between them: a page ends between two
    instants, so it has more than `limit` lines only where one instant alone has. Raises Refused: "no_right",
    "area.unknown", "playings.days"."""
    where = _where(actor, session, first, last, now, area)
    if since is not None:
        where = replace(where, begin=max(where.begin, since))
    cut = _cut(session, where, limit)
    if cut is not None:
        where = replace(where, end=cut)
    beside = unplanned(session, where, now)
    rows: Any = session.execute(
        _of(where, select(Delivery, Cluster, Area.name)).order_by(Delivery.start, Area.name, Cluster.name, Delivery.id)
    ).all()
    wholes = {(row[0].broadcast_id, row[0].revision) for row in rows}
    revisions, approvers = _revisions(session, wholes), _approvers(session, wholes)
    lines = [_line(row[0], row[1], row[2], revisions, approvers) for row in rows]
    if beside:
        lines = sorted([*lines, *beside], key=lambda line: (line.planned, line.commune, line.cluster))
    return Page(lines, cut)


def playings(session: Session, actor: Actor, first: date, last: date, now: datetime, area: str = "") -> list[Playing]:
    """All of them, page by page. Raises as `page`."""
    found = page(session, actor, first, last, now, area)
    lines = list(found.lines)
    while found.next is not None:
        found = page(session, actor, first, last, now, area, found.next)
        lines += found.lines
    return lines


def count(session: Session, actor: Actor, first: date, last: date, now: datetime, area: str = "") -> int:
    """Lines on all pages. Raises as `page`."""
    where = _where(actor, session, first, last, now, area)
    planned = session.scalar(_of(where, select(func.count()).select_from(Delivery))) or 0
    return planned + sum(number for _, number in instants(session, where))


def _where(actor: Actor, session: Session, first: date, last: date, now: datetime, area: str) -> Where:
    actor = actor.need(Right.LOOK)
    places = actor.areas & below(session, area) if area else actor.areas
    if not places:
        raise Refused("area.unknown", name=area[:40])
    if not timedelta(0) <= last - first < timedelta(days=LONGEST):
        raise Refused("playings.days", most=LONGEST)
    begin = datetime.combine(first, time(0), VIETNAM)
    end = min(datetime.combine(last, time(0), VIETNAM) + timedelta(days=1), now)
    return Where(places, begin, end)


def _of(where: Where, wanted: Any) -> Any:
    return (
        wanted.join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .join(Area, Station.area_id == Area.id)
        .where(Station.area_id.in_(where.places), Delivery.start >= where.begin, Delivery.start < where.end)
    )


def _cut(session: Session, where: Where, limit: int) -> datetime | None:
    """The first instant that has no room on a page of so many lines; none where all have."""
    planned: Sequence[datetime] = session.scalars(
        _of(where, select(Delivery.start)).order_by(Delivery.start).limit(limit + 1)
    ).all()
    beside = [at for at, number in instants(session, where) for _ in range(number)]
    every: list[datetime] = sorted([*planned, *beside])
    if len(every) <= limit:
        return None
    if every[limit] > every[0]:
        return every[limit]
    later: datetime | None = session.scalar(
        _of(where, select(func.min(Delivery.start))).where(Delivery.start > every[0])
    )
    onward: list[datetime] = [at for at in (later, *beside) if at is not None and at > every[0]]
    return min(onward, default=None)


def _line(
    delivery: Delivery,
    cluster: Cluster,
    commune: str,
    revisions: Mapping[tuple[str, int], tuple[Revision, str]],
    approvers: Mapping[tuple[str, int], str],
) -> Playing:
    whole = (delivery.broadcast_id, delivery.revision)
    revision, author = revisions[whole]
    facts: dict[str, Any] = revision.facts
    return Playing(
        kind=Kind.BROADCAST,
        delivery=delivery.id,
        bulletin=delivery.broadcast_id,
        title=revision.title,
        type=type_code(facts["relay"] if delivery.relayed else None),
        field=facts["field"],
        priority=delivery.priority,
        alert_kind="",
        language=delivery.language,
        origin=facts["origin"],
        source=facts["source"],
        author=author,
        approver=approvers.get(whole, ""),
        planned=delivery.start,
        started=delivery.started_at,
        length_ms=ms(delivery.end - delivery.start),
        coverage=delivery.coverage,
        relay=delivery.relayed or "",
        commune=commune,
        hamlet=cluster.hamlet,
        cluster=cluster.name,
        volume=delivery.volume,
        watts=cluster.horns * cluster.horn_watts,
        state=delivery.state,
        verdict=delivery.verdict,
        reason=delivery.reason,
    )


def _revisions(session: Session, wholes: Collection[tuple[str, int]]) -> dict[tuple[str, int], tuple[Revision, str]]:
    found: dict[tuple[str, int], tuple[Revision, str]] = {}
    for some in _pieces(sorted(wholes)):
        query = select(Revision, User.full_name).join(User, Revision.by_id == User.id)
        for row, name in session.execute(query.where(tuple_(Revision.broadcast_id, Revision.number).in_(some))):
            found[row.broadcast_id, row.number] = row, name
    return found


def _approvers(session: Session, wholes: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for some in _pieces(sorted(wholes)):
        query = (
            select(Approval.broadcast_id, Approval.revision, User.full_name)
            .join(User, Approval.by_id == User.id)
            .where(Approval.approved, tuple_(Approval.broadcast_id, Approval.revision).in_(some))
            .order_by(Approval.id)
        )
        found |= {(row[0], row[1]): row[2] for row in session.execute(query)}
    return found


def _pieces(wholes: Sequence[tuple[str, int]]) -> Iterable[Sequence[tuple[str, int]]]:
    for start in range(0, len(wholes), AT_ONCE):
        yield wholes[start : start + AT_ONCE]
