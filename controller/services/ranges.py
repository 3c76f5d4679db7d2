"""Parts of a file over HTTP (RFC 9110, section 14), as far as a resuming download needs them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE = re.compile(r"^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """Bytes `start` to `end`, both included."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1


class Unsatisfiable(Exception):
    """Nothing of the file lies in the range that was asked for."""


def wanted_part(header: str | None, if_range: str | None, etag: str, size: int) -> Part | None:
    """The part to send, or none for the whole file: no range, several ranges, a unit other than bytes, a malformed
    one (RFC 9110, 14.2: ignored), or an If-Range that names other bytes. Raises Unsatisfiable."""
    if header is None or (if_range is not None and if_range.strip() != etag):
        return None
    found = _ONE.match(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first == "":
        length = min(int(last), size)
        if length == 0:
            raise Unsatisfiable
        return Part(size - length, size - 1)
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Part(start, min(end, size - 1))


def same_bytes(if_none_match: str | None, etag: str) -> bool:
    """Whether the asker already holds what `etag` names (weak comparison, RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    told = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in told or etag in told
