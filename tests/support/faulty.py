"""What tests of faults do to an office: units come and go, and minutes pass."""

from __future__ import annotations

from sqlalchemy import select
from support.office import House

from controller.db.tables import Assignment, UnitStatus
from controller.services.health_watching import Watch


def pass_on(house: House, watch: Watch, minutes: int) -> None:
    for _ in range(minutes):
        house.clock.advance(60)
        watch.step(house.clock.now())


def units(house: House, begins: str = "cl-") -> list[tuple[str, str]]:
    """(cluster, unit) of the clusters whose id begins so."""
    with house.ctx.db.read() as session:
        rows = session.execute(select(Assignment.cluster_id, Assignment.unit_id).order_by(Assignment.cluster_id))
        return [(row[0], row[1]) for row in rows if row[0].startswith(begins)]


def say(house: House, unit: str, connected: bool) -> None:
    now = house.clock.now()
    with house.ctx.db.write() as session:
        status = session.get(UnitStatus, unit) or UnitStatus(unit_id=unit)
        status.connected, status.presence_at, status.last_sign = connected, now, now
        session.add(status)
