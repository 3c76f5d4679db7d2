"""What an image of firmware is, for whom, and who says so. The key that signs this signs nothing else: who holds the
key of the plans sounds bulletins, and changes no program of a box (CONTRACT.md, section 7a)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field, model_validator

from broadcasts.wire.base import Reference, Sha256, UnixMs, Versioned
from broadcasts.wire.codec import unseal
from broadcasts.wire.jws import PublicKey, Typ

MANIFEST_BYTES = 2_000
Release = Annotated[int, Field(ge=1, le=999_999_999)]
Hardware = Annotated[str, Field(max_length=60)]


class Manifest(Versioned):
    """Inside the signature, which travels in `firmware.manifest` of the plan."""

    vendor: Hardware
    """As the unit said it when it joined."""
    model: Hardware = ""
    """Empty: every model of this vendor."""
    version: Reference
    release: Release
    """Grows with every version of this vendor and model."""
    min_release: Release = 1
    """Once this is confirmed the unit never again installs a release below."""
    sha256: Sha256
    size: Annotated[int, Field(ge=1, le=500_000_000)]
    issued_at: UnixMs

    @model_validator(mode="after")
    def _allows_itself(self) -> Manifest:
        if self.min_release > self.release:
            raise ValueError("a release is not below what it allows")
        return self


def open_manifest(document: str, find_key: Callable[[str], PublicKey | None]) -> Manifest:
    """Raises ContractViolation, as `codec.unseal`."""
    return unseal(Manifest, document.encode(), Typ.FIRMWARE, find_key, MANIFEST_BYTES)
