"""A drawn week lived through: real services on a database in memory, signed plans, simulated units; and what the dry
run said beforehand beside what was heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from support import hindsight
from support.audio import tone
from support.bad_day import driver
from support.officers import Officers, Truth, move
from support.one_pole import Office, OnePole
from support.weeks import PLACES, Warned, Week

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import VIETNAM, ManualClock, from_unix_ms, unix_ms
from broadcasts.domain.delivery import OPEN
from broadcasts.ids import CountingIds
from broadcasts.wire import topics
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Assignment, Cluster, Delivery, ScopeDocument, UnitPlan
from controller.services import accounts, compiling, library, trusting
from controller.services.context import Context
from controller.services.seeding import seed
from controller.services.slots import last_sound
from controller.services.views.dry_run import lines

LENGTHS = {"blink": 1.5, "short": 20, "minute": 70, "long": 130, "longest": 330}
"""Seconds, before they are prepared."""
MONDAY = date(2026, 3, 2)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
HALF_AN_HOUR = timedelta(minutes=30)
TICK = timedelta(milliseconds=1)
Piece = tuple[str, str, int, int, int, int]
"""Cluster, broadcast, from, to, offset (ms), volume."""


@dataclass(frozen=True)
class Room:
    """Made once: recordings, keys, and a furnished database, which becomes again what it was before each week: one
    engine learns every statement once."""

    db: Database
    audio: StoredAudio
    keys: FileKeyring
    image: bytes
    enrolments: Sequence[dict[str, Any]]
    sounds: dict[str, str]
    lengths: dict[str, int]
    """Milliseconds, by hash."""
    files: dict[str, bytes]

    @classmethod
    def open(cls, folder: Path) -> Room:
        db, clock = Database("sqlite://"), ManualClock(_midnight(MONDAY) - WEEK)
        audio, keys = StoredAudio(Store(folder / "audio"), Limits()), FileKeyring.make_missing(folder / "keys")
        ctx = Context(db, clock, clock, CountingIds(), audio, keys, lambda: None)
        migrate.upgrade(db)
        # Five in each of two communes are seeded; two of each stay.
        seeded = seed(ctx, clusters=10)
        assert seeded is not None
        with db.write() as session:
            rows = session.scalars(select(Cluster).order_by(Cluster.id)).all()
            for row in [*rows[PLACES // 2 : 5], *rows[5 + PLACES // 2 :]]:
                row.removed_at = clock.now()
                session.execute(update(Assignment).where(Assignment.cluster_id == row.id).values(until=clock.now()))
            kept = {row.id for row in rows if row.removed_at is None}
        with db.read() as session:
            author = accounts.actor_by_name(session, "phatthanh", ctx.wall.now())
        sounds, lengths, files = {}, {}, {}
        for number, (name, seconds) in enumerate(LENGTHS.items()):
            path = folder / f"{name}.wav"
            path.write_bytes(tone(seconds, 300 + 60 * number))
            asset = library.add_recording(ctx, author, path, path.name)
            sounds[name], lengths[asset.sha256] = asset.sha256, asset.duration_ms
            files[asset.sha256] = audio.path(asset.sha256).read_bytes()
        trusting.ensure_trust(ctx, clock.now())
        with driver(db) as connection:
            image = connection.serialize()
        enrolments = [each for each in seeded.enrolments if each["cluster"] in kept]
        return cls(db, audio, keys, image, enrolments, sounds, lengths, files)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), VIETNAM).astimezone(UTC)


@dataclass
class Told:
    """What a run of many weeks came to: so that nobody takes an empty one for a proof."""

    cases: int = 0
    pieces: int = 0
    starts: int = 0
    """Approved starts, each at one cluster, that were asked for."""
    outcomes: Counter[str] = field(default_factory=Counter)
    excuses: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)


def live(room: Room, week: Week, told: Told) -> None:
    """Raises AssertionError where they disagree."""
    with driver(room.db) as connection:
        connection.deserialize(room.image)
    _Life(room, week, room.db, told).live()


class _Life:
    def __init__(self, room: Room, week: Week, db: Database, told: Told) -> None:
        self._room, self._week, self._told = room, week, told
        first = MONDAY + timedelta(days=week.begins)
        self._begin = _midnight(first)
        clock = ManualClock(self._begin - timedelta(hours=1))
        self._ctx = Context(db, clock, clock, CountingIds(), room.audio, room.keys, lambda: None)
        self._people = Officers(self._ctx, room.sounds, week, first)
        with db.read() as session:
            self._trust = session.get_one(ScopeDocument, trusting.TRUST).document
        signers = room.keys.signer(Use.TIME), room.keys.signer(Use.COMMAND)
        office = Office(*signers, room.files.__getitem__)
        of = {each["cluster"]: each for each in room.enrolments}
        now = unix_ms(clock.now())
        self._poles = {name: OnePole(of[name], office, now) for name in self._people.clusters}
        self._foretold: list[Piece] | None = None
        self._since = clock.now()

    def live(self) -> None:
        self._people.move_in()
        self._meet()
        self._foretell()
        for instant, what in self._events():
            if what is None:
                self._until(max(instant, self._ctx.clock.now()))
                self._meet()
                continue
            self._until(self._quiet(max(instant, self._ctx.clock.now())))
            self._compare()
            if isinstance(what, Warned):
                self._people.warn(what)
            else:
                self._people.do(what)
            self._meet()
            self._foretell()
        self._until(self._quiet(max(self._begin + WEEK, self._ctx.clock.now())))
        self._meet()
        self._compare()
        self._judge()

    def _events(self) -> list[tuple[datetime, Any]]:
        """Acts, and none where the units only meet their controller: each third day, and all through a warning."""
        found: list[tuple[datetime, Any]] = [(self._begin + n * DAY, None) for n in (3, 6)]
        found += [(self._people.at(act.day, act.clock), act) for act in self._week.acts]
        for warned in self._week.warned:
            at = self._people.at(warned.day, warned.clock)
            found.append((max(at - timedelta(minutes=20), self._begin), warned))
            found += [(at + n * HALF_AN_HOUR, None) for n in range(2 * warned.hours)]
        return sorted(found, key=lambda each: (each[0], each[1] is None))

    def _quiet(self, instant: datetime) -> datetime:
        """From then on, when nothing sounds or waits anywhere: so that what comes next owes nothing to what was."""
        with self._ctx.db.read() as session:
            rows = session.scalars(select(Delivery).where(Delivery.state.in_([str(state) for state in OPEN])))
            spans = sorted((row.start, last_sound(row)) for row in rows)
        for start, end in spans:
            if start <= instant < end:
                instant = end
        return instant + TICK

    def _until(self, instant: datetime) -> None:
        for pole in self._poles.values():
            pole.run(unix_ms(instant))
        move(self._ctx, from_unix_ms(unix_ms(instant)))

    def _meet(self) -> None:
        compiling.step(self._ctx, self._ctx.clock.now())
        with self._ctx.db.read() as session:
            for pole in self._poles.values():
                plan = session.get_one(UnitPlan, pole.name)
                pole.meet({topics.TRUST: self._trust, topics.to_unit(pole.name, In.PLAN): plan.document})
                assert pole.plan_version == plan.version, "the unit refused its plan"

    # --- what was said, and what was heard

    def _foretell(self) -> None:
        self._since = self._ctx.clock.now()
        # A warning is made a few hours ahead and no further: it can only be told of afterwards.
        self._foretold = None if self._week.warned else self._dry_run(self._begin + WEEK + DAY)

    def _dry_run(self, until: datetime) -> list[Piece]:
        with self._ctx.db.read() as session:
            clusters = session.scalars(select(Cluster).where(Cluster.id.in_(self._people.clusters))).all()
            found = lines(session, clusters, self._since, until)
        self._told.outcomes.update(line.outcome for line in found)
        return [
            (cluster, line.broadcast, unix_ms(s.start), unix_ms(s.end), round(s.offset / TICK), s.volume)
            for line in found
            for s in line.sounds
            for cluster in line.clusters
        ]

    def _compare(self) -> None:
        now = self._ctx.clock.now()
        said = self._dry_run(now) if self._foretold is None else self._foretold
        first, last = unix_ms(self._since), unix_ms(now)
        said = sorted(piece for piece in said if first <= piece[2] < last)
        heard = sorted(self._heard(first, last))
        assert heard == said, _difference(heard, said)
        self._told.pieces += len(heard)

    def _heard(self, first: int, last: int) -> Iterator[Piece]:
        with self._ctx.db.read() as session:
            for cluster, pole in self._poles.items():
                for sound in pole.heard:
                    if first <= sound.from_ms < last:
                        row = session.get_one(Delivery, sound.item)
                        assert row.cluster_id == cluster
                        assert row.asset_sha256 == sound.asset
                        yield cluster, row.broadcast_id, sound.from_ms, sound.to_ms, sound.offset_ms, sound.volume

    def _judge(self) -> None:
        truth: Truth = self._people.truth
        with self._ctx.db.read() as session:
            rows = session.scalars(select(Delivery)).all()
            clusters = {row.id: row for row in session.scalars(select(Cluster))}
            sites = {name: (clusters[name].station_id, clusters[name].site) for name in self._poles}
        view = hindsight.Hindsight(
            truth,
            rows,
            {name: (pole.heard, list(pole.entries.values())) for name, pole in self._poles.items()},
            sites,
            {name: tuple(clusters[name].languages) for name in self._poles},
            self._people,
            self._room.sounds,
            self._room.lengths,
        )
        view.nothing_wrong()
        self._told.starts += view.nothing_missing(self._begin - timedelta(hours=1), self._ctx.clock.now())
        self._told.excuses.update(view.excuses)
        self._told.done.update(truth.done)
        self._told.cases += 1


def _difference(heard: list[Piece], said: list[Piece]) -> str:
    def tell(piece: Piece) -> str:
        cluster, broadcast, begin, end, offset, volume = piece
        when = [f"{from_unix_ms(each).astimezone(VIETNAM):%d %H:%M:%S.%f}"[:-3] for each in (begin, end)]
        return f"{cluster} {broadcast} {when[0]} - {when[1]} from {offset} ms at {volume}"

    only_heard = [tell(each) for each in heard if each not in said]
    only_said = [tell(each) for each in said if each not in heard]
    return "\n".join(["heard and not foretold:", *only_heard, "foretold and not heard:", *only_said])
