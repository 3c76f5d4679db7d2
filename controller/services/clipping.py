"""Ten seconds of what is to be heard at a pole, for a machine to compare: nobody listens to them (CONTRACT.md, 12).

The clip is taken only while the delivery plays, at a place that we choose, and is thrown away when it was matched
(`clip_box`, `hearing`). It goes out as a `capture` that names the item.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.delivery import State
from broadcasts.errors import Refused
from broadcasts.wire.ear import CLIP_MOST_S
from broadcasts.wire.status import CommandKind
from controller.db.tables import Cluster, Delivery, Station
from controller.services import audit, commanding
from controller.services.context import Context
from controller.services.rights import Actor, Right

LENGTH = timedelta(seconds=CLIP_MOST_S)
ON_ITS_WAY = timedelta(seconds=6)
"""So long a command may travel until the unit begins to listen."""
LASTS = timedelta(minutes=1)
"""Beyond the end of the clip: time to code it and to send it."""
_SOUNDS = (State.PUBLISHED, State.READY, State.PLAYING)


@audit.decided("command.issue")
def ask(ctx: Context, actor: Actor, delivery_id: str) -> str:
    """Ask for ten seconds of what plays now; the command's id.

    Raises Refused: "no_right", "not_yours" (elsewhere, or not there at all), "clip.not_playing" (nothing of it sounds
    now, or it is over too soon), "command.no_unit"; Conflict("command.in_flight").
    """
    actor = actor.need(Right.COMMAND)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        delivery = session.get(Delivery, delivery_id)
        cluster = session.get_one(Cluster, delivery.cluster_id) if delivery is not None else None
        if delivery is None or cluster is None or not _within(session, actor, cluster):
            raise Refused("not_yours")
        offset = now + ON_ITS_WAY - (delivery.started_at or delivery.start)
        if not can_be_asked(delivery, now):
            raise Refused("clip.not_playing", cluster=cluster.name)
        name = enter(ctx, session, delivery, offset, actor.name, now)
    ctx.wake()
    return name


def can_be_asked(delivery: Delivery, now: datetime) -> bool:
    """It plays, as far as is known, and for long enough yet."""
    open_yet = delivery.verdict is None and delivery.relayed is None and delivery.state in _SOUNDS
    return open_yet and delivery.start <= now and now + ON_ITS_WAY + LENGTH <= delivery.end


def enter(ctx: Context, session: Session, delivery: Delivery, offset: timedelta, by: str, now: datetime) -> str:
    """The command's id. Raises Refused("command.no_unit"), Conflict("command.in_flight")."""
    cluster = session.get_one(Cluster, delivery.cluster_id)
    if delivery.unit_id is None:
        raise Refused("command.no_unit", cluster=cluster.name)
    at = max(0, round(offset.total_seconds() * 1000))
    args = {"seconds": str(CLIP_MOST_S), "item": delivery.id, "offset_ms": str(at)}
    lasts = delivery.start + offset + LENGTH + LASTS - now
    return commanding.enter(
        ctx, session, cluster, delivery.unit_id, CommandKind.CAPTURE, args, by, now, max(lasts, LASTS)
    )


def _within(session: Session, actor: Actor, cluster: Cluster) -> bool:
    area = session.scalar(select(Station.area_id).where(Station.id == cluster.station_id))
    return area in actor.areas
