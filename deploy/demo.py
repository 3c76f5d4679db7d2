"""`make run`: database, broker, controller and a fleet of simulated units, started, watched and ended as one.

    python -m deploy.demo [--host H] [--port N] [--data DIR] [--units N]

On loopback the pages are plain http; anywhere else HTTPS from a local authority (`local_ca.py`), never plain http.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broadcasts.clock import Clock, SystemClock
from controller.settings import Settings
from deploy import demo_talk, local_ca
from deploy.demo_place import CannotRun, Place, check_address
from deploy.supervise import Child, ChildEnded, Supervisor, ending_with_us
from device_sim.control import ask

ROOT = Path(__file__).resolve().parent.parent
READY_S = 60.0
POLES_S = 20.0
LOOK_S = 0.25
SIMULATOR, CONTROLLER = "loasim", "loa"


def say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal was closed: what is to be ended is ended all the same
        print(f"run: {text}", flush=True)


@dataclass(frozen=True)
class Address:
    """Where the pages are. `called` is how this machine itself calls the host."""

    host: str
    port: int
    tls: local_ca.Certificates | None

    @property
    def called(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def base(self) -> str:
        host = f"[{self.called}]" if ":" in self.called else self.called
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


@dataclass
class Demo:
    place: Place
    address: Address
    units: int
    supervisor: Supervisor
    clock: Clock
    passwords: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.socket = self.place.socket()
        self.broker_port = self.place.broker_port()
        self.environment = self._environment()
        tls = self.address.tls
        self._trust = ssl.create_default_context(cafile=str(tls.authority)) if tls else None

    def _environment(self) -> dict[str, str]:
        data, address = self.place.data, self.address
        tls = {"LOA_TLS_CERT": str(address.tls.chain), "LOA_TLS_KEY": str(address.tls.key)} if address.tls else {}
        return {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "LOA_DATA": str(data),
            "LOA_HOST": address.host,
            "LOA_PORT": str(address.port),
            "LOA_BROKER_PORT": str(self.broker_port),
            "LOA_FILES_URL": f"{address.base}/u",
            "LOA_SANDBOX": str(self.socket),
            "LOA_SANDBOX_CLOCK": str(data / "sandbox-clock.json"),
            "LOA_SECOND_FACTOR": os.environ.get("LOA_SECOND_FACTOR", "off"),
            **tls,
        }

    # --- one after the other

    def prepare(self) -> None:
        """Database and sample province; the passwords stay in this process. Raises CannotRun.

        What is as the last run left it is not asked again: each question loads the whole controller.
        """
        elsewhere = {"LOA_DATABASE", "LOA_DATABASE_FILE"} & self.environment.keys()
        shape = None if elsewhere else self.place.shape()
        if shape is None or shape != self.place.kept("shape"):
            say("bringing the database to its shape")
            self._loa("migrate")
            self.place.keep("shape", self.place.shape())
        fleet = self.place.data / "fleet.json"
        if self.supervisor.stopping or fleet.exists():
            return
        say(f"first start: making keys, accounts and {self.units} sample clusters")
        made = self._loa("seed", "--json", "--clusters", str(self.units), "--mp3-only", str(self.units // 20))
        if made.strip():
            self.passwords = dict(json.loads(made)["passwords"])
            say("sample province made")
        else:
            raise CannotRun(
                f"The units' keys ({fleet}) are missing: a first start was cut off, or the file was removed."
                f" Move {self.place.data} out of the way and start again."
            )

    def start(self) -> None:
        """Raises ChildEnded, CannotRun."""
        data, python = self.place.data, sys.executable
        logs = data / "logs"
        serve = Child(CONTROLLER, "the controller", [python, "-m", "controller", "serve"], self.environment,
                      logs / "loa.log", grace_s=25.0)  # fmt: skip
        begun = self.clock.monotonic()
        say("starting broker and controller")
        self.supervisor.start(serve)
        if not self.supervisor.until(self.answers, READY_S):
            if self.supervisor.stopping:
                return
            raise CannotRun(f"The controller did not answer within {READY_S:g} s. Its log: {serve.log}")
        serve.settled = True
        say(f"controller and broker are up ({self.clock.monotonic() - begun:.1f} s)")
        trust = ["--ca", str(self.address.tls.authority)] if self.address.tls else []
        broker = os.environ.get("LOA_BROKER", "embedded")
        at = ["--broker", f"mqtt://127.0.0.1:{self.broker_port}"] if broker == "embedded" else []
        options = {
            "--fleet": data / "fleet.json",
            "--files": f"{self.address.base}/u",
            "--state": data / "sim",
            "--control": self.socket,
            "--clock-file": data / "sandbox-clock.json",
        }
        flat = [str(part) for pair in options.items() for part in pair]
        fleet = Child(SIMULATOR, "the simulator", [python, "-m", "device_sim", "run", *flat, *at, *trust],
                      self.environment, logs / "loasim.log")  # fmt: skip
        self.supervisor.start(fleet)
        if self.supervisor.until(self.poles_are_there, POLES_S, LOOK_S):
            fleet.settled = True
        elif not self.supervisor.stopping:
            fleet.settled = True
            say(f"the simulated poles are slow to connect; the log of the simulator is {fleet.log}")

    def watch(self) -> None:
        """Until we are asked to stop. Raises ChildEnded."""
        awaited: float | None = None
        while not self.supervisor.stopping:
            restarted = self.supervisor.wait(LOOK_S if awaited is not None else 3600.0)
            if restarted is not None and restarted.name == CONTROLLER:
                awaited = self.clock.monotonic()
            if awaited is not None and self.answers():
                say(f"the controller answers again, after {self.clock.monotonic() - awaited:.1f} s")
                awaited = None

    # --- what is there

    def answers(self) -> bool:
        address = self.address
        line: http.client.HTTPConnection
        if self._trust is not None:
            line = http.client.HTTPSConnection(address.called, address.port, timeout=2, context=self._trust)
        else:
            line = http.client.HTTPConnection(address.called, address.port, timeout=2)
        try:
            line.request("GET", "/healthz")
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def poles_are_there(self) -> bool:
        try:
            poles: list[dict[str, Any]] = ask(self.socket, {"do": "poles", "sounds": 0}, timeout_s=5.0)["poles"]
        except (OSError, ValueError, KeyError):
            return False
        online = sum(1 for pole in poles if pole["online"])
        if online < len(poles):
            return False
        say(f"{online} simulated poles are connected")
        return True

    def _loa(self, *arguments: str) -> str:
        """What it printed. Raises CannotRun with what it said when it failed."""
        command = ending_with_us([sys.executable, "-m", "controller", *arguments])
        told = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, start_new_session=True, check=False
        )
        if told.returncode:
            lines = told.stderr.strip().splitlines()[-8:] or [f"`loa {arguments[0]}` failed without a word"]
            raise CannotRun("\n     ".join(line.removeprefix("loa: ") for line in lines))
        return told.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        return _run(given)
    except CannotRun as reason:
        print(f"run: {reason}", file=sys.stderr, flush=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    environment = os.environ
    parser.add_argument("--host", default=environment.get("LOA_HOST", "127.0.0.1"), help="HOST= of make run")
    parser.add_argument("--port", type=_port, default=environment.get("LOA_PORT", "8000"), help="PORT= of make run")
    parser.add_argument("--data", type=Path, default=Path(environment.get("LOA_DATA") or ROOT / "data"))
    parser.add_argument("--units", type=_count, default=80, help="only at the first start")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port: a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of units")
    return int(text)


def _run(given: argparse.Namespace) -> int:
    clock = SystemClock()
    begun = clock.monotonic()
    place = Place.open(given.data)
    try:
        check_address(given.host, given.port)
        tls = None
        if not Settings(host=given.host).on_loopback:
            tls = local_ca.ensure(place.data / "tls", local_ca.names_of(given.host), clock.now())
        address = Address(given.host, given.port, tls)
        place.say(address.base)
        supervisor = Supervisor(ROOT, clock, say)
        supervisor.stop_on_signals()
        return _live(Demo(place, address, given.units, supervisor, clock), begun)
    finally:
        place.close()


def _live(demo: Demo, begun: float) -> int:
    told = False
    try:
        say(f"data in {demo.place.data}")
        demo.prepare()
        if not demo.supervisor.stopping:
            demo.start()
        if not demo.supervisor.stopping:
            names = local_ca.names_of(demo.address.host) if demo.address.tls else []
            demo_talk.ready(demo.address, demo.passwords, demo.place.data, names, demo.clock.monotonic() - begun)
            told = True
            demo.watch()
    except ChildEnded as reason:
        print(f"run: {reason}", file=sys.stderr, flush=True)
        return 1
    finally:
        if demo.passwords and not told:
            demo_talk.accounts(demo.passwords)  # they exist and would never be shown again
        say("stopping")
        demo.supervisor.end_all()
        say("stopped; all data is kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
