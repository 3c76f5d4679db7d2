"""The audit log as an auditor reads it: by whom, what, when, where; the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Area, AuditEntry, User
from controller.services.rights import Actor, Right, below

PAGE = 50


@dataclass(frozen=True)
class Wanted:
    """Empty: all. `act` matches the beginning: "broadcast" finds "broadcast.approve". `before`: lines older than this
    id, for the next page."""

    actor: str = ""
    act: str = ""
    about: str = ""
    area: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


@dataclass(frozen=True)
class Lines:
    """`names` says who or what the ids in `about` and `area` are; `more` is the id for the next page, or none."""

    lines: list[AuditEntry]
    names: dict[str, str]
    more: int | None


def read(session: Session, actor: Actor, wanted: Wanted, size: int = PAGE) -> Lines:
    """What happened in the auditor's area; what has no place (log-ins of names that nobody has, the system itself) is
    for those who audit a whole province. Raises Refused: "no_right", "second_factor.needed"."""
    actor = actor.need(Right.AUDIT)
    mine = set(actor.areas)
    if session.scalar(select(Area.id).where(Area.id.in_(mine), Area.parent_id.is_(None)).limit(1)) is not None:
        mine.add("")
    asked = select(AuditEntry).where(AuditEntry.area.in_(mine)).order_by(AuditEntry.id.desc()).limit(size + 1)
    if wanted.actor:
        asked = asked.where(AuditEntry.actor == wanted.actor)
    if wanted.act:
        asked = asked.where(AuditEntry.act.startswith(wanted.act, autoescape=True))
    if wanted.about:
        asked = asked.where(AuditEntry.about == wanted.about)
    if wanted.area:
        asked = asked.where(AuditEntry.area.in_(below(session, wanted.area)))
    if wanted.since is not None:
        asked = asked.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        asked = asked.where(AuditEntry.at < wanted.until)
    if wanted.before is not None:
        asked = asked.where(AuditEntry.id < wanted.before)
    found = list(session.scalars(asked))
    shown = found[:size]
    names = {row[0]: row[1] for row in session.execute(select(Area.id, Area.name).where(Area.id.in_(mine)))}
    people = select(User.id, User.name).where(User.id.in_({line.about for line in shown}))
    names |= {row[0]: row[1] for row in session.execute(people)}
    return Lines(shown, names, shown[-1].id if len(found) > size else None)
