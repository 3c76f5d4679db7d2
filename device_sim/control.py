"""The door for whoever plays fate: a Unix-domain socket, one JSON request a line, one JSON answer a line.

Threads only carry lines; requests wait until the fleet's own loop answers them, so nothing else touches a unit.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from broadcasts.errors import Refused
from device_sim.words import sentence

LONGEST_LINE = 65_536
ANSWER_S = 30.0

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]


class Control:
    """`answer_waiting` is called by the loop; `wake` is called, from another thread, when there is something to do."""

    def __init__(self, path: Path, wake: Callable[[], None]) -> None:
        """Raises Refused: `sim_control`, when somebody listens there already or the path cannot be used."""
        self._requests: queue.SimpleQueue[tuple[Any, Future[dict[str, Any]]]] = queue.SimpleQueue()
        self._wake = wake
        self._path = path
        self._server = _listen(path, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="control", daemon=True)
        self._thread.start()

    def answer_waiting(self, answer: Answer) -> None:
        """`answer` may raise Refused: told in words. Anything else is a fault of ours, told as such."""
        while not self._requests.empty():
            request, waiting = self._requests.get()
            waiting.set_result(_answer(request, answer))

    def ask(self, request: Any) -> dict[str, Any]:
        """From a connection's thread: what the loop says."""
        waiting: Future[dict[str, Any]] = Future()
        self._requests.put((request, waiting))
        self._wake()
        try:
            return waiting.result(ANSWER_S)
        except TimeoutError:
            return {"ok": False, "error": "sim_busy", "words": "the fleet does not answer"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._path.unlink(missing_ok=True)


def _answer(request: Any, answer: Answer) -> dict[str, Any]:
    try:
        if not isinstance(request, dict):
            raise Refused("sim_request", why="a JSON object is asked for")
        return {"ok": True, **answer(request)}
    except Refused as refusal:
        return {"ok": False, "error": refusal.key, "words": sentence(refusal)}


class _Lines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        with contextlib.suppress(OSError):  # who asked has gone
            while line := self.rfile.readline(LONGEST_LINE):
                try:
                    told = self.server.control.ask(json.loads(line))
                except (ValueError, RecursionError):
                    told = _answer(None, lambda _: {})
                self.wfile.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    control: Control


def _listen(path: Path, control: Control) -> _Server:
    if _somebody_answers(path):
        raise Refused("sim_control", path=path, why="another simulator listens there")
    server = _Server(str(path), _Lines, bind_and_activate=False)
    server.control = control
    try:
        path.unlink(missing_ok=True)
        server.server_bind()
        path.chmod(0o600)  # before anybody can connect: nobody is listening yet
        server.server_activate()
    except OSError as failure:
        server.server_close()
        raise Refused("sim_control", path=path, why=failure.strerror or failure) from None
    return server


def _somebody_answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def ask(path: Path, request: Mapping[str, Any], timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """One question to a running fleet. Raises OSError when nobody is there, ValueError on nonsense."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(timeout_s)
        line.connect(str(path))
        line.sendall(json.dumps(request).encode() + b"\n")
        with line.makefile("rb") as reader:
            told = json.loads(reader.readline())
    if not isinstance(told, dict):
        raise ValueError("not an answer")
    return told
