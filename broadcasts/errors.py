"""Three families of failure. A message is a key of the catalogue plus fields, never a finished sentence:
the page says it in the user's language, the terminal in English.
"""

from __future__ import annotations


class LoaError(Exception):
    """Something Loa understands went wrong."""

    def __init__(self, key: str, **fields: object) -> None:
        """`key` names a sentence of the catalogue (`errors.<key>`), `fields` fill its gaps."""
        super().__init__(key)
        self.key = key
        self.fields = fields

    def __str__(self) -> str:
        gaps = ", ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.key} ({gaps})" if gaps else self.key


class Refused(LoaError):
    """The user can put it right: bad input, a rule that says no, a missing right."""


class Conflict(LoaError):
    """The world moved on meanwhile: somebody else decided first, the thing changed."""


class Fault(LoaError):
    """Ours: a disk is full, a part is down. Nothing the user did."""


class ContractViolation(LoaError):
    """A message that is not what the contract says. `reason` is one of a bounded list, fit for a metric label."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """`detail` may quote what came: half characters and NUL, which no database takes, are made visible."""
        detail = detail.encode("utf-8", "replace").decode().replace("\0", "?")
        super().__init__("contract_violation", reason=reason, detail=detail)
        self.reason = reason
        self.detail = detail
