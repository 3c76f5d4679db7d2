"""How often one address may ask where nobody has to say who they are."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from threading import Lock

from broadcasts.clock import Clock
from broadcasts.errors import Refused

PER_MINUTE = 60
"""From one address: behind one gateway of an operator are many units."""
MOST_SOURCES = 10_000


def place_of(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, because the rest is the asker's own to choose."""
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:45]
    if not isinstance(read, IPv6Address):
        return str(read)
    if read.ipv4_mapped is not None:
        return str(read.ipv4_mapped)
    return f"{IPv6Address(int(read) >> 64 << 64)}/64"


class Turnstile:
    """Counts who asks, by address and minute; bounded, the oldest is forgotten first."""

    def __init__(self, most: int = PER_MINUTE, sources: int = MOST_SOURCES) -> None:
        self._most, self._sources = most, sources
        self._asked: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._lock = Lock()

    def enter(self, source: str, clock: Clock) -> None:
        """Raises Refused("enrolment.too_often")."""
        minute = int(clock.monotonic() // 60)
        with self._lock:
            when, count = self._asked.pop(source, (minute, 0))
            count = count + 1 if when == minute else 1
            self._asked[source] = (minute, count)
            while len(self._asked) > self._sources:
                self._asked.popitem(last=False)
        if count > self._most:
            raise Refused("enrolment.too_often")
