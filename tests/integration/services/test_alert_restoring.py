"""A backup was put back: nothing that stood then sounds again by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from support.services import HERE, THERE, House
from support.sirens import documents, preload, sounded

from broadcasts.wire.alert import AlertKind
from controller.db.tables import Drill, DrillList, Emergency
from controller.services import alert_restoring, drilling, emergencies, reconciling
from controller.services.drilling import Exercise
from controller.services.emergency_rules import EmergencyRules
from controller.services.seeding import PROVINCE
from controller.services.targets import Target

COMMUNE = f"c-{HERE}"


def test_what_stood_in_the_backup_is_taken_off_and_said_so(house: House) -> None:
    preload(house, PROVINCE[0])
    stood = sounded(house, Target(areas=(COMMUNE,)))
    drill = drilling.ask(house.ctx, house.on_duty, Exercise(AlertKind.STORM, Target(areas=(COMMUNE,)), "Quý 1"))
    slow = replace(house, ctx=replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=5))))
    waits = sounded(slow, Target(areas=(f"c-{THERE}",)))
    reconciling.step(house.ctx, house.link, house.now)
    before = documents(house)[COMMUNE].version
    with house.ctx.db.write() as session:
        assert alert_restoring.take_all_off(session, house.now) == 1
        drills = session.get_one(DrillList, COMMUNE).version
    house.link.sent.clear()
    house.clock.advance(10)
    reconciling.step(house.ctx, house.link, house.now)
    emergencies.step(house.ctx, house.now)
    said = documents(house)
    assert (said[COMMUNE].alerts, said[COMMUNE].version > before) == ([], True)
    assert f"c-{THERE}" not in said
    assert f"loa/v1/s/{COMMUNE}/drill" in house.link.topics()
    with house.ctx.db.read() as session:
        states = [session.get_one(Emergency, name).state for name in (stood, waits)]
        assert (states, session.get_one(Drill, drill).state) == (["silenced", "lapsed"], "ended")
        assert session.get_one(DrillList, COMMUNE).version > drills
    again = sounded(house, Target(areas=(COMMUNE,)))
    assert [each.id for each in documents(house)[COMMUNE].alerts] == [again]
