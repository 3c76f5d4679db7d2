"""`make run` as a person meets it: real children, real ports, a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from support.demo import CTRL_C, ROOT, Demo, children_of, demo, free_port, until_ready

from tests.bench.processor import spent

UNITS = 10
NAMES = ("phatthanh", "lanhdao", "kythuat", "tinh")
Eventually = Callable[..., object]

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Demo]]:
    """The first run on an empty folder, ready."""
    data = tmp_path_factory.mktemp("demo") / "data"
    with demo(data, free_port(), "--units", str(UNITS)) as first:
        until_ready(first)
        yield data, first


def page(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60, follow_redirects=True)


def beside(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
    command = [sys.executable, "-m", "deploy.demo", *arguments]
    return subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=180, check=False)


def test_the_first_run_prints_an_address_that_answers_and_four_passwords(stage: tuple[Path, Demo]) -> None:
    _, first = stage
    assert f"http://127.0.0.1:{first.port}/" in first.text
    assert tuple(first.passwords()) == NAMES
    assert len(set(first.passwords().values())) == len(NAMES)
    assert page(first.port, "/healthz").text == "ok\n"
    answer = page(first.port, "/")
    assert answer.status_code == 200
    assert 'type="password"' in answer.text
    assert f"{UNITS} simulated poles are connected" in first.text


def test_no_password_is_kept_in_clear_in_any_file(stage: tuple[Path, Demo]) -> None:
    data, first = stage
    words = [word.encode() for word in first.passwords().values()]
    assert words
    seen = {}
    for path in data.rglob("*"):
        with suppress(FileNotFoundError):  # the broker at work puts its files away
            if path.is_file():
                seen[path] = path.read_bytes()
    assert len(seen) > 10
    assert [path for path, inside in seen.items() if any(word in inside for word in words)] == []


def test_a_second_run_on_the_same_data_is_refused_in_a_sentence_and_harms_nothing(stage: tuple[Path, Demo]) -> None:
    data, first = stage
    told = beside("--data", str(data), "--port", str(free_port()))
    assert told.returncode == 1
    assert f"already at http://127.0.0.1:{first.port}" in told.stderr
    assert "Traceback" not in told.stderr
    assert page(first.port, "/healthz").status_code == 200


def test_a_port_in_use_is_refused_in_a_sentence_that_names_the_way_out(
    stage: tuple[Path, Demo], tmp_path: Path
) -> None:
    _, first = stage
    told = beside("--data", str(tmp_path / "data"), "--port", str(first.port))
    assert told.returncode == 1
    assert re.search(rf"^run: Port {first.port} is in use .*PORT=\d+$", told.stderr.strip())
    assert not (tmp_path / "data" / "loa.db").exists()
    assert page(first.port, "/healthz").status_code == 200


@pytest.mark.parametrize(("module", "title"), [("controller serve", "controller"), ("device_sim run", "simulator")])
def test_a_killed_child_comes_back_at_once(
    stage: tuple[Path, Demo], eventually: Eventually, module: str, title: str
) -> None:
    data, first = stage
    (number,) = [number for number, line in children_of(data).items() if f"-m {module}" in line]
    os.kill(number, signal.SIGKILL)
    eventually(lambda: first.said(f"the {title} ended (killed by SIGKILL); starting it again"), within=60)
    eventually(lambda: any(n != number and f"-m {module}" in line for n, line in children_of(data).items()), within=60)
    if title == "controller":
        eventually(lambda: first.said("the controller answers again"), within=180)
        assert page(first.port, "/healthz").status_code == 200


def test_stopped_it_leaves_no_process_and_the_next_run_is_there_soon_with_all_data(
    stage: tuple[Path, Demo], eventually: Eventually
) -> None:
    data, first = stage
    notes = json.loads((data / "demo.json").read_text())
    assert len(children_of(data)) >= 4, "demo, controller, broker, simulator"
    assert first.stop() == 0
    eventually(lambda: children_of(data) == {}, within=60, why="no orphan")
    assert first.lines[-2:] == ["run: stopping", "run: stopped; all data is kept"]
    with demo(data, first.port) as second:
        eventually(lambda: second.said(CTRL_C), within=180, why="the second run is ready")
        # Of the processor: how long others keep it from us says nothing about the demo.
        assert sum(spent({str(number): number for number in children_of(data)}, children=False).values()) < 20
        assert second.passwords() == {}
        assert f"LOA_DATA={data} .venv/bin/loa user reset NAME" in second.text
        assert f"{UNITS} simulated poles are connected" in second.text
        assert json.loads((data / "demo.json").read_text()) == notes
        assert second.stop(signal.SIGINT) == 0
    eventually(lambda: children_of(data) == {}, within=60, why="no orphan")


def test_killed_itself_it_leaves_no_process_either(tmp_path: Path, eventually: Eventually) -> None:
    data = tmp_path / "data"
    with demo(data, free_port(), "--units", "2") as one:
        eventually(lambda: one.said(CTRL_C), within=180)
        one.process.kill()
    eventually(lambda: children_of(data) == {}, within=60, why="no orphan")


def test_stopped_before_it_is_ready_it_ends_well_and_still_shows_the_passwords(
    tmp_path: Path, eventually: Eventually
) -> None:
    data = tmp_path / "data"
    with demo(data, free_port(), "--units", "2") as one:
        eventually(lambda: one.said("sample province made"), within=180)
        assert one.stop() == 0
        assert tuple(one.passwords()) == NAMES
    eventually(lambda: children_of(data) == {}, within=60, why="no orphan")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "0"], "0 is not a port"),
        (["--port", "eighty"], "eighty is not a port"),
        (["--units", "0"], "not a number of units"),
        (["--host", "192.0.2.77"], "HOST=192.0.2.77 is not an address of this machine"),
    ],
)
def test_a_mistake_on_the_command_line_is_a_sentence(tmp_path: Path, arguments: Sequence[str], sentence: str) -> None:
    told = beside("--data", str(tmp_path / "data"), *arguments)
    assert told.returncode in (1, 2)
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


def test_a_typing_mistake_in_the_environment_is_said_and_nothing_starts(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
    told = subprocess.run(
        [sys.executable, "-m", "deploy.demo", "--data", str(tmp_path / "data"), "--port", str(free_port())],
        cwd=ROOT,
        env=kept | {"LOA_BROKR": "x"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1
    assert "LOA_BROKR" in told.stderr
    assert "Traceback" not in told.stderr


def test_beyond_this_machine_it_speaks_https_only_and_says_how_to_trust_it(
    tmp_path: Path, eventually: Eventually
) -> None:
    data, port = tmp_path / "data", free_port()
    with ExitStack() as undo:
        one = undo.enter_context(demo(data, port, "--host", "0.0.0.0", "--units", "2"))
        eventually(lambda: one.said(CTRL_C), within=120)
        authority = data / "tls" / "authority.crt"
        trusting = ssl.create_default_context(cafile=str(authority))
        assert httpx.get(f"https://127.0.0.1:{port}/healthz", verify=trusting, timeout=60).text == "ok\n"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60)
        for words in (str(authority), "SHA-256", "Android", "iPhone", f"https://127.0.0.1:{port}/", "From elsewhere"):
            assert words in one.text
        assert f"http://127.0.0.1:{port}" not in one.text
        assert "2 simulated poles are connected" in one.text
        assert one.stop() == 0
