"""Stations on the net as tests need them: real HTTP servers that answer by script, and a unit's reader of streams."""

from __future__ import annotations

import contextlib
import math
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable

from support.wait import until

from broadcasts.clock import SystemClock
from device_sim.events import SourceHeard, SourceLost, Tune
from device_sim.stream import Streams

RATE = 8_000
LOUD = struct.pack("<800h", *(round(9_000 * math.sin(n / 3)) for n in range(800)))
SILENT = bytes(1_600)
HEAD = (
    b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0"
    + struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    + b"data\xff\xff\xff\xff"
)

Script = Callable[["Station", socket.socket, str], None]


class Station:
    """Answers each path by a script; `asked` holds the requests as they came. `mood` is what a live path sends now."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: list[str] = []
        self.mood = LOUD
        self.closing = threading.Event()
        station = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    line = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                    with line:
                        station.answer(line)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.base = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, line: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (more := line.recv(4_096)):
            head += more
        if not head:
            return  # connected, and said nothing
        request = head.decode()
        self.asked.append(request)
        path = request.split(" ")[1]
        self.scripts[path](self, line, request)

    def live(self, line: socket.socket, kind: str = "audio/wav", status: str = "200 OK", chunked: bool = False) -> None:
        """On the air until the listener goes."""
        coding = "Transfer-Encoding: chunked\r\n" if chunked else ""
        line.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{coding}\r\n".encode())
        pieces = [HEAD]
        while not self.closing.is_set():
            for piece in pieces:
                line.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            self.closing.wait(0.1)
            pieces = [self.mood] if self.mood else []

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class Listener:
    def __init__(self, tls: ssl.SSLContext | None = None, *, inside: bool = True) -> None:
        self.streams = Streams(SystemClock(), lambda: None, tls, inside=inside)
        self.told: list[SourceHeard | SourceLost] = []

    def tune(self, url: str) -> None:
        self.told = []
        self.streams.begin("u-1", Tune("vov1", url, None))

    def until(self, wanted: SourceHeard | SourceLost) -> None:
        def come() -> bool:
            self.told += [event for _, event in self.streams.take()]
            return wanted in self.told

        until(come, f"{wanted}, not {self.told}")
        self.told = []

    def until_lost(self) -> str:
        def come() -> bool:
            self.told += [event for _, event in self.streams.take()]
            return any(isinstance(each, SourceLost) for each in self.told)

        until(come, "the end of the stream")
        assert not any(isinstance(each, SourceHeard) and each.sounding for each in self.told)
        return self.told[-1].reason if isinstance(self.told[-1], SourceLost) else ""


SOUND, SILENCE = SourceHeard("vov1", True), SourceHeard("vov1", False)


def redirect(to: str, status: str = "302 Found") -> Script:
    return lambda _on, line, _request: line.sendall(
        f"HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()
    )


def says(answer: bytes) -> Script:
    return lambda _on, line, _request: line.sendall(answer)
