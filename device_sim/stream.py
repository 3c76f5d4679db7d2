"""Another station over real HTTP, for live units: audio and nothing else, from a stranger. CONTRACT.md, section 5a.

One thread for each stream; results gather until `take`. Nothing of the sound is kept: a `Meter` says whether there is
some.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
import threading
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from broadcasts.clock import Clock
from broadcasts.wire.relay import MOST_REDIRECTS
from device_sim.events import SourceHeard, SourceLost, Tune
from device_sim.level import KINDS, Meter, NotAudio

PATIENCE_S = 10.0
"""To connect, and between two bytes."""
HEAD_MOST = 16 * 1024
"""Of an answer."""
PIECE = 4_096
MOST_STREAMS = 256
_PLAIN = re.compile(r"[!-~]+")
_GLOBAL_UNICAST = ip_network("2000::/3")
REDIRECTS = (301, 302, 303, 307, 308)


class _Stranger(Exception):
    """Not followed, or not audio; the words go into the log."""


class _Head(io.BufferedIOBase):
    """The first bytes of an answer, at most `HEAD_MOST` of them."""

    def __init__(self, whole: io.BufferedIOBase) -> None:
        self._whole, self._left = whole, HEAD_MOST

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._whole.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise _Stranger("endless head")
        return line


class _Answer(http.client.HTTPResponse):
    def begin(self) -> None:
        whole = self.fp
        self.fp = cast(io.BufferedReader, _Head(whole))
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = whole


class Stream:
    """One station at one pole."""

    def __init__(
        self, tune: Tune, clock: Clock, ready: Callable[[], None], tls: ssl.SSLContext | None, inside: bool
    ) -> None:
        self.tune = tune
        self.meter: Meter | None = None
        """None until audio comes."""
        self.lost: str | None = None
        self.told: bool | None = None
        self._clock, self._ready, self._tls = clock, ready, tls
        self._socket: socket.socket | None = None
        self._closed = False
        self._inside = inside
        """A demo: until an address of the public Internet was met, those of this machine and its network will do."""
        threading.Thread(target=self._run, name=f"stream {tune.source}", daemon=True).start()

    def close(self) -> None:
        """The thread ends soon; nothing of it is told any more."""
        self._closed = True
        if (line := self._socket) is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    # --- in its thread

    def _run(self) -> None:
        try:
            self._listen()
            self.lost = "ended"
        except (_Stranger, NotAudio) as refusal:
            self.lost = str(refusal)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            self.lost = type(failure).__name__
        self._ready()

    def _listen(self) -> None:
        url = self.tune.url or ""
        for _ in range(MOST_REDIRECTS + 1):
            with contextlib.ExitStack() as undo:
                line = undo.enter_context(contextlib.closing(self._connect(url)))
                answer = undo.enter_context(contextlib.closing(self._ask(line, url)))
                if answer.status in REDIRECTS:
                    url = _next(url, answer.getheader("Location") or "")
                    continue
                if answer.status != http.client.OK:
                    raise _Stranger(f"status {answer.status}")
                kind = KINDS.get((answer.getheader("Content-Type") or "").split(";")[0].strip().lower())
                if kind is None or answer.getheader("Content-Encoding", "identity") != "identity":
                    raise _Stranger("not audio")
                self._drink(answer, Meter(kind))
                return
        raise _Stranger("too many redirects")

    def _connect(self, url: str) -> socket.socket:
        """TCP, and TLS where the address says so. Whom the name leads to is asked of the line itself: what a name
        server says, before or meanwhile, decides nothing. Raises OSError, and _Stranger before anything was said."""
        parts = urlsplit(url)
        secure, host = parts.scheme == "https", parts.hostname or ""
        line = socket.create_connection((host, parts.port or (443 if secure else 80)), PATIENCE_S)
        try:
            if _public(line.getpeername()[0]):
                self._inside = False
            elif not self._inside:
                raise _Stranger("leads into a private network")
            if secure:
                tls = self._tls or ssl.create_default_context()
                line = tls.wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
            self._socket = line
            if self._closed:  # while there was nothing yet that `close` could end
                raise _Stranger("closed")
            if isinstance(line, ssl.SSLSocket):
                line.do_handshake()
        except BaseException:
            line.close()
            raise
        return line

    def _ask(self, line: socket.socket, url: str) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: audio/*, application/ogg\r\n"
        request += "Accept-Encoding: identity\r\nUser-Agent: loa\r\nConnection: close\r\n\r\n"
        line.sendall(request.encode("ascii"))
        answer = _Answer(line, method="GET")
        answer.begin()
        return answer

    def _drink(self, answer: http.client.HTTPResponse, meter: Meter) -> None:
        self.meter = meter
        while not self._closed and (piece := answer.read1(PIECE)):
            meter.feed(piece, self._clock.monotonic())
            if self.told is not True:
                self._ready()


def _public(peer: str) -> bool:
    """Given to anybody on the Internet, and no IPv4 address in other words."""
    address = ip_address(peer.split("%")[0])
    if isinstance(address, IPv6Address):
        other = address.sixtofour or address.teredo
        return other is None and address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast


def _next(url: str, location: str) -> str:
    there = urljoin(url, location)
    parts = urlsplit(there)
    if parts.scheme not in ("http", "https") or not _PLAIN.fullmatch(there) or parts.username is not None:
        raise _Stranger("redirected to no stream")
    if (urlsplit(url).scheme, parts.scheme) == ("https", "http"):
        raise _Stranger("redirected out of HTTPS")
    return there


class Streams:
    """The streams of a fleet: at most one for each unit. Only called by the fleet's own loop; `ready` is called from
    any thread when `take` may have something."""

    def __init__(
        self, clock: Clock, ready: Callable[[], None], tls: ssl.SSLContext | None = None, *, inside: bool = False
    ) -> None:
        """`tls`: whom to trust, instead of the system's list. `inside`: a demo, whose stations are on this machine."""
        self._clock, self._ready, self._tls, self._inside = clock, ready, tls, inside
        self._open: dict[str, Stream] = {}
        self._refused: list[tuple[str, SourceLost]] = []

    def begin(self, unit: str, tune: Tune) -> None:
        self.end(unit)
        if len(self._open) >= MOST_STREAMS:
            self._refused.append((unit, SourceLost(tune.source, "too many streams")))
            self._ready()
        else:
            self._open[unit] = Stream(tune, self._clock, self._ready, self._tls, self._inside)

    def end(self, unit: str) -> None:
        if (stream := self._open.pop(unit, None)) is not None:
            stream.close()

    def lose(self, unit: str) -> None:
        """The network is gone, or whoever plays fate cut it off."""
        if (stream := self._open.get(unit)) is not None:
            self.end(unit)
            self._refused.append((unit, SourceLost(stream.tune.source, "no network")))

    def take(self) -> list[tuple[str, SourceHeard | SourceLost]]:
        """What changed, by unit. A stream that stalls is silent after a second, also when nobody was woken."""
        now = self._clock.monotonic()
        taken: list[tuple[str, Any]] = [*self._refused]
        self._refused.clear()
        for unit, stream in list(self._open.items()):
            if stream.lost is not None:
                del self._open[unit]
                taken.append((unit, SourceLost(stream.tune.source, stream.lost)))
            elif stream.meter is not None and (sounding := stream.meter.sounding(now)) is not stream.told:
                stream.told = sounding
                taken.append((unit, SourceHeard(stream.tune.source, sounding)))
        return taken

    def close(self) -> None:
        for unit in list(self._open):
            self.end(unit)
