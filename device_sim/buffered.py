"""A socket that is read in bursts, and the short way for the messages that are most of what comes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any


class Buffered:
    """A socket that is emptied in one call for a burst, where paho asks byte by byte. The rest of it is the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""
        self._at = 0
        self.severed = False
        """What is sent gets nowhere."""

    def send(self, data: bytes) -> int:
        return len(data) if self.severed else self._sock.send(data)

    def recv(self, size: int) -> bytes:
        if self._at >= len(self._held):
            self._held, self._at = self._sock.recv(65536), 0
        piece = self._held[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def fill(self) -> bool:
        """Take what is there, if nothing is held; whether something is. False also when the other end has gone: paho's
        own read finds that out."""
        if self._at >= len(self._held):
            try:
                self._held, self._at = self._sock.recv(65536), 0
            except OSError:
                return False
        return self._at < len(self._held)

    def published(self) -> Iterator[tuple[str, bytes]]:
        """The whole messages of QoS 0 that are next (MQTT 3.1.1, section 3.3); what else comes is left for paho."""
        held = self._held
        while self._at + 1 < len(held) and held[self._at] & 0xF6 == 0x30:
            at, length, shift = self._at + 1, 0, 0
            while at < len(held) and shift <= 21:
                length |= (held[at] & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if not held[at - 1] & 0x80:
                    break
            else:
                return
            end, topic = at + length, at + 2 + int.from_bytes(held[at : at + 2], "big")
            if end > len(held) or not at + 2 <= topic <= end:
                return
            try:
                name = held[at + 2 : topic].decode()
            except UnicodeDecodeError:
                return
            self._at = end
            yield name, held[topic:end]

    def pending(self) -> int:
        """Bytes that the selector does not know of: ours, and those that TLS has already decrypted."""
        ours = len(self._held) - self._at
        return ours + (self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
