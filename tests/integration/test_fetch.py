"""Downloads over real HTTP: resumed, broken off, spoilt, refused, given up."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from support.live import FileServer
from support.wait import until

from broadcasts.clock import ManualClock
from device_sim.events import Fetch, FetchFailed, Got, Inbox
from device_sim.fetch import DEADLINE_S, PIECE, Fetches, Trouble

DATA = bytes(range(256)) * 4_000  # about a megabyte: several pieces
WHOLE = Fetch("sound", "a/sound", 0, len(DATA))


class Bench:
    def __init__(self, base: str, server: FileServer | None = None) -> None:
        self.clock = ManualClock(datetime(2026, 11, 23, tzinfo=UTC))
        self.woken = threading.Event()
        self.fetches = Fetches(base, self.clock, self.woken.set)
        self.server = server
        self.events: list[Inbox] = []

    def get(self, asked: Fetch = WHOLE, secret: str = "right", unit: str = "u-1") -> list[Inbox]:
        """Everything until the end of one download."""
        self.events = []
        self.fetches.begin(unit, secret, asked)
        until(self.over, "the end of the download")
        return self.events

    def over(self) -> bool:
        self.events += [event for _, event in self.fetches.take()]
        last = self.events[-1] if self.events else None
        return isinstance(last, FetchFailed) or (isinstance(last, Got) and last.complete)

    def pieces(self) -> list[tuple[int, int, bool]]:
        return [(each.offset, len(each.data), each.complete) for each in self.events if isinstance(each, Got)]

    def bytes(self) -> bytes:
        return b"".join(each.data for each in self.events if isinstance(each, Got))


@pytest.fixture
def bench() -> Iterator[Bench]:
    server = FileServer({"u-1": "right", "u-2": "right"})
    server.files["a/sound"] = DATA
    made = Bench(server.base, server)
    yield made
    made.fetches.close()
    server.close()


def test_a_file_arrives_in_pieces_in_order(bench: Bench) -> None:
    bench.get()
    assert bench.bytes() == DATA
    sizes = bench.pieces()
    assert [offset for offset, _, _ in sizes] == [PIECE * number for number in range(len(sizes))]
    assert [complete for _, _, complete in sizes] == [*[False] * (len(sizes) - 1), True]
    assert bench.woken.is_set()


@pytest.mark.parametrize("knows_ranges", [True, False])
@pytest.mark.parametrize(
    ("offset", "size"), [(0, 100), (5, 1), (PIECE, PIECE), (PIECE + 7, 300_000), (len(DATA) - 1, 1)]
)
def test_a_part_is_that_part_whether_or_not_the_server_knows_ranges(
    bench: Bench, knows_ranges: bool, offset: int, size: int
) -> None:
    assert bench.server is not None
    bench.server.knows_ranges = knows_ranges
    bench.get(Fetch("sound", "a/sound", offset, size))
    assert bench.bytes() == DATA[offset : offset + size]
    assert bench.pieces()[0][0] == offset
    assert bench.server.asked == [("u-1", f"bytes={offset}-{offset + size - 1}", 206 if knows_ranges else 200)]


@pytest.mark.parametrize(("secret", "path", "status"), [("wrong", "a/sound", 401), ("right", "a/nothing", 404)])
def test_a_refusal_is_told_with_its_status(bench: Bench, secret: str, path: str, status: int) -> None:
    assert bench.get(Fetch("sound", path, 0, 10), secret) == [FetchFailed("sound", status)]


def test_a_file_shorter_than_announced_is_a_failure(bench: Bench) -> None:
    told = bench.get(Fetch("sound", "a/sound", 0, len(DATA) + 1))
    assert told[-1] == FetchFailed("sound", 0, "ended early")
    assert bench.bytes() == DATA


def test_a_download_breaks_off_once_at_the_byte_that_was_asked_for(bench: Bench) -> None:
    bench.fetches.trouble("u-1", Trouble(break_at=PIECE + 10))
    told = bench.get()
    assert bench.bytes() == DATA[: PIECE + 10]
    assert told[-1] == FetchFailed("sound", 0, "broken off")
    bench.get(Fetch("sound", "a/sound", PIECE + 10, len(DATA) - PIECE - 10))
    assert bench.bytes() == DATA[PIECE + 10 :]


def test_one_bit_is_turned_in_the_next_download_of_that_unit_only(bench: Bench) -> None:
    bench.fetches.trouble("u-1", Trouble(corrupt=True))
    bench.get(unit="u-2")
    assert bench.bytes() == DATA
    bench.get()
    assert sum(one != other for one, other in zip(bench.bytes(), DATA, strict=True)) == 1
    bench.get()
    assert bench.bytes() == DATA


def test_nothing_is_told_of_a_download_that_was_cancelled(bench: Bench) -> None:
    bench.fetches.begin("u-1", "right", WHOLE)
    bench.fetches.cancel("u-1")
    bench.get(Fetch("other", "a/sound", 0, 10))
    assert bench.events == [Got("other", 0, DATA[:10], complete=True)]


def test_a_server_that_is_not_there_is_a_failure_without_a_status() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        bench = Bench(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert bench.get() == [FetchFailed("sound", 0, "ConnectError")]
        bench.fetches.close()


def test_a_trickle_is_given_up_after_the_deadline_in_total() -> None:
    """Every read succeeds; only the sum is too long. The server sends the next byte when the clock has moved."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        bench = Bench(f"http://127.0.0.1:{server.getsockname()[1]}")
        bench.fetches.begin("u-1", "right", WHOLE)
        line, _ = server.accept()
        with line:
            line.recv(65_536)
            line.sendall(b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n" % len(DATA))
            line.sendall(DATA[:PIECE])
            until(lambda: bench.over() or bool(bench.events), "the first piece")
            bench.clock.advance(DEADLINE_S + 1)
            line.sendall(DATA[PIECE : 2 * PIECE])
            until(bench.over, "the end")
        assert bench.events == [Got("sound", 0, DATA[:PIECE], complete=False), FetchFailed("sound", 0, "deadline")]
        bench.fetches.close()


def test_a_link_to_an_object_store_is_followed_one_step_and_without_the_credential(bench: Bench) -> None:
    assert bench.server is not None
    store = FileServer({"": ""})
    store.files["assets/sound"] = DATA
    answer = store.answer
    seen: list[dict[str, str]] = []

    def open_to_all(path: str, headers: dict[str, str], _: dict[str, str]) -> tuple[int, bytes, str]:
        seen.append(headers)
        told = {"Authorization": "Basic " + base64.b64encode(b"x:y").decode(), **headers}
        return answer(path, told, {"x": "y"})

    store.answer = open_to_all  # type: ignore[method-assign]
    bench.server.sends_to = f"{store.base}/assets/sound"
    bench.get(Fetch("sound", "a/sound", 1_000, 500_000))
    assert bench.bytes() == DATA[1_000:501_000]
    assert ["Authorization" in headers for headers in seen] == [False]
    assert seen[0]["Range"] == "bytes=1000-500999"

    store.sends_to = f"{store.base}/assets/sound"
    [failed] = bench.get()
    assert isinstance(failed, FetchFailed), "a second step is not taken"
    bench.server.sends_to = "ftp://127.0.0.1/sound"
    [failed] = bench.get()
    assert isinstance(failed, FetchFailed), "nor one to anything but HTTP"
    store.close()
