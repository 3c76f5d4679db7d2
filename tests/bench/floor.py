"""The floor of `dispatch` and `emergency`: the same bytes on the same topics over the same kind of broker, and as
little work as there can be.

Arranged as the product is: this process sends, with the controller's own link (`PahoLink`), and takes the answers off
the same link's inbox; another process holds every receiver, each on a connection of its own, with the fleet's own links
(`Links`). A receiver verifies the one signature of what arrives, by the code that units use, and acknowledges on the
topic and in the manner (QoS) in which a unit does, with as many bytes. It parses nothing, keeps nothing and signs
nothing; what comes back is counted, not verified. It is the least that a receiver can do, and no less: no socket is
shared, no message is left away.
"""

from __future__ import annotations

import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from broadcasts.clock import SystemClock, unix_ms
from broadcasts.wire import topics
from broadcasts.wire.jws import PublicKey, Typ, verify
from broadcasts.wire.topics import MANNERS, In, Out, ScopeTopic
from controller.mqtt.inbound import Received
from controller.mqtt.link import BrokerAddress, PahoLink
from device_sim.cli import spare_the_collector
from device_sim.events import Arrived, Connect, LinkUp, Publish
from device_sim.fleetfile import read_fleet
from device_sim.link import Links
from tests.bench.sizes import PATIENCE_S

Asked = In | ScopeTopic
DOCUMENTS: dict[str, tuple[Asked, Typ, Out]] = {
    In.PLAN: (In.PLAN, Typ.PLAN, Out.REPORTED),
    ScopeTopic.ALERT: (ScopeTopic.ALERT, Typ.ALERT, Out.JOURNAL),
}
"""What may be sent: of which kind it is, and on what a unit says that it has it."""


@dataclass(frozen=True)
class Lasted:
    """Seconds from the first publication on."""

    verified: float
    """Until the last receiver had verified it; by the wall clock, which all processes of a machine share."""
    acknowledged: float
    """Until the last acknowledgement was here."""


class Floor:
    """Stays open, so that its rounds can come between the product's. `undo` closes it."""

    def __init__(
        self, address: BrokerAddress, fleet: Path, asked: Asked, key: PublicKey, ack_bytes: int, undo: ExitStack
    ) -> None:
        self._asked, _, self._answer = DOCUMENTS[asked]
        self._units = [each.enrolled.unit for each in read_fleet(fleet).members]
        self._clock = SystemClock()
        up = threading.Event()
        self._link = PahoLink(address, self._clock, up.set, look_back_s=0.0)
        thread = threading.Thread(target=self._link.run, name="floor-mqtt", daemon=True)
        thread.start()
        undo.callback(thread.join, 10)
        undo.callback(self._link.close)
        if not up.wait(20):
            raise TimeoutError("no link to the broker of the floor")
        told = [str(asked), str(fleet), str(address.port), key.kid, key.x, str(ack_bytes)]
        child = subprocess.Popen([sys.executable, "-m", "tests.bench.floor", *told], stdout=subprocess.PIPE)
        assert child.stdout is not None
        undo.callback(child.stdout.close)
        undo.callback(child.wait, 10)
        undo.callback(child.terminate)
        if child.stdout.readline() != b"ready\n":
            raise RuntimeError("the receivers of the floor did not connect")
        self.process = child.pid

    def round(self, documents: Mapping[str, bytes]) -> Lasted:
        """`documents`: by topic, what everybody gets; each receiver has to answer once."""
        waiting, manner = {topics.from_unit(unit, self._answer) for unit in self._units}, MANNERS[self._asked]
        last = 0
        began, began_at = self._clock.monotonic(), unix_ms(self._clock.now())
        sent = self._link.publish_all(documents.items(), qos=manner.qos, retain=manner.retain)
        assert sent == len(documents), "the broker of the floor takes nothing"
        while waiting:
            one = _next(self._link.inbox)
            if one.topic in waiting:
                waiting.discard(one.topic)
                last = max(last, int(one.payload.split(b" ", 1)[0]))
        lasted = Lasted((last - began_at) / 1000, self._clock.monotonic() - began)
        self._link.flush()
        return lasted


def _next(inbox: queue.Queue[Received]) -> Received:
    try:
        return inbox.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise TimeoutError("a receiver of the floor did not answer") from None


def receive(arguments: Sequence[str]) -> None:
    """The other process; says `ready` once everybody is connected."""
    asked, fleet, port, kid, x, size = arguments
    _, typ, out = DOCUMENTS[asked]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clock, key, file = SystemClock(), PublicKey(kid, x), read_fleet(Path(fleet))
    links = Links("127.0.0.1", int(port), clock)
    for each in file.members:
        unit = each.enrolled.unit
        links.connect(unit, Connect(unit, each.enrolled.secret, topics.from_unit(unit, Out.PRESENCE), b"{}", 240))
    manner, length, end = MANNERS[out], int(size), f"/{asked}"
    missing = len(file.members)
    while True:
        links.poll(1.0)
        for unit, event in links.take():
            match event:
                case Arrived(topic, payload) if topic.endswith(end):
                    verify(payload, typ, lambda name: key if name == key.kid else None)
                    body = b"%d " % unix_ms(clock.now())
                    links.publish(
                        unit, Publish(topics.from_unit(unit, out), body.ljust(length, b"x"), manner.qos, manner.retain)
                    )
                case LinkUp():
                    missing -= 1
                    if missing == 0:
                        spare_the_collector()  # as the fleet does
                        print("ready", flush=True)


if __name__ == "__main__":
    receive(sys.argv[1:])
