"""The administrative tree by date: which units stand on a day, what became of the others, and all of them found by the
names and codes they have had (R-010, R-011)."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from controller.db.tables import Area, Cluster, Station
from controller.services.rights import Actor

ORDER = {"province": 0, "district": 1, "commune": 2}
"""How lists go from the wide to the narrow; what is not named comes last."""


def ended(area: Area, today: date) -> bool:
    return area.valid_to is not None and area.valid_to <= today


def stands(area: Area, today: date) -> bool:
    return area.valid_from <= today and not ended(area, today)


def standing_on(today: date) -> ColumnElement[bool]:
    """The same as a condition."""
    return and_(Area.valid_from <= today, or_(Area.valid_to.is_(None), Area.valid_to > today))


def successor(session: Session, area: Area, today: date) -> Area | None:
    """What it belongs to today, across as many mergers as there were."""
    seen: set[str] = set()
    here: Area | None = area
    while here is not None and ended(here, today) and here.id not in seen:
        seen.add(here.id)
        here = session.get(Area, here.successor_id) if here.successor_id else None
    return None if here is None or here.id in seen else here


def plain(text: str) -> str:
    """For searching: "Xã Ðại Ân" is found by "dai an"."""
    apart = unicodedata.normalize("NFD", text.replace("\N{LATIN CAPITAL LETTER ETH}", "đ").casefold())
    return "".join(one for one in apart if not unicodedata.combining(one)).replace("đ", "d")


@dataclass(frozen=True)
class AreaLine:
    """`heir` is what it is part of today, where it is no more; `formerly` are the names of those that became part of
    it. `clusters` are those in use, of all that belongs to it."""

    area: Area
    stands: bool
    heir: str
    formerly: tuple[str, ...]
    clusters: int


def every_area(session: Session) -> frozenset[str]:
    """For whoever sits at the machine itself."""
    return frozenset(session.scalars(select(Area.id)))


def history(session: Session, reach: Collection[str], wanted: str, today: date) -> list[AreaLine]:
    """Those of `reach` whose name or code, of today or of before, holds `wanted`: what stands first, then by name."""
    rows = list(session.scalars(select(Area).where(Area.id.in_(reach))))
    by_id, poles = {row.id: row for row in rows}, clusters_by_area(session, reach)
    heirs = {row.id: successor(session, row, today) for row in rows if ended(row, today)}
    before = formerly(rows)
    said = plain(wanted.strip())
    found = []
    for row in sorted(rows, key=lambda row: (not stands(row, today), ORDER.get(row.kind, 3), row.name)):
        heir, names = heirs.get(row.id), before.get(row.id, ())
        if any(said in plain(text) for text in (row.name, row.code, *names)):
            below = {row.id} | {each.id for each in by_id.values() if row.id in _above(each, by_id)}
            count = sum(poles.get(name, 0) for name in below)
            found.append(AreaLine(row, stands(row, today), heir.name if heir else "", names, count))
    return found


def formerly(rows: Iterable[Area]) -> dict[str, tuple[str, ...]]:
    """By area: the names of those of its kind that became part of it, by name."""
    found: dict[str, tuple[str, ...]] = {}
    every = list(rows)
    kinds = {row.id: row.kind for row in every}
    for row in every:
        if row.successor_id and kinds.get(row.successor_id, row.kind) == row.kind:
            found[row.successor_id] = tuple(sorted((*found.get(row.successor_id, ()), row.name)))
    return found


def clusters_by_area(session: Session, areas: Iterable[str]) -> dict[str, int]:
    """Clusters in use by the area of their station."""
    rows = session.execute(
        select(Station.area_id, func.count())
        .join(Cluster, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(list(areas)), Cluster.removed_at.is_(None))
        .group_by(Station.area_id)
    )
    return {row[0]: row[1] for row in rows}


def communes(session: Session, actor: Actor, today: date) -> Sequence[Area]:
    """Those that stand, of the actor's area, by name."""
    query = select(Area).where(Area.id.in_(actor.areas), Area.kind == "commune", standing_on(today)).order_by(Area.name)
    return session.scalars(query).all()


def _above(area: Area, by_id: dict[str, Area]) -> set[str]:
    found: set[str] = set()
    here: Area | None = area
    while here is not None and here.parent_id is not None and here.parent_id not in found:
        found.add(here.parent_id)
        here = by_id.get(here.parent_id)
    return found
