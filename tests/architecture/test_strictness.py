"""The rules of tests/conftest.py hold: a skip fails where nobody looks, a claim names a real row, waiting ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPS = """
import pytest

def test_passes():
    pass

def test_skips():
    pytest.skip("no such program here")

@pytest.mark.skipif(True, reason="not today")
def test_is_skipped():
    pass

@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    assert False
"""


def run_tests(folder: Path, source: str, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "LOA_STRICT", "PYTEST_ADDOPTS")}
    options = [
        "-q",
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(folder),
        "-p",
        "conftest",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *more, str(folder / "test_it.py")],
        cwd=folder,
        env=kept | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"LOA_STRICT": "1"}])
def test_a_skip_fails_the_run_where_nobody_looks(tmp_path: Path, environment: dict[str, str]) -> None:
    told = run_tests(tmp_path, SKIPS, **environment)
    assert told.returncode == 1
    # A skip by mark happens while the test is set up, where pytest calls a failure an error.
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in told.stdout
    assert "no such program here" in told.stdout


def test_a_skip_passes_at_a_desk(tmp_path: Path) -> None:
    told = run_tests(tmp_path, SKIPS)
    assert told.returncode == 0, told.stdout
    assert "1 passed, 2 skipped, 1 xfailed" in told.stdout


def test_a_module_that_skips_itself_fails_the_run_too(tmp_path: Path) -> None:
    told = run_tests(tmp_path, "import pytest\npytest.importorskip('no_such_module')\n", CI="true")
    assert told.returncode != 0
    assert "tests/allowed_skips.txt" in told.stdout


def test_side_by_side_nobody_skips_more_easily(tmp_path: Path) -> None:
    side_by_side = ("-n", "2", "--dist", "loadfile")
    told = run_tests(tmp_path, SKIPS, *side_by_side, CI="true")
    assert told.returncode == 1
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in told.stdout
    told = run_tests(tmp_path, "import pytest\npytest.importorskip('no_such_module')\n", *side_by_side, CI="true")
    assert told.returncode != 0
    assert "tests/allowed_skips.txt" in told.stdout


def test_a_claim_of_an_unknown_row_stops_the_run(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.requirement('R-999')\ndef test_it(): pass\n"
    told = run_tests(tmp_path, source)
    assert told.returncode == pytest.ExitCode.USAGE_ERROR
    assert "R-999" in told.stdout + told.stderr


def test_every_allowed_skip_says_why() -> None:
    lines = (ROOT / "tests" / "allowed_skips.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip() and "#" not in line] == []


def test_waiting_gives_the_answer_or_fails_at_the_deadline(eventually: Callable[..., object]) -> None:
    answers = iter(["", "", "here"])
    assert eventually(lambda: next(answers)) == "here"
    with pytest.raises(AssertionError, match=r"not within 0.05 s: the moon"):
        eventually(lambda: False, within=0.05, why="the moon")
