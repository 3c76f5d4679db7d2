"""Which files something still names: looked for in every column of every table that could, so that a table of tomorrow
is looked at without anybody thinking of it.

A name in a plan, an alert, a journal, the audit log, an approval's facts or a draft counts the same. What a unit may
still hold from a former plan is named by its deliveries, which are never deleted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary, String, Text, cast, select
from sqlalchemy.orm import Session

from controller.db import tables
from controller.db.tables import Asset, Base, Encoding, Kept, Unnamed

_NAME = re.compile(rb"[0-9a-f]{64}")
_LENGTH = 64
_ITSELF = {Encoding.__tablename__, Unnamed.__tablename__, Kept.__tablename__}
_OF_ITSELF = {"sha256", "original_sha256", "chunks", "peaks"}
_REPEAT: tuple[type[Base], ...] = (
    tables.AuditEntry, tables.JournalEntry, tables.EnvelopePart, tables.Hearing, tables.Quarantined, tables.UnitFault,
    tables.UnitStatus, tables.UnitPlan, tables.Command, tables.CommandOrder, tables.DeliveryMove,
    tables.Revision, tables.Approval,
)  # fmt: skip
"""What only says again what another table names since then or before: a file that these rows did not name a moment ago
is named by another one too, or by nothing that needs it. They are nearly all that a database grows by."""
_AT_ONCE = 500
_ROWS = 1_000


def named(session: Session, wanted: Collection[str], *, again: bool = False) -> set[str]:
    """Those of these files that some row names. Of encodings and originals see `family`.

    `again`: of few that nothing named a moment ago, fast enough to be asked while nobody else can write."""
    left = set(wanted)
    for column in _columns(foreign=True):
        left -= _among(session, column, left) if again else set(session.scalars(select(column).distinct()))
    passed = {table.__tablename__ for table in _REPEAT} if again else set()
    for column in _columns(foreign=False):
        if not left:
            break
        if column.table.name in passed:
            continue
        left -= _among(session, column, left) if _exact(column) else _inside(session, column, left)
    return set(wanted) - left


def family(session: Session) -> dict[str, str]:
    """Of each file that is an encoding: of which. Where one of a family is named all of it stays."""
    rows = session.execute(select(Encoding.encoded_sha256, Encoding.asset_sha256))
    return {row.encoded_sha256: row.asset_sha256 for row in rows}


def _columns(*, foreign: bool) -> Iterator[Column[Any]]:
    """First those that are known to name a file, which is cheap; then all that could hold a name."""
    for table in Base.metadata.sorted_tables:
        if table.name in _ITSELF:
            continue
        for column in table.columns:
            if table.name == Asset.__tablename__ and column.name in _OF_ITSELF:
                continue
            leads = any(key.column.table.name == Asset.__tablename__ for key in column.foreign_keys)
            if leads is foreign and (leads or _could(column)):
                yield column


def _could(column: Column[Any]) -> bool:
    kind = column.type
    if isinstance(kind, String) and not isinstance(kind, Text):
        return kind.length is None or kind.length >= _LENGTH
    return isinstance(kind, JSON | LargeBinary | Text)


def _exact(column: Column[Any]) -> bool:
    """So short that it can only be the name itself."""
    return isinstance(column.type, String) and column.type.length == _LENGTH


def _among(session: Session, column: Column[Any], wanted: Collection[str]) -> set[str]:
    names, found = sorted(wanted), set()
    for start in range(0, len(names), _AT_ONCE):
        found |= set(session.scalars(select(column).where(column.in_(names[start : start + _AT_ONCE]))))
    return found


def _inside(session: Session, column: Column[Any], wanted: Collection[str]) -> set[str]:
    told = cast(column, Text) if isinstance(column.type, JSON) else column
    found: set[str] = set()
    for value in session.scalars(select(told).where(column.is_not(None)).execution_options(yield_per=_ROWS)):
        said = value if isinstance(value, bytes) else str(value).encode()
        for text in (said, *_unpacked(said)):
            found |= {name.decode() for name in _NAME.findall(text)}
    return found & set(wanted)


def _unpacked(said: bytes) -> Iterator[bytes]:
    """What is inside of a signed document."""
    parts = said.split(b".")
    if len(parts) == 3:
        try:
            yield base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4))
        except ValueError:
            return
