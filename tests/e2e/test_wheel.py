"""The wheel, built, installed elsewhere and used from another folder: nothing it needs was left in the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from support.demo import children_of
from support.ports import free_port

from deploy import smoke

ROOT = Path(__file__).parents[2]
PACKAGES = ("broadcasts", "controller", "device_sim", "monitoring")

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of its own, and an empty folder to work in."""

    home: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LOA_", "PYTHON", "VIRTUAL_"))
        }
        return kept | {"LOA_DATA": str(self.folder / "data"), "PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "default"}

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.home / "bin" / program, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT)]
    told = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    (built,) = folder.glob("loa-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The dependencies are lent by this environment through a path file, which does not lend the editable `loa`."""
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    told = subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    own = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
    assert (own / "controller").is_dir()
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "lent.pth").write_text("".join(f"{path}\n" for path in sorted(lent)))
    return Installed(home, tmp_path_factory.mktemp("work"))


def tracked() -> set[str]:
    told = subprocess.run(["git", "ls-files", "-z", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in told.stdout.split("\0") if name and (ROOT / name).is_file()}


def test_the_wheel_holds_every_file_of_the_four_packages_and_the_built_assets(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert tracked() <= inside
    dist = "controller/web/static/dist"
    assert {f"{dist}/{name}" for name in ("app.css", "app.js", "bootstrap-icons.woff2", "licences.txt")} <= inside
    assert {name.split("/")[0] for name in inside} == set(PACKAGES)


@pytest.mark.parametrize(
    "kind",
    [
        "controller/web/templates/*.html",
        "controller/db/migrations/versions/*.py",
        "broadcasts/wire/schemas/*.json",
        "monitoring/prometheus/*.yml",
        "monitoring/prometheus/rules/*.yml",
    ],
)
def test_the_wheel_holds_data_of_each_kind(wheel: Path, kind: str) -> None:
    names = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    assert any(name.match(kind) for name in names)


def test_the_licence_and_its_notice_travel_with_the_wheel(wheel: Path) -> None:
    names = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if "/licenses/" in name}
    assert names == {"LICENSE", "NOTICE"}


def test_the_installed_packages_are_those_of_the_wheel_and_of_nobody_else(installed: Installed) -> None:
    told = installed.run(
        "python",
        "-c",
        "import broadcasts, controller, device_sim, monitoring\n"
        "from importlib.metadata import packages_distributions\n"
        "for package in (broadcasts, controller, device_sim, monitoring):\n"
        "    print(package.__file__, *packages_distributions()[package.__name__])",
    )
    assert told.returncode == 0, told.stderr
    places = [line.split() for line in told.stdout.splitlines()]
    assert [names for _, *names in places] == [["loa"]] * 4
    assert all(Path(place).is_relative_to(installed.home) for place, *_ in places)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [("loa", ["--help"]), ("loasim", ["--help"]), ("loasim", ["describe"]), ("loa", ["config"])],
)
def test_a_command_answers_from_another_folder(installed: Installed, program: str, arguments: list[str]) -> None:
    told = installed.run(program, *arguments)
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip()
    assert "Traceback" not in told.stderr


def test_the_database_is_made_and_checked_from_another_folder(installed: Installed) -> None:
    made = installed.run("loa", "migrate")
    assert made.returncode == 0, made.stderr
    again = installed.run("loa", "migrate")
    assert again.returncode == 0, again.stderr
    checked = installed.run("loa", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@contextmanager
def serving(installed: Installed) -> Iterator[str]:
    """`loa serve` of the wheel with its embedded broker, on ports that were free a moment ago."""
    port, broker_port = free_port(), free_port()
    assert installed.run("loa", "migrate").returncode == 0
    log = installed.folder / "serve.log"
    with log.open("wb") as talk:
        process = subprocess.Popen(
            [installed.home / "bin" / "loa", "serve"],
            cwd=installed.folder,
            env=installed.environment | {"LOA_PORT": str(port), "LOA_BROKER_PORT": str(broker_port)},
            stdout=talk,
            stderr=subprocess.STDOUT,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                pytest.fail(f"loa serve did not stop in 120 s: {log.read_text()[-2000:]}")


def test_the_log_in_page_and_its_assets_are_served_from_another_folder(
    installed: Installed, eventually: Callable[..., httpx.Response]
) -> None:
    with serving(installed) as address, httpx.Client(base_url=address, timeout=60) as browser:

        def page() -> httpx.Response | None:
            try:
                return browser.get("/login")
            except httpx.TransportError:
                return None

        answer = eventually(page, within=180, why="loa serve answers")
        assert answer.status_code == 200
        assert "<form" in answer.text
        assert 'type="password"' in answer.text
        for name in ("app.css", "app.js"):
            (where,) = set(re.findall(rf'"(/static/[^"]*{re.escape(name)})"', answer.text))
            assert browser.get(where).status_code == 200


def test_a_bulletin_is_played_and_proven_by_the_installed_programs(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `make smoke` does, with the wheel's `loa` and `loasim`; only the hand that drives them is the checkout's."""
    monkeypatch.setattr(smoke, "BIN", installed.home / "bin")
    monkeypatch.chdir(installed.folder)
    for name in os.environ.keys() - installed.environment.keys():
        monkeypatch.delenv(name)
    for name, value in installed.environment.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as undo:
        rows = smoke.Smoke(tmp_path, 2, "embedded", undo, lead_s=60).run()
        running = {Path(process).resolve() for process in _commands_of(tmp_path)}
        assert {installed.home / "bin" / "loa", installed.home / "bin" / "loasim"} <= running
    assert [row["verdict"] for row in rows] == ["heard", "heard"]


def _commands_of(data: Path) -> Iterator[str]:
    for line in children_of(data).values():
        yield from (word for word in line.split() if word.startswith("/"))
