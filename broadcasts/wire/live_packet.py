"""A tenth of a second of live voice: five Opus frames, when to play them, and who said them. CONTRACT.md, section 6a.

Big endian: magic (4 bytes), session (8), seq (4), play_at (8), number of frames (1), the length of each frame (2
each), the frames, then the Ed25519 signature (64) by the session's key over all before it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from broadcasts.errors import ContractViolation
from broadcasts.wire import topics
from broadcasts.wire.jws import PublicKey, SigningKey
from broadcasts.wire.topics import ScopeTopic

MAGIC = b"LOV1"
"""No JWS begins so: one look tells packet and document apart."""
FRAME_MS = 20
FRAMES = 5
"""In a packet; the last one of a session may have fewer."""
PACKET_MS = FRAMES * FRAME_MS
FRAME_MOST_BYTES = 1_275
"""RFC 6716, section 3.2.1."""
MOST_SEQ = 2**32 - 1
MOST_MS = 9_999_999_999_999
MAX_BYTES = topics.MANNERS[ScopeTopic.LIVE].max_bytes

_HEAD = struct.Struct(">4s8sIQB")
_SIGNATURE = 64
_TOC_20_MS = frozenset((1, 5, 9, 13, 15, 19, 23, 27, 31))
"""Configurations of 20 ms (RFC 6716, table 2)."""


@dataclass(frozen=True, slots=True)
class LivePacket:
    session: str
    """Eight bytes in hexadecimal, as in the document."""
    seq: int
    """From 0, one more with each packet."""
    play_at: int
    """Unix ms: when the first frame leaves the decoder, at every pole."""
    frames: tuple[bytes, ...]

    @property
    def ends_at(self) -> int:
        return self.play_at + FRAME_MS * len(self.frames)


def is_packet(payload: bytes) -> bool:
    """Whether it claims to be a packet; anything else on the topic is a document."""
    return payload[: len(MAGIC)] == MAGIC


def pack(packet: LivePacket, key: SigningKey) -> bytes:
    """Raises ContractViolation (`malformed`, `oversized`) as `unpack` would."""
    _check(packet)
    lengths = b"".join(len(frame).to_bytes(2, "big") for frame in packet.frames)
    head = _HEAD.pack(MAGIC, bytes.fromhex(packet.session), packet.seq, packet.play_at, len(packet.frames))
    said = head + lengths + b"".join(packet.frames)
    if len(said) + _SIGNATURE > MAX_BYTES:
        raise ContractViolation("oversized", f"{len(said) + _SIGNATURE} bytes")
    return said + key.sign_bytes(said)


def session_of(payload: bytes) -> str:
    """Which session a packet claims, before anything is verified. Raises ContractViolation (`malformed`)."""
    if not is_packet(payload) or len(payload) < _HEAD.size:
        raise ContractViolation("malformed", "magic: no packet")
    return payload[4:12].hex()


def unpack(payload: bytes, key: PublicKey) -> LivePacket:
    """The packet, if `key` signed exactly it.

    Raises ContractViolation: `oversized`, `malformed` (what it says does not fit its length, or is no frame of 20
    ms), `bad_signature`. The signature is looked at first of what costs, so that nothing unsigned is taken apart.
    """
    if len(payload) > MAX_BYTES:
        raise ContractViolation("oversized", f"{len(payload)} bytes")
    if not is_packet(payload) or len(payload) < _HEAD.size + _SIGNATURE:
        raise ContractViolation("malformed", "magic: no packet")
    said, signature = payload[:-_SIGNATURE], payload[-_SIGNATURE:]
    if not key.verifies(said, signature):
        raise ContractViolation("bad_signature")
    _, session, seq, play_at, count = _HEAD.unpack_from(said)
    begin = _HEAD.size + 2 * count
    lengths = [int.from_bytes(said[at : at + 2], "big") for at in range(_HEAD.size, begin, 2)]
    if len(said) != begin + sum(lengths):
        raise ContractViolation("malformed", "frames: another length")
    frames = []
    for length in lengths:
        frames.append(said[begin : begin + length])
        begin += length
    packet = LivePacket(session.hex(), seq, play_at, tuple(frames))
    _check(packet)
    return packet


def _check(packet: LivePacket) -> None:
    if not 1 <= len(packet.frames) <= FRAMES:
        raise ContractViolation("malformed", f"frames: {len(packet.frames)}")
    if not 0 <= packet.seq <= MOST_SEQ or not 0 <= packet.play_at <= MOST_MS:
        raise ContractViolation("malformed", "seq, play_at: out of range")
    if len(packet.session) != 16:
        raise ContractViolation("malformed", "session: eight bytes")
    for frame in packet.frames:
        # One frame of 20 ms in each (code 0), so that a count of frames is a length of sound.
        if not 1 <= len(frame) <= FRAME_MOST_BYTES or frame[0] & 3 or frame[0] >> 3 not in _TOC_20_MS:
            raise ContractViolation("malformed", "frames: not one Opus frame of 20 ms")
