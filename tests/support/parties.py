"""Who connects to a broker under test, as the suite sees them, and how they do it with certificates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from support.paho_client import PahoParty
from support.wait import until

from broadcasts.clock import SystemClock
from deploy.local_ca import issue
from device_sim.broker import NotLetIn, Packet


class Party(Protocol):
    """A connected client."""

    inbox: list[Packet]

    @property
    def is_open(self) -> bool: ...
    def subscribe(self, pattern: str, qos: int = 0) -> int: ...
    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None: ...
    def goodbye(self) -> None: ...
    def drop(self) -> None: ...


class BrokerUnderTest(Protocol):
    secrets: dict[str, str]

    def enter(
        self,
        name: str,
        *,
        client_id: str | None = None,
        secret: str | None = None,
        clean: bool = True,
        will: Packet | None = None,
    ) -> Party:
        """Connect with the right secret unless another is given. Raises device_sim.broker.NotLetIn."""
        ...

    def restart(self) -> None: ...
    def wipe(self) -> None: ...


class WithCertificates:
    """`secrets` holds for each name its certificate and key as a path without ending. A secret that is no such path is
    a certificate that a stranger issued for the name; "" is none. `folder` is that of the authority."""

    def __init__(
        self,
        address: tuple[str, int],
        folder: Path,
        known: dict[str, str],
        restart: Callable[[], None],
        wipe: Callable[[], None],
    ) -> None:
        self.address, self.folder, self.secrets = address, folder, known
        self.restart, self.wipe = restart, wipe

    def enter(
        self,
        name: str,
        *,
        client_id: str | None = None,
        secret: str | None = None,
        clean: bool = True,
        will: Packet | None = None,
    ) -> Party:
        word = self.secrets.get(name, "") if secret is None else secret
        shown: tuple[str | None, str | None] = (f"{word}.crt", f"{word}.key")
        if not word:
            shown = (None, None)
        elif word not in self.secrets.values():
            certificate, key = issue(self.folder / "strangers", name, SystemClock().now())
            shown = (str(certificate), str(key))
        try:
            tls = (str(self.folder / "authority.crt"), *shown)
            return PahoParty(self.address, client_id or name or "nobody", "", "", clean, will, tls)
        except ConnectionRefusedError:
            raise  # the broker is not there: that is no answer
        except OSError as failure:
            raise NotLetIn(name) from failure


Enter = Callable[..., Party]
"""As `BrokerUnderTest.enter`; whoever is still there at the end of a test says goodbye."""


def payloads(party: Party, topic: str) -> list[bytes]:
    return [packet.payload for packet in list(party.inbox) if packet.topic == topic]


def wait_for(party: Party, topic: str, payload: bytes) -> Packet:
    until(lambda: payload in payloads(party, topic), f"{payload!r} on {topic}; have {party.inbox}")
    return next(packet for packet in party.inbox if (packet.topic, packet.payload) == (topic, payload))
