"""A house of its own for every test of a module, where the folder's house serves a whole module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.office import House, open_house


@pytest.fixture
def fresh_house(tmp_path: Path) -> Iterator[House]:
    """A module takes it with `house = fresh_house`."""
    found = open_house(tmp_path)
    yield found
    found.ctx.db.close()
