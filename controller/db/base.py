"""What all tables share: names of constraints, and instants that are always aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import BigInteger, BindParameter, DateTime, Dialect, Index, Integer, MetaData, bindparam, text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored in UTC. A naive one raises ValueError before it reaches the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive instant")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        """On SQLite it is text without a zone: read at one go, and each once, because a thousand plans are made
        of the same few."""
        return _from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


@lru_cache(maxsize=8192)
def _from_text(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored + "+00:00")


Big = BigInteger().with_variant(Integer, "sqlite")
"""64 bit. SQLite counts rows only in a column called INTEGER."""


def only_where(name: str, *columns: str, where: str) -> Index:
    """An index of the few rows of which `where` is true, however many others there are. A query finds them by it only
    if it says `where` in the same words: compare with `said(...)`, not with a parameter."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def only_one(name: str, *columns: str, where: str) -> Index:
    """Of the rows of which `where` is true no two have the same in these columns."""
    return Index(name, *columns, unique=True, sqlite_where=text(where), postgresql_where=text(where))


def said(value: str) -> BindParameter[str]:
    """A constant of our own that stands in the statement itself, for `only_where`. Never anything that came from
    outside."""
    return bindparam(None, str(value), literal_execute=True)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar = {datetime: Instant}
