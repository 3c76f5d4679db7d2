"""A unit's reader of streams against real HTTP servers: redirects, silence, stalls, and everything that is no audio."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.brokers import running_broker
from support.live import FileServer, Hand, running_fleet, write_fleet
from support.parties import OverSockets
from support.signed import asset_of, item, opus
from support.stations import HEAD, LOUD, SILENCE, SILENT, SOUND, Listener, Station, redirect, says
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire.relay import MOST_REDIRECTS, Relay
from deploy.local_ca import ensure
from device_sim import stream
from device_sim.events import SourceLost


@pytest.fixture
def station() -> Iterator[Station]:
    made = Station()
    made.scripts["/live"] = lambda on, line, _: on.live(line)
    yield made
    made.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.streams.close()


@pytest.mark.requirement("R-024")
def test_a_stream_is_heard_falls_silent_and_comes_back(station: Station, listener: Listener) -> None:
    listener.tune(f"{station.base}/live")
    listener.until(SOUND)
    station.mood = SILENT
    listener.until(SILENCE)
    station.mood = LOUD
    listener.until(SOUND)


def test_a_stream_that_stalls_without_breaking_off_is_silent(station: Station, listener: Listener) -> None:
    listener.tune(f"{station.base}/live")
    listener.until(SOUND)
    station.mood = b""
    listener.until(SILENCE)


def test_a_stream_in_chunks_is_read_like_any_other(station: Station, listener: Listener) -> None:
    station.scripts["/chunks"] = lambda on, line, _: on.live(line, chunked=True)
    listener.tune(f"{station.base}/chunks")
    listener.until(SOUND)


def test_a_station_that_goes_off_is_lost_and_can_be_tuned_in_again(station: Station, listener: Listener) -> None:
    station.scripts["/short"] = says(b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + HEAD)
    listener.tune(f"{station.base}/short")
    listener.until(SourceLost("vov1", "ended"))
    listener.tune(f"{station.base}/live")
    listener.until(SOUND)


def test_whoever_ends_a_stream_hears_no_more_of_it(station: Station, listener: Listener) -> None:
    listener.tune(f"{station.base}/live")
    listener.until(SOUND)
    listener.streams.end("u-1")
    assert listener.streams.take() == []
    until(lambda: threads() == [], "the thread is gone")


def test_whoever_ends_a_stream_while_it_is_still_connecting_leaves_no_thread_behind(
    station: Station, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A station that answers a byte now and then would keep it for days."""
    connecting, ended, open_line = threading.Event(), threading.Event(), socket.create_connection

    def slowly(*told: Any, **more: Any) -> socket.socket:
        connecting.set()
        ended.wait(60)
        return open_line(*told, **more)

    def drips(on: Station, line: socket.socket, _request: str) -> None:
        while not on.closing.wait(0.05):
            line.sendall(b"H")

    station.scripts["/slow"] = drips
    monkeypatch.setattr(socket, "create_connection", slowly)
    listener.tune(f"{station.base}/slow")
    assert connecting.wait(60)
    listener.streams.end("u-1")
    ended.set()
    until(lambda: threads() == [], "the thread is gone")
    assert station.asked == []


def test_redirects_are_followed_three_times_and_not_once_more(station: Station, listener: Listener) -> None:
    for hop in range(MOST_REDIRECTS + 1):
        station.scripts[f"/{hop}"] = redirect(f"/{hop + 1}" if hop < MOST_REDIRECTS else f"{station.base}/live")
    listener.tune(f"{station.base}/1")
    listener.until(SOUND)
    listener.tune(f"{station.base}/0")
    assert listener.until_lost() == "too many redirects"
    assert [asked.split(" ")[1] for asked in station.asked[-4:]] == ["/0", "/1", "/2", "/3"]


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1/live", "", "http://loa:secret@127.0.0.1/live", "/live now", "//[::"]
)
def test_a_redirect_to_no_stream_is_not_followed(station: Station, listener: Listener, to: str) -> None:
    station.scripts["/away"] = redirect(to) if to else says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
    station.scripts["/away "] = station.scripts["/away"]
    listener.tune(f"{station.base}/away")
    assert listener.until_lost() in ("redirected to no stream", "ValueError", "too many redirects")


def test_a_redirect_out_of_the_public_internet_into_a_private_network_says_nothing_there(
    station: Station, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One name is made to look public; the connection itself is real."""
    genuine = stream.ip_address
    seen: list[str] = []

    def first_is_public(address: str) -> object:
        seen.append(address)
        return genuine("8.8.8.8" if len(seen) == 1 else address)

    monkeypatch.setattr(stream, "ip_address", first_is_public)
    station.scripts["/away"] = redirect(f"{station.base}/live")
    listener.tune(f"{station.base}/away")
    assert listener.until_lost() == "leads into a private network"
    assert len(station.asked) == 1, "the second was closed before a word was said"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_name_that_leads_into_a_private_network_is_told_nothing(station: Station, host: str) -> None:
    """Without a demo's leave; whatever name server says so."""
    unit = Listener(inside=False)
    try:
        unit.tune(f"http://{host}:{station.port}/live")
        assert unit.until_lost() == "leads into a private network"
        assert station.asked == []
    finally:
        unit.streams.close()


@pytest.mark.parametrize(
    ("peer", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:192.168.1.1", False),
        ("64:ff9b::c0a8:101", False),
        ("2002:c0a8:101::1", False),
        ("2001:0:c0a8:101::1", False),
    ],
)
def test_only_what_is_given_to_anybody_is_public(peer: str, public: bool) -> None:
    assert stream._public(peer) is public


def test_who_asks_gives_no_name_and_no_credential(station: Station, listener: Listener) -> None:
    station.scripts["/cookie"] = says(
        b"HTTP/1.1 302 Found\r\nSet-Cookie: who=u-1\r\nLocation: /live\r\nContent-Length: 0\r\n\r\n"
    )
    listener.tune(f"{station.base}/cookie")
    listener.until(SOUND)
    for request in station.asked:
        names = {line.split(":")[0].lower() for line in request.split("\r\n")[1:] if line}
        assert names == {"host", "accept", "accept-encoding", "user-agent", "connection"}
        assert "u-1" not in request


@pytest.mark.parametrize(
    "kind",
    ["text/html", "audio/x-mpegurl", "application/vnd.apple.mpegurl", "audio/x-scpls", "image/png", ""],
)
def test_what_is_not_audio_is_not_read(station: Station, listener: Listener, kind: str) -> None:
    station.scripts["/page"] = lambda on, line, _: on.live(line, kind=kind)
    listener.tune(f"{station.base}/page")
    assert listener.until_lost() == "not audio"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n",
        b"ICY nonsense\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 2_000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000,
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["a page", "packed", "404", "401", "no http", "nothing", "long", "many", "never ready", "broken chunk"],
)
def test_a_broken_answer_is_a_lost_source_and_no_more(station: Station, listener: Listener, answer: bytes) -> None:
    station.scripts["/bad"] = says(answer)
    listener.tune(f"{station.base}/bad")
    assert listener.until_lost()


def test_nobody_at_the_address_is_a_lost_source(listener: Listener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    listener.tune(f"http://127.0.0.1:{port}/live")
    assert listener.until_lost() == "ConnectionRefusedError"


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Station, ssl.SSLContext]]:
    """An HTTPS station, and whoever trusts it."""
    made = ensure(tmp_path, ["127.0.0.1"], SystemClock().now())
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(made.chain, made.key)
    station = Station(own)
    station.scripts["/live"] = lambda on, line, _: on.live(line)
    yield station, ssl.create_default_context(cafile=str(made.authority))
    station.close()


def test_a_stream_over_https_is_heard_by_who_trusts_the_station(secure: tuple[Station, ssl.SSLContext]) -> None:
    station, trusting = secure
    for tls, heard in ((trusting, True), (None, False)):
        listener = Listener(tls)
        listener.tune(f"{station.base}/live")
        if heard:
            listener.until(SOUND)
        else:
            assert listener.until_lost() == "SSLCertVerificationError"
        listener.streams.close()


def test_a_redirect_out_of_https_is_not_followed(secure: tuple[Station, ssl.SSLContext], station: Station) -> None:
    guarded, trusting = secure
    guarded.scripts["/away"] = redirect(f"{station.base}/live")
    listener = Listener(trusting)
    listener.tune(f"{guarded.base}/away")
    assert listener.until_lost() == "redirected out of HTTPS"
    assert station.asked == []
    listener.streams.close()


@pytest.mark.requirement("R-024")
def test_a_live_unit_relays_a_real_stream_and_falls_back_when_it_is_silent(station: Station, tmp_path: Path) -> None:
    """Real broker, real file server, real stream: from the signed plan to the signed evidence."""
    with running_broker("mosquitto", tmp_path) as broker:
        assert isinstance(broker, OverSockets)
        files, hand = FileServer(broker.secrets), Hand(broker, ["u-1"])
        sorry = opus(1_500, "sorry")
        fallback = asset_of(sorry, 1_500)
        files.files[fallback.path] = sorry
        file = write_fleet(tmp_path / "fleet.json", hand, broker, files.base)
        with running_fleet(file, tmp_path, streams=True) as running:

            def hearing() -> str:
                return str((running.poles()["u-1"]["hearing"] or {}).get("asset"))

            hand.until(lambda: running.poles()["u-1"]["time_trusted"], "signed time")
            start = hand.now() + 1_500
            relay = Relay(source="vov1", url=f"{station.base}/live", length_ms=300_000, silence_s=5)
            hand.plan(
                "u-1",
                [item("d-1", fallback, start, relay=relay, hard_end=start + 300_000, not_after=start)],
                [fallback],
            )
            hand.until(lambda: hearing() == "relay:vov1", "the station is heard")
            station.mood = SILENT
            hand.until(lambda: hearing() == fallback.sha256, "the fallback is heard")
            station.mood = LOUD
            hand.until(lambda: hearing() == "relay:vov1", "the station is taken back")
            running.fault("offline", "u-1")
            hand.until(lambda: hearing() == "None", "a stream needs a link")
            running.fault("online", "u-1")
            hand.until(lambda: hearing() == "relay:vov1", "the station is tuned in again")
            running.fault("source_off", "u-1")
            hand.until(lambda: hearing() == "None", "fate cuts a real stream off too")
            running.fault("source_back", "u-1")
            hand.until(lambda: hearing() == "relay:vov1", "the station is tuned in again")
            hand.plan("u-1", [], [])
            hand.until(lambda: hand.kinds("u-1", "d-1") == ["started", "ended withdrawn sound"], "the proof")
            hand.until(lambda: threads() == [], "nobody listens any more")
        hand.goodbye()
        files.close()


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("stream")]
