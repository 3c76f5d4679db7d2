"""What goes into an image: everything the service needs, pinned by hash, and no tool of the tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from deploy.runtime_lock import runtime

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))


def asked(entries: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", entry)[0].lower() for entry in entries}


def test_every_dependency_of_the_service_is_there_with_those_of_its_own() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert asked(told["project"]["dependencies"]) <= names(runtime(LOCK))
    assert {"starlette", "h11", "psycopg-binary", "pydantic-core"} <= names(runtime(LOCK))


def test_no_tool_of_the_tests_is_there() -> None:
    assert not {"pytest", "playwright", "mypy", "ruff", "testcontainers", "pip"} & names(runtime(LOCK))


def test_every_entry_keeps_its_hashes_and_its_condition() -> None:
    found = runtime(LOCK)
    entries = re.split(r"\n(?=[a-z0-9])", found.strip())
    assert len(entries) > 30
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    assert all(entry in LOCK for entry in entries)


def test_a_lock_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="no package"):
        runtime("pytest==9.0 \\\n    --hash=sha256:00\n    # via other (pyproject.toml)\n")
