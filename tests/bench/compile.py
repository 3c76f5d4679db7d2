"""A whole fleet's plans from nothing, and again after one commune's edit, against the floor of the same rows.

    python -m tests.bench compile --clusters 10000 --per-day 20 --rounds 15 [--database postgresql]

The product's own services on a database of their own, in this process: nothing sounds and nothing is sent. The fleet
(`tests/bench/fleet.py`) plays `--per-day` broadcasts at every cluster, for the seven days that plans reach, and lies
expanded in the database. Full: every plan is made. Edit: one commune's daily broadcast is taken off, another comes in
its place; the figure is the seconds of the compiler's step afterwards, a median over rounds, each in another commune.
The floor (`tests/bench/stored.py`) is measured after each of them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import ManualClock, SystemClock
from broadcasts.ids import CountingIds
from broadcasts.wire.trust import Use
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.db import migrate
from controller.db.engine import Database, sqlite_at
from controller.db.tables import Delivery, UnitPlan, UnitStatus
from controller.services import compiling, reconciling, settling
from controller.services.context import Context
from tests.bench import fleet, stored

BEGIN = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
"""Midnight in Viet Nam: the day's broadcasts lie ahead."""
DATABASE = """an SQLite file of its own by default; `postgresql`: a server of its own, that of the package for tests, or
a container, or the one at LOA_TEST_POSTGRES; or the address of an empty database"""
_WALL = SystemClock()


@dataclass
class Deaf:
    """A link that takes everything (`services.ports.Link`)."""

    up: bool = True
    sent: int = 0

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        self.sent += 1
        return True

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, qos: int, retain: bool) -> int:
        sent = len(list(messages))
        self.sent += sent
        return sent

    def flush(self) -> bool:
        return True


@dataclass
class Rounds:
    """Seconds, one for each round."""

    edit: list[float] = field(default_factory=list)
    compile: list[float] = field(default_factory=list)
    publish: list[float] = field(default_factory=list)
    settle: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench compile", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clusters", type=int, default=10_000)
    parser.add_argument("--per-commune", type=int, default=20)
    parser.add_argument("--per-day", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--database", help=DATABASE)
    parser.add_argument("--folder", type=Path, help="where the data lies, instead of the folder for temporary files")
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="loa-bench-", dir=asked.folder) as folder,
        _address(asked.database, Path(folder)) as url,
    ):
        told = _measure(asked, url, Path(folder))
    print(json.dumps(told))
    return 0


@contextmanager
def _address(wish: str | None, folder: Path) -> Iterator[str]:
    """Of a database with nothing in it."""
    if wish != "postgresql":
        yield wish or sqlite_at(folder / "loa.db")
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does: the fixture of the tests starts it
    postgres = importlib.import_module("support.postgres")
    with postgres.postgres_by(postgres.first_route(), folder) as server, postgres.empty_database(server) as url:
        yield url


def _measure(asked: argparse.Namespace, url: str, folder: Path) -> dict[str, Any]:
    db, clock = Database(url), ManualClock(BEGIN)
    keys = FileKeyring.make_missing(folder / "keys")
    ctx = Context(db, clock, clock, CountingIds(), StoredAudio(Store(folder / "audio"), Limits()), keys, lambda: None)
    try:
        dialect = db.engine.dialect.name
        migrate.upgrade(db)
        communes = fleet.fill(db, asked.clusters, asked.per_commune, asked.per_day, BEGIN)
        _say(f"{asked.clusters} clusters in {len(communes)} communes, {asked.per_day} a day; peak {_peak_mib()} MiB")
        told = _full(ctx, asked.clusters, asked.per_day)
        rounds = Rounds()
        for number in range(asked.rounds):
            _round(ctx, communes[number * 7 % len(communes)], number, rounds)
    finally:
        db.close()
    figure, floor = statistics.median(rounds.compile), statistics.median(rounds.floor)
    return {
        "figure": round(figure, 4),
        "floor": round(floor, 4),
        "ratio": round(figure / floor, 2),
        "database": dialect,
        "clusters": asked.clusters,
        "changed_units": asked.per_commune,
        **told,
        **{f"{name}_s": round(statistics.median(getattr(rounds, name)), 4) for name in ("edit", "publish", "settle")},
        "load": round(os.getloadavg()[0], 1),
    }


def _full(ctx: Context, clusters: int, per_day: int) -> dict[str, Any]:
    """Every plan from nothing; then published and reported, so that the fleet is at rest."""
    now = ctx.clock.now()
    full = _lasts(lambda: compiling.step(ctx, now))
    peak = _peak_mib()
    _say(f"full compile {full:.1f} s, peak {peak} MiB")
    reported = update(UnitStatus).values(
        plan_version=select(UnitPlan.version).where(UnitPlan.unit_id == UnitStatus.unit_id).scalar_subquery()
    )
    published = _lasts(lambda: reconciling.step(ctx, Deaf(), now))
    with ctx.db.write() as session:
        session.execute(reported)
    with ctx.db.read() as session:
        named = session.scalar(select(func.count()).select_from(Delivery).where(Delivery.plan_version.is_not(None)))
        plans = session.scalar(select(func.count()).select_from(UnitPlan).where(UnitPlan.dirty_since.is_(None)))
    if (named, plans) != (clusters * per_day * 7, clusters):
        raise RuntimeError(f"{plans} plans name {named} deliveries")
    idle = _lasts(lambda: compiling.step(ctx, now))
    _say(f"published {published:.1f} s, peak {_peak_mib()} MiB, nothing to do {idle:.4f} s")
    return {
        "deliveries": named,
        "full_s": round(full, 1),
        "full_peak_mib": peak,
        "idle_s": round(idle, 4),
        "full_publish_s": round(published, 1),
        "peak_mib": _peak_mib(),
    }


def _round(ctx: Context, commune: fleet.Commune, number: int, rounds: Rounds) -> None:
    clock = ctx.clock
    assert isinstance(clock, ManualClock)
    clock.advance(1)
    now = clock.now()
    rounds.edit.append(_lasts(lambda: fleet.edit(ctx.db, commune, number, now)))
    rounds.compile.append(_lasts(lambda: compiling.step(ctx, now)))
    rounds.publish.append(_lasts(lambda: reconciling.step(ctx, Deaf(), now)))
    with ctx.db.write() as session:
        changed = {
            row.unit_id: row.version
            for row in session.execute(
                select(UnitPlan.unit_id, UnitPlan.version).where(UnitPlan.unit_id.in_(commune.units))
            )
        }
        for unit, version in changed.items():
            session.execute(update(UnitStatus).where(UnitStatus.unit_id == unit).values(plan_version=version))
    rounds.settle.append(_lasts(lambda: settling.step(ctx, now)))
    floor = stored.Floor(ctx.db, commune.units, ctx.keys.signer(Use.PLAN), now)
    if floor.changed_at != {now}:
        raise RuntimeError(f"not every plan of the commune was made anew: {floor.changed_at}")
    rounds.floor.append(_lasts(floor.write))
    last = {name: round(each[-1], 4) for name, each in vars(rounds).items()}
    _say(f"round {number + 1}: {last}")


def _lasts(work: Callable[[], object]) -> float:
    began = _WALL.monotonic()
    work()
    return _WALL.monotonic() - began


def _peak_mib() -> int:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _say(what: str) -> None:
    print(what, flush=True)
