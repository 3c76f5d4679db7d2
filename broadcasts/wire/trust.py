"""The trust document: which keys may say what, signed by the offline root key. Keys rotate without touching a pole."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from broadcasts.wire.base import Message, Reference, UnixMs, Version, Versioned, Word
from broadcasts.wire.jws import PublicKey, Typ


class Use(StrEnum):
    PLAN = "plan"
    COMMAND = "command"
    ALERT = "alert"
    DRILL = "drill"
    TIME = "time"
    FIRMWARE = "firmware"


def _as_use(use: Any) -> Any:
    return Use(use) if isinstance(use, str) and use in set(Use) else use


class TrustedKey(Message):
    """An Ed25519 public key (RFC 8037) and what it is good for. Emergency keys are never daily keys."""

    kid: Reference
    use: Annotated[Use | Word, BeforeValidator(_as_use)]
    """A use of a newer version stands for itself, and is good for nothing here."""
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    not_before: UnixMs
    not_after: UnixMs


class Trust(Versioned):
    """`loa/v1/trust`, retained. The version never goes back; a key that is not listed is not trusted any more."""

    version: Version
    issued_at: UnixMs
    keys: Annotated[list[TrustedKey], Field(max_length=32)]

    @model_validator(mode="after")
    def _one_key_a_name(self) -> Trust:
        if len({key.kid for key in self.keys}) != len(self.keys):
            raise ValueError("a key id stands once")
        if len({key.x for key in self.keys}) != len(self.keys):
            raise ValueError("a key has one use")
        return self

    def key(self, kid: str, typ: Typ, at: int) -> PublicKey | None:
        """The key `kid`, if it may sign a document of kind `typ` at the instant `at` (Unix ms)."""
        for key in self.keys:
            if key.kid == kid and key.use is USE_OF.get(typ) and key.not_before <= at < key.not_after:
                return PublicKey(key.kid, key.x)
        return None

    def lists(self, use: Use) -> bool:
        """Whether any key is good for it, now or later."""
        return any(key.use is use for key in self.keys)


USE_OF = {
    Typ.PLAN: Use.PLAN,
    Typ.ALERT: Use.ALERT,
    Typ.LIVE: Use.PLAN,
    Typ.LIVE_ALERT: Use.ALERT,
    Typ.DRILL: Use.DRILL,
    Typ.TIME: Use.TIME,
    Typ.COMMAND: Use.COMMAND,
    Typ.FIRMWARE: Use.FIRMWARE,
    Typ.JOURNAL_ACK: Use.COMMAND,
}
"""Which use a key needs for which kind of document. Trust itself is signed by the root key, the journal and
a clip by the unit."""
