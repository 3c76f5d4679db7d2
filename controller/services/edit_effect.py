"""What an edit of a broadcast changes, and what it leaves as it is, told before anything is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import distinct, func, select

from broadcasts.domain.delivery import OPEN, State
from controller.db.tables import Delivery
from controller.services.composing import Draft, editable
from controller.services.context import HORIZON, Context
from controller.services.replaced import replaced, yet_to_come
from controller.services.rescheduling import Extent, draft_for, in_place, span_of, widened
from controller.services.rights import Actor, Right

WHAT: dict[str, tuple[str, ...]] = {
    "title": ("title",),
    "sound": ("asset", "language", "parts", "more", "relay"),
    "text": ("text",),
    "about": ("field", "origin", "category", "issued_at"),
    "where": ("areas", "clusters", "tags", "groups", "polygon", "also_later"),
    "when": ("repeat", "first_day", "at", "until_day", "pattern"),
    "manner": ("priority", "on_preempt", "late", "routing", "stack_minutes"),
    "volume": ("volume",),
}
"""Fields of a draft by what people call them. Not among them: what is said yes to, and what a relay brings."""


@dataclass(frozen=True)
class Effect:
    """`in_place`: it stays the same broadcast; otherwise the part that is edited becomes one of its own. `kept`: so
    many starts have begun and stay as they were, the last of them at `last`. `off`: starts of the next days that leave
    the air until somebody approves the edit. `changed`: names of `WHAT`."""

    in_place: bool
    kept: int
    last: datetime | None
    off: Sequence[datetime]
    changed: tuple[str, ...]


def effect(
    ctx: Context, actor: Actor, broadcast_id: str, draft: Draft, extent: Extent, start: datetime | None = None
) -> Effect:
    """Raises as `rescheduling.change` before it looks at the draft."""
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    with ctx.db.read() as session:
        broadcast = editable(session, actor, broadcast_id, None)
        before = draft_for(session, actor, broadcast_id, extent, start, now)
        extent = widened(broadcast, extent, start, now)
        begun = select(func.count(distinct(Delivery.begin)), func.max(Delivery.begin)).where(
            Delivery.broadcast_id == broadcast.id, Delivery.begin <= now, Delivery.state != str(State.WITHDRAWN)
        )
        kept, last = session.execute(begun).one()
        span = yet_to_come(session, broadcast.id, span_of(extent, start), now)
        off = session.scalars(
            select(Delivery.begin)
            .where(
                replaced(broadcast.id, span),
                Delivery.state.in_([str(state) for state in OPEN]),
                Delivery.begin > now,
                Delivery.begin < now + HORIZON,
            )
            .distinct()
            .order_by(Delivery.begin)
        ).all()
        return Effect(in_place(session, broadcast, extent, now), kept, last, off, _changed(before, draft))


def _changed(before: Draft, after: Draft) -> tuple[str, ...]:
    return tuple(
        name for name, fields in WHAT.items() if any(getattr(before, each) != getattr(after, each) for each in fields)
    )
