"""A broker with nobody at it but who measures: the same program, settings and accounts as the product's."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from broadcasts.clock import SystemClock
from controller.mqtt.broker_users import CONTROLLER, BrokerUser, Role, new_secret, secret_hash
from controller.mqtt.embedded import EmbeddedBroker
from controller.mqtt.link import BrokerAddress
from deploy.smoke import Smoke
from device_sim.fleetfile import read_fleet
from tests.bench.sizes import Kind


def bare_broker(folder: Path, units: int, broker: Kind, undo: ExitStack, fleet: Path) -> BrokerAddress:
    """With the members of `fleet`; its files are in `folder`/floor."""
    (folder / "floor").mkdir()
    if broker == "mosquitto":
        return _Bare(folder / "floor", units, broker, undo).start(fleet)
    secret = new_secret()
    members = [(each.enrolled.unit, each.enrolled.secret) for each in read_fleet(fleet).members]
    users = [
        BrokerUser(CONTROLLER, secret_hash(secret), Role.CONTROLLER),
        *(BrokerUser(name, secret_hash(own)) for name, own in members),
    ]
    running = EmbeddedBroker(folder / "floor", lambda: users, SystemClock(), _spawn)
    running.start()
    undo.callback(running.stop)
    host, port = running.address
    return BrokerAddress(host, port, CONTROLLER, secret)


class _Bare(Smoke):
    """Only its Mosquitto."""

    def start(self, fleet: Path) -> BrokerAddress:
        self._fleet = fleet
        self._start_mosquitto()
        return BrokerAddress("127.0.0.1", self._mqtt, CONTROLLER, self._secret)


def _spawn(name: str, work: Any) -> None:
    threading.Thread(target=work, name=name, daemon=True).start()
