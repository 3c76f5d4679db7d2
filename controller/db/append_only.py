"""What the database itself refuses: a line of the audit log is written once (R-104).

Whoever owns the database can take the triggers away, so the hashes tell of it besides.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Table, event

TABLE = "audit"

_UP = {
    "sqlite": (
        (
            f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE} "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
        (
            f"CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE} "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
        # "Insert or replace" takes a line away without asking the trigger for deletions.
        (
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        ),
    ),
    "postgresql": (
        (
            f"CREATE FUNCTION {TABLE}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        ),
        (
            f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
            f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_append_only()"
        ),
        (
            f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_append_only()"
        ),
    ),
}
_DOWN = {
    "sqlite": tuple(f"DROP TRIGGER IF EXISTS {TABLE}_no_{act}" for act in ("update", "delete", "replace")),
    "postgresql": (f"DROP FUNCTION IF EXISTS {TABLE}_append_only() CASCADE",),
}


def raise_guard(dialect: str, execute: Callable[[str], object]) -> None:
    """For the migration that makes the table, after it."""
    for statement in _UP[dialect]:
        execute(statement)


def lower_guard(dialect: str, execute: Callable[[str], object]) -> None:
    """For its way back, before the table goes."""
    for statement in _DOWN[dialect]:
        execute(statement)


def guard(table: Table) -> None:
    """For a database that is made from the tables at once, as tests do."""

    @event.listens_for(table, "after_create")
    def after_create(_: Table, connection: Connection, **__: object) -> None:
        raise_guard(connection.dialect.name, connection.exec_driver_sql)
