"""Live voice: the signed document of a session, said again every second while it lasts. CONTRACT.md, section 6a.

The sound itself travels beside it, in packets that the session's own key signs (`live_packet.py`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from broadcasts.errors import ContractViolation
from broadcasts.wire import jws, topics
from broadcasts.wire.base import Level, Name, Reference, Sha256, Text, UnixMs, Versioned, Volume
from broadcasts.wire.codec import seal, unseal
from broadcasts.wire.jws import PublicKey, SigningKey, Typ
from broadcasts.wire.topics import ScopeTopic

REPEAT_MS = 1_000
"""How often the document is said while the session lasts: who joins late waits no longer for it."""
FRESH_MS = 10_000
"""A document that was said longer ago, or so far ahead, starts nothing: yesterday's is dead in ten seconds."""
MOST_SESSION_MS = 60 * 60_000
"""From `not_before` to `hard_end`. Who speaks longer begins a new session."""
BUFFER_LEAST_MS, BUFFER_MS, BUFFER_MOST_MS = 800, 1_500, 3_000
MOST_TARGETS = 128
"""In one document; a longer list is split over several documents of the same session."""
MAX_BYTES = topics.MANNERS[ScopeTopic.LIVE].max_bytes

SessionId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Eight random bytes, in the packets as they are."""


class LiveSession(Versioned):
    """`loa/v1/s/{scope}/live`, never retained, beside the packets. Signed with the plan key (`loa-live`, levels 2 and
    3) or the alert key (`loa-live-alert`, level 1). Everything but `said_at`, `hard_end`, `volume`, `target` and
    `ends_at` stays what it was at first."""

    session: SessionId
    scope: Name
    level: Level
    target: Literal["all"] | Annotated[list[Name], Field(min_length=1, max_length=MOST_TARGETS)]
    """Of several documents of one session the one that names a unit is the one for it."""
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    """The Ed25519 public key that signs the packets (base64url, RFC 8037), made for this session alone."""
    issued_at: UnixMs
    """When somebody pressed; among emergencies, alerts included, the newest wins."""
    said_at: UnixMs
    """When this very document was signed; grows from one to the next."""
    not_before: UnixMs
    """The chime begins here, and no packet is to be played earlier."""
    hard_end: UnixMs
    """Nothing of this session sounds at or after this instant."""
    ends_at: UnixMs | None = None
    """Said when the session is over: up to this instant it sounds, then the chime after. Never taken back."""
    buffer_ms: Annotated[int, Field(ge=BUFFER_LEAST_MS, le=BUFFER_MOST_MS)] = BUFFER_MS
    """How far ahead of its playing a packet leaves the sender."""
    chime_before: Sha256 | None = None
    """Of the emergency set, or an asset that the plan names; one that is not held is left out."""
    chime_after: Sha256 | None = None
    volume: Volume
    max_blind_s: Annotated[int, Field(ge=10, le=3600)] = 600
    """How long a unit without trusted time may sound an emergency of level 1, by its monotonic clock."""
    reason: Text

    @model_validator(mode="after")
    def _lasts(self) -> LiveSession:
        if not self.not_before < self.hard_end <= self.not_before + MOST_SESSION_MS:
            raise ValueError("a session ends after it begins, and within the hour")
        if self.said_at < self.issued_at:
            raise ValueError("nothing is said before it was issued")
        return self

    @property
    def item(self) -> Reference:
        return item_of(self.session)

    @property
    def asset(self) -> Sha256:
        return asset_of(self.key)

    def meant_for(self, unit: str) -> bool:
        return self.target == "all" or unit in self.target


def typ_of(level: int) -> Typ:
    return Typ.LIVE_ALERT if level == 1 else Typ.LIVE


def item_of(session: str) -> str:
    """Its name in the journal."""
    return f"live-{session}"


def asset_of(key: str) -> str:
    """What stands where the journal names an asset: SHA-256 of the 32 bytes of the session's public key. A recording
    exists only afterwards, and has a hash of its own."""
    return hashlib.sha256(base64.urlsafe_b64decode(f"{key}=")).hexdigest()


def seal_session(session: LiveSession, key: SigningKey) -> bytes:
    """The document as it travels: `key` is that of plans, or for level 1 that of alerts. Raises ContractViolation
    (`oversized`): then `target` is to be split."""
    document = seal(session, typ_of(session.level), key)
    if len(document) > MAX_BYTES:
        raise ContractViolation("oversized", f"{len(document)} bytes")
    return document


def open_session(
    document: bytes, scope: str, find_key: Callable[[Typ], Callable[[str], PublicKey | None]]
) -> LiveSession:
    """Verified and read. `find_key(typ)` knows the keys for that kind of document.

    Raises ContractViolation as `codec.unseal` does; `key_not_trusted` also when a daily key says that it is an
    emergency, or the other way round; `not_for_me` when it was said in another scope than it names.
    """
    typ = Typ.LIVE_ALERT if _says(document, Typ.LIVE_ALERT) else Typ.LIVE
    session = unseal(LiveSession, document, typ, find_key(typ), MAX_BYTES)
    if typ_of(session.level) is not typ:
        raise ContractViolation("key_not_trusted", f"{typ} says level {session.level}")
    if session.scope != scope:
        raise ContractViolation("not_for_me", f"scope: {session.scope}")
    return session


def _says(document: bytes, typ: Typ) -> bool:
    try:
        jws.key_name(document, typ)
    except ContractViolation:
        return False
    return True
