"""paho as fast as it can be without leaving it: no waiting for acknowledgements, one read and one write per burst.

paho leaves Nagle's algorithm on, which costs 44 ms for each command that follows an acknowledgement; it reads each
packet by three system calls and writes each by one, and after every one of them Python's other threads may keep us
waiting for 5 ms. All sits in how it makes its socket, `_create_socket`, which is private: paho is held below 3 and a
test (`tests/unit/test_socket_tuning.py`) fails when the hook is gone.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

_BURST = 65536
_MOST_GATHERED = 4 * _BURST


class BufferedSocket:
    """A socket, or TLS socket, that reads ahead, and between `gather` and `release` writes behind. All else is the
    inner socket's.

    `pending` counts the bytes already read: paho's own loop asks for it before it waits.

    One thread may send while another receives. A TLS connection is one state for both directions and OpenSSL does not
    guard it, so the two take turns here; neither waits for the network, because paho's socket does not block.
    """

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._turn = threading.Lock()
        self._ahead = b""
        self._at = 0
        self._gathering = 0
        self._unsent = bytearray()

    def recv(self, size: int) -> bytes:
        if self._at == len(self._ahead):
            self._ahead, self._at = b"", 0  # first, so that a read that would block leaves a clean state
            with self._turn:
                self._ahead = self._inner.recv(_BURST)
        taken = self._ahead[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def send(self, buffer: bytes) -> int:
        with self._turn:
            if self._unsent and (not self._gathering or len(self._unsent) > _MOST_GATHERED):
                self._drain()
            if not self._gathering:
                return self._inner.send(buffer)
            self._unsent += buffer
            return len(buffer)

    def gather(self) -> None:
        """What is sent from here on, by any thread, leaves at the `release` that belongs to this."""
        with self._turn:
            self._gathering += 1

    def release(self) -> None:
        with self._turn:
            self._gathering -= 1
        self.drained()

    def drained(self) -> bool:
        """Whether nothing is left of what was gathered, after another try. A broken connection is seen by who reads."""
        with self._turn, contextlib.suppress(OSError):
            if not self._gathering:
                self._drain()
        return self.unsent == 0

    @property
    def unsent(self) -> int:
        """Bytes that wait for room in the inner socket."""
        return 0 if self._gathering else len(self._unsent)

    def close(self) -> None:
        """paho closes when it has handed over its farewell."""
        with self._turn, contextlib.suppress(OSError):
            self._drain()
        self._inner.close()

    def _drain(self) -> None:
        """Raises OSError: BlockingIOError or its like over TLS when the inner socket is full."""
        while self._unsent:
            with memoryview(self._unsent) as waiting:
                sent = self._inner.send(waiting)
            del self._unsent[:sent]

    def pending(self) -> int:
        inner = getattr(self._inner, "pending", None)
        return len(self._ahead) - self._at + (inner() if inner is not None else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TunedClient(mqtt.Client):
    """A paho client for one loop of any kind: its own thread, a selector, asyncio."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._writing = threading.RLock()

    def close(self) -> None:
        """Gives back all sockets, also the pair with which paho wakes its loop. The client is of no use afterwards."""
        self._reset_sockets()

    def loop_write(self) -> MQTTErrorCode:
        """paho writes from the thread that publishes and from that of the loop. A packet of which a full socket took
        only a part is then finished after another one has begun, and over TLS the connection is lost."""
        with self._writing:
            now: Any = self.socket()
            if isinstance(now, BufferedSocket) and not now.drained():
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            return super().loop_write()

    def want_write(self) -> bool:
        now: Any = self.socket()
        return super().want_write() or (isinstance(now, BufferedSocket) and now.unsent > 0)

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """What is said inside leaves together at its end."""
        now: Any = self.socket()
        if not isinstance(now, BufferedSocket):
            yield
            return
        now.gather()
        try:
            yield
        finally:
            now.release()

    def _create_socket(self) -> Any:
        inner: Any = super()._create_socket()
        if self.transport == "tcp":
            inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(inner)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Reads until nothing that has already arrived is left: the selector cannot see what was read ahead. The
        acknowledgements leave together."""
        with self.gathered():
            result = super().loop_read(max_packets)
            while result == MQTTErrorCode.MQTT_ERR_SUCCESS and self._has_more():
                result = super().loop_read(max_packets)
        return result

    def _has_more(self) -> bool:
        now: Any = self.socket()
        return isinstance(now, BufferedSocket) and now.pending() > 0
