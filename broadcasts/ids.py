"""Names of things: what they look like and where new ones come from."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from itertools import count
from typing import NewType, Protocol

AreaId = NewType("AreaId", str)
StationId = NewType("StationId", str)
ClusterId = NewType("ClusterId", str)
UnitId = NewType("UnitId", str)
ScopeId = NewType("ScopeId", str)
BulletinId = NewType("BulletinId", str)
BroadcastId = NewType("BroadcastId", str)
DeliveryId = NewType("DeliveryId", str)
AssetId = NewType("AssetId", str)
"""An asset is named by the SHA-256 of its bytes: 64 lower-case hexadecimal digits."""

NAME = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
"""Units, clusters, scopes: what may stand in a topic and in an MQTT client id (design, section 6)."""

SHA256 = re.compile(r"^[0-9a-f]{64}\Z")


class IdSource(Protocol):
    def new(self, prefix: str) -> str:
        """A name never given before, starting with `prefix` and a hyphen."""
        ...


class RandomIds:
    """80 bits from the system's secure source."""

    def new(self, prefix: str) -> str:
        return f"{prefix}-{base64.b32encode(secrets.token_bytes(10)).decode().lower()}"


class CountingIds:
    """1, 2, 3: tests and the virtual world, where runs must repeat."""

    def __init__(self) -> None:
        self._count = count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}-{next(self._count)}"


def delivery_id(broadcast: BroadcastId, revision: int, start_ms: int, cluster: ClusterId) -> DeliveryId:
    """The same occurrence of the same revision at the same cluster always has the same name,
    so that compiling twice, or in two processes, cannot make two deliveries of one.

    It begins with eight characters of the broadcast alone. Where class, rank and start are the same, the id decides
    (CONTRACT.md, section 5): so the same broadcast goes first at every pole, and neighbours do not talk across each
    other."""
    seed = f"{broadcast}\n{revision}\n{start_ms}\n{cluster}".encode()
    first = hashlib.sha256(broadcast.encode()).digest()[:5] + hashlib.sha256(seed).digest()[:10]
    return DeliveryId("d-" + base64.b32encode(first).decode().lower())
