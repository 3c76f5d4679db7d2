"""Notices that the broker lost its store: a small retained message of ours is gone (design, decision 8)."""

from __future__ import annotations

from datetime import datetime, timedelta

from broadcasts.wire import topics
from controller.db.tables import Kept
from controller.services import reconciling
from controller.services.context import Context
from controller.services.ports import Link

NAME = "canary"
WAIT = timedelta(seconds=3)
"""After connecting, retained messages come at once; what is not there by then is not there."""


class Canary:
    """One for each controller process."""

    def __init__(self, ctx: Context, link: Link) -> None:
        self._ctx = ctx
        self._link = link
        self._connected_at: datetime | None = None
        self._connections = 0
        self._said_for = 0
        self._heard = b""
        self._alive = False

    def connected(self, now: datetime) -> None:
        """From the network's own thread, which an exception would end: only remembers."""
        self._connections += 1
        self._connected_at, self._heard, self._alive = now, b"", False

    def heard(self, payload: bytes) -> None:
        """Also from a thread that must live; only remembers."""
        self._heard = payload

    def step(self, now: datetime) -> datetime:
        """Returns when to look again."""
        if self._connected_at is None or self._alive or not self._link.up:
            return now + timedelta(minutes=10)  # coming up wakes us
        if (connection := self._connections) != self._said_for:
            reconciling.connected(self._ctx)
            self._said_for = connection
            self._ctx.wake()
        song = self._song()
        if self._heard == song:
            self._alive = True
            return now + timedelta(minutes=10)
        if now - self._connected_at < WAIT:
            return self._connected_at + WAIT
        reconciling.say_everything_again(self._ctx)
        manner = topics.CANARY_MANNER
        self._alive = self._link.publish(topics.CANARY, song, qos=manner.qos, retain=manner.retain)
        self._ctx.wake()
        return now + timedelta(seconds=30)

    def _song(self) -> bytes:
        with self._ctx.db.read() as session:
            kept = session.get(Kept, NAME)
        if kept is None:
            kept = Kept(name=NAME, value=self._ctx.ids.new("canary"))
            with self._ctx.db.write() as session:
                session.add(kept)
        return str(kept.value).encode()
