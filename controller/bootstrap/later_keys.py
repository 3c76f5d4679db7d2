"""Keys that came with a later version than the data."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from controller.bootstrap.keys import FileKeyring
from controller.db.engine import Database
from controller.services import audit, trusting

_LOG = logging.getLogger("loa")


def complete(folder: Path, db: Database, now: datetime) -> FileKeyring:
    """All keys of data that has a past. One for a use that the trust document never named can have signed nothing: it
    is made. One that it names was there and is lost. Raises Fault("keys.missing")."""
    ring = FileKeyring.complete(folder, FileKeyring(folder).lacking())
    if not (lacking := ring.lacking()):
        return ring
    with db.write() as session:
        told = trusting.told_uses(session, ring.root_public())
        for use in lacking:
            if use in told:
                continue
            kid = ring.make(use).kid
            audit.record(session, now, "loa", "key.make", str(use), {"kid": kid}, "")
            _LOG.warning("this version has a key for %s, and the data had none: made %s; back the keys up", use, kid)
    return FileKeyring.complete(folder)
