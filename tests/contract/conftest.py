"""Every broker that Loa runs on, one after the other, and whoever enters it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from support.brokers import KINDS, UNITS, Kind, running_broker
from support.parties import BrokerUnderTest, Enter, Party

from controller.mqtt.broker_users import CONTROLLER


@pytest.fixture(scope="module", params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerUnderTest]:
    kind: Kind = request.param
    with running_broker(kind, tmp_path_factory.mktemp(kind)) as running:
        yield running


_fresh = count()


@pytest.fixture
def unit() -> str:
    """A unit that no other test uses."""
    return UNITS[next(_fresh) % len(UNITS)]


@pytest.fixture
def other() -> str:
    return UNITS[next(_fresh) % len(UNITS)]


@pytest.fixture
def enter(broker: BrokerUnderTest) -> Iterator[Enter]:
    """Connects; whoever is still there at the end of the test says goodbye."""
    inside: list[Party] = []

    def connect(name: str, **manner: object) -> Party:
        inside.append(broker.enter(name, **manner))  # type: ignore[arg-type]
        return inside[-1]

    yield connect
    for party in inside:
        if party.is_open:
            party.goodbye()


@pytest.fixture
def controller(enter: Enter) -> Party:
    return enter(CONTROLLER)
