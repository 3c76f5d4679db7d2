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
    return Overheard(Answer(row.answer or Answer.UNKNOWN), share(row), row.why == NOTHING_CAME)


def share(row: Hearing) -> float:
    """Of the stretches of which the ear can say something (a pause tells nothing), how much was heard."""
    judged = sum(end - begin for begin, end, _ in row.stretches)
    return min(1.0, row.heard_ms / judged) if judged else 0.0
