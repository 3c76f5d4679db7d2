"""The floor of `dispatch`: the same bytes on the same topics over the same broker, and as little work as there can be.

One process sends, as the controller does (`PahoLink`); another holds every receiver, as the fleet does (`Links`): each
verifies one signature and acknowledges with a message of the size of `out/reported`.
"""

from __future__ import annotations

import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.jws import PublicKey, Typ, verify
from broadcasts.wire.topics import MANNERS, In, Out
from controller.mqtt.inbound import Received
from controller.mqtt.link import BrokerAddress, PahoLink
from device_sim.cli import spare_the_collector
from device_sim.events import Arrived, Connect, LinkUp, Publish
from device_sim.fleetfile import read_fleet
from device_sim.link import Links

PATIENCE_S = 120.0


def measure(
    address: BrokerAddress, fleet: Path, key: PublicKey, plans: Mapping[str, bytes], ack_bytes: int, rounds: int
) -> list[float]:
    """Seconds from the first publication to the last acknowledgement, one for each round."""
    with _sender(address) as link, _receivers(fleet, address, key, ack_bytes):
        _round(link, plans)  # as the product's first: not counted
        return [_round(link, plans) for _ in range(rounds)]


def _round(link: PahoLink, plans: Mapping[str, bytes]) -> float:
    clock, waiting = SystemClock(), {topics.from_unit(unit, Out.REPORTED) for unit in plans}
    manner = MANNERS[In.PLAN]
    began = clock.monotonic()
    documents = ((topics.to_unit(unit, In.PLAN), document) for unit, document in plans.items())
    assert link.publish_all(documents, qos=manner.qos, retain=manner.retain) == len(plans)
    while waiting:
        waiting.discard(_next(link.inbox).topic)
    lasted = clock.monotonic() - began
    link.flush()
    return lasted


def _next(inbox: queue.Queue[Received]) -> Received:
    try:
        return inbox.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise TimeoutError("a receiver of the floor did not answer") from None


@contextmanager
def _sender(address: BrokerAddress) -> Iterator[PahoLink]:
    up = threading.Event()
    link = PahoLink(address, SystemClock(), up.set, look_back_s=0.0)
    thread = threading.Thread(target=link.run, name="floor-mqtt", daemon=True)
    thread.start()
    if not up.wait(20):
        raise TimeoutError("no link to the broker")
    try:
        yield link
    finally:
        link.close()
        thread.join(10)


@contextmanager
def _receivers(fleet: Path, address: BrokerAddress, key: PublicKey, ack_bytes: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench.floor", str(fleet), str(address.port), key.kid, key.x, str(ack_bytes)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        if child.stdout.readline() != b"ready\n":
            raise RuntimeError("the receivers of the floor did not connect")
        yield
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


def receive(arguments: Sequence[str]) -> None:
    """The other process; says `ready` once everybody is connected."""
    fleet, port, kid, x, size = arguments
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    key, file = PublicKey(kid, x), read_fleet(Path(fleet))
    links = Links("127.0.0.1", int(port), SystemClock())
    for each in file.members:
        unit = each.enrolled.unit
        links.connect(unit, Connect(unit, each.enrolled.secret, topics.from_unit(unit, Out.PRESENCE), b"{}", 240))
    manner, body = MANNERS[Out.REPORTED], b"x" * int(size)
    missing = len(file.members)
    while True:
        links.poll(1.0)
        for unit, event in links.take():
            match event:
                case Arrived(topic, payload) if topic.endswith(f"/{In.PLAN}"):
                    verify(payload, Typ.PLAN, lambda name: key if name == key.kid else None)
                    answer = Publish(topics.from_unit(unit, Out.REPORTED), body, manner.qos, manner.retain)
                    links.publish(unit, answer)
                case LinkUp():
                    missing -= 1
                    if missing == 0:
                        spare_the_collector()  # as the fleet does
                        print("ready", flush=True)


if __name__ == "__main__":
    receive(sys.argv[1:])
