"""paho as fast as it can be without leaving it: no waiting for acknowledgements, one read per burst.

paho leaves Nagle's algorithm on, which costs 44 ms for each command that follows an acknowledgement; and it reads
each packet by three system calls. Both sit in how it makes its socket, `_create_socket`, which is private: paho is
held below 3 and a test (`tests/unit/test_socket_tuning.py`) fails when the hook is gone.
"""

from __future__ import annotations

import socket
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

_BURST = 65536


class BufferedSocket:
    """A socket, or TLS socket, that reads ahead. Everything but reading is the inner socket's.

    `pending` counts the bytes already read: paho's own loop asks for it before it waits.
    """

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._ahead = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        if self._at == len(self._ahead):
            self._ahead, self._at = b"", 0  # first, so that a read that would block leaves a clean state
            self._ahead = self._inner.recv(_BURST)
        taken = self._ahead[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def pending(self) -> int:
        inner = getattr(self._inner, "pending", None)
        return len(self._ahead) - self._at + (inner() if inner is not None else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TunedClient(mqtt.Client):
    """A paho client for one loop of any kind: its own thread, a selector, asyncio."""

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
        now = self.socket()
        return isinstance(now, BufferedSocket) and now.pending() > 0
