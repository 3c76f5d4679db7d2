"""The private hook of paho that `controller/mqtt/socket_tuning.py` hangs on, and the buffered socket behind it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from paho.mqtt.enums import CallbackAPIVersion

from controller.mqtt.socket_tuning import BufferedSocket, TunedClient


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def test_paho_still_makes_its_socket_where_we_tune_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = TunedClient(CallbackAPIVersion.VERSION2, client_id="u-1")
        client.connect(*server.getsockname())
        made = client.socket()
        assert isinstance(made, BufferedSocket)
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        peer, _ = server.accept()
        with peer:
            assert peer.recv(1) == b"\x10"  # CONNECT left at once
        made.close()


def test_a_burst_is_read_by_one_call_and_given_out_piece_by_piece(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    reader = BufferedSocket(near)
    far.sendall(b"abcdef")
    assert reader.recv(1) == b"a"
    assert reader.pending() == 5
    far.close()
    assert reader.recv(3) == b"bcd"
    assert reader.recv(10) == b"ef"
    assert reader.pending() == 0
    assert reader.recv(1) == b""


def test_a_read_that_would_block_loses_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    near.setblocking(False)
    reader = BufferedSocket(near)
    far.sendall(b"ab")
    assert reader.recv(2) == b"ab"
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            reader.recv(1)
    far.sendall(b"c")
    assert reader.recv(5) == b"c"


def test_the_rest_is_the_inner_sockets(pair: tuple[socket.socket, socket.socket]) -> None:
    near, _ = pair
    assert BufferedSocket(near).fileno() == near.fileno()


def test_what_is_gathered_leaves_in_one_piece_when_the_last_gatherer_lets_go(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    far.setblocking(False)
    writer = BufferedSocket(near)
    writer.gather()
    writer.gather()
    assert [writer.send(each) for each in (b"ab", b"c")] == [2, 1]
    writer.release()
    with pytest.raises(BlockingIOError):
        far.recv(10)
    writer.release()
    assert far.recv(10) == b"abc"
    assert writer.send(b"d") == 1
    assert far.recv(10) == b"d"


def test_what_a_full_socket_does_not_take_waits_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    near.setblocking(False)
    writer = BufferedSocket(near)
    said = bytes(range(256)) * 65_536  # 16 MiB: more than any buffer on the way
    taken = 0
    writer.gather()
    with contextlib.suppress(BlockingIOError):
        while taken < len(said):
            taken += writer.send(said[taken : taken + 65_536])
    assert 0 < taken < len(said)
    writer.release()
    assert 0 < writer.unsent < taken
    with pytest.raises(BlockingIOError):
        writer.send(b"!")
    heard = b""
    while not writer.drained():
        heard += far.recv(1_000_000)
    writer.send(b"!")
    while len(heard) < taken + 1:
        heard += far.recv(1_000_000)
    assert heard == said[:taken] + b"!"


def test_a_farewell_that_was_gathered_still_leaves_before_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    writer = BufferedSocket(near)
    writer.gather()
    writer.send(b"bye")
    writer.close()
    assert far.recv(10) == b"bye"
    assert far.recv(10) == b""


def test_a_client_wants_to_write_while_something_gathered_has_not_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = TunedClient(CallbackAPIVersion.VERSION2, client_id="u-1")
        client.connect(*server.getsockname())
        peer, _ = server.accept()
        with peer:
            assert not client.want_write()
            with client.gathered():
                for _ in range(200):
                    client.publish("t", b"x" * 60_000)
            assert client.want_write()
            heard = 0
            while client.want_write():
                heard += len(peer.recv(1_000_000))
                client.loop_write()
            assert heard > 60_000
        client.close()
