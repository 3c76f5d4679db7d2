"""The private hook of paho that `controller/mqtt/socket_tuning.py` hangs on, and the buffered socket behind it."""

from __future__ import annotations

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
