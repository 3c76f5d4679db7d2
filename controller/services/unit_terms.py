"""What units are told when they join, and for how long things hold: from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from controller.services.unit_authority import UnitAuthority

POLL_S = 30
"""How often a unit that waits asks again."""


@dataclass(frozen=True)
class UnitTerms:
    """`authority` none: nobody joins here over HTTPS."""

    authority: UnitAuthority | None = None
    broker: str = ""
    """mqtt(s)://host:port, as units reach it."""
    trust: str = ""
    """PEM of the authority of the broker's own certificate; "" where it is a public one, or there is no TLS."""
    files: str = ""
    waits: timedelta = timedelta(days=7)
    """A request that nobody accepted is over then."""
    lasts: timedelta = timedelta(days=365)
    """Of a certificate. A unit asks for the next one when a third of it is left."""
    most_waiting: int = 500
    most_from_one: int = 60
    """Requests that wait from one address: behind one gateway of an operator are many units."""

    @property
    def renew_before(self) -> timedelta:
        return self.lasts / 3
