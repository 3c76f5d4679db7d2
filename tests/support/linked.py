"""A real broker of either kind, and the controller's own connection to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from support.brokers import Kind, running_broker
from support.parties import OverSockets
from support.wait import until

from broadcasts.clock import SystemClock
from controller.mqtt.broker_users import CONTROLLER
from controller.mqtt.link import BrokerAddress, PahoLink


@pytest.fixture(scope="module", params=["mosquitto", "nats"])
def linked_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    kind: Kind = request.param
    with running_broker(kind, tmp_path_factory.mktemp("linked")) as made:
        assert isinstance(made, OverSockets)
        yield made


@pytest.fixture
def link(linked_broker: OverSockets) -> Iterator[PahoLink]:
    up = threading.Event()
    address = BrokerAddress(*linked_broker.address, CONTROLLER, linked_broker.secrets[CONTROLLER])
    made = PahoLink(address, SystemClock(), up.set, look_back_s=0.0)
    thread = threading.Thread(target=made.run, name="link", daemon=True)
    thread.start()
    until(up.is_set, "the link is up", 60)
    yield made
    made.close()
    thread.join(30)
    assert not thread.is_alive()
