"""The door to the database: SQLite by default, PostgreSQL in production (design, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from broadcasts.errors import Fault


class Database:
    """Two ways in: `read()` for looking, `write()` for changing. Neither may wait for files, network or keys inside."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy takes it: `sqlite:///path`, `sqlite://` (memory), `postgresql+psycopg://…`."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": 5, "check_same_thread": False}
            if url in ("sqlite://", "sqlite:///:memory:"):
                options["poolclass"] = StaticPool
        else:
            options["pool_pre_ping"] = True
        self.engine = create_engine(url, **options)
        if self.is_sqlite:
            _teach_sqlite(self.engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.connection().execute(text("BEGIN"))  # one snapshot for all that is read
            yield session
            session.expunge_all()  # what was read stays readable; a rollback would take it back
            session.rollback()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Commits at the end. On SQLite the write lock is taken at the start (BEGIN IMMEDIATE), so that two writers
        wait for each other and never fail half-way. Raises Fault("database_full") when the disk is full."""
        with Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.connection().execute(text("BEGIN IMMEDIATE"))
            try:
                yield session
                session.commit()
            except DBAPIError as failure:
                session.rollback()
                if "full" in str(failure.orig).lower():
                    raise Fault("database_full") from failure
                raise

    def close(self) -> None:
        self.engine.dispose()


def sqlite_at(path: Path) -> str:
    return f"sqlite:///{path}"


def _teach_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        # Transactions are begun by us: the driver would begin them too late, as readers, and fail on upgrade.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")
