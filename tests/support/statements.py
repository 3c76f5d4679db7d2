"""What SQLAlchemy made of our statements, kept from one test's database to the next.

Each test opens a database of its own, and an engine knows only what it has compiled itself: a fifth of the suite's
processor time went into compiling the same thousand statements for every test.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.util import LRUCache

from controller.db.engine import Database

_KEPT = 4_000
_compiled: dict[str, tuple[Dialect, LRUCache[Any, Any]]] = {}


def compiled_once(db: Database) -> Database:
    """`db`, with the statements that databases of its kind have compiled in this process."""
    engine = db.engine
    engine.dialect, cache = _compiled.setdefault(engine.dialect.name, (engine.dialect, LRUCache(_KEPT)))
    engine.update_execution_options(compiled_cache=cache)
    return db
