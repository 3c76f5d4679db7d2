"""What lies in the repository: locks that any registry serves, no trace of one machine, nothing secret or built."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".sh",
    ".mjs",
    ".js",
    ".css",
    ".html",
    ".json",
    ".yml",
    ".yaml",
    ".conf",
    ".lock",
    "",
}


def tracked() -> list[Path]:
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in told.stdout.split("\0") if name]
    assert paths, "no file is tracked: this test needs a git checkout"
    return [path for path in paths if path.is_file()]


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {match.group(0)}"
        for path in tracked()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
    ]


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/node.lock"])
def test_a_python_lock_pins_hashes_and_names_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9._-]+==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9._-]+==", text, re.MULTILINE)) > 0
    assert not re.search(r"https?:|file:|--index-url|--find-links| @ ", text)


def test_the_npm_lock_pins_hashes_and_names_no_registry() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    asked = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    del packages[""]
    assert {f"node_modules/{name}" for name in asked["dependencies"]} <= packages.keys()
    assert [name for name, told in packages.items() if "resolved" in told or "integrity" not in told] == []


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*told["project"]["dependencies"], *told["dependency-groups"]["dev"], *told["build-system"]["requires"]]
    names = {re.split(r"[\[<>=!~; ]", entry)[0].lower().replace("_", "-") for entry in asked}
    locked = set(
        re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert names <= locked, f"run make lock: {sorted(names - locked)} not in requirements.lock"


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert found(re.compile(r"(?<![\w.])/(?:work|home|root|Users)/[\w.]+")) == []


def test_every_address_is_one_that_anybody_may_open() -> None:
    """An address in a file is an example, a standard or this machine; hosts of one workplace have no place here."""
    allowed = re.compile(
        r"//(?:…|[\w-]+(?:[:/,]|$)|127\.|0\.0\.0\.0|localhost|\[|\{|\$|<|%s|[\w.-]+\.(?:example|test|invalid)\b|example\.(?:com|org|vn)"
        r"|www\.w3\.org|json-schema\.org|www\.rfc-editor\.org|datatracker\.ietf\.org|www\.apache\.org|keepachangelog\.com"
        r"|semver\.org|www\.asyncapi\.com|docs\.oasis-open\.org|github\.com|opencollective\.com)"
    )
    assert [
        hit for hit in found(re.compile(r"\b(?:https?|wss?|mqtts?):(//[^\s\"'`)>]+)")) if not allowed.search(hit)
    ] == []


def test_nobody_signs_for_a_program() -> None:
    assert found(re.compile(r"(?i)co-authored[-]by|generated [w]ith|as a language [m]odel")) == []


def test_no_browser_test_waits_by_a_text_that_our_pages_refuse_to_run() -> None:
    """Playwright's own waiting runs its text within the page, where the policy forbids that, whenever the first look
    was too early: it passes on a quick machine. `expect(…)` asks from outside."""
    assert found(re.compile(r"\.wait_for_[f]unction\(")) == []


def test_no_secret_and_nothing_built_is_tracked() -> None:
    odd = re.compile(
        r"\.(?:pem|key|p12|sqlite3?|db|woff2?|mp3|m4a|ogg|opus|flac|wav|whl|pyc)$|^(?:data|dist|node_modules)/|/dist/"
    )
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    assert [name for name in names if odd.search(name)] == []
    assert found(re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE[ ]KEY-----")) == []


def test_the_top_level_holds_what_the_design_says_and_no_more() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}
    assert folders == {".ci", "broadcasts", "controller", "deploy", "device_sim", "monitoring", "tests"}


def test_every_script_stops_at_its_first_failure() -> None:
    scripts = [path for path in tracked() if path.suffix == ".sh" or path == ROOT / ".ci" / "run"]
    assert [path.name for path in scripts if "set -euo pipefail" not in path.read_text(encoding="utf-8")] == []
    assert len(scripts) >= 3
