"""What holds for every test: a skip fails where nobody looks, a requirement is a known row, waiting has an end."""

from __future__ import annotations

import fnmatch
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import hypothesis
import pytest
from requirements_table import load_rows

from broadcasts.clock import SystemClock

T = TypeVar("T")

HERE = Path(__file__).parent
ALLOWED_SKIPS = HERE / "allowed_skips.txt"
STRICT = "CI" in os.environ or os.environ.get("LOA_STRICT") == "1"

# No deadline per example: a busy machine is not a broken rule. The blob line repeats a failure anywhere.
# How fast data is drawn says how busy the machine is, and nothing about the rule under test.
UNHURRIED = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile(
    "loa", deadline=None, print_blob=True, derandomize=STRICT, suppress_health_check=UNHURRIED
)
hypothesis.settings.load_profile("loa")


class Eventually(Protocol):
    def __call__(self, condition: Callable[[], T], within: float = 60.0, why: str = "") -> T: ...


@pytest.fixture
def eventually() -> Eventually:
    """`eventually(lambda: thing(), within=60.0, why="...")`: the first truthy answer, or a failure after the deadline.

    For what happens in another thread or process. An AssertionError inside the condition counts as "not yet" and is
    shown when the time is over.
    """
    clock = SystemClock()

    def wait(condition: Callable[[], T], within: float = 60.0, why: str = "") -> T:
        pause = threading.Event()
        deadline = clock.monotonic() + within
        while True:
            last: AssertionError | None = None
            try:
                if answer := condition():
                    return answer
            except AssertionError as not_yet:
                last = not_yet
            if clock.monotonic() >= deadline:
                raise AssertionError(f"not within {within:g} s: {why or 'the condition'}") from last
            pause.wait(0.02)

    return wait


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = load_rows()
    for item in items:
        for mark in item.iter_markers("requirement"):
            unknown = [row for row in mark.args if row not in known]
            if unknown or not mark.args:
                raise pytest.UsageError(f"{item.nodeid}: requirement {unknown or 'without a row'} is not in circular39")


def _refused(report: pytest.TestReport | pytest.CollectReport) -> bool:
    """A skip that is on nobody's list, in a run that must not skip. An expected failure is no skip."""
    if not (STRICT and report.skipped) or hasattr(report, "wasxfail"):
        return False
    lines = ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()
    patterns = [line.split("#")[0].strip() for line in lines]
    return not any(pattern and fnmatch.fnmatchcase(report.nodeid, pattern) for pattern in patterns)


def _fail(report: Any) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{reason}\nA skip fails this run (CI or LOA_STRICT=1) unless tests/allowed_skips.txt names it."


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if _refused(report):
        _fail(report)


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if _refused(report):
        _fail(report)
