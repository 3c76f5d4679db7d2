"""Fetching from servers of others: a total deadline, a size, and no way back into our own network.

Every address that the name leads to must be out in the open (`broadcasts.outgoing`). A redirect is a new address with
the same questions, and never from https to http.
"""

from __future__ import annotations

import ssl
from urllib.parse import urljoin, urlsplit

from broadcasts.clock import Clock
from broadcasts.domain import outside
from broadcasts.errors import Fault, Refused
from broadcasts.outgoing import Client, Failed, Inside, Response, Slow
from controller.services.cap_polling import Answer
from controller.services.cap_xml import MOST_BYTES

SECONDS = 15.0
"""For all of one fetch, its redirects with it."""
MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_ACCEPT = (
    b"application/cap+xml, application/atom+xml;q=0.9, application/rss+xml;q=0.8, application/xml;q=0.7, */*;q=0.1"
)


class HttpWeb:
    """Implements `services.cap_polling.Web`. `inside`: addresses of our own network may be asked too."""

    def __init__(self, clock: Clock, *, inside: bool = False, seconds: float = SECONDS) -> None:
        self._clock, self._inside, self._seconds = clock, inside, seconds
        self._tls = ssl.create_default_context()

    def get(self, url: str, etag: str = "", modified: str = "") -> Answer:
        may = None if self._inside else outside.is_outside
        with Client(self._clock, self._tls, may=may) as client:
            client.within(self._seconds)
            for _ in range(MOST_REDIRECTS + 1):
                self._check(url)
                answer, to = self._once(client, url, etag, modified)
                if not to:
                    return answer
                if urlsplit(url).scheme == "https" and urlsplit(to).scheme != "https":
                    raise Fault("cap.web", why="https to http")
                url = to
        raise Fault("cap.web_redirects", most=MOST_REDIRECTS)

    def _check(self, url: str) -> None:
        try:
            outside.check_url(url, inside=self._inside)
        except Refused as refused:
            raise Fault("cap.web_inside" if refused.key == "relay.inside" else "cap.web", why=url[:200]) from refused

    def _once(self, client: Client, url: str, etag: str, modified: str) -> tuple[Answer, str]:
        """The answer, and where it sends us."""
        headers = [(b"Accept", _ACCEPT), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"loa")]
        headers += [(b"Connection", b"close")]
        headers += [(b"If-None-Match", etag.encode("latin-1", "replace"))] if etag else []
        headers += [(b"If-Modified-Since", modified.encode("latin-1", "replace"))] if modified else []
        try:
            with client.stream("GET", url, headers) as response:
                return self._answer(url, response)
        except Slow as slow:
            raise Fault("cap.web_slow", seconds=int(self._seconds)) from slow
        except Inside as inside:
            raise Fault("cap.web_inside", why=str(inside)) from inside
        except (Failed, ValueError) as failure:
            raise Fault("cap.web", why=" ".join(str(failure).split())[:200]) from failure

    def _answer(self, url: str, response: Response) -> tuple[Answer, str]:
        told = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status in _REDIRECTS:
            if not told.get(b"location"):
                raise Fault("cap.web", why=str(response.status))
            return Answer(response.status), urljoin(url, told[b"location"])
        etag, modified = (_line(told.get(name, "")) for name in (b"etag", b"last-modified"))
        if response.status == 304:
            return Answer(304, etag=etag, modified=modified, url=url), ""
        if response.status != 200:
            raise Fault("cap.web", why=str(response.status))
        if told.get(b"content-encoding", "identity").lower() != "identity":
            raise Fault("cap.web", why="Content-Encoding")
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise Fault("cap.web_large", most_kb=MOST_BYTES // 1024)
        return Answer(200, bytes(body), etag, modified, url), ""


def _line(told: str) -> str:
    return told if told.isprintable() else ""
