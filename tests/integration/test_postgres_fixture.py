"""The PostgreSQL that other tests stand on."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from support.postgres import empty_database, first_route, postgres_by


def test_each_test_gets_an_empty_database_that_is_gone_afterwards() -> None:
    with postgres_by(first_route()) as server:
        with empty_database(server) as one, empty_database(server) as two:
            assert one != two
            for url in (one, two):
                engine = create_engine(url)
                with engine.begin() as connection:
                    connection.execute(text("create table pole (name text)"))
                    assert connection.execute(text("select count(*) from pole")).scalar_one() == 0
                engine.dispose()
        gone = create_engine(one)
        with pytest.raises(OperationalError, match="does not exist"):
            gone.connect()
        gone.dispose()
