"""An address that a person types in is fetched by machines that stand inside somebody's network, a pole or ours.
So only what is out in the open is believed, and never a name or a number that leads back inside."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from broadcasts.errors import Refused

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


def check_url(url: str, *, inside: bool = False) -> None:
    """`inside`: a demo, whose streams come from this machine, or a feed that an operator lets stand in his network.

    Raises Refused: "relay.url" (no plain http or https address), "relay.inside" (leads back into our own network).
    """
    host = _host(url)
    if not inside and not is_outside(host):
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


def is_outside(host: str) -> bool:
    """Whether a name or an address is one of the open Internet."""
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
