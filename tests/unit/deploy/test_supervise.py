"""Children that die are started again, those that cannot live are given up with their last words, none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broadcasts.clock import SystemClock
from deploy.supervise import MOST_RESTARTS, Child, ChildEnded, Supervisor

ROOT = Path(__file__).parents[3]
Eventually = Callable[..., object]
LIVES = (
    "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); print('here', flush=True); "
    "signal.sigwait([signal.SIGTERM]); print('gone', flush=True)"
)
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); signal.pause()"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, SystemClock(), said.append)
    yield made
    made.end_all()


def child(tmp_path: Path, code: str, name: str = "one", *, settled: bool = True, grace_s: float = 10.0) -> Child:
    log = tmp_path / "logs" / f"{name}.log"
    return Child(name, f"the {name}", [sys.executable, "-c", code], dict(os.environ), log, grace_s, settled)


def number(one: Child) -> int:
    assert one.process is not None
    return one.process.pid


def talked(one: Child, word: str, times: int = 1) -> bool:
    return one.log.exists() and one.log.read_text().count(word) >= times


def is_gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_child_that_is_killed_is_started_again_at_once_and_that_is_said(
    tmp_path: Path, supervisor: Supervisor, said: list[str], eventually: Eventually
) -> None:
    one = child(tmp_path, LIVES)
    supervisor.start(one)
    eventually(lambda: talked(one, "here"))
    first = number(one)
    os.kill(first, signal.SIGKILL)
    assert supervisor.wait(10) is one
    assert number(one) != first
    assert said == ["the one ended (killed by SIGKILL); starting it again"]
    eventually(lambda: talked(one, "here", 2))


def test_a_child_that_dies_again_and_again_is_given_up_with_its_last_words(
    tmp_path: Path, supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.start(child(tmp_path, "print('no such broker'); raise SystemExit(3)"))
    for _ in range(MOST_RESTARTS):
        assert supervisor.wait(10) is not None
    with pytest.raises(ChildEnded, match=r"within a minute \(exit code 3\)(.|\n)*no such broker"):
        supervisor.wait(10)
    assert len(said) == MOST_RESTARTS


def test_a_child_that_never_worked_is_not_started_again(
    tmp_path: Path, supervisor: Supervisor, said: list[str]
) -> None:
    supervisor.start(child(tmp_path, "raise SystemExit('the port is in use')", settled=False))
    with pytest.raises(ChildEnded, match=r"the one did not start(.|\n)*the port is in use"):
        supervisor.until(lambda: False, 10)
    assert said == []


def test_all_end_in_order_the_last_started_first(
    tmp_path: Path, supervisor: Supervisor, eventually: Eventually
) -> None:
    mark = tmp_path / "order"
    code = LIVES.replace("print('gone', flush=True)", "open({mark!r}, 'a').write({name!r} + ' ')")
    for name in ("serve", "sim"):
        one = child(tmp_path, code.format(mark=str(mark), name=name), name)
        supervisor.start(one)
        eventually(lambda one=one: talked(one, "here"))
    supervisor.end_all()
    assert mark.read_text() == "sim serve "


def test_a_child_that_will_not_end_is_killed_after_its_grace(
    tmp_path: Path, supervisor: Supervisor, said: list[str], eventually: Eventually
) -> None:
    one = child(tmp_path, STUBBORN, grace_s=0.3)
    supervisor.start(one)
    eventually(lambda: talked(one, "here"))
    process = number(one)
    supervisor.end_all()
    assert is_gone(process)
    assert said == ["the one did not end in 0.3 s and is killed"]


def test_asked_twice_to_stop_nobody_gets_a_grace(
    tmp_path: Path, supervisor: Supervisor, eventually: Eventually
) -> None:
    one = child(tmp_path, STUBBORN, grace_s=60)
    supervisor.start(one)
    eventually(lambda: talked(one, "here"))
    supervisor.ask_to_stop()
    supervisor.ask_to_stop()
    begun = SystemClock().monotonic()
    supervisor.end_all()
    assert SystemClock().monotonic() - begun < 20


def test_being_asked_to_stop_ends_a_wait(supervisor: Supervisor) -> None:
    threading.Timer(0.05, supervisor.ask_to_stop).start()
    assert supervisor.wait(30) is None
    assert supervisor.stopping
    assert supervisor.until(lambda: True, 30) is False


def test_nobody_is_started_again_while_we_stop(tmp_path: Path, supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(child(tmp_path, "pass"))
    supervisor.ask_to_stop()
    for _ in range(3):
        supervisor.wait(0.2)
    assert said == []


def test_the_logs_of_earlier_runs_are_kept_for_a_while_and_private(tmp_path: Path, said: list[str]) -> None:
    for _ in range(6):
        supervisor = Supervisor(tmp_path, SystemClock(), said.append)
        supervisor.start(child(tmp_path, LIVES))
        supervisor.end_all()
    logs = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in logs] == ["one.log", "one.log.1", "one.log.2", "one.log.3"]
    assert {path.stat().st_mode & 0o777 for path in logs} == {0o600}


def test_children_end_when_their_supervisor_is_killed(tmp_path: Path, eventually: Eventually) -> None:
    """No orphan, even where nothing of ours could run any more."""
    script = f"""
import os, sys
from pathlib import Path
from broadcasts.clock import SystemClock
from deploy.supervise import Child, Supervisor
supervisor = Supervisor(Path({str(tmp_path)!r}), SystemClock(), print)
one = Child("one", "the one", [sys.executable, "-c", {LIVES!r}], dict(os.environ), Path({str(tmp_path / "one.log")!r}))
supervisor.start(one)
supervisor.until(lambda: "here" in one.log.read_text(), 20)
print(one.process.pid, flush=True)
supervisor.wait(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    process = int(parent.stdout.readline())
    assert not is_gone(process)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: is_gone(process), why="the child ends with its parent")
    assert "gone" in (tmp_path / "one.log").read_text()
