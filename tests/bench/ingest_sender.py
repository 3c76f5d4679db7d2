"""The other end of `ingest`: every unit on one connection. Pours messages, or keeps a rate, or says again what is not
acknowledged, as units do (CONTRACT.md, section 8)."""

from __future__ import annotations

import base64
import json
import pickle
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from broadcasts.clock import SystemClock, unix_ms
from broadcasts.wire import codec, topics
from broadcasts.wire.status import PowerSource, Telemetry
from broadcasts.wire.topics import In, Out
from controller.mqtt.socket_tuning import TunedClient

Message = tuple[str, bytes, int]
"""Topic, payload, QoS."""
_CLOCK = SystemClock()
AGAIN_S = 2.0
GIVE_UP_S = 100.0
MARK_EVERY_S = 0.5


def telemetry(unit: str, at: int) -> bytes:
    return codec.encode(
        Telemetry(
            unit=unit, at=at, power=PowerSource.MAINS, volts=12.25, temperature_c=41.5, signal_dbm=-97,
            storage_free_mb=512, amplifier_ma=0, volume=70,
        )
    )  # fmt: skip


class Sender:
    def __init__(self, port: int) -> None:
        self.acked: dict[str, int] = {}
        self._up = threading.Event()
        self.client = TunedClient(CallbackAPIVersion.VERSION2, client_id="bench-units", protocol=mqtt.MQTTv311)
        self.client.max_inflight_messages_set(0)
        self.client.max_queued_messages_set(0)
        self.client.on_connect = lambda *_: self._up.set()
        self.client.on_message = self._told
        self.client.connect("127.0.0.1", port, 60)
        self.client.loop_start()
        if not self._up.wait(20):
            raise TimeoutError("no broker")

    def listen(self) -> None:
        self.client.subscribe(topics.to_unit("+", In.JOURNAL_ACK), 0)

    def _told(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        body = message.payload.split(b".")[1]
        told = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
        self.acked[told["unit"]] = max(told["seq"], self.acked.get(told["unit"], 0))

    def pour(self, messages: Sequence[Message]) -> None:
        for topic, payload, qos in messages:
            self.client.publish(topic, payload, qos)

    def keep(self, messages: Sequence[Message], rate: float, marked: Sequence[str]) -> None:
        """So many a second; the marked units tell in between when it is."""
        began, mark = _CLOCK.monotonic(), 0.0
        pause = threading.Event()
        for number, (topic, payload, qos) in enumerate(messages):
            late = _CLOCK.monotonic() - began
            if late >= mark:
                mark += MARK_EVERY_S
                for unit in marked:
                    body = telemetry(unit, unix_ms(_CLOCK.now()))
                    self.client.publish(topics.from_unit(unit, Out.TELEMETRY), body, 0)
            if number / rate > late:
                pause.wait(number / rate - late)
            self.client.publish(topic, payload, qos)

    def insist(self, journals: dict[str, list[bytes]]) -> None:
        """Each unit's batches (one entry pair each), again and again until all are acknowledged."""
        began, pause = _CLOCK.monotonic(), threading.Event()
        while missing := [unit for unit, batches in journals.items() if self.acked.get(unit, 0) < 2 * len(batches)]:
            if _CLOCK.monotonic() - began > GIVE_UP_S:
                raise TimeoutError(f"{len(missing)} units were not acknowledged")
            for unit in missing:
                for batch in journals[unit][self.acked.get(unit, 0) // 2 :]:
                    self.client.publish(topics.from_unit(unit, Out.JOURNAL), batch, 1)
            pause.wait(AGAIN_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def main(arguments: Sequence[str]) -> None:
    """What to do is in a file; `ready` is said, and a line is waited for."""
    port, task = int(arguments[0]), pickle.loads(Path(arguments[1]).read_bytes())
    sender = Sender(port)
    if task["do"] == "insist":
        sender.listen()
    print("ready", flush=True)
    sys.stdin.readline()
    print(_CLOCK.now().timestamp(), flush=True)
    match task["do"]:
        case "pour":
            sender.pour(task["messages"])
        case "keep":
            sender.keep(task["messages"], task["rate"], task["marked"])
        case "insist":
            sender.insist(task["journals"])
    print("done", flush=True)
    sys.stdin.readline()
    sender.close()


if __name__ == "__main__":
    main(sys.argv[1:])
