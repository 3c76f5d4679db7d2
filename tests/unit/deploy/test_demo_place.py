"""Where a demo lives: one at a time, sentences instead of stack traces, ports and sockets that work."""

from __future__ import annotations

import fcntl
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from controller.db import migrate
from controller.db.engine import Database
from deploy.demo_place import LONGEST_SOCKET, CannotRun, Place, check_address

ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place.open(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def test_a_second_demo_is_told_where_the_first_one_is(place: Place) -> None:
    place.say(ADDRESS)
    with pytest.raises(CannotRun, match=rf"already at {re.escape(ADDRESS)} \(process \d+\)"):
        Place.open(place.data)


def test_the_next_demo_comes_in_when_the_first_has_gone(tmp_path: Path) -> None:
    Place.open(tmp_path).close()
    Place.open(tmp_path).close()


def test_a_lock_file_that_a_killed_demo_left_behind_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "demo.lock").write_text('{"process": 1, "address": "http://127.0.0.1:1"}')
    Place.open(tmp_path).close()


def test_a_controller_on_the_same_data_is_not_disturbed(tmp_path: Path) -> None:
    with (tmp_path / "loa.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CannotRun, match="process 4711"):
            Place.open(tmp_path)
    Place.open(tmp_path).close()


def test_a_folder_that_cannot_be_is_named_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="LOA_DATA names another"):
        Place.open(tmp_path / "file" / "data")


def test_the_brokers_port_stays_the_same_over_restarts(place: Place) -> None:
    assert place.broker_port() == place.broker_port()


def test_the_brokers_port_gives_way_to_who_took_it_meanwhile(place: Place) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", place.broker_port()))
        stranger.listen()
        other = place.broker_port()
        assert other != stranger.getsockname()[1]
    assert place.broker_port() == other


@pytest.mark.parametrize("content", ["", "{", "[]", '{"broker_port": "x"}', '{"broker_port": 99999999}'])
def test_a_torn_note_of_the_port_is_no_obstacle(place: Place, content: str) -> None:
    (place.data / "demo.json").write_text(content)
    assert place.broker_port() == place.broker_port()


def test_a_socket_lies_in_the_data_folder_where_its_path_is_short_enough(place: Place) -> None:
    assert place.socket() == place.data / "fleet.sock"


def test_deep_data_gets_a_socket_that_can_be_bound_and_a_folder_that_goes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    deep = Place.open(tmp_path / ("d" * LONGEST_SOCKET))
    path = deep.socket()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    deep.close()
    assert not path.parent.exists()


def test_deep_data_gets_its_socket_in_the_runtime_folder_where_there_is_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Path("/tmp") / tmp_path_factory.mktemp("run").name
    runtime.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = Place.open(tmp_path / ("d" * LONGEST_SOCKET))
    try:
        assert deep.socket().parent == runtime
    finally:
        deep.close()
        runtime.rmdir()


def test_a_port_in_use_names_the_way_out(taken: int) -> None:
    with pytest.raises(CannotRun, match=f"Port {taken} is in use .* make run PORT="):
        check_address("127.0.0.1", taken)


def test_an_address_of_another_machine_is_refused_in_a_sentence() -> None:
    with pytest.raises(CannotRun, match=r"HOST=192\.0\.2\.77 is not an address of this machine"):
        check_address("192.0.2.77", 8000)


def test_a_name_that_nobody_knows_is_refused_in_a_sentence() -> None:
    with pytest.raises(CannotRun, match="no name or address"):
        check_address("no such name", 8000)


def test_the_databases_shape_is_that_of_the_database_and_of_the_known_steps(place: Place) -> None:
    assert place.shape() is None
    database = Database(f"sqlite:///{place.data / 'loa.db'}")
    migrate.upgrade(database)
    shape = place.shape()
    assert shape is not None
    assert place.shape() == shape
    with database.engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '0000'"))
    database.close()
    assert place.shape() != shape


def test_a_database_that_cannot_be_read_has_no_shape(place: Place) -> None:
    (place.data / "loa.db").write_bytes(b"not a database, not at all" * 100)
    assert place.shape() is None
