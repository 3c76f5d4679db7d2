"""Signing and verifying: JWS compact (RFC 7515), Ed25519 (RFC 8037), nothing else.

`alg` is fixed to EdDSA, `typ` names the kind of document, `kid` is looked up by the caller's own table. A header with
any other field (`jwk`, `jku`, `x5c`, `crit`, …) is refused: a key never travels with what it signs. Validity in time
is the reader's business, because only the reader knows what time it trusts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import OKPKey
from joserfc.util import json_b64encode, urlsafe_b64decode, urlsafe_b64encode

from broadcasts.errors import ContractViolation


class Typ(StrEnum):
    TRUST = "loa-trust"
    PLAN = "loa-plan"
    ALERT = "loa-alert"
    LIVE = "loa-live"
    LIVE_ALERT = "loa-live-alert"
    DRILL = "loa-drill"
    JOURNAL = "loa-journal"
    JOURNAL_ACK = "loa-journal-ack"
    CLIP = "loa-clip"
    COMMAND = "loa-command"
    TIME = "loa-time"
    FIRMWARE = "loa-firmware"
    ENROL = "loa-enrol"
    RENEW = "loa-renew"


_HEADER_FIELDS = {"alg", "typ", "kid"}
_HEADER_BYTES = 512
"""Nothing longer is read: a header is parsed before anybody is known to have signed it."""


class _OnlyEdDSA(jws.JWSRegistry):
    """RFC 9864 prefers the name "Ed25519", and the library warns at every use of "EdDSA"; the contract, version 1,
    says EdDSA with Ed25519 keys only, and has to work where warnings are errors."""

    def get_alg(self, name: str) -> Any:
        if name != "EdDSA":
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _OnlyEdDSA()
_EDDSA = _REGISTRY.get_alg("EdDSA")


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key by name."""

    kid: str
    x: str
    """Base64url without padding, 43 characters (RFC 8037, section 2)."""

    def okp(self) -> OKPKey:
        """Made once for each key, because one journal of a unit follows the other. Raises ValueError or JoseError when
        `x` is no such key."""
        return _okp(self.x)

    def verifies(self, said: bytes, signature: bytes) -> bool:
        """Of bytes that are no document: the packets of live voice. False also when `x` is no key."""
        try:
            return bool(_EDDSA.verify(said, signature, self.okp()))
        except (JoseError, ValueError):
            return False


@lru_cache(maxsize=20_000)
def _okp(x: str) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})


class SigningKey:
    """An Ed25519 private key by name. Its text form never shows the secret."""

    def __init__(self, kid: str, key: OKPKey) -> None:
        self.kid = kid
        self._key = key
        # Looked up once: joserfc reads it anew for each signature, which takes as long as the signature.
        private: Any = key.private_key
        self._sign: Callable[[bytes], bytes] = private.sign
        self._headers: dict[Typ, bytes] = {}

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"

    @classmethod
    def generate(cls, kid: str) -> SigningKey:
        return cls(kid, OKPKey.generate_key("Ed25519"))

    @classmethod
    def from_jwk(cls, text: str | bytes) -> SigningKey:
        """From the JSON of a private JWK with `kid`. Raises ValueError when it is anything else."""
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON Web Key")
        if fields.get("kty") != "OKP" or fields.get("crv") != "Ed25519" or not fields.get("d") or not fields.get("kid"):
            raise ValueError("not an Ed25519 private key with a kid")
        return cls(fields["kid"], OKPKey.import_key({name: fields[name] for name in ("kty", "crv", "x", "d")}))

    def to_jwk(self) -> str:
        return json.dumps({**self._key.as_dict(private=True), "kid": self.kid})

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.kid, str(self._key.as_dict(private=False)["x"]))

    def sign(self, typ: Typ, payload: bytes) -> bytes:
        """The compact serialisation. Ed25519 is deterministic: the same bytes give the same document."""
        if typ not in self._headers:
            self._headers[typ] = json_b64encode({"alg": "EdDSA", "typ": str(typ), "kid": self.kid})
        # Not by `serialize_compact`, which weighs header and key each time: a thousand plans are signed in a row.
        said = self._headers[typ] + b"." + urlsafe_b64encode(payload)
        return said + b"." + urlsafe_b64encode(self.sign_bytes(said))

    def sign_bytes(self, said: bytes) -> bytes:
        """64 bytes over bytes that are no document, with a key that signs no documents: that of one live session."""
        return self._sign(said)


def key_name(document: bytes, typ: Typ) -> str:
    """The `kid` a document claims, before anything is verified.

    Raises ContractViolation: `not_signed` (no compact JWS), `bad_header` (other algorithm, other kind, other fields).
    """
    segment = document.split(b".", 1)[0]
    if document.count(b".") != 2 or len(segment) > _HEADER_BYTES:
        raise ContractViolation("not_signed")
    try:
        pairs = json.loads(urlsafe_b64decode(segment).decode("utf-8"), object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise ContractViolation("not_signed") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise ContractViolation("not_signed")
    header = dict(pairs)
    # Counted as pairs, because two readers may disagree about which of two equal names counts (RFC 7515, section 4).
    if len(pairs) != len(_HEADER_FIELDS) or set(header) != _HEADER_FIELDS:
        raise ContractViolation("bad_header", " ".join(header)[:120])
    if header["alg"] != "EdDSA" or header["typ"] != typ or not isinstance(header["kid"], str):
        raise ContractViolation("bad_header", f"{header['alg']} {header['typ']}"[:120])
    return header["kid"]


def verify(document: bytes, typ: Typ, find_key: Callable[[str], PublicKey | None]) -> bytes:
    """The payload of `document`, if the key that `find_key` knows by its `kid` signed exactly it.

    Raises ContractViolation: as `key_name`, and `key_not_trusted`, `bad_signature`.
    """
    key = find_key(key_name(document, typ))
    if key is None:
        raise ContractViolation("key_not_trusted")
    try:
        return jws.deserialize_compact(document, key.okp(), registry=_REGISTRY).payload
    except (JoseError, ValueError):
        raise ContractViolation("bad_signature") from None


def digest(document: bytes) -> str:
    """SHA-256 of a document as it travelled: how unit, controller and auditor name the same bytes."""
    return hashlib.sha256(document).hexdigest()
