"""Approval accepted -> plan applied at the last unit, against the floor of the same bytes over the same broker.

    python -m tests.bench dispatch --units 80,1000 --broker embedded|mosquitto|both

Real processes: `loa serve`, the broker, and `loasim run` with every unit on its own connection. A round approves one
more bulletin for every cluster, with a recording that every unit holds already. `figure` begins when the approval is
accepted (the answer was there, or the first plan was begun, whichever came first) and ends when the last unit has its
plan in force and on its disk, by the simulator's record of true time: all processes share one machine's clock. Beside
it: `pressed`, from when the approver's request began to be looked at, and `known`, until the controller had received
the last unit's report of it. The last round's bulletin sounds, and the spread is that of its true starts at the poles.
The floor (`tests/bench/floor.py`) is measured in the same run; `floor` ends at its last acknowledgement, `verified`
when its last receiver had verified.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from broadcasts.clock import VIETNAM
from broadcasts.wire import topics
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.bootstrap.keys import FileKeyring
from controller.db.engine import Database, sqlite_at
from controller.db.tables import Approval, UnitPlan, UnitStatus
from deploy.smoke import BIN, Smoke, answer, say, until
from device_sim.control import ask
from tests.bench import floor, processor, sizes
from tests.bench.brokers import bare_broker
from tests.bench.sizes import PATIENCE_S, Kind

LATER = timedelta(hours=2)
"""The bulletins of all rounds but the last are for then."""


@dataclass(frozen=True)
class Round:
    """Seconds from the acceptance of the approval on."""

    applied: float
    """Until the last unit had its plan."""
    pressed: float
    """The same, from the approver's request on."""
    known: float
    """Until the controller knew that."""


@dataclass(frozen=True)
class Figures:
    """The spread in milliseconds."""

    broker: Kind
    units: int
    rounds: list[Round]
    floor: list[floor.Lasted]
    spread_ms: int
    load: float
    processor: dict[str, float]
    """Processor seconds of one round (median), by process."""

    def told(self) -> dict[str, Any]:
        """Medians, seconds. `ratio`: of `figure` and `floor`."""
        figure, least = self._median("applied"), self._least("acknowledged")
        known, verified = self._median("known"), self._least("verified")
        return {
            "figure": round(figure, 3),
            "floor": round(least, 3),
            "ratio": round(figure / least, 2),
            "units": self.units,
            "broker": self.broker,
            "slowest": round(max(each.applied for each in self.rounds), 3),
            "pressed": round(self._median("pressed"), 3),
            "known": round(known, 3),
            "known_ratio": round(known / least, 2),
            "verified": round(verified, 3),
            "verified_ratio": round(figure / max(verified, 0.001), 2),
            "start_spread_ms": self.spread_ms,
            "processor_s": self.processor,
            "load": round(self.load, 1),
        }

    def _median(self, name: str) -> float:
        return statistics.median(getattr(each, name) for each in self.rounds)

    def _least(self, name: str) -> float:
        return statistics.median(getattr(each, name) for each in self.floor)

    def line(self) -> str:
        told = self.told()
        cells = " ".join(f"{told[name]:8.3f}" for name in _COLUMNS)
        return f"{self.broker:9} {self.units:6} {cells} {self.spread_ms:9} {self.load:6.1f}"


_COLUMNS = ("figure", "slowest", "floor", "ratio", "pressed", "known", "verified")
HEADER = "broker     units " + " ".join(f"{name:>8}" for name in _COLUMNS) + " spread_ms   load"


def main(arguments: Sequence[str]) -> int:
    parser = sizes.parser("dispatch", __doc__, "80,1000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="keep data and logs in this folder")
    asked = parser.parse_args(arguments)
    print(HEADER, flush=True)
    for broker, units in sizes.each_size(asked):
        with sizes.folder(asked.keep, f"{broker}-{units}") as folder:
            figures = _measure(folder, units, broker, asked.rounds)
        print(figures.line(), flush=True)
    print(json.dumps(figures.told()))
    return 0


def _measure(folder: Path, units: int, broker: Kind, rounds: int) -> Figures:
    with ExitStack() as undo:
        product = _Product(folder, units, broker, undo)
        lasted = product.play(rounds)
        spread, plans, size, fleet, key = product.results()
    with ExitStack() as undo:
        address = bare_broker(folder, units, broker, undo, fleet)
        least = floor.Floor(address, fleet, In.PLAN, key, size, undo)
        documents = {topics.to_unit(unit, In.PLAN): document for unit, document in plans.items()}
        least.round(documents)  # as the product's first: not counted
        floors = [least.round(documents) for _ in range(rounds)]
    return Figures(broker, units, lasted, floors, spread, os.getloadavg()[0], product.processor())


class _Product(Smoke):
    """The processes of `make smoke`, with a stopwatch."""

    SIMPLE = 0
    """Every unit holds the same file."""

    def play(self, rounds: int) -> list[Round]:
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

    def _round(self, author: httpx.Client, approver: httpx.Client, asset: str, start: datetime) -> Round:
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
        answered = datetime.now(UTC)
        with self._db.read() as session:
            pressed = session.scalars(select(Approval).where(Approval.broadcast_id == name)).one().at
        until(lambda: self._waiting(pressed) == 0, "every unit applied its plan", PATIENCE_S)
        spent = {each: seconds - before.get(each, 0.0) for each, seconds in processor.spent(self._processes).items()}
        self._spent.append(spent)
        with self._db.read() as session:
            begun = session.scalar(select(func.min(UnitPlan.compiled_at)))
            known = session.scalar(select(func.max(UnitStatus.reported_at)))
        assert begun is not None
        assert known is not None
        poles = ask(self._socket, {"do": "poles", "sounds": 0}, timeout_s=PATIENCE_S)["poles"]
        applied = datetime.fromtimestamp(max(pole["applied_ms"] for pole in poles) / 1000, UTC)
        accepted = min(answered, max(begun, pressed))
        lasted = Round(*((one - other).total_seconds() for one, other in (
            (applied, accepted), (applied, pressed), (known, accepted),
        )))  # fmt: skip
        say(f"{self._broker} {self._units}: seconds {_told(asdict(lasted))}; processor: {_told(spent)}")
        return lasted

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
