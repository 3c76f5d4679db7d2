"""What all messages share: strictness, limits, the types of their fields."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

UnixMs = Annotated[int, Field(ge=0, le=9_999_999_999_999)]
"""Milliseconds since 1970-01-01T00:00:00Z."""
DurationMs = Annotated[int, Field(ge=0, le=12 * 3_600_000)]
Version = Annotated[int, Field(ge=0, le=9_999_999_999_999)]
"""max(last issued, last seen, Unix ms of issue) + 1: never goes back (design, section 6)."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$")]
Reference = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
"""An id made by one side and echoed by the other."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Volume = Annotated[int, Field(ge=0, le=100)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""ISO 639: vi, km, en. R-027."""
Text = Annotated[str, Field(max_length=500)]
Level = Annotated[int, Field(ge=1, le=3)]
"""Priority on the wire: 1 emergency, 2 priority, 3 ordinary; lower is more urgent. R-014, R-022."""


WORD = r"^[a-z][a-z0-9_]{0,39}$"
Word = Annotated[str, Field(pattern=WORD)]
"""What a word of a list looks like, in this version and in newer ones."""
_WORD = re.compile(WORD.removesuffix("$"))


@cache
def _words(known: type[StrEnum]) -> frozenset[str]:
    """Once for each list: a plan asks twice for every item."""
    return frozenset(known)


def is_newer(value: Any, known: type[StrEnum]) -> bool:
    """A word that this version's list does not have; what is no word at all is an error, and not newer."""
    return isinstance(value, str) and value not in _words(known) and _WORD.fullmatch(value) is not None


def newer_as(known: type[StrEnum], safe: StrEnum) -> BeforeValidator:
    """For a field whose list may grow: a word that we do not know yet is read as `safe`, which must be the reading that
    sounds least (CONTRACT.md, section 11). Only in what arrives; what we say ourselves has to be right."""

    def read(value: Any, told: ValidationInfo) -> Any:
        return safe if told.mode == "json" and is_newer(value, known) else value

    return BeforeValidator(read, json_schema_input_type=known | Word)


def _number(value: Any) -> Any:
    """In Python `True` and `1.0` equal 1, and a literal compares: in the contract they are other values."""
    if type(value) is not int:
        raise ValueError("not an integer")
    return value


One = Annotated[Literal[1], BeforeValidator(_number)]
"""The integer 1, and neither `true` nor `1.0` nor "1"."""


class Message(BaseModel):
    """One message. Unknown fields are ignored, so that a newer peer can say more (design, section 6)."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Versioned(Message):
    v: One = 1
