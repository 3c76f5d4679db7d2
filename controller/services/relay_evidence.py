"""What a unit's journal says of a relay: how much of it was the source, and how much the fallback (R-024)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from broadcasts.domain.relay import Share
from broadcasts.domain.verdict import WHOLE, Finding, Verdict
from controller.db.tables import Delivery

FALLBACK = "relay_fallback"
"""It sounded, and some or all of it was the fallback."""


def sounded(entry: Mapping[str, Any]) -> int:
    """Milliseconds of sound of an `ended`: of a relay without the stretches in which neither gave any."""
    if entry.get("relay") is None:
        return int(entry.get("played_ms", 0))
    return int(entry.get("relay_ms") or 0) + int(entry.get("fallback_ms") or 0)


def told(delivery: Delivery, found: Finding, ended: Iterable[Mapping[str, Any]]) -> Finding:
    """Writes down whose sound it was; the finding says so too where it was not all the source's. A unit that knows no
    relays plays the fallback, and says nothing of a source."""
    delivery.source_ms = delivery.fallback_ms = 0
    for entry in ended:
        source = int(entry.get("relay_ms") or 0) if entry.get("relay") is not None else 0
        delivery.source_ms += source
        delivery.fallback_ms += sounded(entry) - source
    good = found.verdict in (Verdict.HEARD, Verdict.PLAYED)
    if good and timedelta(milliseconds=delivery.fallback_ms) >= WHOLE:
        return replace(found, reason=FALLBACK)
    return found


def share(delivery: Delivery) -> Share | None:
    """None where it is no relay, or nothing of it sounded as far as is known."""
    if delivery.relayed is None or not (delivery.source_ms or delivery.fallback_ms):
        return None
    return Share(timedelta(milliseconds=delivery.source_ms or 0), timedelta(milliseconds=delivery.fallback_ms or 0))
