"""What the database itself refuses: a line of the audit log is written once (R-104). One way leads out of it: lines
older than `FLOOR_DAYS` by the database's own clock go once a checkpoint covers them, and a checkpoint is taken only
for a line that is there and where the log itself says, in a later line, that it was archived
(`services/audit_archive.py`).

Whoever owns the database can take the triggers away, so the hashes tell of it besides.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Table, event

TABLE, CHECKPOINTS = "audit", "audit_checkpoints"
FLOOR_DAYS = 92
"""Three months, the longest that R-105 tells of a system like ours; whoever is in charge keeps more
(LOA_AUDIT_KEEP_DAYS)."""
ARCHIVED = "audit.archive"
"""The act of the line that says so."""

APPEND_ONLY = "the audit log is append-only"
"""What the database says when it refuses."""

_SAID = f"'{APPEND_ONLY}'"
_BOUND = "EXISTS (SELECT 1 FROM audit WHERE id = NEW.line_id AND id > NEW.through_id AND act = 'audit.archive')"
_COVERED = "EXISTS (SELECT 1 FROM audit_checkpoints WHERE through_id >= OLD.id)"
_THERE = "EXISTS (SELECT 1 FROM audit WHERE id = NEW.through_id AND hash = NEW.hash AND at < {old})"
_BEHIND = "EXISTS (SELECT 1 FROM audit_checkpoints WHERE through_id >= NEW.through_id)"
_TAKEN = "EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"


def _sqlite(name: str, moment: str, table: str, when: str = "") -> str:
    condition = f"WHEN {when} " if when else ""
    return f"CREATE TRIGGER {name} BEFORE {moment} ON {table} {condition}BEGIN SELECT RAISE(ABORT, {_SAID}); END"


_OLD_SQLITE = f"datetime('now', '-{FLOOR_DAYS} days')"
_OLD_POSTGRES = f"now() - interval '{FLOOR_DAYS} days'"


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {TABLE}_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"


def _looks_at(name: str) -> str:
    """The function finds our tables, also for who has a temporary one of that name, which comes first otherwise."""
    told = f"'ALTER FUNCTION {TABLE}_{name}() SET search_path = ' || quote_ident(current_schema()) || ', pg_temp'"
    return f"DO $$ BEGIN EXECUTE {told}; END $$"


def _postgres(name: str, moment: str, table: str, function: str, each: str = "ROW") -> str:
    return f"CREATE TRIGGER {name} BEFORE {moment} ON {table} FOR EACH {each} EXECUTE FUNCTION {TABLE}_{function}()"


_UP = {
    "sqlite": (
        _sqlite(f"{TABLE}_no_update", "UPDATE", TABLE),
        _sqlite(f"{TABLE}_no_delete", "DELETE", TABLE, f"NOT (OLD.at < {_OLD_SQLITE} AND {_COVERED})"),
        # "Insert or replace" takes a line away without asking the trigger for deletions.
        _sqlite(f"{TABLE}_no_replace", "INSERT", TABLE, _TAKEN),
        _sqlite(f"{CHECKPOINTS}_no_update", "UPDATE", CHECKPOINTS),
        _sqlite(f"{CHECKPOINTS}_no_delete", "DELETE", CHECKPOINTS),
        _sqlite(f"{CHECKPOINTS}_bound", "INSERT", CHECKPOINTS, f"NOT ({_THERE.format(old=_OLD_SQLITE)} AND {_BOUND})"),
        _sqlite(f"{CHECKPOINTS}_no_replace", "INSERT", CHECKPOINTS, _BEHIND),
    ),
    "postgresql": (
        _function("append_only", f"RAISE EXCEPTION USING MESSAGE = {_SAID};"),
        _function(
            "archived_only",
            f"IF OLD.at < {_OLD_POSTGRES} AND {_COVERED} THEN RETURN OLD; END IF; "
            f"RAISE EXCEPTION USING MESSAGE = {_SAID};",
        ),
        _function(
            "bound_only",
            f"IF {_THERE.format(old=_OLD_POSTGRES)} AND {_BOUND} AND NOT {_BEHIND} THEN RETURN NEW; END IF; "
            f"RAISE EXCEPTION USING MESSAGE = {_SAID};",
        ),
        _looks_at("archived_only"),
        _looks_at("bound_only"),
        _postgres(f"{TABLE}_no_update", "UPDATE", TABLE, "append_only"),
        _postgres(f"{TABLE}_no_delete", "DELETE", TABLE, "archived_only"),
        _postgres(f"{TABLE}_no_truncate", "TRUNCATE", TABLE, "append_only", "STATEMENT"),
        _postgres(f"{CHECKPOINTS}_no_change", "UPDATE OR DELETE", CHECKPOINTS, "append_only"),
        _postgres(f"{CHECKPOINTS}_no_truncate", "TRUNCATE", CHECKPOINTS, "append_only", "STATEMENT"),
        _postgres(f"{CHECKPOINTS}_bound", "INSERT", CHECKPOINTS, "bound_only"),
    ),
}
_DOWN = {
    "sqlite": (
        *(f"DROP TRIGGER IF EXISTS {TABLE}_no_{act}" for act in ("update", "delete", "replace")),
        *(f"DROP TRIGGER IF EXISTS {CHECKPOINTS}_{act}" for act in ("no_update", "no_delete", "no_replace", "bound")),
    ),
    "postgresql": tuple(
        f"DROP FUNCTION IF EXISTS {TABLE}_{name}() CASCADE" for name in ("append_only", "archived_only", "bound_only")
    ),
}


def raise_guard(dialect: str, execute: Callable[[str], object]) -> None:
    """For the migration that makes the tables, after them."""
    for statement in _UP[dialect]:
        execute(statement)


def lower_guard(dialect: str, execute: Callable[[str], object]) -> None:
    """For its way back, before the tables go."""
    for statement in _DOWN[dialect]:
        execute(statement)


def guard(log: Table, checkpoints: Table) -> None:
    """For a database that is made from the tables at once, as tests do."""
    checkpoints.add_is_dependent_on(log)

    @event.listens_for(checkpoints, "after_create")
    def after_create(_: Table, connection: Connection, **__: object) -> None:
        raise_guard(connection.dialect.name, connection.exec_driver_sql)
