"""Whether an Ogg file has its end: the last page says so (RFC 3533, section 6) and is whole. Nothing else in it tells
how long it should be; a phone that died, or a line that broke, leaves it without."""

from __future__ import annotations

from pathlib import Path

_TAIL = 131_072
"""Two pages of the largest size."""
_HEAD = 27
_LAST = 4


def has_its_end(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _TAIL))
        tail = file.read(_TAIL)
    at = tail.rfind(b"OggS")
    while at >= 0:
        whole = _whole(tail, at)
        if whole is not None:
            return whole and bool(tail[at + 5] & _LAST)
        # Those four letters may stand in a page's sound.
        at = tail.rfind(b"OggS", 0, at)
    return False


def _whole(tail: bytes, at: int) -> bool | None:
    """None: no page begins here."""
    if at + _HEAD > len(tail):
        return False
    if tail[at + 4] != 0 or tail[at + 5] > 7:
        return None
    lacing = tail[at + _HEAD : at + _HEAD + tail[at + 26]]
    return len(lacing) == tail[at + 26] and at + _HEAD + len(lacing) + sum(lacing) <= len(tail)
