"""A unit that is behind stays behind since the first plan that it lacks, however many newer ones are made."""

from __future__ import annotations

from datetime import datetime

from support.services import HERE, House

from controller.db.tables import UnitPlan, UnitStatus
from controller.services.deliveries import mark_dirty
from controller.services.views.clusters import health

CLUSTER, UNIT = f"cl-{HERE}-1", f"u-{HERE}-1"


def since(house: House) -> datetime | None:
    with house.ctx.db.read() as session:
        return health(session, house.actor("kythuat"), CLUSTER, house.now).convergence.since


def made_anew(house: House) -> datetime:
    """Another plan, because another bulletin was approved; when it was made."""
    house.clock.advance(3_600)
    house.on_air()
    with house.ctx.db.write() as session:
        mark_dirty(session, [CLUSTER], house.now)
    house.compile()
    with house.ctx.db.read() as session:
        return session.get_one(UnitPlan, UNIT).compiled_at


def has_all(house: House) -> None:
    with house.ctx.db.write() as session:
        status = session.get(UnitStatus, UNIT) or UnitStatus(unit_id=UNIT)
        session.add(status)
        status.plan_version = session.get_one(UnitPlan, UNIT).version


def test_a_newer_plan_does_not_make_the_lag_shorter_and_who_came_to_one_begins_anew(house: House) -> None:
    first = made_anew(house)
    assert since(house) == first
    assert made_anew(house) > first
    assert since(house) == first
    has_all(house)
    assert since(house) is None
    newest = made_anew(house)
    assert since(house) == newest
    assert made_anew(house) > newest
    assert since(house) == newest
