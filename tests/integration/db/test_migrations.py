"""The database's shape, up and down, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from support.services import ENGINES, Workshop

from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Base


@pytest.fixture(params=ENGINES)
def db(request: pytest.FixtureRequest, workshop: Workshop, tmp_path: Path) -> Iterator[Database]:
    with workshop.empty(request.param, tmp_path) as url:
        found = Database(url)
        yield found
        found.close()


def tables(db: Database) -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def revisions() -> list[str]:
    """From the first to the head."""
    script = ScriptDirectory(str(migrate.FOLDER))
    return [step.revision for step in reversed(list(script.walk_revisions()))]


def test_every_step_goes_up_and_down_and_up_again(db: Database) -> None:
    assert migrate.current(db) is None
    steps = revisions()
    for step in steps:
        migrate.upgrade(db, step)
        assert migrate.current(db) == step
    for before in [*reversed(steps[:-1]), "base"]:
        migrate.downgrade(db, before)
    assert (migrate.current(db), tables(db)) == (None, set())
    migrate.upgrade(db)
    assert migrate.current(db) == migrate.head() == steps[-1]


def test_the_head_is_what_the_code_believes(db: Database) -> None:
    migrate.upgrade(db)
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert tables(db) == set(Base.metadata.tables)


def test_an_upgrade_of_what_is_up_already_changes_nothing(db: Database) -> None:
    migrate.upgrade(db)
    migrate.upgrade(db)
    assert migrate.current(db) == migrate.head()
