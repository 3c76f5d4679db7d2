"""A server of warnings for tests: real sockets, real HTTP, and as nasty as asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass
class Page:
    """`drip`: after the head a byte at a time, each after so many seconds, without an end. `endless`: bytes without
    an end."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip_head: float = 0.0
    drip: float = 0.0
    endless: bool = False


class Server:
    """`pages` by path. `asked` holds path and headers of every request."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, it: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self._server.server_address[1]}{path}"

    def put(self, path: str, body: bytes, **headers: str) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Page(body, headers={"content-type": "application/xml"} | told)

    def answer(self, asking: BaseHTTPRequestHandler) -> None:
        self.asked.append((asking.path, {name.lower(): value for name, value in asking.headers.items()}))
        page = self.pages.get(asking.path, Page(status=404))
        etag = page.headers.get("etag")
        if etag and asking.headers.get("if-none-match") == etag:
            page = Page(status=304, headers=page.headers)
        if page.drip_head:
            asking.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self._slowly(asking.wfile.write, page.drip_head, b"x-a: b\r\n")
            return
        asking.send_response(page.status)
        for name, value in page.headers.items():
            asking.send_header(name, value)
        if page.drip or page.endless:
            asking.end_headers()
            self._slowly(asking.wfile.write, page.drip, b" " * (1 if page.drip else 60_000))
            return
        asking.send_header("content-length", str(len(page.body)))
        asking.end_headers()
        asking.wfile.write(page.body)

    def _slowly(self, write: Callable[[bytes], object], seconds: float, what: bytes) -> None:
        while not self._over.wait(seconds):
            write(what)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):  # who asked has gone: that is what he should do
                server.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
