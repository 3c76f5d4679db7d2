"""Approval accepted -> plan applied at the last unit, against the floor of the same bytes over the same broker.

    python -m tests.bench dispatch --units 80,1000 --broker embedded|mosquitto|both

Real processes: `loa serve`, the broker, and `loasim run` with every unit on its own connection. A round approves one
more bulletin for every cluster, with a recording that every unit holds already; it lasts from the instant noted in the
approval until the controller received the last report of the plan that names it. The last round's bulletin sounds,
and the spread is that of its true starts at the poles. The floor (`tests/bench/floor.py`) is measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
from sqlalchemy import func, select

from broadcasts.clock import VIETNAM, SystemClock
from broadcasts.wire.trust import Use
from controller.bootstrap.keys import FileKeyring
from controller.db.engine import Database, sqlite_at
from controller.db.tables import Approval, UnitPlan, UnitStatus
from controller.mqtt.broker_users import CONTROLLER, BrokerUser, Role, new_secret, secret_hash
from controller.mqtt.embedded import EmbeddedBroker
from controller.mqtt.link import BrokerAddress
from deploy.smoke import BIN, Smoke, answer, say, until
from device_sim.control import ask
from device_sim.fleetfile import read_fleet
from tests.bench import floor, processor

Kind = Literal["embedded", "mosquitto"]
PATIENCE_S = 120.0
LATER = timedelta(hours=2)
"""The bulletins of all rounds but the last are for then."""


@dataclass(frozen=True)
class Figures:
    """Seconds, one for each round; the spread in milliseconds."""

    broker: Kind
    units: int
    rounds: list[float]
    floor: list[float]
    spread_ms: int
    load: float
    processor: dict[str, float]
    """Processor seconds of one round (median), by process."""

    @property
    def figure(self) -> float:
        return statistics.median(self.rounds)

    @property
    def least(self) -> float:
        return statistics.median(self.floor)

    def line(self) -> str:
        return (
            f"{self.broker:9} {self.units:6} {self.figure:8.3f} {max(self.rounds):8.3f} {self.least:8.3f} "
            f"{self.figure / self.least:6.2f} {self.spread_ms:9} {self.load:6.1f}"
        )


HEADER = "broker     units   figure  slowest    floor  ratio spread_ms   load"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench dispatch", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--units", default="80,1000", help="one or several numbers, 80,1000 by default")
    parser.add_argument("--broker", choices=["embedded", "mosquitto", "both"], default="both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="keep data and logs in this folder")
    asked = parser.parse_args(arguments)
    brokers: list[Kind] = ["mosquitto", "embedded"] if asked.broker == "both" else [asked.broker]
    found: list[Figures] = []
    print(HEADER, flush=True)
    for broker in brokers:
        for units in sorted(int(each) for each in asked.units.split(",")):
            with _folder(asked.keep, f"{broker}-{units}") as folder:
                found.append(_measure(folder, units, broker, asked.rounds))
            print(found[-1].line(), flush=True)
    last = found[-1]
    told = {
        "figure": round(last.figure, 3),
        "floor": round(last.least, 3),
        "ratio": round(last.figure / last.least, 2),
        "units": last.units,
        "broker": last.broker,
        "start_spread_ms": last.spread_ms,
        "processor_s": last.processor,
        "load": round(last.load, 1),
    }
    print(json.dumps(told))
    return 0


@contextmanager
def _folder(keep: Path | None, name: str) -> Iterator[Path]:
    if keep is not None:
        (keep / name).mkdir(parents=True)
        yield keep / name
        return
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
        yield Path(folder)


def _measure(folder: Path, units: int, broker: Kind, rounds: int) -> Figures:
    with ExitStack() as undo:
        product = _Product(folder, units, broker, undo)
        lasted = product.play(rounds)
        spread, plans, size, fleet, key = product.results()
    with ExitStack() as undo:
        address = _floor_broker(folder, units, broker, undo, fleet)
        least = floor.measure(address, fleet, key, plans, size, rounds)
    return Figures(broker, units, lasted, least, spread, os.getloadavg()[0], product.processor())


class _Product(Smoke):
    """The processes of `make smoke`, with a stopwatch."""

    def play(self, rounds: int) -> list[float]:
        self._processes: dict[str, int] = {}
        self._spent: list[dict[str, float]] = []
        accounts = self._prepare()
        if self._broker == "mosquitto":
            self._start_mosquitto()
        serve = self._start("serve", [str(BIN / "loa"), "serve"])
        until(lambda: self._answers(serve), "the controller answers", PATIENCE_S)
        # Without --state: a thousand poles have a thousand disks, not one that they all wait for.
        self._start("loasim", [str(BIN / "loasim"), "run", "--fleet", str(self._fleet), "--control", str(self._socket)])
        self._db = Database(sqlite_at(self._folder / "data" / "loa.db"))
        self._undo.callback(self._db.close)
        with self._person(accounts, "phatthanh") as author, self._person(accounts, "lanhdao") as approver:
            until(lambda: self._waiting() == 0, f"{self._units} units have their first plan", PATIENCE_S)
            asset = self._record(author)
            now = datetime.now(UTC).replace(microsecond=0)
            self._round(author, approver, asset, now + LATER)
            until(lambda: self._holding(asset) == self._units, "every unit holds the recording", PATIENCE_S)
            lasted = [
                self._round(author, approver, asset, now + LATER + timedelta(minutes=n)) for n in range(1, rounds)
            ]
            soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20 + self._units // 50)
            lasted.append(self._round(author, approver, asset, soon))
            self._spread_ms = self._starts(soon)
        return lasted

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        process = super()._start(name, command)
        self._processes["broker" if name == "mosquitto" else name] = process.pid
        return process

    def processor(self) -> dict[str, float]:
        """Processor seconds of one round, by process. The first round, which warms everything up, is not counted."""
        counted = self._spent[1:]
        return {name: round(statistics.median(each[name] for each in counted), 2) for name in counted[0]}

    def results(self) -> tuple[int, dict[str, bytes], int, Path, Any]:
        """Spread, plans by unit, size of `reported`, the fleet file, the key that signs plans."""
        with self._db.read() as session:
            plans = {row.unit_id: row.document for row in session.scalars(select(UnitPlan))}
            told = [{**row.reported, "assets": row.held} for row in session.scalars(select(UnitStatus))]
        sizes = [len(json.dumps(each, separators=(",", ":"))) for each in told]
        key = FileKeyring(self._folder / "data" / "keys").signer(Use.PLAN).public
        return self._spread_ms, plans, round(statistics.median(sizes)), self._fleet, key

    def _round(self, author: httpx.Client, approver: httpx.Client, asset: str, start: datetime) -> float:
        local = start.astimezone(VIETNAM)
        draft = {
            "title": f"Đo {local:%H:%M:%S}",
            "asset": asset,
            "clusters": [line["id"] for line in answer(author.get("/api/v1/clusters"))],
            "first_day": f"{local:%Y-%m-%d}",
            "at": f"{local:%H:%M:%S}",
            "push_now": True,
        }
        name = answer(author.post("/api/v1/broadcasts", json=draft))["id"]
        seen = answer(approver.get(f"/api/v1/broadcasts/{name}"))["seen"]
        before = processor.spent(self._processes)
        answer(approver.post(f"/api/v1/broadcasts/{name}/approve", json={"seen": seen}))
        with self._db.read() as session:
            approved = session.scalars(select(Approval).where(Approval.broadcast_id == name)).one().at
        until(lambda: self._waiting(approved) == 0, "every unit applied its plan", PATIENCE_S)
        spent = {each: seconds - before.get(each, 0.0) for each, seconds in processor.spent(self._processes).items()}
        self._spent.append(spent)
        with self._db.read() as session:
            marks = [
                ("last compile step", select(func.max(UnitPlan.compiled_at))),
                ("last publish step", select(func.max(UnitPlan.published_at))),
                ("first report", select(func.min(UnitStatus.reported_at))),
                ("last report", select(func.max(UnitStatus.reported_at))),
            ]
            instants = {name: session.scalar(query) for name, query in marks}
        after = {name: (at - approved).total_seconds() for name, at in instants.items() if at is not None}
        say(f"{self._broker} {self._units}: seconds after the approval: {_told(after)}; processor: {_told(spent)}")
        return after["last report"]

    def _waiting(self, since: datetime | None = None) -> int:
        """Units that have not reported a plan that was compiled after `since`."""
        with self._db.read() as session:
            query = (
                select(func.count())
                .select_from(UnitPlan)
                .join(UnitStatus, UnitStatus.unit_id == UnitPlan.unit_id)
                .where(UnitStatus.plan_version == UnitPlan.version, UnitPlan.dirty_since.is_(None))
            )
            if since is not None:
                query = query.where(UnitPlan.compiled_at >= since)
            return self._units - (session.scalar(query) or 0)

    def _holding(self, asset: str) -> int:
        with self._db.read() as session:
            return sum(asset in row.held for row in session.scalars(select(UnitStatus)))

    def _starts(self, start: datetime) -> int:
        """Milliseconds between the first and the last true start, heard below the poles."""
        due = start.timestamp() * 1000

        def begun() -> list[int]:
            poles = ask(self._socket, {"do": "poles", "sounds": 1}, timeout_s=PATIENCE_S)["poles"]
            last = [sound["from_ms"] for pole in poles for sound in pole["heard"]]
            return [instant for instant in last if instant > due - 5_000]

        until(lambda: datetime.now(UTC) > start + timedelta(seconds=10), "the start", PATIENCE_S)
        until(lambda: len(begun()) == self._units, "every pole has sounded", PATIENCE_S)
        found = begun()
        return max(found) - min(found)


def _told(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {each:.3f}" for name, each in seconds.items())


def _floor_broker(folder: Path, units: int, broker: Kind, undo: ExitStack, fleet: Path) -> BrokerAddress:
    (folder / "floor").mkdir()
    if broker == "mosquitto":
        bare = _Bare(folder / "floor", units, broker, undo)
        return bare.start(fleet)
    secret = new_secret()
    members = [(each.enrolled.unit, each.enrolled.secret) for each in read_fleet(fleet).members]
    users = [
        BrokerUser(CONTROLLER, secret_hash(secret), Role.CONTROLLER),
        *(BrokerUser(name, secret_hash(own)) for name, own in members),
    ]
    running = EmbeddedBroker(folder / "floor", lambda: users, SystemClock(), _spawn)
    running.start()
    undo.callback(running.stop)
    host, port = running.address
    return BrokerAddress(host, port, CONTROLLER, secret)


class _Bare(Smoke):
    """Only its Mosquitto."""

    def start(self, fleet: Path) -> BrokerAddress:
        self._fleet = fleet
        self._start_mosquitto()
        return BrokerAddress("127.0.0.1", self._mqtt, CONTROLLER, self._secret)


def _spawn(name: str, work: Any) -> None:
    threading.Thread(target=work, name=name, daemon=True).start()
