"""Messages that were not the contract are kept for a look, the newest of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Quarantined
from controller.services.heard import Bad, printable

KEEPS = 1000


def put_aside(session: Session, bad: Sequence[Bad]) -> None:
    if not bad:
        return
    session.add_all(
        Quarantined(
            at=one.at,
            topic=printable(one.topic[:200]),
            reason=one.reason,
            detail=printable(one.detail[:200]),
            head=one.head[:512],
        )
        for one in bad
    )
    session.flush()
    newest = session.scalar(select(Quarantined.id).order_by(Quarantined.id.desc()).limit(1)) or 0
    for old in session.scalars(select(Quarantined).where(Quarantined.id <= newest - KEEPS)):
        session.delete(old)
