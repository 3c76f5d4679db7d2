"""What a unit is born with: who it is, and what is in the box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broadcasts.wire.jws import PublicKey, SigningKey
from device_sim.cache import BOTH


@dataclass(frozen=True)
class Enrolled:
    """What a unit knows from the day it was set up (CONTRACT.md, section 1)."""

    unit: str
    secret: str
    key: SigningKey | None
    """None: enrolled with a password only, so its journal travels unsigned and proves less."""
    root: PublicKey

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Enrolled:
        """From `unit`, `secret`, `root_kid`, `root_x`, `key_jwk` or `password_only`. Raises KeyError, ValueError."""
        root = PublicKey(fields["root_kid"], fields["root_x"])
        key = None if fields.get("password_only") else SigningKey.from_jwk(fields["key_jwk"])
        return cls(fields["unit"], fields["secret"], key, root)


@dataclass(frozen=True)
class Config:
    cache_bytes: int = 2_000_000_000
    battery: bool = True
    """The hardware clock runs on without power."""
    firmware: str = "loasim-1"
    vendor: str = "loasim"
    model: str = "sim"
    keep_alive_s: int = 240
    tuner: bool = True
    """There is an FM tuner in the box."""
    codecs: tuple[str, ...] = BOTH
    """What its player decodes; a simple box knows `mp3` alone."""
    ear: str = "none"
    """Where the unit hears its own sound: a word of the contract (`wire.ear.Source`), or "none"."""
