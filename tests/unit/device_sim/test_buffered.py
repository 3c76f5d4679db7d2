"""The short way for messages of QoS 0: what is taken is what was sent, however the bytes come, and all else is left."""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st

from device_sim.buffered import Buffered

Message = tuple[str, bytes, int]


def frame(topic: str, payload: bytes, retain: int) -> bytes:
    """PUBLISH at QoS 0 (MQTT 3.1.1, section 3.3)."""
    name = topic.encode()
    rest, length = 2 + len(name) + len(payload), b""
    while True:
        length += bytes([rest % 128 | (0x80 if rest > 127 else 0)])
        rest //= 128
        if not rest:
            break
    return bytes([0x30 | retain]) + length + len(name).to_bytes(2, "big") + name + payload


MESSAGES = st.lists(
    st.tuples(st.text("loa/v1é", min_size=1, max_size=40), st.binary(max_size=300), st.integers(0, 1)), max_size=6
)


@given(MESSAGES, st.integers(0, 40))
def test_whole_messages_are_taken_in_order_and_a_part_of_one_is_left(messages: list[Message], cut: int) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        sent = b"".join(frame(*each) for each in messages)
        torn = frame("loa/v1/trust", bytes(60), 0)[:cut]
        buffered = Buffered(ours)
        theirs.sendall(sent + torn)
        if not sent + torn:
            return
        assert buffered.fill()
        assert list(buffered.published()) == [(topic, payload) for topic, payload, _ in messages]
        assert buffered.pending() == len(torn)
        assert not torn or buffered.recv(100) == torn


def test_what_is_no_message_of_qos_0_is_left_for_who_knows_it() -> None:
    good = frame("t", b"x", 0)
    for other in (
        b"\xd0\x00",
        b"\x32" + good[1:],
        b"\x30\xff\xff\xff\xff\x7f",
        b"\x30\x03\x00\x09a",
        b"\x30\x03\x00\x01\xff",
    ):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            theirs.sendall(good + other + good)
            buffered = Buffered(ours)
            assert buffered.fill()
            assert list(buffered.published()) == [("t", b"x")]
            assert buffered.recv(100) == other + good


def test_an_end_and_a_silence_are_nothing_to_take() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    buffered = Buffered(ours)
    with ours:
        assert not buffered.fill()
        theirs.close()
        assert not buffered.fill()
        assert buffered.recv(10) == b""
