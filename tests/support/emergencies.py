"""Rows of emergencies for tests that are not about how they come to be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from controller.db.tables import Emergency


def a_row(name: str, scope: str, now: datetime, **changed: Any) -> Emergency:
    """One that stands for an hour."""
    times = {"pressed_at": now, "release_at": now, "issued_at": now, "hard_end": now + timedelta(hours=1)}
    where = {"target": {"scope": scope}, "places": [[scope, None]], "areas": [scope]}
    told = {"kind": "flood", "reason": "Nước lên", "volume": 100, "lasts_s": 3600, "content": [], "state": "issued"}
    return Emergency(id=name, issued_by="trucban", **times | where | told | changed)
