"""What follows a revocation outside: the broker refuses and cuts off, what the unit left there goes, and we try in its
name whether it is so. Said again until it is proven, and at every new connection, because a broker may have been
restored meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import func, select, update

from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.db.tables import Revocation, Unit, UnitCertificate
from controller.services.context import Context
from controller.services.ports import Link

AGAIN = timedelta(seconds=5)
"""Also while nothing is to be done: `loa unit revoke` is another process, and nobody wakes us for it."""
LATER = timedelta(minutes=10)
SETTLED = timedelta(seconds=30)
"""After that what is left by a last will that was on its way is taken off as well."""
TRIES = timedelta(minutes=10)
"""So long after the revocation we try every few seconds whether it holds, later seldom."""
OWN = tuple(kind for kind in Out if topics.MANNERS[kind].retain)
"""What a unit leaves retained, and what is left for it."""
TOLD = tuple(kind for kind in In if topics.MANNERS[kind].retain)


class Proof(StrEnum):
    REFUSED = "refused"
    OPEN = "open"
    UNTRIED = "untried"


class Door(Protocol):
    """The broker's, as `controller.mqtt` knows it. Nothing here raises or waits for long."""

    def admit(self) -> None:
        """Units came, or their secrets changed."""
        ...

    def empty(self, unit: str) -> None:
        """In the unit's name: cut it off, drop its session, take off what it left retained."""
        ...

    def shut(self, units: list[str]) -> bool:
        """These are refused from now on, and cut off; whether that is on its way."""
        ...

    def prove(self, unit: str) -> Proof:
        """Try what it could still do."""
        ...

    def list_revoked(self, serials: list[tuple[str, datetime]], now: datetime) -> None:
        """Certificates that count no longer, for the broker's list."""
        ...


class Clearing:
    def __init__(self, ctx: Context, link: Link, door: Door) -> None:
        self._ctx, self._link, self._door = ctx, link, door
        self._known: Any = None
        self._all = True
        self._patience = datetime.min.replace(tzinfo=UTC)

    def again(self) -> None:
        """A new connection: whatever the broker was told, it is told once more."""
        self._all = True

    def step(self, now: datetime) -> datetime:
        with self._ctx.db.read() as session:
            known = (
                session.execute(select(func.count(), func.max(Unit.enrolled_at), func.count(Unit.revoked_at))).one(),
                session.execute(select(func.count(), func.max(UnitCertificate.issued_at))).one(),
            )
            rows = list(session.scalars(select(Revocation).order_by(Revocation.at, Revocation.unit_id)))
            changed = self._known != known
            listed = (
                session.execute(
                    select(UnitCertificate.serial, Revocation.at)
                    .join(Revocation, Revocation.unit_id == UnitCertificate.unit_id)
                    .where(UnitCertificate.expires_at > now)
                    .order_by(UnitCertificate.serial)
                ).all()
                if changed
                else []
            )
        if changed:
            self._door.admit()
            self._door.list_revoked([(serial, at) for serial, at in listed], now)
            self._known = known
        if not self._link.up:
            return now + AGAIN
        fresh = [row for row in rows if row.cleared_at is None]
        if not self._all and now < self._patience:
            fresh = [row for row in fresh if now - row.at < TRIES]
        else:
            self._patience = now + LATER
        for row in fresh:
            if row.told_at is None:
                self._door.empty(row.unit_id)
        if told := [row.unit_id for row in (rows if self._all else fresh)]:
            if not self._door.shut(told):
                return now + AGAIN
            self._all = False
        for row in fresh:
            self._clear(row, now)
        return now + AGAIN

    def _clear(self, row: Revocation, now: datetime) -> None:
        for kind in TOLD:
            self._link.publish(topics.to_unit(row.unit_id, kind), b"", qos=1, retain=True)
        proof = self._door.prove(row.unit_id)
        if proof is Proof.OPEN:
            return
        values: dict[str, Any] = {"proven_at": now} if proof is Proof.REFUSED else {}
        if row.told_at is None:
            values["told_at"] = now
        elif now - row.told_at >= SETTLED:
            values["cleared_at"] = now
        if not values:
            return
        with self._ctx.db.write() as session:
            session.execute(update(Revocation).where(Revocation.unit_id == row.unit_id).values(**values))
