"""A file that nobody may open and a door that nobody may knock at: who does is seen, whatever he says of it."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.audio import tone

_IN_OPEN, _IN_ACCESS = 0x20, 0x1
_NONBLOCK = os.O_NONBLOCK


@dataclass
class Watched:
    """`canary`: a good recording, in a folder of its own. `port`: on this machine."""

    canary: Path
    port: int
    _server: socket.socket
    _events: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/secret.mp3"

    def opened(self) -> bool:
        """Whether anybody has opened the canary since this was asked last, as the kernel tells (inotify)."""
        try:
            return bool(os.read(self._events, 65_536))
        except BlockingIOError:
            return False

    def knocked(self) -> bool:
        """Whether anybody has connected."""
        try:
            self._server.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    place = folder / "secrets"
    place.mkdir()
    canary = place / "secret.wav"
    canary.write_bytes(tone(3.0))
    libc = ctypes.CDLL(None, use_errno=True)
    events = libc.inotify_init1(_NONBLOCK)
    assert events >= 0
    try:
        assert libc.inotify_add_watch(events, os.fsencode(canary), _IN_OPEN | _IN_ACCESS) >= 0
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            yield Watched(canary, server.getsockname()[1], server, events)
    finally:
        os.close(events)
