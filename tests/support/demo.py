"""A demo as a person starts it, for tests: real children, real ports, a folder of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port as free_port

from broadcasts.clock import SystemClock

ROOT = Path(__file__).parents[2]
CTRL_C = "Ctrl-C stops all of it"


class Demo:
    """One `python -m deploy.demo` and everything it said."""

    def __init__(self, data: Path, port: int, *more: str, made_in: Path | None = None, **environment: str) -> None:
        """`made_in`: a checkout in which `make run` is typed instead; its data folder is then where that puts it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
        command = [sys.executable, "-m", "deploy.demo", "--data", str(data), "--port", str(port), *more]
        if made_in is not None:
            command = ["make", "run", f"PORT={port}", *more]
        self.data, self.port, self.lines = data, port, list[str]()
        self.process = subprocess.Popen(
            command,
            cwd=made_in or ROOT,
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=made_in is not None,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as told:
            for line in told:
                self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def said(self, words: str) -> bool:
        assert self.process.poll() is None or words in self.text, f"it ended:\n{self.text}"
        return words in self.text

    def wait(self, seconds: float = 120) -> int:
        code = self.process.wait(seconds)
        self._reader.join(60)
        return code

    def ctrl_c(self) -> int:
        """As a terminal does it: to `make` and to all that it runs. Only of one that was `made_in` a checkout."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def passwords(self) -> dict[str, str]:
        found = re.findall(r"\| (\w+) +((?:[a-z0-9]{4}-){3}[a-z0-9]{4}) ", self.text)
        return dict(found)


def children_of(data: Path) -> dict[int, str]:
    """Every process that has this data folder on its command line or in its environment, by number."""
    found = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal() and int(place.name) != os.getpid():
            try:
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ")
                about = line + (place / "environ").read_bytes()
                zombie = (place / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            except (OSError, ValueError):
                continue
            if os.fsencode(data) in about and not zombie:
                found[int(place.name)] = line.decode(errors="replace").strip()
    return found


@contextmanager
def demo(data: Path, port: int, *more: str) -> Iterator[Demo]:
    one = Demo(data, port, *more)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
        one.wait()


def until_ready(first: Demo, seconds: float = 240) -> None:
    pause, deadline = threading.Event(), SystemClock().monotonic() + seconds
    while not first.said(CTRL_C) and SystemClock().monotonic() < deadline:
        pause.wait(0.05)
    assert first.said(CTRL_C), first.text
