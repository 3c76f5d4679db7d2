"""`loa alert` when the pages do not open: real processes, a real broker, simulated units on real sockets."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select
from support.live import Running, running_fleet
from support.office import PASSWORD, give_password
from support.ports import free_port
from support.wait import until

from controller import settings as settings_module
from controller.bootstrap.service import opened
from controller.db.tables import RecoveryCode, User
from controller.settings import Settings
from device_sim.fleetfile import read_fleet

pytestmark = pytest.mark.e2e
Eventually = Callable[..., object]
LOA = [sys.executable, "-c", "import sys; from controller.cli import main; sys.exit(main())"]
ROOT = Path(__file__).parents[2]
CLUSTERS = 6
COMMUNE = "c-31615"
APP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RECOVERY = ("aaaabbbbccccdddd", "eeeeffffgggghhhh", "jjjjkkkkmmmmnnnn", "ppppqqqqrrrrssss")


@dataclass
class Place:
    folder: Path
    env: dict[str, str]

    @property
    def settings(self) -> Settings:
        return settings_module.from_environment(self.env)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*LOA, *words],
            env=self.env,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def loa(self, *words: str, typed: str = "", code: int = 0) -> tuple[str, str]:
        """What it says and what it talks; it ends with this code."""
        done = self.begin(*words)
        said, talk = done.communicate(typed, timeout=600)
        assert done.returncode == code, talk
        return said, talk


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
    env = kept | {
        "LOA_DATA": str(folder / "data"),
        "LOA_PORT": str(free_port()),
        "LOA_BROKER_PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
    }
    found = Place(folder, env)
    found.loa("migrate")
    found.loa("seed", "--clusters", str(CLUSTERS), "--all-day")
    found.loa("user", "add", "ubnd", "--full-name", "Ủy ban", "--role", "emergency", "--area", "p-94")
    with opened(found.settings) as ctx:
        give_password(ctx, "ubnd")
        with ctx.db.write() as session:
            user = session.scalars(select(User).where(User.name == "ubnd")).one()
            user.factor_secret, user.factor_at = ctx.keys.seal(APP), ctx.wall.now()
            for word in RECOVERY:
                session.add(RecoveryCode(code_sha256=hashlib.sha256(word.encode()).hexdigest(), user_id=user.id))
    return found


@contextmanager
def serving(place: Place) -> Iterator[None]:
    service = place.begin("serve")
    try:
        yield
    finally:
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=180)


@pytest.fixture(scope="module")
def fleet(place: Place) -> Iterator[Running]:
    """Six poles on real sockets, which have met a controller before and hold the recordings for emergencies."""
    with running_fleet(read_fleet(place.folder / "data" / "fleet.json"), place.folder) as found:
        with serving(place):
            until(lambda: all(pole["held"] for pole in found.poles().values()), "every pole holds the set", 300)
        yield found


def answers(code: str) -> str:
    return f"{PASSWORD}\n{code}\n"


SOUND = (
    "alert",
    "sound",
    "--as",
    "ubnd",
    "--kind",
    "storm",
    "--area",
    COMMUNE,
    "--minutes",
    "30",
    "--reason",
    "Bão số 5",
    "--confirm",
    "5",
)


@pytest.mark.requirement("R-067", "R-069")
def test_with_the_controller_stopped_the_command_sounds_and_another_one_silences(
    place: Place, fleet: Running, eventually: Eventually
) -> None:
    first = place.begin(*SOUND, "--json")
    assert first.stdin is not None
    first.stdin.write(answers(pyotp.TOTP(APP).now()))
    first.stdin.close()
    first.stdin = None
    try:
        eventually(
            lambda: sounding(fleet) == 5 or first.poll() is not None, within=240, why="five poles of the commune sound"
        )
        assert first.poll() is None, "the broker must not end while it sounds"
        silence = ("alert", "silence", "--as", "ubnd", "--all", "--json")
        said, _ = place.loa(*silence, typed=answers(RECOVERY[0]))
        eventually(lambda: sounding(fleet) == 0, within=180, why="one command, and all are silent")
        told, talk = first.communicate(timeout=300)
    finally:
        if first.poll() is None:
            first.kill()
            first.communicate()
    assert first.returncode == 0, talk
    assert "this command is the controller until it ends" in talk
    [one] = json.loads(told)
    assert (one["state"], one["kind"], one["by"], one["clusters"]) == ("silenced", "storm", "Ủy ban", 5)
    assert PASSWORD not in said + told + talk


def test_beside_a_controller_that_runs_the_command_leaves_the_publishing_to_it(
    place: Place, fleet: Running, eventually: Eventually
) -> None:
    with serving(place):
        online = lambda: all(pole["online"] for pole in fleet.poles().values())  # noqa: E731
        eventually(online, within=240, why="every pole has found the broker again")
        said, talk = place.loa(*SOUND, "--watch", "120", typed=answers(RECOVERY[1]))
        assert "published by the controller" in talk
        assert "sounding 5" in said
        table, _ = place.loa("alert", "status")
        assert "Bão số 5" in table
        place.loa("alert", "silence", "--as", "ubnd", "--all", typed=answers(RECOVERY[2]))
        eventually(lambda: sounding(fleet) == 0, within=180, why="silent")
        table, _ = place.loa("alert", "status")
        assert table == "nothing sounds\n"
        drill = ("alert", "drill", "--as", "ubnd", "--kind", "storm", "--area", COMMUNE, "--reason", "Kế hoạch 12")
        said, talk = place.loa(*drill, "--watch", "120", typed=answers(RECOVERY[3]))
        assert "no horn sounds" in talk
        assert "5 of 5 did it" in said
        assert sounding(fleet) == 0
        table, _ = place.loa("alert", "status")
        assert table.startswith("DRILL")


def test_a_wrong_password_or_code_sounds_nothing(place: Place) -> None:
    _, talk = place.loa(*SOUND, typed="sai\n", code=1)
    assert "loa: " in talk
    _, talk = place.loa(*SOUND, typed=answers("000000"), code=1)
    assert "code" in talk
    assert "Bão số 5" not in place.loa("alert", "status")[0]


def sounding(fleet: Running) -> int:
    return sum(bool(pole["playing"]) for pole in fleet.poles().values())
