"""Who a unit is: its credential for broker and files, kept here as hashes only.

The secret is 256 random bits, so its plain SHA-256 gives nothing away; slow hashing would only slow a reconnect.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.db.tables import Unit


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def secret_hashes(secret: str) -> dict[str, str]:
    return {"sha256": hashlib.sha256(secret.encode()).hexdigest()}


def credentials(session: Session) -> Sequence[tuple[str, str]]:
    """(unit, SHA-256 of its secret) of every unit that may connect."""
    rows = session.execute(select(Unit.id, Unit.secret_hashes).where(Unit.revoked_at.is_(None)).order_by(Unit.id))
    return [(name, str(hashes["sha256"])) for name, hashes in rows]
