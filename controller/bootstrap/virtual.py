"""The same controller in virtual time, for `loasim prove`: the same steps, called by a clock that jumps.

Registered as entry point `loasim.counterpart`; what the simulator asks of it is spelt out in its own port
(`device_sim/counterpart.py`), which this side never imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import ManualClock, unix_ms
from broadcasts.domain.fault_classes import CLASSES
from broadcasts.errors import Refused
from broadcasts.ids import CountingIds
from broadcasts.wire import topics
from broadcasts.wire.topics import Out
from controller.bootstrap import virtual_sirens
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.habit import Habit, fault_accounts
from controller.bootstrap.keys import FileKeyring
from controller.bootstrap.officers import Officers
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Approval, Delivery, Encoding, StandingAlert, Unit
from controller.mqtt.canary import Canary
from controller.mqtt.inbound import Inbound, Received
from controller.services import (
    commanding,
    compiling,
    emergencies,
    files,
    hearing,
    reconciling,
    sampling,
    settling,
    trusting,
    valid_approvals,
)
from controller.services.context import Context
from controller.services.health_watching import Watch
from controller.services.history_keeping import Keeper
from controller.services.recoding import Encoder
from controller.services.seeding import seed

SOON = timedelta(seconds=3)
"""How long a journal or a report waits for company before it is taken in."""
NUMBERS_WAIT = timedelta(minutes=20)
"""Telemetry alone waits longer: in virtual time nobody looks at it live, unless health is watched."""
_UNHURRIED = ("watch", "history")
"""Steps that go by their own times: nothing that anybody decides makes them due."""
_CLIENT_SPEAKS = tuple(f"/out/{kind}" for kind in Out if kind is not Out.TELEMETRY)


class Setting(Protocol):
    """The world we are opened in."""

    units: int
    days: int
    seed: int
    start: datetime
    folder: Path
    watched: bool


class _VirtualLink:
    """`services.ports.Link` into whatever `attach` gave."""

    def __init__(self) -> None:
        self.up = False
        self.send: Callable[[str, bytes, int, bool], bool] = lambda *_: False

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        return self.up and self.send(topic, payload, qos, retain)

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, qos: int, retain: bool) -> int:
        sent = 0
        for topic, payload in messages:
            if not self.publish(topic, payload, qos=qos, retain=retain):
                break
            sent += 1
        return sent

    def flush(self) -> bool:
        return self.up


class _Process:
    """What a kill takes with it: everything that is not in the database."""

    def __init__(self, ctx: Context, link: _VirtualLink, now: datetime, watched: bool = False) -> None:
        self.inbound = Inbound(ctx, link)
        self.canary = Canary(ctx, link)
        self.inbox: list[Received] = []
        self.take_in_at: datetime | None = None
        self.steps: dict[str, Callable[[datetime], datetime]] = {
            "compile": lambda at: compiling.step(ctx, at),
            "reconcile": lambda at: reconciling.step(ctx, link, at),
            "command": lambda at: commanding.step(ctx, link, at),
            "recode": Encoder(ctx).step,
            "emergency": lambda at: emergencies.step(ctx, at),
            "settle": lambda at: settling.step(ctx, at),
            "hear": hearing.Listener(ctx).step,
            "sample": lambda at: sampling.step(ctx, at),
            "canary": self.canary.step,
            "history": Keeper(ctx, lambda: link.up).step,
        }
        if watched:
            self.steps["watch"] = Watch(ctx, lambda: link.up).step
        self.due = dict.fromkeys(self.steps, now)


class People(Protocol):
    """Who uses the pages."""

    def step(self, now: datetime) -> datetime:
        """Do what is due; when to be asked again."""
        ...


class Nobody:
    def step(self, now: datetime) -> datetime:
        return now + timedelta(days=1)


@dataclass(frozen=True)
class Furnished:
    """A database that is migrated and seeded already, and what its units know."""

    db: Database
    enrolments: Sequence[dict[str, Any]]


class VirtualController:
    """Implements the simulator's `Counterpart`."""

    def __init__(
        self, setting: Setting, people: Callable[[Context], People] | None = None, furnished: Furnished | None = None
    ) -> None:
        """Without `people` nobody uses the pages but the caller, through `ctx`."""
        self._clock = ManualClock(setting.start)
        self._db = furnished.db if furnished is not None else Database("sqlite://")
        audio = StoredAudio(Store(setting.folder / "audio"), Limits())
        keys = FileKeyring.make_missing(setting.folder / "keys")
        self._woken = True
        self.ctx = Context(
            self._db,
            self._clock,
            self._clock,
            CountingIds(),
            audio,
            keys,
            self._wake,
            wake_publisher=self._wake_publisher,
            wake_ears=self._wake_ears,
        )
        self._enrolments = furnished.enrolments if furnished is not None else self._furnish(setting.units)
        trusting.ensure_trust(self.ctx, setting.start)
        self._people: People = people(self.ctx) if people is not None else Nobody()
        self._link = _VirtualLink()
        self._watched = setting.watched
        self._process: _Process | None = _Process(self.ctx, self._link, setting.start, self._watched)
        self._bytes: dict[str, bytes] = {}

    def _furnish(self, units: int) -> Sequence[dict[str, Any]]:
        migrate.upgrade(self._db)
        seeded = seed(self.ctx, clusters=units)
        assert seeded is not None
        return seeded.enrolments

    def enrolments(self) -> Sequence[dict[str, Any]]:
        return self._enrolments

    def attach(self, publish: Callable[[str, bytes, int, bool], bool]) -> None:
        self._link.send = publish

    def filters(self) -> Sequence[tuple[str, int]]:
        return [(each, 1) for each in (*topics.CONTROLLER_FILTERS, *topics.CONTROLLER_LOOKBACK)]

    def connection(self, up: bool, now: datetime) -> None:
        self._at(now)
        self._link.up = up and self._process is not None
        if self._link.up and self._process is not None:
            self._process.canary.connected(now)
            self._wake()

    def receive(self, topic: str, payload: bytes, retained: bool, now: datetime) -> None:
        self._at(now)
        process = self._process
        if process is None or topic == topics.TRUST:
            return
        if topic == topics.CANARY:
            process.canary.heard(payload)
            return
        one = Received(topic, payload, retained, now)
        if topic.endswith(f"/out/{Out.TIME_ASK}"):
            process.inbound.consume([one])  # an answer that waits is worth less
            return
        process.inbox.append(one)
        wait = SOON if self._watched or topic.endswith(_CLIENT_SPEAKS) else NUMBERS_WAIT
        at = now + wait
        process.take_in_at = at if process.take_in_at is None else min(process.take_in_at, at)

    def step(self, now: datetime) -> datetime:
        self._at(now)
        process = self._process
        if process is None:
            return now + timedelta(minutes=1)
        if process.take_in_at is not None and now >= process.take_in_at:
            batch, process.inbox, process.take_in_at = process.inbox, [], None
            process.inbound.consume(batch)
        people = self._people.step(now)
        if self._woken:
            self._woken = False
            process.due = {name: due if name in _UNHURRIED else now for name, due in process.due.items()}
        for name, step in process.steps.items():
            if now >= process.due[name]:
                process.due[name] = step(now)
        if self._woken:
            return now
        waits = [people, *process.due.values()]
        if process.take_in_at is not None:
            waits.append(process.take_in_at)
        return min(waits)

    def get(self, unit: str, secret: str, path: str, offset: int) -> tuple[int, bytes]:
        name = path.removeprefix("assets/").split(".")[0]
        if self._process is None:
            return 503, b""
        try:
            place = files.asset_for_unit(self.ctx, unit, secret, name)
        except Refused as refused:
            return {"unit.unknown": 401, "asset.not_yours": 403}.get(refused.key, 404), b""
        if name not in self._bytes:
            self._bytes[name] = place.read_bytes()
        body = self._bytes[name]
        if offset >= len(body):
            return 416, b""
        return (206 if offset else 200), body[offset:]

    def kill(self) -> None:
        self._process = None
        self._link.up = False

    def restart(self, now: datetime) -> None:
        self._at(now)
        self._process = _Process(self.ctx, self._link, now, self._watched)
        self._wake()

    def accounts(self) -> Sequence[dict[str, Any]]:
        with self._db.read() as session:
            rows = session.scalars(select(Delivery).order_by(Delivery.start, Delivery.id)).all()
            sources = _sources(session, rows)
            return [
                {
                    "delivery": row.id,
                    "cluster": row.cluster_id,
                    "unit": row.unit_id or "",
                    "asset": row.asset_sha256,
                    "start": unix_ms(row.start),
                    "end": unix_ms(row.end),
                    "level": row.priority,
                    "approved": True,
                    "state": row.state,
                    "verdict": row.verdict,
                    "reason": row.reason,
                    **({"relay": sources[row.id]} if row.id in sources else {}),
                }
                for row in rows
            ]

    def approved_sounds(self) -> set[tuple[str, str]]:
        with self._db.read() as session:
            rows = session.execute(
                select(Delivery.unit_id, Delivery.asset_sha256).join(
                    Approval,
                    (Approval.broadcast_id == Delivery.broadcast_id)
                    & (Approval.revision == Delivery.revision)
                    & Approval.approved.is_(True),
                )
            )
            found = {(str(unit), str(asset)) for unit, asset in rows}
            relays = session.scalars(select(Delivery).where(Delivery.relayed.is_not(None))).all()
            sources = _sources(session, relays)
            found |= {(str(row.unit_id), f"relay:{sources[row.id]}") for row in relays if row.id in sources}
            units = list(session.scalars(select(Unit.id)))
            for alert in session.scalars(select(StandingAlert)):
                meant = units if alert.entry["target"] == "all" else alert.entry["target"]
                found |= {(unit, part["asset"]["sha256"]) for unit in meant for part in alert.entry["content"]}
            for encoding in session.scalars(select(Encoding)):
                same = {(unit, encoding.encoded_sha256) for unit, asset in found if asset == encoding.asset_sha256}
                found |= same
            found |= virtual_sirens.drilled(session)
        return found

    def sirens(self) -> Sequence[dict[str, Any]]:
        with self._db.read() as session:
            return virtual_sirens.sirens(session)

    def promises(self) -> dict[str, tuple[int, str]]:
        return {str(code): (round(each.within.total_seconds() * 1000), each.shows) for code, each in CLASSES.items()}

    def faults(self) -> Sequence[dict[str, Any]]:
        with self._db.read() as session:
            return fault_accounts(session)

    def close(self) -> None:
        self._db.close()

    def _wake(self) -> None:
        self._woken = True

    def _wake_publisher(self) -> None:
        if self._process is not None:
            self._process.due["reconcile"] = self._clock.now()

    def _wake_ears(self) -> None:
        if self._process is not None:
            self._process.due["hear"] = self._clock.now()

    def _at(self, now: datetime) -> None:
        if now > self._clock.now():
            self._clock.set(now)


def _sources(session: Session, deliveries: Sequence[Delivery]) -> dict[str, str]:
    """Of each relay that somebody approved: the source, as units name it."""
    approved = valid_approvals.relays(session, {row.broadcast_id for row in deliveries if row.relayed is not None})
    return {
        row.id: str(approved[row.broadcast_id, row.revision]["source"])
        for row in deliveries
        if (row.broadcast_id, row.revision) in approved
    }


def open_counterpart(setting: Setting) -> VirtualController:
    if setting.watched:
        return VirtualController(setting, lambda ctx: Habit(ctx, setting.folder))
    return VirtualController(
        setting, lambda ctx: Officers(ctx, setting.seed, setting.start, setting.days, setting.folder)
    )
