"""An alert in one SMS: its frame, its content by name from the preloaded set, a signature. CONTRACT.md, section 6c.

A way in when MQTT has none: at most 116 bytes, or 160 characters of the GSM 7-bit alphabet. Scope and unit are signed
without being said: whoever is not meant cannot verify it.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated

from pydantic import Field, ValidationError

from broadcasts.errors import ContractViolation
from broadcasts.wire.alert import Alert, AlertKind, Repeat
from broadcasts.wire.base import Language, Message, Name, Reference, UnixMs, Version, Volume
from broadcasts.wire.jws import PublicKey, SigningKey

PREFIX = "LOA1."
MOST_BYTES = 116
MOST_CHARACTERS = 160
MOST_ID = 28
FORMAT = 1
_FRAME = struct.Struct(">B2s3s6sIBHBBBBB")
_SIGNATURE = 64
_SAID_BEFORE = b"loa-trigger-1\0"
"""No JWS begins like this, so that no signature of one is ever a signature of the other."""
_ONE_UNIT = 0x08

KINDS = (
    AlertKind.OTHER, AlertKind.STORM, AlertKind.FLOOD, AlertKind.SURGE, AlertKind.SALT, AlertKind.TSUNAMI,
    AlertKind.FIRE, AlertKind.EPIDEMIC, AlertKind.MISSING, AlertKind.ALL_CLEAR,
)  # fmt: skip
"""By code. The order binds: newer kinds come at the end."""
LANGUAGES = ("vi", "km", "en", "zh", "cjm")
"""By bit, the lowest first, which is also the order of playing."""
EVERY_S = (0, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800)
"""By the low four bits of the repeat code; 0 sounds once. The high four are `times`, 0: until the hard end."""
_TENS = 10_000
_BLIND_S = 15


class Op(IntEnum):
    SOUND = 0
    END = 1
    """This alert is over."""
    SILENCE = 2
    """Every alert issued before `issued_at` is void, in this scope and in narrower ones."""


class Trigger(Message):
    """`version` is on the line of the scope's alert document: that of the document that says the same."""

    op: Op
    scope: Name
    unit: Name | None = None
    """For this unit of the scope alone."""
    version: Version
    issued_at: UnixMs
    alert: Annotated[Reference, Field(max_length=MOST_ID)] | None = None
    """The id of the alert; none of a silence."""
    kind: AlertKind = AlertKind.OTHER
    languages: Annotated[list[Language], Field(max_length=len(LANGUAGES))] = []
    repeat: Repeat | None = None
    volume: Volume = 0
    not_before: UnixMs = 0
    hard_end: UnixMs = 0
    max_blind_s: int = 0


def of_alert(alert: Alert, scope: str, version: int, unit: str | None = None) -> Trigger:
    """The trigger of an alert in its document of this version. What does not fit is said less: a hard end down to 10
    s, a repeat at the next longer step, languages that have no bit left out.

    Raises ContractViolation("malformed") where nothing is left to be said in one SMS.
    """
    languages = [each for each in LANGUAGES if each in {one.language for one in alert.content}]
    if not languages or alert.kind not in KINDS:
        raise ContractViolation("malformed", "no code for what it says")
    lasts = min((alert.hard_end - alert.issued_at) // _TENS, 0xFFFF)
    return Trigger(
        op=Op.SOUND,
        scope=scope,
        unit=unit,
        version=version,
        issued_at=alert.issued_at,
        alert=alert.id,
        kind=alert.kind,
        languages=languages,
        repeat=_repeat(alert.repeat),
        volume=alert.volume,
        not_before=alert.issued_at + min(255, -(-max(0, alert.not_before - alert.issued_at) // 1000)) * 1000,
        hard_end=alert.issued_at + lasts * _TENS,
        max_blind_s=max(_BLIND_S, alert.max_blind_s // _BLIND_S * _BLIND_S),
    )


def _repeat(repeat: Repeat | None) -> Repeat | None:
    if repeat is None:
        return None
    every_s = next((each for each in EVERY_S if each and each >= repeat.every_s), EVERY_S[-1])
    return Repeat(every_s=every_s, times=None if repeat.times is None else min(repeat.times, 15))


def seal(trigger: Trigger, key: SigningKey) -> bytes:
    """The binary form. Raises ContractViolation("malformed") for what the frame cannot say."""
    frame = _write(trigger, key.public)
    if _read(frame, trigger.scope, trigger.unit) != trigger:
        raise ContractViolation("malformed", "says more than a trigger can")
    return frame + key.sign_bytes(_said(frame, trigger.scope, trigger.unit))


def text(sealed: bytes) -> str:
    """The text form: what stands in the SMS."""
    return PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def looks_like_one(raw: bytes) -> bool:
    """Whether it is worth a complaint where it is none."""
    is_text = raw.lstrip().startswith(PREFIX.encode())
    return is_text or (_FRAME.size + _SIGNATURE <= len(raw) <= MOST_BYTES and raw[0] >> 4 == FORMAT)


def unseal(raw: bytes, scopes: Sequence[str], unit: str, keys: Sequence[PublicKey]) -> Trigger:
    """What a unit that follows `scopes` takes from either form, verified with one of `keys`, which may say alerts.

    Raises ContractViolation: `empty`, `oversized`, `malformed`, `unknown_version`, `not_for_me` (another scope or
    unit), `key_not_trusted`, `bad_signature`.
    """
    sealed = _sealed(raw)
    frame, signature = sealed[:-_SIGNATURE], sealed[-_SIGNATURE:]
    whom = unit if frame[0] & _ONE_UNIT else None
    meant = [scope for scope in scopes if _hint(scope, whom) == frame[3:6]]
    if not meant:
        raise ContractViolation("not_for_me")
    known = [key for key in keys if _key_hint(key) == frame[1:3]]
    if not known:
        raise ContractViolation("key_not_trusted")
    for scope in meant:
        if any(key.verifies(_said(frame, scope, whom), signature) for key in known):
            return _read(frame, scope, whom)
    raise ContractViolation("bad_signature")


def _sealed(raw: bytes) -> bytes:
    if not raw.strip():
        raise ContractViolation("empty")
    if len(raw) > 2 * MOST_CHARACTERS:
        raise ContractViolation("oversized", f"{len(raw)} bytes")
    sealed = raw
    if raw.strip().startswith(PREFIX.encode()):
        said = raw.strip()[len(PREFIX) :]
        try:
            sealed = base64.b64decode(said + b"=" * (-len(said) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise ContractViolation("malformed", "not base64url") from None
        if text(sealed).encode() != raw.strip():
            raise ContractViolation("malformed", "not the only way to write it")
    elif raw.lstrip().startswith(b"LOA"):
        raise ContractViolation("unknown_version")
    if len(sealed) > MOST_BYTES:
        raise ContractViolation("oversized", f"{len(sealed)} bytes")
    if sealed and sealed[0] >> 4 != FORMAT:
        raise ContractViolation("unknown_version")
    if len(sealed) < _FRAME.size + _SIGNATURE:
        raise ContractViolation("malformed", "too short")
    return sealed


def _said(frame: bytes, scope: str, unit: str | None) -> bytes:
    return b"\0".join((_SAID_BEFORE + scope.encode(), (unit or "").encode(), frame))


def _hint(scope: str, unit: str | None) -> bytes:
    return hashlib.sha256(f"{scope}/{unit or ''}".encode()).digest()[:3]


def _key_hint(key: PublicKey) -> bytes:
    return hashlib.sha256(key.x.encode()).digest()[:2]


def _write(trigger: Trigger, key: PublicKey) -> bytes:
    first = FORMAT << 4 | (_ONE_UNIT if trigger.unit is not None else 0) | trigger.op
    delay, lasts, repeat = 0, 0, 0
    if trigger.op is Op.SOUND:
        delay = (trigger.not_before - trigger.issued_at) // 1000
        lasts = (trigger.hard_end - trigger.issued_at) // _TENS
    if trigger.repeat is not None and trigger.repeat.every_s in EVERY_S:
        repeat = EVERY_S.index(trigger.repeat.every_s) | (trigger.repeat.times or 0) << 4
    languages = sum(1 << LANGUAGES.index(each) for each in trigger.languages if each in LANGUAGES)
    try:
        frame = _FRAME.pack(
            first, _key_hint(key), _hint(trigger.scope, trigger.unit), trigger.issued_at.to_bytes(6, "big"),
            trigger.version - trigger.issued_at, delay, lasts, KINDS.index(trigger.kind), languages, repeat,
            trigger.volume, trigger.max_blind_s // _BLIND_S,
        )  # fmt: skip
    except (struct.error, OverflowError):
        raise ContractViolation("malformed", "says more than a trigger can") from None
    return frame + (trigger.alert or "").encode()


def _read(frame: bytes, scope: str, unit: str | None) -> Trigger:
    first, _, _, issued, ahead, delay, lasts, kind, languages, repeat, volume, blind = _FRAME.unpack_from(frame)
    issued_at = int.from_bytes(issued, "big")
    spoken = [each for n, each in enumerate(LANGUAGES) if languages >> n & 1]
    try:
        name = frame[_FRAME.size :].decode("ascii")
        op = Op(first & 0x07)
        told = {"op": op, "scope": scope, "unit": unit, "version": issued_at + ahead, "issued_at": issued_at}
        if (op is Op.SILENCE) == bool(name):
            raise ValueError("a silence names no alert, and nothing else does without")
        if op is not Op.SOUND:
            return Trigger.model_validate({**told, "alert": name or None})
        if not spoken or not lasts or delay * 1000 >= lasts * _TENS or not blind:
            raise ValueError("says nothing, or ends before it begins")
        step, times = EVERY_S[repeat & 0x0F], repeat >> 4
        return Trigger.model_validate(
            told
            | {
                "alert": name,
                "kind": KINDS[kind],
                "languages": spoken,
                "repeat": Repeat(every_s=step, times=times or None) if step else None,
                "volume": volume,
                "not_before": issued_at + delay * 1000,
                "hard_end": issued_at + lasts * _TENS,
                "max_blind_s": blind * _BLIND_S,
            }
        )
    except (ValueError, IndexError, ValidationError) as failure:
        raise ContractViolation("malformed", str(failure).splitlines()[0][:200]) from None
