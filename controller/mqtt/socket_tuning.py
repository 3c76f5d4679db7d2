"""paho as fast as it can be without leaving it: no waiting for acknowledgements, one read per burst.

paho leaves Nagle's algorithm on, which costs 44 ms for each command that follows an acknowledgement; and it reads
each packet by three system calls. Both sit in how it makes its socket, `_create_socket`, which is private: paho is
held below 3 and a test (`tests/unit/test_socket_tuning.py`) fails when the hook is gone.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

_BURST = 65536


class BufferedSocket:
    """A socket, or TLS socket, that reads ahead. Everything but reading is the inner socket's.

    `pending` counts the bytes already read: paho's own loop asks for it before it waits.

    One thread may send while another receives. A TLS connection is one state for both directions and OpenSSL does not
    guard it, so the two take turns here; neither waits for the network, because paho's socket does not block.
    """

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._turn = threading.Lock()
        self._ahead = b""
        self._at = 0

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
            return self._inner.send(buffer)

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
            return super().loop_write()

    def _create_socket(self) -> Any:
        inner: Any = super()._create_socket()
        if self.transport == "tcp":
            inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(inner)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Reads until nothing that has already arrived is left: the selector cannot see what was read ahead."""
        result = super().loop_read(max_packets)
        while result == MQTTErrorCode.MQTT_ERR_SUCCESS and self._has_more():
            result = super().loop_read(max_packets)
        return result

    def _has_more(self) -> bool:
        now: Any = self.socket()
        return isinstance(now, BufferedSocket) and now.pending() > 0
