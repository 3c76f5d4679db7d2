"""One house for a module: opening one costs some seconds of key making."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.audio import tone
from support.office import House, open_house

from controller.db.tables import Asset


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = open_house(tmp_path_factory.mktemp("house"), sandbox=True, metrics_token="mot-ma-dai-du-de-thu")
    yield found
    found.ctx.db.close()


@pytest.fixture(scope="module")
def asset(house: House) -> Asset:
    path = house.folder / "bản tin.wav"
    path.write_bytes(tone(10.0))
    return house.add_asset(path)
