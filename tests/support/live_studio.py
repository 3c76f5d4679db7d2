"""A house with a room for live voices, and ears at its end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from support.live_voice import Ears, voice
from support.office import PROVINCE, House

from broadcasts.wire.trust import Use
from controller.db.tables import AuditEntry, LiveSession
from controller.services import live_keeping, live_sessions
from controller.services.live_room import LiveRoom, Mouth
from controller.services.live_sessions import Wish


class Studio:
    """A house with a room for voices and ears at its end."""

    def __init__(self, house: House) -> None:
        self.house, self.ctx, self.clock = house, house.ctx, house.clock
        self.ears = Ears(house.ctx.keys.signer(Use.PLAN), house.ctx.keys.signer(Use.ALERT))
        self.room = LiveRoom(house.clock, self.ears.send, cpu=lambda: 0.0)
        self.author, self.approver = house.actor("phatthanh"), house.actor("lanhdao")
        self.officer = house.actor("khancap")

    def wish(self, **changed: Any) -> Wish:
        told: dict[str, Any] = {"reason": "Họp khẩn ở nhà văn hóa", "minutes": 10, "areas": (self.house.commune,)}
        return Wish(**told | changed)

    def emergency(self, **changed: Any) -> Wish:
        return self.wish(**{"priority": 1, "kind": "flood", "areas": (PROVINCE[0],), "typed": "10"} | changed)

    def approved(self, **changed: Any) -> str:
        name = live_sessions.ask(self.ctx, self.author, self.wish(**changed))
        live_sessions.decide(self.ctx, self.approver, name, yes=True)
        return name

    def begin(self, name: str) -> Mouth:
        live_sessions.begin(self.ctx, self.author, name, self.room)
        return self.room.attach(name, self.author.id, 16_000)

    def row(self, name: str) -> LiveSession:
        with self.ctx.db.read() as session:
            return session.get_one(LiveSession, name)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 5)):
            self.clock.advance(0.2)
            self.room.turn()
        live_keeping.step(self.ctx, self.room, self.clock.now())
        self.room.turn()
        live_keeping.step(self.ctx, self.room, self.clock.now())

    def speak(self, mouth: Mouth, seconds: float) -> None:
        sound = voice(seconds, mouth.rate)
        block = mouth.rate // 10
        for at in range(0, sound.size, block):
            self.clock.advance(0.1)
            self.room.give(mouth, sound[at : at + block].tobytes())
            self.room.turn()
        live_keeping.step(self.ctx, self.room, self.clock.now())

    def lines(self, name: str) -> list[str]:
        with self.ctx.db.read() as session:
            return list(session.scalars(select(AuditEntry.act).where(AuditEntry.about == name).order_by(AuditEntry.id)))
