"""Relays (tiếp âm) of other stations: where the sound comes from and for how long (R-024).

An address goes to every pole that relays it, and a pole stands inside somebody's network: so only what is out in the
open is believed, and never a name or a number that leads back inside.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from broadcasts.errors import Refused

LEAST_MINUTES, MOST_MINUTES = 1, 180
LEAST_SILENCE, MOST_SILENCE = 5, 120
USUAL_SILENCE = 20
"""Seconds. A breath before the news is no failure; a village that hears nothing for long has gone."""
BAND = (87_500, 108_000)
"""kHz: FM broadcasting in Viet Nam."""
LONGEST_URL = 300
_ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?\Z"
)
"""The alphabet of the contract (CONTRACT.md, section 5a), without a fragment: what passes here and not there would stop
the plans of all poles that relay it."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""Of IPv6 nothing else is given to anybody (RFC 4291): the rest says site-local, or an IPv4 address in other words."""
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "localdomain", "arpa")
"""Last words of names that mean something else in every network."""


class SourceKind(StrEnum):
    """Whose station it is."""

    VOV = "vov"
    """The national radio."""
    PROVINCE = "province"
    LOWER = "lower"
    """A station of a commune or of what was a district."""
    OTHER = "other"


@dataclass(frozen=True)
class Relay:
    """What a form says of a relay. `source` is the id of a source in the registry."""

    source: str
    minutes: int
    silence_s: int = USUAL_SILENCE
    """So long the source may be silent until the fallback sounds, seconds."""

    @property
    def slot(self) -> timedelta:
        return timedelta(minutes=self.minutes)


@dataclass(frozen=True)
class Share:
    """How much of a relay sounded, and whose sound that was."""

    source: timedelta
    fallback: timedelta

    @property
    def percent(self) -> tuple[int, int]:
        """Of what sounded, rounded: the source's part, the fallback's; (0, 0) where nothing did."""
        whole = self.source + self.fallback
        if not whole:
            return 0, 0
        mine = round(100 * (self.source / whole))
        return mine, 100 - mine


def check_slot(minutes: int, silence_s: int) -> None:
    """Raises Refused: "relay.minutes", "relay.silence"."""
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise Refused("relay.minutes", least=LEAST_MINUTES, most=MOST_MINUTES)
    if not LEAST_SILENCE <= silence_s <= MOST_SILENCE:
        raise Refused("relay.silence", least=LEAST_SILENCE, most=MOST_SILENCE)


def check_address(url: str, frequency_khz: int | None, *, inside: bool = False) -> None:
    """Exactly one of both. `inside`: a demo, whose streams come from this machine.

    Raises Refused: "relay.address" (none, or both), "relay.frequency", "relay.url" (no plain http or https address),
    "relay.inside" (leads back into the network that the pole stands in).
    """
    if bool(url) == (frequency_khz is not None):
        raise Refused("relay.address")
    if frequency_khz is not None:
        if not BAND[0] <= frequency_khz <= BAND[1]:
            raise Refused("relay.frequency", least=BAND[0], most=BAND[1])
        return
    host = _host(url)
    if not inside and not _is_outside(host):
        raise Refused("relay.inside", host=host[:80])


def _host(url: str) -> str:
    """Small letters, without brackets. Raises Refused("relay.url")."""
    bad = Refused("relay.url", value=url[:80].encode("ascii", "replace").decode())
    if len(url) > LONGEST_URL or not _ADDRESS.match(url):
        raise bad
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise bad from None
    if not host or port == 0:
        raise bad
    if ":" in host or host.replace(".", "").isdigit():
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise bad from None
    elif not all(_LABEL.match(label) for label in host.split(".")):
        raise bad
    return host


def _is_outside(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        # A last label of digits is read as a number by many players: 0x7f.1 is 127.0.0.1.
        return len(labels) > 1 and labels[-1] not in _INSIDE and not labels[-1][0].isdigit()
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    inner = getattr(address, "sixtofour", None) or address
    return all(bool(each.is_global) and not each.is_multicast for each in (address, inner))
