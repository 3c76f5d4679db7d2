"""One house for a module: opening one costs some seconds of key making."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.audio import tone
from support.office import House, open_house
from support.services import ENGINES, Workshop

from controller.db.tables import Asset

TWICE = ("test_account", "test_api", "test_bad_input", "test_commands", "test_people")
"""Modules that write by way of pages and API: on PostgreSQL too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "house" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in TWICE:
        metafunc.parametrize("house", ENGINES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest, workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with workshop.empty(getattr(request, "param", "sqlite"), folder) as url:
        found = open_house(folder, sandbox=True, metrics_token="mot-ma-dai-du-de-thu", database=url)
        yield found
        found.ctx.db.close()


@pytest.fixture(scope="module")
def asset(house: House) -> Asset:
    path = house.folder / "bản tin.wav"
    path.write_bytes(tone(10.0))
    return house.add_asset(path)
