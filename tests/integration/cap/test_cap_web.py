"""Fetching from a server of somebody else's: real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from support.cap import document
from support.feeds import Page, Server

from broadcasts.clock import SystemClock
from broadcasts.errors import Fault
from controller.bootstrap.cap_web import HttpWeb
from controller.services.cap_xml import MOST_BYTES

NAME = "kttv.example.vn"
INSIDE = "10.1.2.3"
METADATA = "169.254.169.254"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as it:
        yield it


def _web(seconds: float = 20.0) -> HttpWeb:
    return HttpWeb(SystemClock(), inside=True, seconds=seconds)


def _fails(server: Server, path: str = "/", *, web: HttpWeb | None = None) -> str:
    with pytest.raises(Fault) as fault:
        (web or _web()).get(server.url(path))
    return fault.value.key


def test_a_document_is_fetched_and_not_again_while_it_is_the_same(server: Server) -> None:
    server.put("/", document(), etag='"1"', last_modified="Tue, 03 Mar 2026 05:00:00 GMT")
    first = _web().get(server.url())
    assert (first.status, first.body, first.etag) == (200, document(), '"1"')
    second = _web().get(server.url(), first.etag, first.modified)
    assert (second.status, second.body) == (304, b"")
    assert server.asked[1][1]["if-modified-since"] == first.modified
    assert server.asked[0][1]["host"] == server.url().split("/")[2]


def test_a_redirect_is_followed_a_few_times(server: Server) -> None:
    server.put("/new", document())
    server.pages["/"] = Page(status=302, headers={"location": "/new"})
    found = _web().get(server.url())
    assert (found.body, found.url) == (document(), server.url("/new"))
    server.pages["/round"] = Page(status=301, headers={"location": "/round"})
    assert _fails(server, "/round") == "cap.web_redirects"


def test_nobody_leads_us_back_into_our_own_network(server: Server) -> None:
    server.put("/", document())
    outside_only = HttpWeb(SystemClock(), seconds=20.0)
    for url in (
        server.url(),
        server.url(host="localhost"),
        "http://[::1]/",
        f"http://{INSIDE}/",
        f"http://{METADATA}/",
    ):
        with pytest.raises(Fault, match=r"cap\.web_inside"):
            outside_only.get(url)
    assert server.asked == []


def test_a_name_that_leads_inside_is_found_out_when_it_is_looked_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.url().split(":")[2].strip("/"))
    told = [(2, 1, 6, "", ("93.184.216.34", port)), (2, 1, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr("broadcasts.outgoing.socket.getaddrinfo", lambda *_, **__: told)
    with pytest.raises(Fault, match=r"cap\.web_inside"):
        HttpWeb(SystemClock()).get(f"http://kttv.example.vn:{port}/")
    assert server.asked == []


def test_a_redirect_from_outside_leads_nowhere_inside(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first server passes for one of the open Internet; where it sends us does not."""
    server.pages["/"] = Page(status=302, headers={"location": f"http://{INSIDE}/secret"})
    port = int(server.url().split(":")[2].strip("/"))
    told = [(2, 1, 6, "", ("127.0.0.1", port))]
    real = HttpWeb(SystemClock())
    monkeypatch.setattr("broadcasts.outgoing.socket.getaddrinfo", lambda *_, **__: told)
    monkeypatch.setattr("broadcasts.domain.outside.is_outside", lambda host: host in ("127.0.0.1", NAME))
    with pytest.raises(Fault, match=r"cap\.web_inside"):
        real.get(f"http://{NAME}:{port}/")
    assert len(server.asked) == 1


def test_a_redirect_never_leaves_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    web = _web()
    monkeypatch.setattr(web, "_once", lambda url, *_: (None, "http://kttv.example.vn/"))
    with pytest.raises(Fault, match="https to http"):
        web.get("https://kttv.example.vn/")


@pytest.mark.parametrize("page", [Page(drip=0.05), Page(drip_head=0.05)], ids=["body", "head"])
def test_who_drips_a_byte_at_a_time_keeps_us_no_longer_than_the_deadline(server: Server, page: Page) -> None:
    server.pages["/"] = page
    clock = SystemClock()
    began = clock.monotonic()
    assert _fails(server, web=_web(seconds=1.0)) == "cap.web_slow"
    assert clock.monotonic() - began < 30


def test_a_look_up_that_hangs_keeps_us_no_longer_than_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("broadcasts.outgoing.socket.getaddrinfo", lambda *_, **__: [over.wait(120)][1:])
    clock = SystemClock()
    began = clock.monotonic()
    try:
        with pytest.raises(Fault, match=r"cap\.web_slow"):
            HttpWeb(clock, seconds=1.0).get(f"https://{NAME}/")
        assert clock.monotonic() - began < 60
    finally:
        over.set()


def test_a_name_that_nobody_knows_is_a_fault_of_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("broadcasts.outgoing.socket.getaddrinfo", unknown)
    with pytest.raises(Fault, match="Name or service not known"):
        HttpWeb(SystemClock()).get(f"https://{NAME}/")


def test_a_body_without_end_is_left(server: Server) -> None:
    server.pages["/"] = Page(endless=True)
    assert _fails(server) == "cap.web_large"
    server.put("/large", b" " * (MOST_BYTES + 1))
    assert _fails(server, "/large") == "cap.web_large"


def test_what_is_no_answer_is_a_fault_of_theirs(server: Server) -> None:
    assert _fails(server, "/none") == "cap.web"
    server.put("/zip", b"x", content_encoding="gzip")
    assert _fails(server, "/zip") == "cap.web"
    with pytest.raises(Fault, match=r"cap\.web"):
        _web().get("http://127.0.0.1:1/")
    with pytest.raises(Fault, match=r"cap\.web"):
        _web().get("file:///etc/passwd")
