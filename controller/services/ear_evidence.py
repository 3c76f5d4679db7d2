"""What ears said of deliveries, in the words of the rule (`broadcasts.domain.ear`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from broadcasts.domain.ear import Answer, Overheard
from controller.db.tables import Hearing

NOTHING_CAME = "silent"
"""`broadcasts.audio.hearing.Why.SILENT`."""
_SAID = select(Hearing).where(Hearing.delivery_id.in_(bindparam("names", expanding=True)), Hearing.answer.is_not(None))


def said(session: Session, deliveries: Sequence[str]) -> Mapping[str, Overheard]:
    """By delivery, of these, as far as it is known by now."""
    return {row.delivery_id: overheard(row) for row in session.scalars(_SAID, {"names": list(deliveries)})}


def overheard(row: Hearing) -> Overheard:
    share = row.heard_ms / row.listened_ms if row.listened_ms else 0.0
    return Overheard(Answer(row.answer or Answer.UNKNOWN), min(1.0, share), row.why == NOTHING_CAME)
