"""Bytes to messages and back. What is not the contract becomes a ContractViolation with a bounded reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from broadcasts.errors import ContractViolation
from broadcasts.wire import jws
from broadcasts.wire.base import Message, Versioned
from broadcasts.wire.topics import MAX_BYTES

M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Compact JSON in UTF-8. Fields that say nothing (none) are left out: bytes are a bill."""
    return message.model_dump_json(exclude_none=True).encode()


def decode(model: type[M], payload: bytes, max_bytes: int = MAX_BYTES) -> M:
    """Raises ContractViolation: `oversized`, `empty`, `unknown_version` or `malformed`."""
    if len(payload) > max_bytes:
        raise ContractViolation("oversized", f"{len(payload)} bytes")
    if not payload:
        raise ContractViolation("empty")
    try:
        message = model.model_validate_json(payload)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        reason = "unknown_version" if where == "v" else "malformed"
        raise ContractViolation(reason, f"{where}: {first['msg']}"[:200]) from None
    if isinstance(message, Versioned) and "v" not in message.model_fields_set:
        raise ContractViolation("unknown_version", "v: missing")
    return message


def seal(message: Message, typ: jws.Typ, key: jws.SigningKey) -> bytes:
    """The message as a signed document."""
    return key.sign(typ, encode(message))


def unseal(
    model: type[M],
    document: bytes,
    typ: jws.Typ,
    find_key: Callable[[str], jws.PublicKey | None],
    max_bytes: int = MAX_BYTES,
) -> M:
    """Verify, then decode. Raises ContractViolation as `decode` and `jws.verify` do."""
    if len(document) > max_bytes:
        raise ContractViolation("oversized", f"{len(document)} bytes")
    if not document:
        raise ContractViolation("empty")
    return decode(model, jws.verify(document, typ, find_key), max_bytes)
