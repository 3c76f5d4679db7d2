"""HTTP to servers of others that ends, and that goes nowhere else than it was sent.

Every wait on a connection has what is left of the whole, from the look-up of the name to the last byte: the time-outs
of an HTTP client are those of single reads, which a server that drips restarts each time. No redirect is followed, no
proxy of the environment asked. Where `may` is given, every address that a name leads to must pass it, and the
connection goes to that very address: a name that says something else a moment later leads nowhere.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import httpcore

from broadcasts.clock import Clock

MOST_ADDRESSES = 4
"""Of one name that are tried."""

Response = httpcore.Response


class Failed(Exception):
    """No answer. `kind`: one word for it."""

    def __init__(self, kind: str, why: str = "") -> None:
        super().__init__(why or kind)
        self.kind = kind


class Slow(Failed):
    """Not within its time."""


class Inside(Failed):
    """A name that leads where `may` says no."""


class Client:
    """Of one thread. Requests that follow one another keep their connection."""

    def __init__(self, clock: Clock, tls: ssl.SSLContext, *, may: Callable[[str], bool] | None = None) -> None:
        self._clock, self._may, self._ends = clock, may, 0.0
        self._pool = httpcore.ConnectionPool(ssl_context=tls, max_connections=1, network_backend=_InTime(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def within(self, seconds: float) -> None:
        """For all that follows, until it is said anew."""
        self._ends = self._clock.monotonic() + seconds

    def left(self) -> float:
        """Seconds. Raises Slow."""
        left = self._ends - self._clock.monotonic()
        if left <= 0:
            raise Slow("deadline")
        return left

    @contextmanager
    def stream(
        self, method: str, url: str, headers: Sequence[tuple[bytes, bytes]] = (), content: bytes | None = None
    ) -> Iterator[Response]:
        """The answer, whatever its status, to be read while this is open: `iter_stream`, which is undecoded, so that a
        small answer does not unfold into a large one, and as it comes. Raises Failed, also while it is read."""
        try:
            with self._pool.stream(method, url, headers=headers, content=content) as answer:
                yield answer
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise Slow(type(error).__name__, _line(error)) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise Failed(type(error).__name__, _line(error)) from error

    def addresses(self, host: str, port: int) -> list[str]:
        """Looked up now. Raises Failed: Slow, Inside, or there are none."""
        told: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                told.put(list(dict.fromkeys(str(each[4][0]) for each in found)))
            except (OSError, UnicodeError) as error:
                told.put(error if isinstance(error, OSError) else OSError(str(error)))

        # No resolver takes a deadline: one that hangs is left behind, and ends by itself.
        threading.Thread(target=look_up, name="look-up", daemon=True).start()
        try:
            found = told.get(timeout=self.left())
        except queue.Empty:
            raise Slow("look-up") from None
        if isinstance(found, OSError):
            raise Failed("ConnectError", _line(found)) from found
        if self._may is not None and not all(self._may(address) for address in found):
            raise Inside("inside", host[:200])
        return found[:MOST_ADDRESSES]


class _InTime(httpcore.NetworkBackend):
    def __init__(self, client: Client) -> None:
        self._client, self._real = client, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception = Failed("ConnectError", "no address")
        for address in self._client.addresses(host, port):
            try:
                left = self._client.left()
                return _Timed(self._real.connect_tcp(address, port, left, local_address, socket_options), self._client)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last


class _Timed(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, client: Client) -> None:
        self._stream, self._client = stream, client

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._client.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._client.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, self._client.left()), self._client)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
