"""The controller's services on a real SQLite and a real PostgreSQL, with real audio and real keys; only the clock
stands, and the link writes down what it was given.

Each test gets a copy of one furnished database: places, units, people, one prepared recording.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import select
from sqlalchemy.orm import Session
from support.audio import recording
from support.postgres import empty_database, first_route, postgres_by
from support.room import quick_room
from support.statements import compiled_once

from broadcasts.audio.chain import Limits
from broadcasts.audio.pipeline import Prepared
from broadcasts.audio.store import Store
from broadcasts.clock import ManualClock, unix_ms
from broadcasts.errors import LoaError
from broadcasts.ids import CountingIds
from broadcasts.wire import codec, topics
from broadcasts.wire.base import Message
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.plan import Plan
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.db import migrate
from controller.db.engine import Database, sqlite_at
from controller.db.tables import Delivery, OwnException, UnitPlan
from controller.services import accounts, approving, audit, compiling, composing, library
from controller.services.composing import Draft
from controller.services.context import Context
from controller.services.heard import Heard, Tally
from controller.services.ingesting import apply
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE, Seeded, seed

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")
NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
"""Tuesday, 12:00 in Viet Nam."""
CLUSTERS = 10
HERE, THERE = "31615", "31618"
"""The codes of the two communes, five clusters each."""
PEOPLE = (
    ("author", Role.BROADCASTER, HERE),
    ("boss", Role.APPROVER, HERE),
    ("deputy", Role.APPROVER, HERE),
    ("stranger", Role.APPROVER, THERE),
    ("neighbour", Role.BROADCASTER, THERE),
)
UPLOADERS = ("phatthanh", "author", "neighbour")
"""Who added the two recordings: all who write."""
SOON = timedelta(hours=2)


@dataclass
class RecordingLink:
    """Implements `services.ports.Link`. `takes`: how many more messages it takes; `flushes`: whether all arrived."""

    up: bool = True
    takes: int = 1_000_000
    flushes: bool = True
    sent: list[tuple[str, bytes, int, bool]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        if not self.up or self.takes == 0:
            return False
        self.takes -= 1
        self.sent.append((topic, payload, qos, retain))
        return True

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, qos: int, retain: bool) -> int:
        before = len(self.sent)
        for topic, payload in messages:
            if not self.publish(topic, payload, qos=qos, retain=retain):
                break
        return len(self.sent) - before

    def flush(self) -> bool:
        return self.flushes

    def topics(self) -> list[str]:
        return [topic for topic, *_ in self.sent]

    def plans(self) -> list[str]:
        return [topic for topic in self.topics() if topic.endswith("/in/plan")]


@dataclass(frozen=True)
class Template:
    """A furnished database that is only copied."""

    engine: Engine
    url: str
    seeded: Seeded
    passwords: dict[str, str]


class Workshop:
    """Made once a run: keys, audio, a furnished database of each kind, one PostgreSQL server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._server: str | None = None
        self._templates: dict[Engine, Template] = {}
        self.audio = StoredAudio(Store(folder / "audio"), Limits())
        self.keys = FileKeyring.make_missing(folder / "keys")
        self.bulletin = self.audio.prepare(recording(folder / "two.wav", seconds=2.0))
        self.other = self.audio.prepare(recording(folder / "one.wav", seconds=1.5))

    def close(self) -> None:
        self._stack.close()

    @property
    def server(self) -> str:
        if self._server is None:
            route = first_route()
            self._server = self._stack.enter_context(postgres_by(route))
            if route != "environment":
                _hurry(self._server)
        return self._server

    @contextmanager
    def empty(self, engine: Engine, folder: Path) -> Iterator[str]:
        """The address of a database with nothing in it."""
        if engine == "sqlite":
            yield sqlite_at(folder / "empty.db")
        else:
            with empty_database(self.server) as url:
                yield url

    @contextmanager
    def copy(self, engine: Engine, folder: Path) -> Iterator[tuple[str, Template]]:
        template = self._template(engine)
        if engine == "sqlite":
            with TemporaryDirectory(prefix="loa-db-", dir=quick_room()) as room:
                shutil.copyfile(template.url.removeprefix("sqlite:///"), f"{room}/loa.db")
                yield sqlite_at(Path(room, "loa.db")), template
            return
        source = urlsplit(template.url).path.removeprefix("/")
        name = f"loa_copy_{abs(hash(folder)):x}"
        with psycopg.connect(self.server, autocommit=True) as server:
            server.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(source))
            )
        try:
            yield template.url.replace(source, name), template
        finally:
            with psycopg.connect(self.server, autocommit=True) as server:
                server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def context(self, db: Database, clock: ManualClock, wake: Callable[[], None]) -> Context:
        return Context(db, clock, clock, CountingIds(), self.audio, self.keys, wake)

    def _template(self, engine: Engine) -> Template:
        if engine not in self._templates:
            url = self._stack.enter_context(self.empty(engine, self.folder))
            self._templates[engine] = self._furnish(engine, url)
        return self._templates[engine]

    def _furnish(self, engine: Engine, url: str) -> Template:
        db = Database(url)
        try:
            migrate.upgrade(db)
            ctx = replace(self.context(db, ManualClock(NOON - timedelta(days=30)), lambda: None), ids=_Named())
            seeded = seed(ctx, clusters=CLUSTERS)
            assert seeded is not None
            first = {name: accounts.FirstPassword.make() for name, _, _ in PEOPLE}
            passwords = seeded.passwords | {name: each.word for name, each in first.items()}
            with db.write() as session:
                for name, role, commune in PEOPLE:
                    accounts.create_user(ctx, session, first[name], name, name, role, f"c-{commune}", "test")
                for prepared in (self.bulletin, self.other):
                    for name in UPLOADERS:
                        added_by(ctx, session, name, prepared)
        finally:
            db.close()
        return Template(engine, url, seeded, passwords)


def added_by(ctx: Context, session: Session, name: str, prepared: Prepared) -> str:
    """As `library.add_recording` does once a file is prepared; its hash."""
    asset = library.remember(ctx, session, prepared)
    audit.record(session, ctx.clock.now(), name, "recording.add", asset.sha256, {"name": "t.wav"})
    return asset.sha256


def _hurry(server_url: str) -> None:
    """What a power cut would lose is no matter here: this server lives for one run."""
    with psycopg.connect(server_url, autocommit=True) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.execute(sql.SQL("alter system set {} = off").format(sql.Identifier(setting)))
        server.execute("select pg_reload_conf()")


class _Named(CountingIds):
    """Ids of the furniture never meet those of a test."""

    def new(self, prefix: str) -> str:
        return super().new(f"{prefix}-0")


@dataclass
class House:
    """Everything a test wants to reach."""

    ctx: Context
    clock: ManualClock
    link: RecordingLink
    woken: list[datetime]
    keys: FileKeyring
    passwords: dict[str, str]
    enrolments: list[dict[str, Any]]
    bulletin: Prepared
    other: Prepared
    unit_keys: dict[str, SigningKey] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def actor(self, name: str) -> Actor:
        with self.ctx.db.read() as session:
            return accounts.actor_by_name(session, name, self.ctx.wall.now())

    @property
    def on_duty(self) -> Actor:
        """Whoever may sound an emergency anywhere in the province, and just gave a code."""
        with self.ctx.db.read() as session:
            return accounts.stand_in(session, "trực", Role.EMERGENCY, PROVINCE[0], self.ctx.wall.now())

    def draft(self, **changed: Any) -> Draft:
        """Once, in two hours, at the five clusters HERE."""
        local = self.now + SOON + timedelta(hours=7)
        told: dict[str, Any] = {
            "title": "Lịch tiêm chủng",
            "field": 1,
            "language": "vi",
            "asset": self.bulletin.sha256,
            "areas": (f"c-{HERE}",),
            "first_day": local.date(),
            "at": local.time(),
        }
        return Draft(**told | changed)

    def submit(self, by: str = "author", **changed: Any) -> str:
        if by not in UPLOADERS:
            self.add_as(by)
        return composing.submit(self.ctx, self.actor(by), self.draft(**changed))

    def add_as(self, name: str) -> None:
        """This person adds both recordings too: it is the same file, and he may use it from then on."""
        with self.ctx.db.write() as session:
            for prepared in (self.bulletin, self.other):
                added_by(self.ctx, session, name, prepared)

    def seen(self, broadcast: str, by: str = "boss") -> str:
        """The hash of what an approver looks at."""
        return approving.look_at(self.ctx, self.actor(by), broadcast)[2]

    def approve(self, broadcast: str, by: str = "boss") -> None:
        approving.approve(self.ctx, self.actor(by), broadcast, self.seen(broadcast, by))

    def on_air(self, **changed: Any) -> str:
        """A broadcast that is submitted and approved."""
        broadcast = self.submit(**changed)
        self.approve(broadcast)
        return broadcast

    def compile(self) -> datetime:
        return compiling.step(self.ctx, self.now)

    def deliveries(self, broadcast: str) -> list[Delivery]:
        with self.ctx.db.read() as session:
            return list(
                session.scalars(
                    select(Delivery)
                    .where(Delivery.broadcast_id == broadcast)
                    .order_by(Delivery.start, Delivery.cluster_id)
                )
            )

    def delivery(self, broadcast: str) -> Delivery:
        """The first occurrence at the first cluster."""
        return self.deliveries(broadcast)[0]

    def stored_plan(self, unit: str) -> UnitPlan:
        with self.ctx.db.read() as session:
            return session.get_one(UnitPlan, unit)

    def plan(self, unit: str) -> Plan:
        """The stored plan, verified as a unit does."""
        key = self.keys.signer(Use.PLAN).public
        document = self.stored_plan(unit).document
        assert len(document) <= topics.MANNERS[In.PLAN].max_bytes
        return codec.unseal(Plan, document, Typ.PLAN, lambda kid: key if kid == key.kid else None)

    def hear(self, *messages: Message, unit: str, at: datetime | None = None, **how: Any) -> Tally:
        with self.ctx.db.write() as session:
            return apply(session, [Heard(unit, message, at or self.now, **how) for message in messages])

    def unit_key(self, unit: str) -> SigningKey:
        if unit not in self.unit_keys:
            told = next(each for each in self.enrolments if each["unit"] == unit)
            self.unit_keys[unit] = SigningKey.from_jwk(told["key_jwk"])
        return self.unit_keys[unit]

    def secret(self, unit: str) -> str:
        return next(str(each["secret"]) for each in self.enrolments if each["unit"] == unit)

    def ms(self, **later: float) -> int:
        """Unix milliseconds, so long after now."""
        return unix_ms(self.now + timedelta(**later))


def an_exception(house: House, station: str, **changed: Any) -> OwnException:
    """A row that lets authors of the station approve their own, for a day."""
    told = {"id": f"x-{station}", "number": "07/QĐ-UBND", "reason": "Chỉ có một cán bộ", "granted_by": "tinh"}
    times = {"granted_at": house.now, "until": house.now + timedelta(days=1)}
    return OwnException(station_id=station, **told | times | changed)


@contextmanager
def raises(family: type[LoaError], key: str) -> Iterator[None]:
    """The error of this family with exactly this key."""
    with pytest.raises(family) as caught:
        yield
    assert caught.value.key == key


@contextmanager
def furnished(workshop: Workshop, engine: Engine, folder: Path) -> Iterator[House]:
    with workshop.copy(engine, folder) as (url, template):
        clock, woken = ManualClock(NOON), list[datetime]()
        db = compiled_once(Database(url))
        ctx = workshop.context(db, clock, lambda: woken.append(clock.now()))
        try:
            yield House(
                ctx=ctx,
                clock=clock,
                link=RecordingLink(),
                woken=woken,
                keys=workshop.keys,
                passwords=template.passwords,
                enrolments=template.seeded.enrolments,
                bulletin=workshop.bulletin,
                other=workshop.other,
            )
        finally:
            db.close()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path_factory.mktemp("workshop"))
    yield workshop
    workshop.close()


@pytest.fixture(params=ENGINES)
def house(request: pytest.FixtureRequest, workshop: Workshop, tmp_path: Path) -> Iterator[House]:
    with furnished(workshop, request.param, tmp_path) as found:
        yield found


@pytest.fixture
def ctx(house: House) -> Context:
    return house.ctx
