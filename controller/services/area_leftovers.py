"""Saved groups of clusters, and titles of broadcasts, of a unit that is no more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Area, Broadcast, Bulletin, ClusterGroup

LONGEST_GROUP = 80


def move_group(session: Session, group: ClusterGroup, area: Area) -> None:
    """To what the unit belongs to, under a name that is free there."""
    assert area.parent_id is not None
    same = select(ClusterGroup.name).where(ClusterGroup.area_id == area.parent_id)
    taken, name, number = set(session.scalars(same)), group.name, 1
    while name in taken:
        more = f" ({area.name} {number})" if number > 1 else f" ({area.name})"
        name, number = group.name[: max(1, LONGEST_GROUP - len(more))] + more[:LONGEST_GROUP], number + 1
    group.area_id, group.name = area.parent_id, name[:LONGEST_GROUP]
    session.flush()


def titles_of(session: Session, broadcasts: Sequence[Broadcast]) -> dict[str, str]:
    """By id."""
    rows = session.execute(
        select(Broadcast.id, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(Broadcast.id.in_([each.id for each in broadcasts]))
    )
    return {row[0]: row[1] for row in rows}
