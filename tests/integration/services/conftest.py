"""What tests of live voices begin with: on SQLite and again on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.live_studio import Studio
from support.office import PROVINCE, House, open_house
from support.postgres import copied_database, empty_database
from support.services import ENGINES, Workshop

from controller.services.live_room import End
from controller.services.rights import Role


@pytest.fixture
def studio(tmp_path: Path, live_house: House, workshop: Workshop) -> Iterator[Studio]:
    with ExitStack() as undo:
        url, database = live_house.ctx.db.engine.url, ""
        if url.get_backend_name() == "postgresql":
            database = undo.enter_context(copied_database(workshop.server, url.database or ""))
        made = Studio(open_house(tmp_path / "own", like=live_house, database=database))
        yield made
        for name in made.room.on_air:
            made.room.end(name, End.RESTART)
        made.room.turn()
        made.ctx.db.close()


@pytest.fixture(scope="module", params=ENGINES)
def live_house(
    request: pytest.FixtureRequest, workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    with ExitStack() as undo:
        database = undo.enter_context(empty_database(workshop.server)) if request.param == "postgresql" else ""
        house = open_house(tmp_path_factory.mktemp("house"), database=database)
        house.add_user("khancap", Role.EMERGENCY, PROVINCE[0])
        house.add_user("nguoi-khac", Role.BROADCASTER, house.commune)
        house.add_user("noi-khac", Role.APPROVER, "c-31618")
        house.ctx.db.close()
        yield house
