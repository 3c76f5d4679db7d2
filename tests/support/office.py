"""An office for tests of pages and API: SQLite in a folder, seeded places, accounts, a clock that stands, audio."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select, update

from broadcasts.audio.chain import Limits
from broadcasts.audio.store import Store
from broadcasts.clock import VIETNAM, ManualClock
from broadcasts.domain.series import Wish
from broadcasts.errors import Fault, Refused
from broadcasts.ids import CountingIds
from controller.app import create_app
from controller.bootstrap.audio_room import StoredAudio
from controller.bootstrap.keys import FileKeyring
from controller.db.engine import Database, sqlite_at
from controller.db.tables import Asset, Base, Cluster, Delivery, User
from controller.services import accounts, audit, campaigns, files
from controller.services.account_rules import AccountRules
from controller.services.campaigns import Proposal
from controller.services.composing import Draft
from controller.services.context import Context
from controller.services.emergency_rules import EmergencyRules
from controller.services.library import add_recording
from controller.services.office import Office
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE, Seeded, seed

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
"""Tuesday, 12:00 in Viet Nam."""
PASSWORD = "Mot-cau-de-nho-2026"


AT_EASE = AccountRules(second_factor=False, idle=timedelta(days=365), administrator_idle=timedelta(days=365))
"""For tests of something else: as in a demo, and nobody is idle where the clock jumps."""


AT_ONCE = EmergencyRules()
"""Nobody waits for a cancel interval."""


@dataclass
class FakePoles:
    """A simulator by hand. `silent` makes it not answer."""

    clock: ManualClock
    silent: bool = False
    acts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)

    def poles(self) -> list[dict[str, Any]]:
        if self.silent:
            raise Fault("sandbox.silent")
        return self.shown

    def act(self, name: str, **args: str) -> dict[str, Any]:
        if self.silent:
            raise Fault("sandbox.silent")
        self.acts.append((name, args))
        return {"done": name}

    def move_clock(self, to: datetime) -> None:
        if to <= self.clock.now():
            raise Refused("sandbox.backward")
        self.clock.set(to)


@dataclass
class House:
    """Everything a test wants to reach. `link` is whether the broker is there."""

    ctx: Context
    office: Office
    app: FastAPI
    clock: ManualClock
    seeded: Seeded
    folder: Path
    poles: FakePoles
    up: list[bool]
    woken: list[datetime]

    def actor(self, name: str) -> Actor:
        with self.ctx.db.read() as session:
            return accounts.actor_by_name(session, name, self.ctx.wall.now())

    def add_user(self, name: str, role: Role, area: str) -> None:
        """With PASSWORD, nothing to change first."""
        first = accounts.FirstPassword.make()
        with self.ctx.db.write() as session:
            accounts.create_user(self.ctx, session, first, name, f"{name} (thử)", role, area, "test")
        give_password(self.ctx, name)

    def secret(self, unit: str) -> str:
        return next(str(told["secret"]) for told in self.seeded.enrolments if told["unit"] == unit)

    def clusters(self) -> list[Cluster]:
        with self.ctx.db.read() as session:
            return list(session.scalars(select(Cluster).order_by(Cluster.id)))

    def add_asset(self, path: Path) -> Asset:
        """Prepared for real."""
        return add_recording(self.ctx, self.actor("phatthanh"), path, path.name)

    def use(self, name: str, asset: str) -> str:
        """As if this person had added the same file too: from then on it is his to use. The file's name."""
        with self.ctx.db.write() as session:
            audit.record(session, self.clock.now(), name, "recording.add", asset, {"name": "t.wav"})
        return asset

    def draft(self, asset: str, **changed: Any) -> Draft:
        local = self.clock.now() + timedelta(hours=7 + 2)
        told: dict[str, Any] = {
            "title": "Lịch tiêm chủng",
            "field": 1,
            "language": "vi",
            "asset": asset,
            "areas": (self.commune,),
            "first_day": local.date(),
            "at": local.time().replace(tzinfo=None),
        }
        return Draft(**told | changed)

    @property
    def commune(self) -> str:
        """The first commune."""
        with self.ctx.db.read() as session:
            return str(session.get_one(Cluster, self.clusters()[0].id).station_id).replace("s-", "c-")

    def begin_series(self, asset: str, template: str = "democracy", **wish: Any) -> str:
        """Handed in for the first commune: from tomorrow, 17:00 on; its id."""
        local = (self.clock.now() + timedelta(days=1)).astimezone(VIETNAM).replace(hour=17, minute=0, second=0)
        told = {"first": local.replace(microsecond=0), "issued_at": self.clock.now()} | wish
        proposal = Proposal(template, self.draft(asset), Wish(**told), spoken=True)
        return campaigns.create(self.ctx, self.actor("phatthanh"), proposal)

    def settle(self, broadcast: str, **values: Any) -> None:
        """All deliveries of a broadcast as if units had told."""
        with self.ctx.db.write() as session:
            session.execute(update(Delivery).where(Delivery.broadcast_id == broadcast).values(**values))

    def settle_one(self, broadcast: str, cluster: str, **values: Any) -> None:
        with self.ctx.db.write() as session:
            session.execute(
                update(Delivery)
                .where(Delivery.broadcast_id == broadcast, Delivery.cluster_id == cluster)
                .values(**values)
            )


def give_password(ctx: Context, name: str) -> None:
    hashed = accounts._HASHER.hash(PASSWORD)
    with ctx.db.write() as session:
        session.execute(
            update(User)
            .where(User.name == name)
            .values(password_hash=hashed, must_change=False, password_at=ctx.wall.now())
        )


def open_house(
    folder: Path,
    *,
    clusters: int = 10,
    now: datetime = NOON,
    sandbox: bool = False,
    secure: bool = False,
    max_upload_bytes: int = 3_000_000,
    metrics_token: str = "",
    fresh_passwords: bool = False,
    rules: AccountRules = AT_EASE,
    emergencies: EmergencyRules = AT_ONCE,
    like: House | None = None,
    database: str = "",
) -> House:
    """`fresh_passwords`: the four accounts still have their one-time passwords. `like`: a closed house to move into,
    so that a test need not wait for keys to be made. `database`: an empty one; without, SQLite in the folder."""
    if like is not None:
        shutil.copytree(like.folder, folder, dirs_exist_ok=True)
    clock, up, woken = ManualClock(now), [True], []
    db = Database(database or sqlite_at(folder / "loa.db"))
    Base.metadata.create_all(db.engine)
    ctx = Context(
        db=db,
        clock=clock,
        wall=clock,
        ids=CountingIds(),
        audio=StoredAudio(Store(folder / "audio"), Limits(max_bytes=max_upload_bytes)),
        keys=FileKeyring.make_missing(folder / "keys"),
        wake=lambda: woken.append(clock.now()),
        people=rules,
        emergencies=emergencies,
    )
    seeded = like.seeded if like is not None else seed(ctx, clusters=clusters)
    assert seeded is not None
    if not fresh_passwords and like is None:
        for name in seeded.passwords:
            give_password(ctx, name)
    poles = FakePoles(clock)
    office = Office(
        ctx=ctx,
        link_up=lambda: up[0],
        metrics=lambda: b"# HELP loa_units Units.\nloa_units 10\n",
        unit_asset=lambda unit, secret, sha256: files.asset_for_unit(ctx, unit, secret, sha256),
        upload_folder=folder / "uploads",
        sandbox=poles if sandbox else None,
        secure_cookies=secure,
        max_upload_bytes=max_upload_bytes,
        metrics_token=metrics_token,
    )
    return House(ctx, office, create_app(office), clock, seeded, folder, poles, up, woken)


__all__ = ["NOON", "PASSWORD", "PROVINCE", "FakePoles", "House", "give_password", "open_house"]
