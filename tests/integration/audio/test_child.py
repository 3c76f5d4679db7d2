"""The child process that touches strangers' bytes: what it can see and do, and how its ends are told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.audio import recording, tone

from broadcasts.audio import child, landlock
from broadcasts.audio.chain import ORDINARY, Limits
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Fault, Refused


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as server:
        patch.setenv("LOA_SECRET", "must not go along")
        secret = tmp_path_factory.mktemp("parent") / "key"
        secret.write_bytes(b"seed")
        job = {"port": server.getsockname()[1], "secret": str(secret)}
        limits = Limits(memory_bytes=1 << 30, cpu_seconds=60, open_files=32)
        return child.run("tests.support.audio_probe", job, tmp_path_factory.mktemp("probe"), limits)


def test_it_knows_nothing_of_the_parents_settings(seen: dict[str, Any]) -> None:
    assert "LOA_SECRET" not in seen["environment"]
    assert {"PATH", "PYTHONPATH"} <= set(seen["environment"])


def test_its_memory_time_files_and_handles_are_bounded(seen: dict[str, Any]) -> None:
    assert seen["limits"] == {
        "RLIMIT_AS": 1 << 30,
        "RLIMIT_CPU": 60,
        "RLIMIT_FSIZE": Limits().work_bytes,
        "RLIMIT_NOFILE": 32,
        "RLIMIT_CORE": 0,
    }
    assert seen["no_new_privs"]
    assert seen["user"] == os.getuid()


def test_it_reaches_no_network_wherever_the_system_allows_to_leave_it(seen: dict[str, Any]) -> None:
    left = seen["network"] != os.readlink("/proc/self/ns/net")

    assert left == allowed_to_leave()
    assert seen["reached"] != (left or landlock.version() >= 4)


def test_it_touches_no_file_but_its_own_wherever_the_kernel_can_see_to_it(seen: dict[str, Any]) -> None:
    forbidden = ["read a secret", "change a secret", "look around", "write beside it", "start a program"]

    assert seen["refused"] == (forbidden if landlock.version() else [])


def allowed_to_leave() -> bool:
    ask = "import ctypes; c = ctypes.CDLL(None); raise SystemExit(c.unshare(1 << 30) and c.unshare(5 << 28))"
    return subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize(
    ("limits", "seconds", "keys"),
    [
        (Limits(cpu_seconds=1), 200, {"audio.too_costly"}),
        # A decoder that does not look whether it got its memory crashes, about once in a hundred times; only the child.
        (Limits(memory_bytes=64 << 20), 2, {"audio.too_costly", "audio.broken"}),
        (Limits(wall_seconds=0.1), 2, {"audio.took_too_long"}),
    ],
    ids=["processor", "memory", "clock"],
)
def test_work_that_costs_too_much_is_stopped_and_refused(
    limits: Limits, seconds: int, keys: set[str], store: Store, tmp_path: Path
) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(tone(seconds))

    with pytest.raises(Refused) as refused:
        prepare(upload, store, limits=limits)

    assert refused.value.key in keys
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("full", ["raw.pcm", "finished"], ids=["while decoding", "while encoding"])
def test_a_disk_that_fills_up_under_it_is_told_as_that(full: str, tmp_path: Path) -> None:
    (tmp_path / full).symlink_to("/dev/full")
    job = {
        "source": str(recording(tmp_path / "upload", seconds=2)),
        "out": str(tmp_path / "finished"),
        "demuxer": "wav",
        "chain": ORDINARY.to_json(),
        "chime": False,
    }

    with pytest.raises(Fault) as fault:
        child.run("broadcasts.audio.worker", job, tmp_path, Limits())
    assert fault.value.key == "storage.full"


@pytest.mark.parametrize(
    ("deed", "error", "key"),
    [
        (f"import os; os.kill(os.getpid(), {signal.SIGSEGV})", Refused, "audio.broken"),
        (f"import os; os.kill(os.getpid(), {signal.SIGKILL})", Refused, "audio.too_costly"),
        ("print('[]')", Fault, "audio.worker"),
        ("print('{\"refused\": 1')", Fault, "audio.worker"),
        ("raise RuntimeError('the reason stands here')", Fault, "audio.worker"),
    ],
    ids=["crashed", "killed", "answered nonsense", "answered half", "failed"],
)
def test_however_it_ends_the_parent_has_a_reason(
    deed: str, error: type[Exception], key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\n{deed}\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))

    with pytest.raises(error) as told:
        child.run("broadcasts.audio.worker", {}, tmp_path, replace(Limits(), wall_seconds=30))
    assert getattr(told.value, "key", None) == key
