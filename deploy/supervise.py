"""Child processes that are started, watched, started again when they die, and ended in order. None outlives us."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broadcasts.clock import Clock

MOST_RESTARTS = 5
WITHIN_S = 60.0
KEPT_LOGS = 3
_LAST_LINES = 12

# Linux asks a child to end when we are killed and cannot do it ourselves; elsewhere only an orderly end takes them
# along. A tiny program in between, because a pre-exec hook would run in a fork of a process with threads.
# 1 is PR_SET_PDEATHSIG, 15 is SIGTERM.
_END_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildEnded(Exception):
    """A child ended that should not have, and starting it again is no use. The text is for the terminal."""


@dataclass
class Child:
    """`title` as it stands in sentences: "the controller"; `grace_s`: seconds to end after SIGTERM."""

    name: str
    title: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    grace_s: float = 10.0
    settled: bool = False
    """It has worked once: from now on a death is answered with a restart."""
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=deque)


class Supervisor:
    """Used by one thread; `ask_to_stop` also by signal handlers and other threads."""

    def __init__(self, folder: Path, clock: Clock, say: Callable[[str], None]) -> None:
        """`folder`: where the children run."""
        self._folder, self._clock, self._say = folder, clock, say
        self._children: dict[str, Child] = {}
        self._ended: queue.SimpleQueue[tuple[Child, subprocess.Popen[bytes]] | None] = queue.SimpleQueue()
        self._asked_to_stop = 0

    @property
    def stopping(self) -> bool:
        return self._asked_to_stop > 0

    def ask_to_stop(self, *_: object) -> None:
        """Once: in order. Twice: at once."""
        self._asked_to_stop += 1
        self._ended.put(None)

    def stop_on_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.ask_to_stop)

    def start(self, child: Child) -> None:
        self._children[child.name] = child
        _rotate(child.log)
        self._launch(child)

    def wait(self, seconds: float) -> Child | None:
        """Until a child died and was started again (that child), or `seconds` are over, or we are asked to stop.

        Raises ChildEnded for one that never worked, or that dies again and again.
        """
        try:
            event = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        if event is None or self.stopping:
            return None
        child, process = event
        if child.process is not process:
            return None
        code = _in_words(process.returncode)
        if not child.settled:
            raise ChildEnded(f"{child.title} did not start ({code}). {_told(child.log)}")
        now = self._clock.monotonic()
        child.deaths.append(now)
        while now - child.deaths[0] > WITHIN_S:
            child.deaths.popleft()
        if len(child.deaths) > MOST_RESTARTS:
            raise ChildEnded(
                f"{child.title} ended {len(child.deaths)} times within a minute ({code}). {_told(child.log)}"
            )
        self._say(f"{child.title} ended ({code}); starting it again")
        self._launch(child)
        return child

    def until(self, condition: Callable[[], bool], seconds: float, every_s: float = 0.1) -> bool:
        """Whether `condition` came true in time and before we were asked to stop. Raises ChildEnded."""
        deadline = self._clock.monotonic() + seconds
        while not self.stopping:
            if condition():
                return True
            if self._clock.monotonic() > deadline:
                return False
            self.wait(every_s)
        return False

    def end_all(self) -> None:
        """The last started first; each has its grace, then it is killed. Returns when all are gone."""
        for child in reversed(self._children.values()):
            process = child.process
            child.process = None
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            if not self._gone(process, child.grace_s):
                self._say(f"{child.title} did not end in {child.grace_s:g} s and is killed")
                process.kill()
                process.wait()

    def _gone(self, process: subprocess.Popen[bytes], grace_s: float) -> bool:
        deadline = self._clock.monotonic() + grace_s
        while self._clock.monotonic() < deadline and self._asked_to_stop < 2:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            return True
        return process.poll() is not None

    def _launch(self, child: Child) -> None:
        log = os.open(child.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                ending_with_us(child.command),
                cwd=self._folder,
                env=dict(child.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end them in our own order
            )
        finally:
            os.close(log)
        child.process = process
        threading.Thread(target=self._watch, args=(child, process), name=child.name, daemon=True).start()

    def _watch(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._ended.put((child, process))


def ending_with_us(command: Sequence[str]) -> list[str]:
    """The same command, asked to end when this process is killed. `command[0]` is a path."""
    return [sys.executable, "-I", "-S", "-c", _END_WITH_PARENT, str(os.getpid()), *command]


def last_lines(log: Path, count: int = _LAST_LINES) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        return []


def _told(log: Path) -> str:
    lines = "".join(f"\n    {line}" for line in last_lines(log))
    return f"It said last (all of it in {log}):{lines}" if lines else f"It said nothing; its log would be {log}"


def _in_words(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _rotate(log: Path) -> None:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(KEPT_LOGS - 1, -1, -1):
        older = log.with_name(f"{log.name}.{number + 1}")
        newer = log.with_name(f"{log.name}.{number}") if number else log
        if newer.exists():
            newer.replace(older)
