"""The bad day: the real controller and a fleet in virtual time, and a hand that does what the test says.

What is looked at is what a villager hears below a pole (`heard`) and what the page says of it (`page`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from support.audio import tone
from support.sirens import typed

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import VIETNAM, ManualClock, unix_ms
from broadcasts.ids import CountingIds
from broadcasts.wire.alert import AlertKind
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.bootstrap.virtual import Furnished, VirtualController
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Delivery, JournalEntry, UnitFault, UnitStatus
from controller.services import accounts, alerting, approving, composing, library
from controller.services.composing import Draft
from controller.services.context import Context
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE, seed
from device_sim.counterpart import Setting
from device_sim.ear import Sound
from device_sim.events import Arrived
from device_sim.faults import Blow, Fault, Odds
from device_sim.world import Post, World

DAY = date(2027, 3, 2)
UNITS = 10
"""Two communes of five poles each."""
RECORDINGS = {"news": (20, 440), "song": (45, 520), "siren": (12, 700)}
"""Name to seconds and Hz."""
ROUND_MS = 400
"""What is heard so near to a second was heard on the second."""
MINUTE = 60_000
HOUR = 60 * MINUTE


def at(clock: str, day: int = 0) -> datetime:
    """A local time of the day, `07:30` or `07:30:15`."""
    return datetime.combine(DAY + timedelta(days=day), time.fromisoformat(clock), VIETNAM).astimezone(UTC)


@dataclass(frozen=True)
class Studio:
    """Made once: recordings ready for the horns, a seeded database, keys."""

    folder: Path
    image: bytes
    enrolments: Sequence[dict[str, Any]]
    sounds: dict[str, str]

    @classmethod
    def open(cls, folder: Path) -> Studio:
        db, clock = Database("sqlite://"), ManualClock(at("00:00"))
        audio = StoredAudio(Store(folder / "audio"), Limits())
        ctx = Context(db, clock, clock, CountingIds(), audio, FileKeyring.make_missing(folder / "keys"), lambda: None)
        migrate.upgrade(db)
        seeded = seed(ctx, clusters=UNITS)
        assert seeded is not None
        with db.read() as session:
            author = accounts.actor_by_name(session, "phatthanh", ctx.wall.now())
        sounds = {}
        for name, (seconds, hertz) in RECORDINGS.items():
            path = folder / f"{name}.wav"
            path.write_bytes(tone(seconds, hertz))
            sounds[name] = library.add_recording(ctx, author, path, path.name).sha256
        image = image_of(db)
        db.close()
        return cls(folder, image, seeded.enrolments, sounds)


def image_of(db: Database) -> bytes:
    """A backup of a database in memory."""
    with driver(db) as connection:
        return connection.serialize()


def restore(db: Database, image: bytes) -> None:
    with driver(db) as connection:
        connection.deserialize(image)


@contextmanager
def driver(db: Database) -> Iterator[sqlite3.Connection]:
    raw = db.engine.raw_connection()
    try:
        connection = raw.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        yield connection
    finally:
        raw.close()


class Hand(VirtualController):
    """The controller, and what lies between it and the poles."""

    def __init__(self, setting: Setting, furnished: Furnished) -> None:
        super().__init__(setting, lambda _: Pulse(), furnished)
        self.spoils: dict[str, int] = {}
        """Unit to how many of its next downloads arrive with a wrong bit."""
        self.downloads: list[tuple[str, int]] = []
        self.closed = False
        """No file is given to anybody; messages still travel."""

    def get(self, unit: str, secret: str, path: str, offset: int) -> tuple[int, bytes]:
        status, body = super().get(unit, secret, path, offset) if not self.closed else (503, b"")
        self.downloads.append((unit, offset))
        if body and self.spoils.get(unit, 0) > 0:
            self.spoils[unit] -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        return status, body


class Pulse:
    """Nobody: but the controller looks every two seconds whether a test used its pages."""

    def step(self, now: datetime) -> datetime:
        return now + timedelta(seconds=2)


class BadDay:
    """Everything is on, connected and idle at `opens`."""

    def __init__(self, studio: Studio, opens: str = "07:00", *, simple: int = 0) -> None:
        """`simple`: so many poles decode MP3 alone, the first ones."""
        self.studio = studio
        db = Database("sqlite://")
        restore(db, studio.image)
        start = at(opens) - timedelta(minutes=5)
        setting = Setting(units=UNITS, days=1, seed=1, start=start, folder=studio.folder)
        self.controller = Hand(setting, Furnished(db, studio.enrolments))
        calm = Odds(fetch_broken=0, fetch_corrupt=0, cut_while_sounding=0, small_cache=0, no_battery=0)
        self.world = World(self.controller, start, seed=1, odds=calm)
        self.posts = self.world.posts
        for post in self.posts[:simple]:
            post.config = replace(post.config, codecs=("mp3",))
        self.ctx = self.controller.ctx
        with db.read() as session:
            self.author = accounts.actor_by_name(session, "phatthanh", self.ctx.wall.now())
            self.approver = accounts.actor_by_name(session, "lanhdao", self.ctx.wall.now())
        self.until(opens)

    def close(self) -> None:
        self.controller.close()

    # --- time

    def until(self, clock: str, day: int = 0) -> None:
        self.world.run_until(at(clock, day))
        self._now()

    def wait(self, seconds: float) -> None:
        self.world.run_until(self.world.now + round(seconds * 1000))
        self._now()

    def moment(self, clock: str) -> int:
        """Unix ms of a local time of the day."""
        return unix_ms(at(clock))

    def _now(self) -> None:
        clock = self.ctx.clock
        assert isinstance(clock, ManualClock)
        clock.set(datetime.fromtimestamp(self.world.now / 1000, UTC))

    # --- the office

    def hand_in(self, sound: str, start: str, editing: str | None = None, **fields: Any) -> str:
        """A bulletin for all poles, or those of `areas` and `clusters`; its id."""
        given: dict[str, Any] = {"areas": (PROVINCE[0],)} if not fields.keys() & {"areas", "clusters"} else {}
        draft = Draft(
            title=sound, field=1, language="vi", asset=self.studio.sounds[sound], first_day=DAY,
            at=time.fromisoformat(start), push_now=True, **{**given, **fields},
        )  # fmt: skip
        return composing.submit(self.ctx, self.author, draft, editing=editing)

    def approve(self, name: str) -> None:
        _, _, seen = approving.look_at(self.ctx, self.approver, name)
        approving.approve(self.ctx, self.approver, name, seen)

    def air(self, sound: str, start: str, **fields: Any) -> str:
        """Handed in and approved."""
        name = self.hand_in(sound, start, **fields)
        self.approve(name)
        return name

    def withdraw(self, name: str) -> None:
        approving.withdraw(self.ctx, self.author, name)

    @property
    def on_duty(self) -> Actor:
        with self.ctx.db.read() as session:
            return accounts.stand_in(session, "trực ban", Role.EMERGENCY, PROVINCE[0], self.ctx.wall.now())

    def alert(self, lasts: timedelta = timedelta(minutes=10), scope: str = PROVINCE[0], **fields: Any) -> str:
        content = [("vi", self.studio.sounds["siren"])]
        word = typed(self.ctx, self.on_duty, scope, fields.get("units"))
        told = {"confirmed": word} | fields
        return alerting.sound(self.ctx, self.on_duty, scope, AlertKind.STORM, content, "bão", lasts, **told)

    def silence(self, scope: str = PROVINCE[0]) -> None:
        alerting.silence(self.ctx, self.on_duty, scope)

    # --- the field

    def smuggle(self, post: Post, topic: str, payload: bytes) -> None:
        """Past every right of the broker: what a hostile one could show to this unit."""
        self.world.give(post, Arrived(topic, payload))

    def befall(self, fault: Fault, post: Post | None = None, *, lasts: int = 0, amount: int = 0) -> None:
        """Now, to one pole, or to broker or controller; ms."""
        self.world.strike(Blow(self.world.now, fault, None if post is None else post.number, lasts, amount))

    # --- what is heard and what is shown

    def heard(self, post: Post) -> list[str]:
        """As a villager would write it down: `news 07:30:00-07:31:00 at 70`."""
        names = {sha256: name for name, sha256 in self.studio.sounds.items()}
        return [f"{names[sound.asset]} {_span(sound)} at {sound.volume}" for sound in post.pole.heard]

    def rows(self, broadcast: str, post: Post) -> Sequence[Delivery]:
        """What this pole was to play of it, the newest revision first, then in order of time."""
        with self.ctx.db.read() as session:
            return session.scalars(
                select(Delivery)
                .where(Delivery.broadcast_id == broadcast, Delivery.unit_id == post.name)
                .order_by(Delivery.revision.desc(), Delivery.start)
            ).all()

    def row(self, broadcast: str, post: Post) -> Delivery:
        return self.rows(broadcast, post)[0]

    def page(self, broadcast: str, post: Post) -> str:
        """`played: heard`, `missed: not_played (late)`, `ready: open`."""
        row = self.row(broadcast, post)
        why = f" ({row.reason})" if row.reason else ""
        return f"{row.state}: {row.verdict or 'open'}{why}"

    def pages(self, broadcast: str) -> set[str]:
        return {self.page(broadcast, post) for post in self.posts}

    def faults(self, post: Post) -> set[str]:
        """Raised and not cleared, as the health page has it."""
        with self.ctx.db.read() as session:
            query = select(UnitFault.code).where(UnitFault.unit_id == post.name, UnitFault.cleared_at.is_(None))
            return set(session.scalars(query))

    def status(self, post: Post) -> UnitStatus:
        with self.ctx.db.read() as session:
            return session.get_one(UnitStatus, post.name)

    def played(self, post: Post, item: str) -> list[str]:
        """What its journal tells of this item, in words, without what its ear told besides, which it does once."""
        told = [entry.kind for entry in self.journal(post, item)]
        assert told.count("envelope") <= 1
        return [kind for kind in told if kind != "envelope"]

    def journal(self, post: Post, item: str | None = None) -> list[JournalEntry]:
        with self.ctx.db.read() as session:
            query = select(JournalEntry).where(JournalEntry.unit_id == post.name).order_by(JournalEntry.seq)
            return list(session.scalars(query if item is None else query.where(JournalEntry.item == item)))


def _span(sound: Sound) -> str:
    return f"{_clock(sound.from_ms)}-{_clock(sound.to_ms)}"


def _clock(ms: int) -> str:
    whole = round(ms / 1000)
    text = f"{datetime.fromtimestamp(whole, VIETNAM):%H:%M:%S}"
    return text if abs(ms - whole * 1000) <= ROUND_MS else f"{text}{(ms - whole * 1000):+d}ms"
