"""Compact JWS made by hand, so that a test can sign what no honest signer would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broadcasts.wire.jws import SigningKey


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def unb64(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))


def ed25519_private(key: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(unb64(json.loads(key.to_jwk())["d"]))


def compact(header: dict[str, Any] | bytes, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """Signed with Ed25519, whatever `header` claims; a header may be raw bytes."""
    said = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    body = b64(said) + b"." + b64(payload)
    return body + b"." + b64(key.sign(body))


def compact_hs256(header: dict[str, Any], payload: bytes, secret: bytes) -> bytes:
    body = b64(json.dumps(header).encode()) + b"." + b64(payload)
    return body + b"." + b64(hmac.new(secret, body, hashlib.sha256).digest())
