"""What leaves the house as a file is written down (R-104)."""

from __future__ import annotations

from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor


def exported(ctx: Context, actor: Actor, what: str, about: str, kind: str, rows: int) -> None:
    """`what`: fleet, commune, trends or history; `about`: area or cluster; `kind`: csv or xlsx."""
    told = {"what": what, "kind": kind, "rows": rows}
    with ctx.db.write() as session:
        audit.record(session, ctx.wall.now(), actor.name, "health.export", about, told, actor.area)
