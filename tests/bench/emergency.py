"""Emergency pressed -> the last unit sounds, and silenced -> the last unit is silent.

    python -m tests.bench emergency --units 80,1000,5000 --broker embedded|mosquitto|both

Real sockets: the controller (`Service`), the broker, and `loasim run` with every unit on its own connection. A round is
one press by an authorised person over the whole province, of a recording that every unit holds beforehand: rights and
second factor are looked at, the act is written with its audit entry, the list is signed and published. All of that
counts: a figure begins with the press and ends when the last pole is to be heard (or was for the last time), by the
simulator's record of true time: all processes share one machine's clock. Beside it, `known`: until the controller had
received the last journal that says `started` (`ended`). The floor (`tests/bench/floor.py`) is asked between the rounds,
with the same bytes; `floor` ends at its last acknowledgement, `verified` when its last receiver had verified.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import func, select

from broadcasts.wire import topics
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.codec import seal
from broadcasts.wire.journal import JournalBatch, Started
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.topics import ScopeTopic
from broadcasts.wire.trust import Use
from controller.app import create_app
from controller.bootstrap import commands
from controller.bootstrap.service import Service
from controller.db.tables import JournalEntry, JournalMark, ScopeDocument, UnitPlan, UnitStatus
from controller.services import accounts, emergencies
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from controller.settings import from_environment
from deploy.smoke import BIN, Smoke, until
from device_sim.control import ask
from tests.bench import processor, sizes
from tests.bench.brokers import bare_broker
from tests.bench.floor import Floor, Lasted
from tests.bench.sizes import PATIENCE_S, Kind

LASTS = timedelta(minutes=10)
SOUNDS = 20
"""So many stretches of sound are asked of each pole: more than one alert has before we ask."""


@dataclass(frozen=True)
class Act:
    """Seconds from the press on."""

    done: float
    """Until the last pole did it."""
    known: float
    """Until the controller knew that."""
    floor: Lasted


@dataclass(frozen=True)
class Figures:
    """One act for each round."""

    broker: Kind
    units: int
    sound: list[Act]
    silence: list[Act]
    processor: dict[str, float]
    """Processor seconds of one round of both acts (mean), by process; those of the floor are not among them."""
    load: float

    def told(self) -> dict[str, Any]:
        """`figure`, `floor` and `ratio` of the sound; those of silence below it. Medians, seconds."""
        return {**_told(self.sound), "silence": _told(self.silence), "processor_s": self.processor}

    def line(self) -> str:
        cells = [each[name] for each in (_told(self.sound), _told(self.silence)) for name in _COLUMNS]
        return f"{self.broker:9} {self.units:6} " + " ".join(f"{each:8.3f}" for each in cells) + f" {self.load:6.1f}"


_COLUMNS = ("figure", "slowest", "floor", "ratio", "known")
HEADER = (
    "broker     units    sound "
    + " ".join(f"{name:>8}" for name in (*_COLUMNS[1:], "silence", *_COLUMNS[1:]))
    + "   load"
)


def main(arguments: Sequence[str]) -> int:
    parser = sizes.parser("emergency", __doc__, "80,1000,5000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="keep data and logs in this folder")
    asked = parser.parse_args(arguments)
    found: list[Figures] = []
    print(HEADER, flush=True)
    for broker, units in sizes.each_size(asked):
        with sizes.folder(asked.keep, f"emergency-{broker}-{units}") as folder:
            found.append(_measure(folder, units, broker, asked.rounds))
        print(found[-1].line(), flush=True)
    told = {
        broker: {str(each.units): each.told() for each in found if each.broker == broker}
        for broker in sizes.brokers(asked)
    }
    last = found[-1].told()
    print(json.dumps({**{name: last[name] for name in ("figure", "floor", "ratio")}, "sizes": told}))
    return 0


def _told(acts: Sequence[Act]) -> dict[str, float]:
    figure, known = statistics.median(each.done for each in acts), statistics.median(each.known for each in acts)
    least = statistics.median(each.floor.acknowledged for each in acts)
    verified = statistics.median(each.floor.verified for each in acts)
    return {
        "figure": round(figure, 3),
        "slowest": round(max(each.done for each in acts), 3),
        "floor": round(least, 3),
        "ratio": round(figure / least, 2),
        "known": round(known, 3),
        "known_ratio": round(known / least, 2),
        "verified": round(verified, 3),
        "verified_ratio": round(figure / max(verified, 0.001), 2),
    }


def _measure(folder: Path, units: int, broker: Kind, rounds: int) -> Figures:
    with ExitStack() as undo:
        product = _Product(folder, units, broker, undo)
        fleet = product.begin()
        address = bare_broker(folder, units, broker, undo, fleet)
        key = product.service.ctx.keys.signer(Use.ALERT).public
        floor = Floor(address, fleet, ScopeTopic.ALERT, key, _ack_bytes(), undo)
        topic = topics.to_scope(PROVINCE[0], ScopeTopic.ALERT)
        sound: list[Act] = []
        silence: list[Act] = []
        for _ in range(rounds + 1):
            alert, *lasted = product.sound()
            sound.append(Act(*lasted, floor.round({topic: product.document()})))
            lasted = product.silence(alert)
            silence.append(Act(*lasted, floor.round({topic: product.document()})))
        # The first warms everything up, and is not counted.
        return Figures(broker, units, sound[1:], silence[1:], product.processor(), os.getloadavg()[0])


def _ack_bytes() -> int:
    """Of a signed journal with the one entry that says that it sounds."""
    now, key = 1_795_480_000_000, SigningKey.generate("u-00000")
    entry = Started(
        seq=1000,
        at=now,
        clock_error_ms=40,
        item="a-bq7k2m4xw3h5ztnc",
        asset="0" * 64,
        offset_ms=0,
        late_ms=120,
        volume=90,
    )
    batch = JournalBatch(unit="u-00000", journal_id="j-" + "0" * 16, boot_id=42, entries=[entry])
    return len(seal(batch, Typ.JOURNAL, key))


class _Product(Smoke):
    """The processes of `make smoke`, but the controller runs here, where somebody can press."""

    SIMPLE = 0
    """Every unit holds the same file."""

    def begin(self) -> Path:
        """The fleet's file, once every unit is connected and holds the emergency set."""
        self._processes: dict[str, int] = {"controller": os.getpid()}
        self._spent: list[dict[str, float]] = []
        self._prepare()
        if self._broker == "mosquitto":
            self._start_mosquitto()
        loose = {"LOA_ALERT_CANCEL_SECONDS": "0", "LOA_ALERTS_PER_PERSON": "1000", "LOA_ALERTS_PER_SCOPE": "1000"}
        self.service = Service(from_environment(self._environment | loose))
        self.service.start()
        self._undo.callback(self.service.stop)
        commands.as_server()  # it is one here, too
        self._serve_files()
        self._start("loasim", [str(BIN / "loasim"), "run", "--fleet", str(self._fleet), "--control", str(self._socket)])
        until(lambda: self._ready() == self._units, f"{self._units} units hold the emergency set", self._patience)
        return self._fleet

    def _serve_files(self) -> None:
        """The files of the emergency set come over HTTP, as in life."""
        app = create_app(self.service.office())
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self._port, log_config=None))
        thread = threading.Thread(target=server.run, name="files", daemon=True)
        thread.start()
        self._undo.callback(thread.join, 10)
        self._undo.callback(setattr, server, "should_exit", True)
        until(lambda: server.started, "files are served", PATIENCE_S)

    @property
    def _actor(self) -> Actor:
        """With a code given a moment ago."""
        with self.service.ctx.db.read() as session:
            return accounts.stand_in(session, "bench", Role.EMERGENCY, PROVINCE[0], self.service.ctx.wall.now())

    @property
    def _patience(self) -> float:
        return PATIENCE_S + self._units / 20

    def document(self) -> bytes:
        with self.service.ctx.db.read() as session:
            return session.get_one(ScopeDocument, PROVINCE[0]).document

    def sound(self) -> tuple[str, float, float]:
        """The alert; seconds until every pole sounds, and until we know that."""
        ctx, target = self.service.ctx, Target(areas=(PROVINCE[0],))
        with ctx.db.read() as session:
            word = emergencies.preview(ctx, session, self._actor, target).word
        call = emergencies.Call(AlertKind.STORM, target, reason="bench", lasts=LASTS, confirmed=word, rule="once")
        before, pressed = self._processor(), ctx.wall.now()
        alert = emergencies.sound(ctx, self._actor, call)
        known = self._until(alert, "started", pressed, before)
        return alert, self._at_the_poles(alert, "from_ms", min) - pressed.timestamp(), known

    def silence(self, alert: str) -> tuple[float, float]:
        before, pressed = self._processor(), self.service.ctx.wall.now()
        emergencies.silence(self.service.ctx, self._actor, alert)
        known = self._until(alert, "ended", pressed, before)
        return self._at_the_poles(alert, "to_ms", max) - pressed.timestamp(), known

    def _until(self, alert: str, kind: str, since: datetime, before: dict[str, float]) -> float:
        """Seconds from `since` until the last unit's journal was received that says so."""
        of_it = (JournalEntry.item == alert, JournalEntry.kind == kind)

        def said() -> int:
            with self.service.ctx.db.read() as session:
                return session.scalar(select(func.count(JournalEntry.unit_id.distinct())).where(*of_it)) or 0

        until(lambda: said() == self._units, f"{self._units} units {kind}", self._patience)
        until(lambda: self._untold() == 0, "every journal is acknowledged", self._patience)
        self._spent.append({name: seconds - before[name] for name, seconds in self._processor().items()})
        with self.service.ctx.db.read() as session:
            last = session.scalar(select(func.max(JournalEntry.received_at)).where(*of_it))
        assert last is not None
        return (last - since).total_seconds()

    def _untold(self) -> int:
        """Units that have yet to hear that their journal is safe: whatever is measured next would share that."""
        query = select(func.count()).where(JournalMark.acked_seq != JournalMark.seq)
        with self.service.ctx.db.read() as session:
            return session.scalar(query) or 0

    def _at_the_poles(self, alert: str, edge: str, whose: Callable[[Iterable[int]], int]) -> float:
        """When the last pole was first (or last) to be heard with it: Unix seconds, true time."""
        poles = ask(self._socket, {"do": "poles", "sounds": SOUNDS}, timeout_s=self._patience)["poles"]
        heard = [[*pole["heard"], *([pole["hearing"]] if pole["hearing"] else [])] for pole in poles]
        return max(whose(each[edge] for each in sounds if each["item"] == alert) for sounds in heard) / 1000

    def _processor(self) -> dict[str, float]:
        return processor.spent(self._processes, children=False)

    def processor(self) -> dict[str, float]:
        """Processor seconds of one round, sound and silence, by process. The first round is not counted."""
        counted = self._spent[2:]
        return {name: round(2 * statistics.mean(each[name] for each in counted), 2) for name in counted[0]}

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        process = super()._start(name, command)
        self._processes["broker" if name == "mosquitto" else name] = process.pid
        return process

    def _ready(self) -> int:
        with self.service.ctx.db.read() as session:
            wanted = session.scalars(select(UnitPlan.unit_id)).all()
            rows = session.scalars(select(UnitStatus).where(UnitStatus.connected.is_(True))).all()
            return sum(bool(row.held) for row in rows) if len(wanted) == self._units else 0
