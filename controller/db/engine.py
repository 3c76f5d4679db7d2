"""The door to the database: SQLite by default, PostgreSQL in production (design, section 3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from broadcasts.errors import Fault, Refused

WAIT_S = 5
"""How long a writer waits for another one."""
_WRITER = 0x10A
"""Names the one advisory lock that every writer on PostgreSQL takes."""
_SQLITE_BUSY, _SQLITE_FULL = 5, 13
_DISK_FULL, _LOCK_NOT_AVAILABLE, _DEADLOCK = "53100", "55P03", "40P01"


class Database:
    """Two ways in: `read()` for looking, `write()` for changing. Neither may wait for files, network or keys inside."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy takes it: `sqlite:///path`, `sqlite://` (memory), `postgresql+psycopg://…`."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": WAIT_S, "check_same_thread": False}
            if url in ("sqlite://", "sqlite:///:memory:"):
                options["poolclass"] = StaticPool
        else:
            options["pool_pre_ping"] = True
            # A writer that hangs must not keep all others waiting for ever.
            limits = f"-c lock_timeout={WAIT_S}s -c idle_in_transaction_session_timeout={12 * WAIT_S}s"
            options["connect_args"] = {"options": limits}
        self._writer = threading.RLock()
        self.engine = create_engine(url, **options)
        if self.is_sqlite:
            _teach_sqlite(self.engine)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Our own threads queue here: SQLite's writers wait by sleeping, up to 100 ms when the lock is free again. Who
        waits too long goes on, and the database says the rest."""
        had = self.is_sqlite and self._writer.acquire(timeout=WAIT_S)
        try:
            yield
        finally:
            if had:
                self._writer.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """All that is read in here is of one instant. Raises Refused("text.nul")."""
        with Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.connection().exec_driver_sql("BEGIN")
            else:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            # Closed, not rolled back by name: what was read stays readable, which a rollback would take back.
            try:
                yield session
            except DataError as failure:
                _refuse_nul(failure)
                raise

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Commits at the end. One writer at a time, on either engine: the lock is taken before anything is read, so
        what a use case looked at cannot change under its hands, two people who decide at once are told apart, and the
        audit log stays one chain. Writers hold it for milliseconds; readers never wait.

        Raises Fault: "database_full", "database_busy" (another writer held the lock for longer than `WAIT_S`);
        Refused("text.nul").
        """
        with self._turn(), Session(self.engine, expire_on_commit=False) as session:
            try:
                session.connection().exec_driver_sql("BEGIN IMMEDIATE" if self.is_sqlite else _LOCK)
                yield session
                session.commit()
            except DBAPIError as failure:
                session.rollback()
                _refuse_nul(failure)
                if (key := _known(failure)) is not None:
                    raise Fault(key) from failure
                raise

    def close(self) -> None:
        self.engine.dispose()


_LOCK = f"SELECT pg_advisory_xact_lock({_WRITER})"


def _refuse_nul(failure: DBAPIError) -> None:
    """PostgreSQL takes no NUL in a text, not even to look for it: whoever sent one is answered, wherever it stood."""
    if isinstance(failure, DataError) and "NUL" in str(failure.orig):
        raise Refused("text.nul") from failure


def _known(failure: DBAPIError) -> str | None:
    """The catalogue key of a failure that is nobody's bug."""
    primary = getattr(failure.orig, "sqlite_errorcode", 0) & 0xFF  # above the low byte stands where it happened
    state = getattr(failure.orig, "sqlstate", None)
    if primary == _SQLITE_FULL or state == _DISK_FULL:
        return "database_full"
    if primary == _SQLITE_BUSY or state in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
        return "database_busy"
    return None


def sqlite_at(path: Path) -> str:
    return f"sqlite:///{path}"


def _teach_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        # Transactions are begun by us: the driver would begin them too late, as readers, and fail on upgrade.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={WAIT_S * 1000}"):
            connection.execute(f"PRAGMA {pragma}")
