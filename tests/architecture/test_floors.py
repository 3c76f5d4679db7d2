"""The house keeps its walls: what imports what, how large a module is, where a topic may be spelt."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("broadcasts", "controller", "device_sim", "monitoring")
LONGEST = 400
LONG_FOR_A_REASON: dict[str, str] = {
    "tests/integration/services/test_compiling.py": "one subject, one set of small helpers for all its cases",
    "tests/integration/services/test_ingesting.py": "one subject, one set of small helpers for all its cases",
    "tests/integration/web/test_access.py": "one table of every route, and what is asked of all of them",
    "tests/integration/web/test_bad_input.py": "the list of what can be wrong, read as one list",
}
"""Path -> why it is better in one piece."""


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_every_import_contract_is_kept() -> None:
    told = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_each_floor_is_a_real_package_that_nobody_else_brings(package: str) -> None:
    floor = ROOT / package / "__init__.py"
    assert floor.is_file()
    assert ast.get_docstring(ast.parse(floor.read_text())) is not None or floor.read_text().strip() == ""
    assert set(packages_distributions().get(package, ["loa"])) == {"loa"}  # an editable install lists no files


def test_no_package_is_empty_code_at_its_door() -> None:
    """A door that imports its rooms makes every import a cycle waiting to happen, and every start slow."""
    busy = [
        str(path.relative_to(ROOT))
        for path in modules(*PACKAGES)
        if path.name == "__init__.py"
        and any(not isinstance(part, ast.Expr) for part in ast.parse(path.read_text(encoding="utf-8")).body)
    ]
    assert busy == []


def test_no_module_is_longer_than_it_needs_to_be() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines(path)
        for path in modules(*PACKAGES, "deploy", "tests")
        if "migrations" not in path.parts  # one flat list of tables, never reworked once released
    }
    long = {path: count for path, count in long.items() if count > LONGEST}
    assert long.keys() == LONG_FOR_A_REASON.keys(), f"split them, or give a reason here: {long}"


def test_the_usual_module_is_small() -> None:
    sizes = [lines(path) for path in modules(*PACKAGES) if path.name != "__init__.py"]
    assert statistics.median(sizes) <= 130


def test_no_import_is_relative() -> None:
    relative = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules(*PACKAGES, "deploy", "tests")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_topics_are_spelt_in_one_module() -> None:
    """A topic typed by hand is a contract of its own. Tests spell topics out on purpose: they check the one module."""
    home = ROOT / "broadcasts" / "wire" / "topics.py"
    topic = re.compile(r"(?:^|[^\w.])loa/(?:v\d|\{|\+|#)")
    spelt = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules(*PACKAGES, "deploy")
        if path != home
        for node in strings(ast.parse(path.read_text(encoding="utf-8")))
        if topic.search(str(node.value))
    ]
    assert spelt == []


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every string that the program uses; docstrings talk to people."""
    talk = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in talk:
            yield node


def test_each_library_with_one_door_is_imported_in_one_place() -> None:
    """paho, fastapi, apscheduler and pydub can each be replaced by opening one door. The simulated box has a decoder of
    its own, as a real one does."""
    doors = {
        "paho": ("controller/mqtt/", "controller/bootstrap", "device_sim/link", "device_sim/live"),
        "fastapi": ("controller/api/", "controller/web/", "controller/app", "controller/bootstrap"),
        "apscheduler": ("controller/ticker", "controller/bootstrap"),
        "pydub": ("broadcasts/audio/",),
        "av": ("broadcasts/audio/", "device_sim/ears"),
        "httpcore": ("broadcasts/outgoing",),
    }
    through_the_wall = [
        f"{place} imports {library}"
        for path in modules(*PACKAGES)
        for place in [path.relative_to(ROOT).as_posix()]
        for library in imported(ast.parse(path.read_text(encoding="utf-8"))) & doors.keys()
        if not place.startswith(doors[library])
    ]
    assert through_the_wall == []


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_wheel_takes_exactly_the_four_packages() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(told["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    assert "Private :: Do Not Upload" in told["project"]["classifiers"]
