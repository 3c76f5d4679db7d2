"""The two formats of NATS that its authorization callout needs: nkeys (named Ed25519 keys) and its JWTs.

Both keys live in memory only, for one run of the broker. The JWT is NATS's own: `alg` is `ed25519-nkey` and claims
sit under `nats`; it has nothing to do with the signed documents of our contract (`broadcasts/wire/jws.py`).
"""

from __future__ import annotations

import base64
import binascii
import json
from enum import IntEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broadcasts.errors import Fault


class Kind(IntEnum):
    """First byte of a public nkey: the letter it starts with, A or U, in base32."""

    ACCOUNT = 0 << 3
    USER = 20 << 3


class Nkey:
    def __init__(self, kind: Kind) -> None:
        self._key = Ed25519PrivateKey.generate()
        raw = bytes([kind]) + self._key.public_key().public_bytes_raw()
        checked = raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")
        self.public = base64.b32encode(checked).decode().rstrip("=")

    def sign(self, message: bytes) -> str:
        """Base64url without padding."""
        return _base64url(self._key.sign(message))

    def token(self, claims: dict[str, Any]) -> str:
        header = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = f"{_base64url(_compact(header))}.{_base64url(_compact({**claims, 'iss': self.public}))}"
        return f"{body}.{self.sign(body.encode())}"


def claims_of(token: bytes) -> dict[str, Any]:
    """The claims, unverified: the caller got the token over a connection that only the broker can write to.

    Raises Fault("broker_gate") when it is no token.
    """
    try:
        middle = token.split(b".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + b"=" * (-len(middle) % 4)))
    except (IndexError, ValueError) as failure:
        raise Fault("broker_gate", detail=f"not a token: {failure}") from None
    if not isinstance(claims, dict):
        raise Fault("broker_gate", detail="claims are no object")
    return claims


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
