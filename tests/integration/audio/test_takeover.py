"""A child that a crafted file has taken over: what of its parent, of files and of the machine it reaches."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from broadcasts.audio import child, confine, landlock
from broadcasts.audio.chain import Limits

NEEDED = {"thread", "signal itself"}


@pytest.mark.parametrize("module", ["takeover_probe", "takeover_bare_probe"])
def test_it_touches_no_other_process_makes_none_and_no_name_that_leads_elsewhere(module: str, tmp_path: Path) -> None:
    """The second is without Landlock, as before Linux 5.13."""
    folder, secret = tmp_path / "job", tmp_path / "key"
    folder.mkdir()
    secret.write_bytes(b"seed")
    secret.chmod(0o600)
    job = {"parent": os.getpid(), "secret": str(secret), "out": str(folder / "finished")}

    told = child.run(f"tests.support.{module}", job, folder, Limits())

    assert {name for name, error in told.items() if not error} == NEEDED
    assert len(told) > len(NEEDED)
    assert secret.read_bytes() == b"seed"
    assert (secret.stat().st_mode & 0o777, secret.stat().st_mtime > 0) == (0o600, True)
    assert not (folder / "finished").is_symlink()


def test_a_wall_that_the_system_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert confine.missing() == []

    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert confine.missing() == ["Landlock"]
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert confine.missing() == ["Landlock", "seccomp"]
