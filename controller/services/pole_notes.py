"""What a technician should know before he climbs: a few words kept with the pole, not with its unit."""

from __future__ import annotations

from broadcasts.errors import Refused
from controller.services import audit
from controller.services.context import Context
from controller.services.photos import pole
from controller.services.rights import Actor, Right
from controller.services.swapping import there

LONGEST = 500


@audit.decided("pole.notes")
def put(ctx: Context, actor: Actor, cluster_id: str, told: str) -> None:
    """From now on. Raises Refused: "no_right", "cluster.unknown", "pole.notes" (most)."""
    actor, now, said = actor.need(Right.PLACES), ctx.clock.now(), " ".join(told.split())
    if len(said) > LONGEST or not said.isprintable():
        raise Refused("pole.notes", most=LONGEST)
    with ctx.db.write() as session:
        cluster, station = there(session, actor, cluster_id)
        row = pole(session, cluster.id)
        before, row.notes = row.notes, said
        audit.record(
            session, now, actor.name, "pole.notes", cluster.id, {"before": before, "now": said}, station.area_id
        )
