"""How long an MP3 file sounds, without decoding it: its frames are counted. ISO/IEC 11172-3 and 13818-3, layer III.

An encoder begins with a frame of silence that holds its notes: how many samples at both ends are padding.
"""

from __future__ import annotations

_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def length_ms(data: bytes) -> int | None:
    """None for what is no MP3, or does not go on as one to its end."""
    at, samples, rate, padding, first = _after_id3(data), 0, 0, 0, True
    while at + 4 <= len(data):
        if data[at : at + 3] == b"TAG" or not any(data[at : at + 4]):
            break
        frame = _frame(data[at : at + 4])
        if frame is None or at + frame[0] > len(data):
            return None
        size, per_frame, rate = frame
        noted = _padding(data[at : at + size]) if first else None
        if noted is None:
            samples += per_frame
        else:
            padding = noted
        at, first = at + size, False
    return (samples - padding) * 1000 // rate if rate and samples else None


def _after_id3(data: bytes) -> int:
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))


def _frame(head: bytes) -> tuple[int, int, int] | None:
    """Its bytes, its samples, its rate."""
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate_index, padded = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if head[0] != 0xFF or head[1] >> 5 != 7 or version == 1 or layer != 1 or bits in (0, 15) or rate_index == 3:
        return None
    rate = _RATES[version][rate_index]
    per_frame = 1152 if version == 3 else 576
    kbit = (_V1 if version == 3 else _V2)[bits]
    return per_frame // 8 * kbit * 1000 // rate + padded, per_frame, rate


def _padding(frame: bytes) -> int | None:
    """Samples that are no sound, where this frame is the encoder's notes; none where it is sound."""
    place = max(frame.find(b"Xing", 4, 44), frame.find(b"Info", 4, 44))
    if place < 0:
        return None
    flags = int.from_bytes(frame[place + 4 : place + 8], "big")
    notes = place + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    told = int.from_bytes(frame[notes + 21 : notes + 24], "big")
    return (told >> 12) + (told & 0xFFF)
