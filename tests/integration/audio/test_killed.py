"""Killed without a word in the middle of the work, on either side: nothing goes on running, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.audio import recording, speechlike, tone
from support.wait import until

from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Refused

ROOT = Path(__file__).parents[3]
PREPARE = """
import sys
from pathlib import Path
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
prepare(Path(sys.argv[1]), Store(Path(sys.argv[2])))
"""


@pytest.fixture
def long_one(tmp_path: Path) -> Path:
    """Some minutes: there is time to be killed in."""
    return recording(tmp_path / "upload", "flac", sound=np.tile(speechlike(10.0), 30))


def workers(folder: Path) -> list[int]:
    """The processes that work inside `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            at = os.readlink(process / "cwd")
        except OSError:
            continue
        if at.startswith(str(folder)):
            found.append(int(process.name))
    return found


def files(store: Store) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_a_child_that_is_killed_is_told_and_leaves_nothing(long_one: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def kill(_: str) -> None:
        for process in workers(store.root):
            os.kill(process, signal.SIGKILL)

    with pytest.raises(Refused) as refused:
        prepare(long_one, store, progress=kill)

    assert refused.value.key == "audio.too_costly"
    assert files(store) == []
    assert list((store.root / "work").iterdir()) == []
    good = tmp_path / "good"
    good.write_bytes(tone(2.0))
    assert prepare(good, store).duration_ms == 2_000


def test_a_service_that_is_killed_takes_its_child_along_and_the_next_start_clears_up(
    long_one: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    service = subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(long_one), str(store.root)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: any((store.root / "work").glob("job-*/stage.txt")), "the child works", 60)
    finally:
        service.kill()
        service.wait()

    until(lambda: not workers(store.root), "the child is gone", 60)
    store.clear_work()
    assert files(store) == []
    assert list((store.root / "work").iterdir()) == []


def test_a_goodbye_to_all_of_the_service_ends_no_child_in_the_middle(long_one: Path, tmp_path: Path) -> None:
    """As systemd says it to every process of a unit: the service itself decides what becomes of its recordings."""
    store = Store(tmp_path / "store")
    asked: list[str] = []

    def bid_farewell(stage: str) -> None:
        asked.append(stage)
        for process in workers(store.root):
            os.kill(process, signal.SIGTERM)

    done = prepare(long_one, store, progress=bid_farewell)

    assert asked
    assert 280_000 < done.duration_ms <= 300_000
