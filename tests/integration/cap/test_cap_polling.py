"""Feeds are fetched from a real server: lists, conditions, trouble and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.cap import NAMESPACE, Signer, document
from support.cap_desk import Cap
from support.feeds import Page, Server
from support.services import raises

from broadcasts.clock import SystemClock
from broadcasts.errors import Refused
from controller.bootstrap.cap import steps
from controller.bootstrap.cap_web import HttpWeb
from controller.db.tables import CapFeed, CapMessage
from controller.services import cap_feeds, cap_polling
from controller.services.cap_feeds import Told
from controller.services.cap_listing import listed
from controller.services.cap_polling import Answer, Poller
from controller.services.seeding import PROVINCE


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as it:
        yield it


def _poller(cap: Cap) -> Poller:
    return Poller(cap.house.ctx, HttpWeb(SystemClock(), inside=True, seconds=20.0))


def _open(cap: Cap, url: str) -> Poller:
    cap.house.ctx = replace(cap.house.ctx, cap_inside=True)
    cap.change(url=url)
    return _poller(cap)


def _feed(cap: Cap) -> CapFeed:
    with cap.house.ctx.db.read() as session:
        return session.get_one(CapFeed, cap.feed)


def _names(cap: Cap) -> list[str]:
    with cap.house.ctx.db.read() as session:
        return list(session.scalars(select(CapMessage.identifier).order_by(CapMessage.number)))


def atom(*entries: tuple[str, str]) -> bytes:
    told = "".join(
        f"<entry><id>{href}</id><title>x</title><updated>{age}</updated>"
        f'<link rel="alternate" type="application/cap+xml" href="{href}"/></entry>'
        for href, age in entries
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{told}</feed>'.encode()


def _run(poller: Poller, cap: Cap) -> None:
    """All that is due now."""
    while poller.step(cap.house.now) <= cap.house.now:
        pass


def test_a_list_is_fetched_and_of_it_only_what_is_new(cap: Cap, server: Server) -> None:
    poller = _open(cap, server.url("/list"))
    server.put("/list", atom(("/2.xml", "2"), ("/1.xml", "1")), etag='"a"')
    for number in (1, 2, 3):
        server.put(f"/{number}.xml", document(f"n{number}"))
    _run(poller, cap)
    assert _names(cap) == ["n2", "n1"], "the newest first"
    assert [path for path, _ in server.asked] == ["/list", "/2.xml", "/1.xml"]
    assert _feed(cap).heard_at == cap.house.now
    _run(poller, cap)
    assert len(server.asked) == 3, "not before its time"
    cap.later(1)
    _run(poller, cap)
    assert server.asked[-1][1]["if-none-match"] == '"a"'
    server.put("/list", atom(("/3.xml", "3"), ("/2.xml", "2"), ("/1.xml", "1")), etag='"b"')
    cap.later(1)
    _run(poller, cap)
    assert _names(cap) == ["n2", "n1", "n3"]
    assert [path for path, _ in server.asked[4:]] == ["/list", "/3.xml"]


def test_a_single_message_is_taken_each_time_that_it_is_another(cap: Cap, server: Server) -> None:
    poller = _open(cap, server.url("/now"))
    for name in ("n1", "n1", "n2"):
        server.put("/now", document(name))
        _run(poller, cap)
        cap.later(2)
    assert _names(cap) == ["n1", "n2"]


def test_a_server_in_trouble_is_asked_less_and_less_and_shown_as_stale(cap: Cap, server: Server) -> None:
    poller = _open(cap, server.url("/none"))
    waits = []
    for _ in range(7):
        _run(poller, cap)
        feed = _feed(cap)
        assert feed.next_at is not None
        waits.append((feed.next_at - cap.house.now).total_seconds())
        cap.house.clock.set(feed.next_at)
    assert waits == [120, 240, 480, 900, 900, 900, 900]
    assert (_feed(cap).trouble, _feed(cap).failures) == ("cap.web", 7)
    with cap.house.ctx.db.read() as session:
        assert [entry.stale for entry in cap_feeds.entries(session, cap.actor("lan"), cap.house.now)] == [True]
    server.put("/none", document("n1"))
    _run(poller, cap)
    feed = _feed(cap)
    assert (feed.trouble, feed.failures, _names(cap)) == ("", 0, ["n1"])
    assert not cap_feeds.stale(feed, cap.house.now)


def test_one_message_in_trouble_keeps_the_others_from_nothing_and_is_asked_for_again(cap: Cap, server: Server) -> None:
    poller = _open(cap, server.url("/list"))
    server.put("/list", atom(("/2.xml", "2"), ("/1.xml", "1")), etag='"a"')
    server.put("/2.xml", document("n2"))
    _run(poller, cap)
    assert (_names(cap), _feed(cap).trouble) == (["n2"], "cap.web")
    assert _feed(cap).next_at == cap.house.now + timedelta(seconds=60), "the list itself is well"
    server.put("/1.xml", document("n1"))
    cap.later(3)
    _run(poller, cap)
    assert (_names(cap), _feed(cap).trouble) == (["n2", "n1"], ""), "no condition hides what is missing"


def test_messages_that_never_come_keep_back_neither_what_is_new_nor_what_is_old(cap: Cap, server: Server) -> None:
    poller = _open(cap, server.url("/list"))
    gone = [(f"/gone-{number}.xml", "x") for number in range(7)]
    server.put("/list", atom(*gone, ("/1.xml", "1")), etag='"a"')
    server.put("/1.xml", document("n1"))
    _run(poller, cap)
    assert _names(cap) == ["n1"]
    asked = len(server.asked)
    server.put("/list", atom(("/2.xml", "2"), *gone, ("/1.xml", "1")), etag='"b"')
    server.put("/2.xml", document("n2"))
    cap.later(1)
    assert poller.step(cap.house.now) == cap.house.now
    assert [path for path, _ in server.asked[asked:]][:2] == ["/list", "/2.xml"]
    for _ in range(6):
        cap.later(1)
        _run(poller, cap)
    per_message = [path for path, _ in server.asked].count("/gone-0.xml")
    assert per_message <= 5, "less and less"


def test_a_long_list_comes_in_pieces_one_after_the_other(
    cap: Cap, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cap_polling, "MOST_AT_ONCE", 2)
    poller = _open(cap, server.url("/list"))
    server.put("/list", atom(*((f"/{number}.xml", "x") for number in range(5, 0, -1))), etag='"a"')
    for number in range(1, 6):
        server.put(f"/{number}.xml", document(f"n{number}"))
    _run(poller, cap)
    assert _names(cap) == ["n5", "n4", "n3", "n2", "n1"]


def test_what_a_server_says_that_is_no_list_is_trouble_and_kills_nothing(cap: Cap, server: Server) -> None:
    poller = _open(cap, server.url("/list"))
    for page in (Page(b"<html/>"), Page(b"\xff"), Page(b"<!DOCTYPE x><feed/>"), Page(endless=True)):
        server.pages["/list"] = page
        _run(poller, cap)
        assert _feed(cap).trouble.startswith("cap.")
        cap.later(20)
    assert _names(cap) == []


def test_a_warning_that_was_handed_in_is_never_fetched_over(cap: Cap) -> None:
    """A feed without an address is no work."""
    assert _poller(cap).step(cap.house.now) == cap.house.now + timedelta(seconds=30)


def test_an_address_inside_our_own_network_is_refused_when_it_is_typed(cap: Cap) -> None:
    for host in ("127.0.0.1", "10.0.0.8", "router.local"):
        with pytest.raises(Refused, match=r"relay\.inside"):
            cap.change(url=f"http://{host}/x")
    with pytest.raises(Refused, match=r"relay\.url"):
        cap.change(url="ftp://kttv.example.vn/")
    with raises(Refused, "cap.unchecked"):
        cap.change(signed=True)
    with raises(Refused, "cap.every"):
        cap.change(every_s=5)


def test_the_service_runs_both_steps_each_by_itself(cap: Cap, server: Server) -> None:
    server.put("/now", document("n1"))
    _open(cap, server.url("/now"))
    made = steps(cap.house.ctx)
    assert set(made) == {"cap", "cap-fetch"}
    assert made["cap-fetch"](cap.house.now) == cap.house.now
    assert made["cap"](cap.house.now) > cap.house.now
    assert _names(cap) == ["n1"]


def test_an_address_that_is_none_keeps_back_no_other(cap: Cap, server: Server) -> None:
    poller = _open(cap, server.url("/list"))
    server.put("/list", atom(("http://[", "2"), ("/1.xml", "1")))
    server.put("/1.xml", document("n1"))
    _run(poller, cap)
    assert _names(cap) == ["n1"]


class Paper:
    """A web that only remembers who asked for what."""

    def __init__(self, **pages: bytes) -> None:
        self.pages, self.asked = pages, list[str]()

    def get(self, url: str, etag: str = "", modified: str = "") -> Answer:
        self.asked.append(url)
        return Answer(200, self.pages[url.rpartition("/")[2]], url=url)


def test_a_list_behind_tls_leads_to_nothing_that_anybody_on_the_way_could_have_written(cap: Cap) -> None:
    web = Paper(list=atom(("http://kttv.example.vn/2", "2"), ("1", "1")), **{"1": document("n1"), "2": document("n2")})
    cap.change(url="https://kttv.example.vn/list")
    _run(Poller(cap.house.ctx, web), cap)
    assert (_names(cap), _feed(cap).trouble) == (["n1"], "cap.web")
    signer = Signer.make()
    cap.change(url="https://kttv.example.vn/list", certificate=signer.pem, signed=True)
    web.pages["2"] = signer.sign(document("n2"))
    cap.later(2)
    _run(Poller(cap.house.ctx, web), cap)
    assert _names(cap) == ["n1", "n2"], "a signature needs no way that is safe"


def test_a_new_feed_waits_behind_none_that_is_always_due(cap: Cap) -> None:
    cap.change(url="https://kttv.example.vn/list")
    told = Told("Thủy văn", PROVINCE[0], url="https://thuyvan.example.vn/list")
    cap_feeds.add(cap.house.ctx, cap.actor("lan"), told)
    with cap.house.ctx.db.write() as session:
        session.get_one(CapFeed, cap.feed).next_at = cap.house.now - timedelta(hours=1)
    web = Paper(list=atom())
    Poller(cap.house.ctx, web).step(cap.house.now)
    assert web.asked == ["https://thuyvan.example.vn/list"]


RSS = b"""<rss version="2.0"><channel><title>t</title>
<item><title>a</title><link>https://x.example/a.xml</link><pubDate>1</pubDate></item>
<item><link>https://x.example/page</link><enclosure type="application/cap+xml" url="b.xml"/></item></channel></rss>"""


def test_lists_are_atom_or_rss_with_links_or_with_the_message_inside() -> None:
    found = listed(RSS, "https://y.example/feed")
    assert [item.url for item in found.items] == ["https://x.example/a.xml", "https://y.example/b.xml"]
    inner = document("n1").partition(b"\n")[2].decode()
    whole = (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="text/xml">{inner}</content></entry></feed>'
    )
    (document_inside,) = listed(whole.encode(), "https://y.example/").inside
    assert NAMESPACE.encode() in document_inside
    many = atom(*((f"/{number}", "x") for number in range(500)))
    assert len(listed(many, "https://y.example/").items) == 100
    other = listed(atom(("/a", "2")), "https://y.example/")
    assert other.items[0].key != listed(atom(("/a", "1")), "https://y.example/").items[0].key, "a new age is a new one"
    assert listed(document(), "").message
