"""The controller's side of the virtual world: its link to the broker, its steps, its sudden deaths."""

from __future__ import annotations

import random
from functools import partial

from broadcasts.wire.topics import Out, ScopeTopic
from device_sim.agenda import Agenda, ms
from device_sim.broker import Broker, Connection, Packet
from device_sim.counterpart import Counterpart

INGEST_MS = 250
"""The controller gathers what arrives for so long before it takes a step."""
NUMBERS_MS = 20_000
"""Telemetry alone is in no hurry; a fleet says a great deal of it."""


_WARNS = (f"/{ScopeTopic.ALERT}", f"/{ScopeTopic.DRILL}")


class Backstage:
    def __init__(
        self, name: str, counterpart: Counterpart, broker: Broker, agenda: Agenda, chance: random.Random
    ) -> None:
        self._name = name
        self._counterpart, self._broker, self._agenda, self._chance = counterpart, broker, agenda, chance
        self.alive = True
        self.warned: set[tuple[str, str, bytes]] = set()
        """Every alert and drill document that the controller ever said: (scope, topic, document)."""
        self._broker_up = True
        self._connection: Connection | None = None
        self._step_at: int | None = None
        counterpart.attach(self._say)
        broker.admit_controller(name, name)
        agenda.after(0, self._connect)

    def get(self, unit: str, secret: str, path: str, offset: int) -> tuple[int, bytes] | None:
        """None: nobody answers."""
        return self._counterpart.get(unit, secret, path, offset) if self.alive else None

    def broker_stopped(self) -> None:
        self._broker_up = False

    def broker_returned(self) -> None:
        self._broker_up = True
        self._agenda.after(self._chance.randint(500, 5_000), self._connect)

    def kill(self, lasts: int) -> None:
        """As kill -9, and started again after `lasts` ms."""
        if not self.alive:
            return
        self.alive = False
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()
        self._counterpart.kill()
        self._step_at = None
        self._agenda.after(lasts, self._revive)

    def nudge(self) -> None:
        """Somebody used its pages: it looks at once."""
        self._soon(0)

    def _revive(self) -> None:
        self.alive = True
        self._counterpart.restart(self._agenda.datetime())
        self._connect()
        self._soon(0)

    def _connect(self) -> None:
        if not self.alive or not self._broker_up or self._connection is not None:
            return
        self._connection = self._broker.connect(
            self._name, self._name, self._name, clean=False, on_packet=self._hear, on_closed=self._lost
        )
        self._counterpart.connection(True, self._agenda.datetime())
        for pattern, qos in self._counterpart.filters():
            self._connection.subscribe(pattern, qos)
        self._soon(0)

    def _lost(self) -> None:
        self._connection = None
        if self.alive:
            self._counterpart.connection(False, self._agenda.datetime())
            self._agenda.after(self._chance.randint(1_000, 5_000), self._connect)

    def _hear(self, packet: Packet) -> None:
        if self.alive:
            self._counterpart.receive(packet.topic, packet.payload, packet.retain, self._agenda.datetime())
            self._soon(NUMBERS_MS if packet.topic.endswith(f"/{Out.TELEMETRY}") else INGEST_MS)

    def _say(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        if self._connection is None:
            return False
        if topic.endswith(_WARNS):
            *_, scope, kind = topic.split("/")
            self.warned.add((scope, kind, payload))
        self._connection.publish(topic, payload, qos, retain)
        return True

    def _soon(self, wait_ms: int) -> None:
        at = self._agenda.now + wait_ms
        if self._step_at is None or self._step_at > at:
            self._step_at = at
            self._agenda.at(at, partial(self._step, at))

    def _step(self, planned: int) -> None:
        if self._step_at != planned or not self.alive:
            return
        self._step_at = None
        next_at = ms(self._counterpart.step(self._agenda.datetime()))
        self._soon(max(1, next_at - self._agenda.now))
