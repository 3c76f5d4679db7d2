"""How each broker keeps a revoked unit out (`services.unit_clearing.Door`)."""

from __future__ import annotations

import json
import logging
import os
import secrets
import ssl
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from broadcasts.clock import Clock
from broadcasts.errors import LoaError
from broadcasts.wire import topics
from controller.mqtt.broker_users import write_private
from controller.mqtt.embedded import EmbeddedBroker
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.mqtt.stand_in import Entry, StandIn
from controller.services.unit_authority import UnitAuthority
from controller.services.unit_clearing import OWN, Proof

CONTROL = "$CONTROL/dynamic-security/v1"
"""Mosquitto's dynamic security plugin: the only way to cut off one client and no other without a reload."""
ROLE = "loa-revoked"
PARCEL = 100
"""Units in one message: three commands each, below the largest packet."""
CRL = "revoked.crl"
_LOG = logging.getLogger("loa.doors")


class EmbeddedDoor:
    """Our own gate asks the database, so it knows at once."""

    def __init__(self, broker: EmbeddedBroker, clock: Clock) -> None:
        self._broker, self._clock = broker, clock

    def admit(self) -> None:
        self._broker.reload()

    def empty(self, unit: str) -> None:
        self._broker.reload()
        host, port = self._broker.address
        with self._broker.lent(unit) as secret:
            _take_off(BrokerAddress(host, port, unit, secret), unit, self._clock)

    def shut(self, units: list[str]) -> bool:
        self._broker.reload()
        return True

    def prove(self, unit: str) -> Proof:
        return Proof.OPEN if self._broker.knows(unit) else Proof.REFUSED

    def list_revoked(self, serials: list[tuple[str, datetime]], now: datetime) -> None:
        """There is no TLS here."""


class MosquittoDoor:
    """Dynamic security cuts off and denies everything, at once; the list of revoked certificates, which Mosquitto reads
    when it is reloaded, then refuses the connection itself. `tls` is made anew for each certificate that is shown;
    without an authority, or without TLS, nothing can be tried in a unit's name."""

    def __init__(
        self,
        link: PahoLink,
        broker: BrokerAddress,
        authority: UnitAuthority | None,
        folder: Path,
        tls: Callable[[], ssl.SSLContext] | None,
        clock: Clock,
    ) -> None:
        self._link, self._broker, self._authority = link, broker, authority
        self._folder, self._tls, self._clock = folder, tls, clock

    def admit(self) -> None:
        """Certificates say who comes in."""

    def empty(self, unit: str) -> None:
        if (address := self._as(unit)) is not None:
            _take_off(address, unit, self._clock)

    def shut(self, units: list[str]) -> bool:
        return all(
            self._link.publish(CONTROL, json.dumps({"commands": commands}).encode(), qos=1, retain=False)
            for commands in parcels(units)
        )

    def prove(self, unit: str) -> Proof:
        address = self._as(unit)
        if address is None:
            return Proof.UNTRIED
        visitor = StandIn(address, self._clock)
        try:
            if visitor.entry is Entry.AWAY:
                return Proof.UNTRIED
            return Proof.OPEN if visitor.entry is Entry.IN and visitor.may_read() else Proof.REFUSED
        finally:
            visitor.leave()

    def list_revoked(self, serials: list[tuple[str, datetime]], now: datetime) -> None:
        if self._authority is None or not self._folder.is_dir():
            return
        try:
            write_private(self._folder / CRL, self._authority.revoked(serials, now).decode())
            (self._folder / CRL).chmod(0o644)  # for Mosquitto; there is nothing secret in it
        except OSError as failure:  # a folder that is given may be read-only, and the broker must still be told
            _LOG.error("%s cannot be written: %s", self._folder / CRL, failure.strerror)

    def _as(self, unit: str) -> BrokerAddress | None:
        if self._authority is None or self._tls is None:
            return None
        try:
            certificate, key = self._authority.stand_in(unit, self._clock.now())
            context = self._tls()
            with tempfile.TemporaryDirectory() as folder:
                both = Path(folder) / "both.pem"
                opened = os.open(both, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(opened, "w", encoding="ascii") as file:
                    file.write(certificate + key)
                context.load_cert_chain(both)
        except (LoaError, OSError, ValueError) as failure:  # then nothing is tried; the broker is told all the same
            _LOG.error("nothing can be tried in the name of %s: %s", unit, failure)
            return None
        return BrokerAddress(self._broker.host, self._broker.port, unit, "", context)


def parcels(units: list[str]) -> list[list[dict[str, object]]]:
    """Commands of the plugin. Whatever is there already is refused there and harms nothing."""
    made: list[list[dict[str, object]]] = []
    for start in range(0, len(units), PARCEL):
        commands: list[dict[str, object]] = [
            {
                "command": "createRole",
                "rolename": ROLE,
                "acls": [
                    {"acltype": kind, "topic": "#", "priority": 100, "allow": False}
                    for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")
                ],
            }
        ]
        for unit in units[start : start + PARCEL]:
            # A password that nobody is told: where units come by password, the name is taken.
            commands.append(
                {
                    "command": "createClient",
                    "username": unit,
                    "password": secrets.token_urlsafe(24),
                    "roles": [{"rolename": ROLE}],
                }
            )
            commands.append({"command": "disableClient", "username": unit})
        made.append(commands)
    return made


def _take_off(address: BrokerAddress, unit: str, clock: Clock) -> None:
    visitor = StandIn(address, clock)
    try:
        if visitor.entry is Entry.IN:
            visitor.take_off([topics.from_unit(unit, kind) for kind in OWN])
    finally:
        visitor.leave()
