"""The names and check sums of files: one SHA-256 of the whole, one short hash for every 64 KiB.

A receiver on a bad link fetches only the chunks that are wrong; the whole hash stays the name and the proof.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

CHUNK = 65_536


@dataclass(frozen=True)
class Digest:
    """`sha256`: 64 hexadecimal digits. `chunks`: one hash a chunk, the last chunk may be short."""

    sha256: str
    size: int
    chunk_size: int
    chunks: tuple[str, ...]


def chunk_hash(chunk: bytes) -> str:
    """The first 16 bytes of SHA-256 in base64url without padding: 22 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(chunk).digest()[:16]).decode().rstrip("=")


def digest(path: Path) -> Digest:
    whole = hashlib.sha256()
    chunks: list[str] = []
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            whole.update(chunk)
            chunks.append(chunk_hash(chunk))
            size += len(chunk)
    return Digest(whole.hexdigest(), size, CHUNK, tuple(chunks))
