"""How a unit becomes one of ours (CONTRACT.md, section 1a): it makes its keys itself, asks over HTTPS, and a person or
a factory's list says yes. Nothing secret ever travels: of its secret the unit sends the hash alone.
"""

from __future__ import annotations

import base64
import hashlib
import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from broadcasts.errors import ContractViolation
from broadcasts.wire import codec, jws
from broadcasts.wire.base import Name, Reference, Sha256, Text, UnixMs, Versioned

MAX_BYTES = 8 * 1024
"""Of a request as it travels."""
NEWCOMER = "newcomer"
"""The `kid` of a first request: nobody knows a name for this key yet."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""None of them is taken for another one: no I, O, 0, 1."""
CODE_LETTERS = 10

Serial = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{2,59}$")]
KeyX = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
Pem = Annotated[str, Field(min_length=1, max_length=4_000, pattern=r"^[\t\n\r -~]+$")]
_NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"
"""Whoever asks is a stranger, and what it says is printed at a terminal: nothing that moves a cursor, ends a line or
turns the direction of writing."""
_KEY_X = re.compile(r"[A-Za-z0-9_-]{43}")
_LABEL = re.compile(r"LOA1:(?P<serial>[^:]{3,60}):(?P<fingerprint>[0-9a-f]{64})\Z")


class EnrolState(StrEnum):
    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class EnrolRequest(Versioned):
    """A JWS of kind `loa-enrol`, by the key that it brings: so whoever asks has that key."""

    serial: Serial
    """On the box, as its maker wrote it."""
    vendor: Annotated[str, Field(max_length=60, pattern=_NO_CONTROLS)] = ""
    model: Annotated[str, Field(max_length=60, pattern=_NO_CONTROLS)] = ""
    firmware: Annotated[str, Field(max_length=64, pattern=_NO_CONTROLS)] = ""
    key_x: KeyX
    """The Ed25519 key with which the unit will sign its journal."""
    secret_sha256: Sha256
    """Of a secret of 256 random bits that the unit made and keeps: its password for files (section 7)."""
    request: Pem
    """PKCS#10 in PEM, by the key for TLS: P-256 or Ed25519, and it may be the journal's. Its subject is not read."""


class RenewRequest(Versioned):
    """A JWS of kind `loa-renew`, by the unit's key: a new certificate before the old one ends."""

    unit: Name
    at: UnixMs
    """Later than that of any renewal before: one that is played back gives nothing."""
    request: Pem
    secret_sha256: Sha256 | None = None
    """Of a new secret; none: the old one stays."""


class EnrolAnswer(Versioned):
    """What a unit is told each time that it asks. From `unit` on only when it is accepted."""

    id: Reference
    state: EnrolState
    code: Annotated[str, Field(max_length=12)]
    """Follows from the key (`code_of`): the unit shows it, and compares."""
    poll_after_s: Annotated[int, Field(ge=1, le=86_400)]
    expires_at: UnixMs
    reason: Text | None = None
    unit: Name | None = None
    certificate: Annotated[str, Field(max_length=16_000)] | None = None
    """PEM: the unit's own, then its authority's. The common name is the unit's id."""
    trust: Annotated[str, Field(max_length=32_000)] | None = None
    """PEM: whom to trust at the broker; none: who the unit trusts anyway."""
    broker: Annotated[str, Field(max_length=300)] | None = None
    files: Annotated[str, Field(max_length=300)] | None = None
    root_kid: Reference | None = None
    root_x: KeyX | None = None
    renew_after: UnixMs | None = None
    """From when on the unit asks for the next certificate."""


def fingerprint_of(key_x: str) -> str:
    """SHA-256 of the 32 bytes of the key, 64 hexadecimal digits. Raises ValueError for what is no key."""
    if not _KEY_X.fullmatch(key_x):
        raise ValueError("not an Ed25519 key")
    return hashlib.sha256(base64.urlsafe_b64decode(key_x + "=")).hexdigest()


def code_of(fingerprint: str) -> str:
    """Ten letters (50 bits) that stand for the key: for who reads them off the box, and compares."""
    bits = int(fingerprint[:16], 16)
    return "".join(_LETTERS[bits >> (59 - 5 * place) & 31] for place in range(CODE_LETTERS))


def label_of(serial: str, fingerprint: str) -> str:
    """What the QR code on the box or its screen says."""
    return f"LOA1:{serial}:{fingerprint}"


def fingerprint_told(told: str) -> str:
    """The whole fingerprint, of the text of a QR code; "" of anything else."""
    label = _LABEL.match(told.strip())
    return label["fingerprint"] if label else ""


def read_code(told: str) -> str:
    """Typed letters, whatever their case and spacing, or the text of a QR code, as a code; "" for what is neither."""
    if fingerprint := fingerprint_told(told):
        return code_of(fingerprint)
    letters = re.sub(r"[\s-]", "", told).upper()
    return letters if len(letters) == CODE_LETTERS and not set(letters) - set(_LETTERS) else ""


def read_request(document: bytes) -> EnrolRequest:
    """Raises ContractViolation as `codec.unseal`; `bad_signature` also where the signature is not by the key that the
    request brings."""
    claimed: list[jws.PublicKey] = []

    def own(kid: str) -> jws.PublicKey | None:
        return claimed[0] if kid == NEWCOMER else None

    if len(document) > MAX_BYTES:
        raise ContractViolation("oversized", f"{len(document)} bytes")
    jws.key_name(document, jws.Typ.ENROL)
    told = codec.decode(EnrolRequest, _unverified(document), MAX_BYTES)
    claimed.append(jws.PublicKey(NEWCOMER, told.key_x))
    return codec.unseal(EnrolRequest, document, jws.Typ.ENROL, own, MAX_BYTES)


def _unverified(document: bytes) -> bytes:
    """What it says, to find the key in it; nothing else is taken from here."""
    segment = document.split(b".")[1]
    try:
        return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except ValueError:
        raise ContractViolation("not_signed") from None
