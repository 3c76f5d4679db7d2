"""A feed of warnings in a furnished database, and two people of the province who decide about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import undefer
from support.audio import recording
from support.cap import SENT, document, reference
from support.services import House

from broadcasts.wire.alert import AlertKind
from controller.db.tables import CapMessage, CapMessageAlert, Emergency
from controller.services import (
    accounts,
    cap_acting,
    cap_deciding,
    cap_feeds,
    cap_sounding,
    cap_standing,
    cap_taking,
    emergency_set,
)
from controller.services.cap_feeds import Told
from controller.services.cap_standing import Wish
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE


class Killed(BaseException):
    """As `kill -9`: nothing catches it."""


@dataclass
class Cap:
    """Two people of the province who may sound emergencies, `lan` and `minh`, and one feed."""

    house: House
    feed: str
    storm: Path

    def actor(self, name: str) -> Actor:
        found = self.house.actor(name)
        return replace(found, strong=True, strong_at=self.house.now)

    def take(self, data: bytes) -> CapMessage:
        """The row as it stands after the step."""
        taken = cap_taking.take(self.house.ctx, self.feed, data)
        self.step()
        return self.row(taken.id)

    def step(self) -> None:
        cap_acting.Acting(self.house.ctx).step(self.house.now)

    def die_before_noting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A step that is killed between the first sound and the note of it."""

        def die(*_: object, **__: object) -> None:
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(cap_sounding, "sounded", die)
            with pytest.raises(Killed):
                self.step()

    def row(self, name: str) -> CapMessage:
        with self.house.ctx.db.read() as session:
            return session.get_one(CapMessage, name, options=[undefer(CapMessage.body)])

    def state(self, name: str) -> str:
        return cap_deciding.state(self.row(name), self.house.now)

    def parts(self, name: str) -> list[CapMessageAlert]:
        with self.house.ctx.db.read() as session:
            return list(cap_sounding.parts(session, name))

    def alerts(self, name: str) -> list[str]:
        return [part.alert_id for part in self.parts(name)]

    def emergencies(self) -> list[Emergency]:
        with self.house.ctx.db.read() as session:
            return list(session.scalars(select(Emergency).order_by(Emergency.pressed_at, Emergency.id)))

    def preload(self, kind: AlertKind = AlertKind.STORM, language: str = "vi") -> None:
        emergency_set.put(self.house.ctx, self.actor("lan"), PROVINCE[0], kind, language, self.storm, "x.wav")

    def change(self, **told: Any) -> None:
        said = {"name": "Khí tượng", "area": PROVINCE[0], "systems": ("VN",)} | told
        with self.house.ctx.db.read() as session:
            entry = cap_feeds.entries(session, self.actor("lan"), self.house.now)[0]
        cap_feeds.change(self.house.ctx, self.actor("lan"), self.feed, Told(**said), entry.feed.revision)

    def rule(self, *, approve: bool = True, **told: Any) -> str:
        said: dict[str, Any] = {
            "feed": self.feed,
            "area": PROVINCE[0],
            "kind": "storm",
            "severity": "Severe",
            "urgency": "Expected",
            "certainty": "Likely",
            "minutes": 30,
            "until": self.house.now + timedelta(days=90),
            "events": ("Bão",),
        }
        name = cap_standing.propose(self.house.ctx, self.actor("lan"), Wish(**said | told))
        if approve:
            cap_standing.approve(self.house.ctx, self.actor("minh"), name)
        return name

    def later(self, minutes: float) -> datetime:
        self.house.clock.advance(minutes * 60)
        return self.house.now

    def update(self, kind: str = "Update", name: str = "bao-5.2", of: str = "bao-5.1", **told: Any) -> bytes:
        return document(name, sent=SENT + timedelta(minutes=3), kind=kind, references=reference(of), **told)


@pytest.fixture(scope="session")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("storm") / "storm.wav", seconds=1.0)


@pytest.fixture
def cap(house: House, storm: Path) -> Cap:
    with house.ctx.db.write() as session:
        for name in ("lan", "minh"):
            first = accounts.FirstPassword.make()
            accounts.create_user(house.ctx, session, first, name, name, Role.EMERGENCY, PROVINCE[0], "test")
    found = Cap(house, "", storm)
    found.feed = cap_feeds.add(
        house.ctx, found.actor("lan"), Told("Khí tượng", PROVINCE[0], systems=("VN",), every_s=60)
    )
    return found
