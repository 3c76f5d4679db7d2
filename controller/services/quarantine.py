"""Messages that were not the contract are kept for a look, the newest of them; of one unit so many that it does not
push out what others said. How many there were in all is in the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from controller.db.tables import Quarantined
from controller.services.context import Context
from controller.services.heard import Bad, printable

KEEPS = 1000
OF_ONE = 100
"""Of one unit's branch, and of everything outside of all branches."""
AT_ONCE = 20
"""Of those in one batch: the hundredth of a kind tells nothing more, and costs as much as a good message."""
_STRANGERS = ""


def put_aside(session: Session, bad: Sequence[Bad]) -> None:
    if not bad:
        return
    told: Counter[str] = Counter()
    for one in bad:
        owner = _owner(one.topic, one.reason)
        told[owner] += 1
        if told[owner] <= AT_ONCE:
            session.add(
                Quarantined(
                    at=one.at,
                    topic=printable(one.topic[:200]),
                    reason=one.reason,
                    detail=printable(one.detail[:200]),
                    head=one.head[:512],
                )
            )
    session.flush()
    kept = session.execute(
        select(Quarantined.id, Quarantined.topic, Quarantined.reason).order_by(Quarantined.id.desc())
    ).all()
    seen: Counter[str] = Counter()
    old = []
    for number, (row, topic, reason) in enumerate(kept):
        owner = _owner(topic, reason)
        seen[owner] += 1
        if number >= KEEPS or (owner in told and seen[owner] > OF_ONE):
            old.append(row)
    if old:
        session.execute(delete(Quarantined).where(Quarantined.id.in_(old)))


def note(ctx: Context, bad: Sequence[Bad]) -> None:
    """The same in a transaction of its own, for what never became a message of a batch."""
    if bad:
        with ctx.db.write() as session:
            put_aside(session, bad)


def _owner(topic: str, reason: str) -> str:
    """The branch of a unit that we know; whatever else there is together: a million made-up names are one."""
    unit, out, _ = topic.partition("/out/")
    return unit if out and unit.count("/") == 3 and reason != "unknown_unit" else _STRANGERS
