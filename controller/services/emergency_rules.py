"""How emergencies are guarded: each a setting (`controller/settings.py`). All numbers are guesses of ours; no law names
one (R-067, R-069)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class EmergencyRules:
    """None of it ever stands in the way of silence."""

    cancel: timedelta = timedelta(0)
    """So long an act waits here and can be cancelled; nobody outside has heard of it."""
    lapse: timedelta = timedelta(seconds=60)
    """An act that could not be released for so long (we were down) is not released any more."""
    wide_clusters: int = 50
    """From so many clusters on the number has to be typed in."""
    wide_share: float = 0.5
    """Or above this part of the province."""
    window: timedelta = timedelta(hours=1)
    per_person: int = 20
    """Emergencies of one person within `window`."""
    per_scope: int = 20
    """Emergencies in one list within `window`."""
    late: timedelta = timedelta(seconds=10)
    """A unit that sounds later after the end of the cancel interval is told as late (R-069)."""
