"""The database's shape, by numbered steps, both ways (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError

from broadcasts.errors import Fault, Refused
from controller.db.engine import Database

FOLDER = Path(__file__).parent / "migrations"


def _config(db: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["engine"] = db.engine
    return config


def upgrade(db: Database, revision: str = "head") -> None:
    command.upgrade(_config(db), revision)


def downgrade(db: Database, revision: str) -> None:
    command.downgrade(_config(db), revision)


def current(db: Database) -> str | None:
    """The revision the database is at, none when it is empty. Raises Fault("database.away") when nobody answers."""
    try:
        with db.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except OperationalError as failure:
        raise Fault("database.away", detail=str(failure.orig).strip().splitlines()[0]) from failure


def head() -> str:
    return ScriptDirectory(str(FOLDER)).get_current_head() or ""


def move(db: Database, to: str) -> None:
    """Up or down to `to`: a revision, `head` or `base`. Raises Refused("migrate.unknown"), Fault("migrate.newer") when
    a later version made the database what it is."""
    steps = ["base", *(step.revision for step in reversed(list(ScriptDirectory(str(FOLDER)).walk_revisions())))]
    to = steps[-1] if to == "head" else to
    if to not in steps:
        raise Refused("migrate.unknown", name=to, known=", ".join(steps))
    at = current(db) or "base"
    if at not in steps:
        raise Fault("migrate.newer", at=at, head=steps[-1])
    if steps.index(to) < steps.index(at):
        downgrade(db, to)
    elif to != at:
        upgrade(db, to)


def write_revision(db: Database, message: str, name: str) -> None:
    """For developers: a new numbered step from the difference between tables and database."""
    command.revision(_config(db), message, autogenerate=True, rev_id=name)
