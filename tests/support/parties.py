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


class OverSockets:
    """A broker at an address; `restart` and `wipe` return when it can be reached again.

    With the folder of an `authority`, certificates take the place of passwords: `secrets` holds for each name its
    certificate and key as a path without ending. A secret that is no such path is then a certificate that a stranger
    issued for the name; "" is none.
    """

    def __init__(
        self,
        address: tuple[str, int],
        known: dict[str, str],
        restart: Callable[[], None],
        wipe: Callable[[], None],
        authority: Path | None = None,
        reload: Callable[[], None] = lambda: None,
    ) -> None:
        self.address, self.secrets = address, known
        self.restart, self.wipe, self.reload = restart, wipe, reload
        self._authority = authority

    @property
    def folder(self) -> Path:
        """That of the authority."""
        assert self._authority is not None, "a broker with passwords"
        return self._authority

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
        called = client_id or name or "nobody"
        if self._authority is None:
            return PahoParty(self.address, called, name, word, clean, will)
        try:
            return PahoParty(self.address, called, "", "", clean, will, self._shown(name, word))
        except ConnectionRefusedError:
            raise  # the broker is not there: that is no answer
        except OSError as failure:
            raise NotLetIn(name) from failure

    def _shown(self, name: str, word: str) -> tuple[str, str | None, str | None]:
        """Authority, certificate and key."""
        authority = str(self.folder / "authority.crt")
        if not word:
            return (authority, None, None)
        if word in self.secrets.values():
            return (authority, f"{word}.crt", f"{word}.key")
        certificate, key = issue(self.folder / "strangers", name, SystemClock().now())
        return (authority, str(certificate), str(key))


Enter = Callable[..., Party]
"""As `BrokerUnderTest.enter`; whoever is still there at the end of a test says goodbye."""


def payloads(party: Party, topic: str) -> list[bytes]:
    return [packet.payload for packet in list(party.inbox) if packet.topic == topic]


def wait_for(party: Party, topic: str, payload: bytes) -> Packet:
    until(lambda: payload in payloads(party, topic), f"{payload!r} on {topic}; have {party.inbox}")
    return next(packet for packet in party.inbox if (packet.topic, packet.payload) == (topic, payload))
