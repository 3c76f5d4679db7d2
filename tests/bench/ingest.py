"""Messages a second from units into the database, against a loop that only receives; what is visible when; kill -9.

    python -m tests.bench ingest --database sqlite|postgresql|both --messages 10000 --seconds 10

The real `loa serve` on a real Mosquitto (of the bench's own, without rights, so that one connection can speak for all
units). One message in five is a signed journal with a play, the rest is telemetry. The floor is the controller's own
connection (`PahoLink`) with an inbox that nobody reads a byte of, over the same broker, from the same sender, in the
same run. Then 1,000 messages a second: how long after its sending the newest telemetry of 20 units is in the database.
Then the process is killed while it takes in journals, and started again: units say again what is not acknowledged.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from sqlalchemy import func, select, update

from broadcasts.clock import SystemClock, unix_ms
from broadcasts.wire import codec, topics
from broadcasts.wire.journal import Amplifier, Ended, JournalBatch, Outcome, Started
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.topics import Out
from controller.bootstrap.keys import FileKeyring
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Delivery, JournalEntry, Unit, UnitPlan, UnitStatus
from controller.mqtt.link import BrokerAddress, PahoLink
from deploy.smoke import BIN, free_port, until
from tests.bench import fleet
from tests.bench.compile import _address
from tests.bench.ingest_sender import Message, telemetry

CLOCK = SystemClock()
UNITS, PER_COMMUNE, PER_DAY = 200, 20, 10
BATCHES = 30
"""Of one unit, each a start and an end."""
MARKED, RATE = 20, 1_000
PATIENCE_S = 120.0
AIMS = {"sqlite": 0.4, "postgresql": 0.25}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench ingest", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=10, help="of 1,000 messages a second")
    asked = parser.parse_args(arguments)
    told: dict[str, Any] = {}
    for name in ("sqlite", "postgresql") if asked.database == "both" else (asked.database,):
        with ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
            url = undo.enter_context(_address("postgresql" if name == "postgresql" else None, folder))
            told[name] = Bench(folder, url, asked.messages, asked.seconds, undo).run()
            print(name, json.dumps(told[name]), flush=True)
    first = next(iter(told.values()))
    summary = {key: first[key] for key in ("figure", "floor", "ratio")}
    print(json.dumps({**summary, **told, "aims": AIMS, "load": round(os.getloadavg()[0], 1)}))
    return 0 if all(each["lost"] == 0 for each in told.values()) else 1


class Bench:
    def __init__(self, folder: Path, url: str, messages: int, seconds: int, undo: ExitStack) -> None:
        self._folder, self._messages, self._seconds, self._undo = folder, messages, seconds, undo
        self._data = folder / "data"
        self._data.mkdir(mode=0o700)
        self._url = url
        self._db = Database(url)
        undo.callback(self._db.close)
        self._mqtt = self._mosquitto()
        self._keys: dict[str, SigningKey] = {}
        self._batches: dict[str, list[bytes]] = {}
        self._told: dict[str, int] = {}
        self._serve: subprocess.Popen[bytes] | None = None
        undo.callback(self._end)

    def run(self) -> dict[str, Any]:
        self._fill()
        journals = self._messages // 5
        floor = self._floor(self._mix(journals))
        self._start()
        figure, entries = self._poured(self._mix(journals, take=True))
        p99, p50 = self._visible()
        lost, after = self._killed(entries)
        return {
            "figure": round(figure),
            "floor": round(floor),
            "ratio": round(figure / floor, 3),
            "visible_p50_s": round(p50, 3),
            "visible_p99_s": round(p99, 3),
            "entries_after_kill": after,
            "lost": lost,
        }

    # --- what is there, and what is said

    def _fill(self) -> None:
        """Units with keys; yesterday's deliveries, each with a batch of a start and an end."""
        migrate.upgrade(self._db)
        FileKeyring.make_missing(self._data / "keys")
        begin = CLOCK.now() - timedelta(days=1)
        places = fleet.fill(self._db, UNITS, PER_COMMUNE, PER_DAY, begin)
        units = [unit for place in places for unit in place.units]
        with self._db.write() as session:
            for unit in units:
                self._keys[unit] = SigningKey.generate(unit)
                session.execute(update(Unit).where(Unit.id == unit).values(key_x=self._keys[unit].public.x))
            session.execute(update(UnitPlan).values(dirty_since=None, due_again=CLOCK.now() + timedelta(days=1)))
            rows = session.scalars(select(Delivery).order_by(Delivery.start, Delivery.id)).all()
        for row in rows:
            unit = row.unit_id
            if unit is not None and len(batches := self._batches.setdefault(unit, [])) < BATCHES:
                batches.append(self._batch(unit, row, 2 * len(batches) + 1))

    def _batch(self, unit: str, row: Delivery, seq: int) -> bytes:
        at = min(unix_ms(row.start), unix_ms(CLOCK.now()) - 70_000)
        told: dict[str, Any] = {"item": row.id, "asset": row.asset_sha256, "offset_ms": 0, "volume": 70}
        entries = [
            Started(seq=seq, at=at, late_ms=0, **told),
            Ended(
                seq=seq + 1, at=at + 60_000, started_at=at, outcome=Outcome.PLAYED, played_ms=60_000,
                amplifier=Amplifier.SOUND, **told,
            ),
        ]  # fmt: skip
        batch = JournalBatch(unit=unit, journal_id="j-bench", boot_id=1, entries=entries)
        return codec.seal(batch, Typ.JOURNAL, self._keys[unit])

    def _mix(self, journals: int, take: bool = False) -> list[Message]:
        """One journal to four numbers, round the units; `take`: these journals were said."""
        units = sorted(self._batches)
        told = dict(self._told)
        messages: list[Message] = []
        for number in range(journals):
            unit = units[number % len(units)]
            at = told.get(unit, 0)
            told[unit] = at + 1
            messages.append((topics.from_unit(unit, Out.JOURNAL), self._batches[unit][at], 1))
            for n in range(4):
                other = units[(number * 4 + n) % len(units)]
                messages.append((topics.from_unit(other, Out.TELEMETRY), telemetry(other, unix_ms(CLOCK.now())), 0))
        if take:
            self._told = told
        return messages

    # --- measured

    def _floor(self, messages: Sequence[Message]) -> float:
        """Messages a second through the same connection into an inbox."""
        up = threading.Event()
        link = PahoLink(BrokerAddress("127.0.0.1", self._mqtt, "floor", "x"), CLOCK, up.set, look_back_s=0.0)
        thread = threading.Thread(target=link.run, name="floor", daemon=True)
        thread.start()
        if not up.wait(20):
            raise TimeoutError("no link")
        with self._sender({"do": "pour", "messages": messages}) as sender:
            begun = self._go(sender)
            until(lambda: link.flood.taken.total() >= len(messages), "all was received", PATIENCE_S)
            lasted = CLOCK.now().timestamp() - begun
        link.close()
        thread.join(10)
        return len(messages) / lasted

    def _poured(self, messages: Sequence[Message]) -> tuple[float, int]:
        """Messages a second until the last of them is in the database; journal entries by then."""
        entries = 2 * sum(self._told.values())
        with self._sender({"do": "pour", "messages": messages}) as sender:
            begun = self._go(sender)
            until(lambda: self._entries() >= entries, "all entries are there", PATIENCE_S)
            lasted = CLOCK.now().timestamp() - begun
        return len(messages) / lasted, entries

    def _visible(self) -> tuple[float, float]:
        """Seconds from the sending of telemetry to the database, p99 and p50, at `RATE`."""
        messages = [each for each in self._mix(RATE * self._seconds // 5) if each[2] == 0]
        marked = sorted(self._batches)[:MARKED]
        seen: dict[str, int] = {}
        waits: list[float] = []
        began = unix_ms(CLOCK.now())
        with self._sender({"do": "keep", "messages": messages, "rate": RATE, "marked": marked}) as sender:
            self._go(sender)
            end = CLOCK.monotonic() + len(messages) / RATE + 2
            while CLOCK.monotonic() < end:
                with self._db.read() as session:
                    rows = session.execute(
                        select(UnitStatus.unit_id, UnitStatus.telemetry).where(UnitStatus.unit_id.in_(marked))
                    ).all()
                now = unix_ms(CLOCK.now())
                for unit, told in rows:
                    at = (told or {}).get("at", 0)
                    if at > max(began, seen.get(unit, 0)):
                        seen[unit] = at
                        waits.append((now - at) / 1000)
                threading.Event().wait(0.02)
        if len(waits) < MARKED:
            raise RuntimeError(f"only {len(waits)} were seen")
        waits.sort()
        return waits[int(len(waits) * 0.99)], statistics.median(waits)

    def _killed(self, before: int) -> tuple[int, int]:
        """Entries that are missing in the end, and how many there are."""
        left = {unit: batches[: self._told.get(unit, 0) + 10] for unit, batches in self._batches.items()}
        wanted = 2 * sum(len(each) for each in left.values())
        with self._sender({"do": "insist", "journals": left}) as sender:
            self._go(sender)
            until(lambda: self._entries() > before + (wanted - before) // 5, "it is in the middle of it", PATIENCE_S)
            assert self._serve is not None
            self._serve.kill()
            self._serve.wait()
            kept = self._entries()
            self._start()
            assert sender.stdout is not None
            if sender.stdout.readline() != b"done\n":
                raise RuntimeError("units were not acknowledged after the kill")
        found = self._entries()
        print(f"killed with {kept} of {wanted} entries in the database, {found} in the end", flush=True)
        return wanted - found, found

    def _entries(self) -> int:
        with self._db.read() as session:
            return session.scalar(select(func.count()).select_from(JournalEntry)) or 0

    # --- processes

    def _mosquitto(self) -> int:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        port = free_port()
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
            "set_tcp_nodelay true\n",
            encoding="utf-8",
        )
        with (self._folder / "mosquitto.log").open("wb") as log:
            running = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        self._undo.callback(running.wait)
        self._undo.callback(running.terminate)
        return port

    def _start(self) -> None:
        port = free_port()
        settings = {
            "LOA_DATA": str(self._data),
            "LOA_DATABASE": self._url,
            "LOA_PORT": str(port),
            "LOA_BROKER": f"mqtt://127.0.0.1:{self._mqtt}",
            "LOA_BROKER_SECRET": "of-the-bench",
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
        with (self._folder / "serve.log").open("ab") as log:
            self._serve = subprocess.Popen([str(BIN / "loa"), "serve"], env=clean | settings, stdout=log, stderr=log)

        def ready() -> bool:
            try:
                with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        try:
            until(ready, "the controller answers", PATIENCE_S)
        except BaseException:
            print((self._folder / "serve.log").read_text(encoding="utf-8")[-2000:], file=sys.stderr)
            raise

    def _end(self) -> None:
        if self._serve is not None and self._serve.poll() is None:
            self._serve.terminate()
            self._serve.wait(60)

    @contextmanager
    def _sender(self, task: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
        path = self._folder / "task"
        path.write_bytes(pickle.dumps(task))
        command = [sys.executable, "-m", "tests.bench.ingest_sender", str(self._mqtt), str(path)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            if child.stdout.readline() != b"ready\n":
                raise RuntimeError("the sender did not connect")
            yield child
        finally:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()

    def _go(self, sender: subprocess.Popen[bytes]) -> float:
        """When it began, Unix seconds."""
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.write(b"go\n")
        sender.stdin.flush()
        return float(sender.stdout.readline())
