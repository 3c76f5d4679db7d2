"""What was played where, line by line: each bulletin at each cluster with all that is known of it, emergencies, drills
and live voices among them (R-099)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.content import type_code
from broadcasts.errors import Refused
from controller.db.tables import Approval, Area, Cluster, Delivery, Revision, Station, User
from controller.services.rights import Actor, Right, below
from controller.services.views.playing import Kind, Playing, ms
from controller.services.views.playings_unplanned import Where, unplanned

LONGEST = 92
"""Days in one table: a quarter."""
MOST = 20_000
"""Lines in one table."""
AT_ONCE = 300


def playings(session: Session, actor: Actor, first: date, last: date, now: datetime, area: str = "") -> list[Playing]:
    """What should have begun by now on these local days, in order of time and place; `area`: at its clusters alone,
    which may be one that was merged since. Nothing is ever left out: what is more than `MOST` lines is refused. Raises
    Refused: "no_right", "area.unknown", "playings.days", "playings.many"."""
    actor = actor.need(Right.LOOK)
    places = actor.areas & below(session, area) if area else actor.areas
    if not places:
        raise Refused("area.unknown", name=area[:40])
    if not timedelta(0) <= last - first < timedelta(days=LONGEST):
        raise Refused("playings.days", most=LONGEST)
    begin = datetime.combine(first, time(0), VIETNAM)
    end = min(datetime.combine(last, time(0), VIETNAM) + timedelta(days=1), now)
    beside = unplanned(session, Where(places, begin, end), now, MOST)
    if beside is None:
        raise Refused("playings.many", most=MOST)
    rows = session.execute(
        select(Delivery, Cluster, Area.name)
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .join(Area, Station.area_id == Area.id)
        .where(Station.area_id.in_(places), Delivery.start >= begin, Delivery.start < end)
        .order_by(Delivery.start, Area.name, Cluster.name, Delivery.id)
        .limit(MOST + 1 - len(beside))
    ).all()
    if len(rows) + len(beside) > MOST:
        raise Refused("playings.many", most=MOST)
    wholes = {(row[0].broadcast_id, row[0].revision) for row in rows}
    revisions, approvers = _revisions(session, wholes), _approvers(session, wholes)
    lines = [_line(*row, revisions, approvers) for row in rows]
    if beside:
        lines = sorted([*lines, *beside], key=lambda line: (line.planned, line.commune, line.cluster))
    return lines


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
