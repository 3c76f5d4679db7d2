"""The audit log: written in the same transaction as the act, each line chained to the one before (R-104)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import AuditEntry


def record(
    session: Session, now: datetime, actor: str, act: str, about: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Within `Database.write`, whose lock keeps two lines from following the same one."""
    before = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or ""
    detail = dict(detail or {})
    session.add(
        AuditEntry(
            at=now, actor=actor, act=act, about=about, detail=detail, hash=_link(before, now, actor, act, about, detail)
        )
    )
    session.flush()


def first_broken(session: Session) -> int | None:
    """The id of the first line that does not follow from the one before it, or none."""
    before = ""
    for line in session.scalars(select(AuditEntry).order_by(AuditEntry.id)):
        if line.hash != _link(before, line.at, line.actor, line.act, line.about, line.detail):
            return line.id
        before = line.hash
    return None


def _link(before: str, at: datetime, actor: str, act: str, about: str, detail: Mapping[str, Any]) -> str:
    text = json.dumps(
        [before, at.astimezone(UTC).isoformat(), actor, act, about, detail], sort_keys=True, ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()
