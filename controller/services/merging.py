"""Communes that become one. The old ones end at a date and hang below the new one, with their stations, clusters and
logs as they are: so the past is still told by the old units, and everything together by the new one (R-010, R-011)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import select

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.db.tables import Area
from controller.services import audit
from controller.services.context import Context
from controller.services.targets import ended, look_again


def merge(ctx: Context, by: str, old: Collection[str], name: str, code: str, day: date) -> str:
    """A new unit from `day` on out of `old` (area ids of one parent), which are no more from that day on; its id. `by`
    is the name that the log shows.

    Who had rights in an old one has them there still; who gets them in the new one has them in all of it. Raises
    Refused: "merge.areas" (none, unknown ones, of two parents, or one that has ended), "merge.name", "merge.code".
    """
    now = ctx.clock.now()
    if not name.strip() or len(name) > 120:
        raise Refused("merge.name")
    if not code.isdecimal() or len(code) > 16:
        raise Refused("merge.code", code=code[:20])
    with ctx.db.write() as session:
        areas = session.scalars(select(Area).where(Area.id.in_(old)).order_by(Area.id)).all()
        today = now.astimezone(VIETNAM).date()
        whole = len(areas) == len(set(old)) and len({area.parent_id for area in areas}) == 1
        if not whole or any(ended(area, max(today, day)) or area.successor_id for area in areas):
            raise Refused("merge.areas")
        made = Area(
            id=ctx.ids.new("a"),
            parent_id=areas[0].parent_id,
            kind=areas[0].kind,
            name=name.strip(),
            code=code,
            valid_from=day,
        )
        session.add(made)
        session.flush()
        for area in areas:
            area.valid_to, area.successor_id, area.parent_id = day, made.id, made.id
        look_again(session)
        told = {"old": [area.id for area in areas], "code": code, "day": day.isoformat()}
        audit.record(session, now, by, "area.merge", made.id, told, made.id)
        return made.id
