"""Several finished Opus files as one, each at its place on a time line, without a decoder: packets are copied as they
are and what lies between them is silence. For people's ears, who want to hear a programme as a pole will sound it; the
poles get the parts.

Ogg is RFC 3533, Opus in it RFC 7845, the first byte of a packet RFC 6716, 3.1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from broadcasts.errors import Refused

_RATE = 48_000
"""Granules a second, whatever was encoded."""
_FRAME = 960
_SILENCE = b"\xf8\xff\xfe"
"""20 ms that decode to nothing."""
_SERIAL = 0x4C6F61
_FIRST, _LAST = 2, 4
_A_PAGE = 50
"""Packets: a second."""


def sequence(parts: Sequence[tuple[bytes, int]]) -> bytes:
    """One Ogg file of `parts`: (Ogg Opus file, its start, ms, at the end of the one before or later).

    Raises Refused("audio.broken") for what is no such file, ValueError where parts overlap.
    """
    head, out, granule = b"", [], 0
    for data, start_ms in parts:
        packets = list(_packets(data))
        if len(packets) < 3 or not packets[0].startswith(b"OpusHead") or not packets[1].startswith(b"OpusTags"):
            raise Refused("audio.broken")
        head = head or packets[0]
        begin = start_ms * _RATE // 1000
        if begin < granule - 2 * _FRAME:
            raise ValueError(f"a part begins at {start_ms} ms, before the one before it ends")
        while granule + _FRAME <= begin:
            granule += _FRAME
            out.append((_SILENCE, granule))
        for packet in packets[2:]:
            granule += _samples(packet)
            out.append((packet, granule))
    if not out:
        raise Refused("audio.empty")
    pages = [_page([head], 0, 0, _FIRST), _page([b"OpusTags" + struct.pack("<I3sI", 3, b"loa", 0)], 0, 1, 0)]
    for at in range(0, len(out), _A_PAGE):
        some = out[at : at + _A_PAGE]
        last = _LAST if at + _A_PAGE >= len(out) else 0
        pages.append(_page([packet for packet, _ in some], some[-1][1], len(pages), last))
    return b"".join(pages)


def _samples(packet: bytes) -> int:
    """At 48 kHz."""
    if not packet:
        return 0
    mode, count = packet[0] >> 3, packet[0] & 3
    if mode < 12:
        frame = (480, 960, 1920, 2880)[mode & 3]
    elif mode < 16:
        frame = (480, 960)[mode & 1]
    else:
        frame = (120, 240, 480, 960)[mode & 3]
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[count]
    return frame * frames


def _packets(data: bytes) -> Iterator[bytes]:
    """Raises Refused("audio.broken")."""
    at, held = 0, b""
    while at < len(data):
        if data[at : at + 4] != b"OggS" or at + 27 > len(data):
            raise Refused("audio.broken")
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        body = at + 27 + len(lacing)
        for size in lacing:
            held += data[body : body + size]
            body += size
            if size < 255:
                yield held
                held = b""
        if body > len(data):
            raise Refused("audio.broken")
        at = body


def _page(packets: Sequence[bytes], granule: int, number: int, kind: int) -> bytes:
    lacing = b"".join(b"\xff" * (len(each) // 255) + bytes([len(each) % 255]) for each in packets)
    if len(lacing) > 255:
        raise ValueError("a page holds no more")
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, granule, _SERIAL, number, 0, len(lacing))
    page = bytearray(head + lacing + b"".join(packets))
    struct.pack_into("<I", page, 22, _checksum(page))
    return bytes(page)


_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def _checksum(page: bytes | bytearray) -> int:
    """Of RFC 3533, section 6: that of zip with the bits of each byte the other way round, begun at nothing. By zlib,
    because two hours are 22 MB, and meanwhile others speak."""
    found = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)
