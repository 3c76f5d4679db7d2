"""After a false alarm: silence at once, then what is said to those who heard it, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from support.services import HERE, THERE, House, raises
from support.sirens import documents, heard, reached, sounded

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Emergency
from controller.services import emergencies, emergency_voice
from controller.services.emergency_rules import EmergencyRules
from controller.services.targets import Target

COMMUNE, OTHER = f"c-{HERE}", f"c-{THERE}"


def test_the_apology_silences_first_and_sounds_once_where_the_alarm_did(house: House, tmp_path: Path) -> None:
    false = sounded(house, Target(areas=(COMMUNE,)))
    other = sounded(house, Target(areas=(OTHER,)))
    said = emergency_voice.apologise(house.ctx, house.on_duty, false, tmp_path)
    [alert] = heard(house, f"u-{HERE}-1")
    assert (alert.id, alert.kind, alert.repeat) == (said, AlertKind.ALL_CLEAR, None)
    with house.ctx.db.read() as session:
        assert session.get_one(Emergency, false).state == "silenced"
        [part] = alert.content
        assert emergency_voice.APOLOGY in emergency_voice.words_of(session, part.asset.sha256)
    assert alert.hard_end - alert.not_before == 600_000
    assert [each.id for each in heard(house, f"u-{THERE}-1")] == [other]
    assert emergency_voice.apologise(house.ctx, house.on_duty, false, tmp_path) == said, "once"


def test_silence_waits_for_no_cancel_interval_and_the_apology_does(house: House, tmp_path: Path) -> None:
    false = sounded(house, Target(areas=(COMMUNE,)))
    slow = replace(house, ctx=replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=5))))
    said = emergency_voice.apologise(slow.ctx, house.on_duty, false, tmp_path)
    assert documents(house)[COMMUNE].alerts == []
    house.clock.advance(5)
    emergencies.step(slow.ctx, house.now)
    assert len(reached(house, said)) == 5


def test_for_what_nobody_heard_there_is_no_apology_and_it_wakes_people_so_it_wants_a_fresh_code(
    house: House, tmp_path: Path
) -> None:
    slow = replace(house, ctx=replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=5))))
    waits = sounded(slow, Target(areas=(COMMUNE,)))
    with raises(Refused, "alert.unheard"):
        emergency_voice.apologise(slow.ctx, house.on_duty, waits, tmp_path)
    with house.ctx.db.read() as session:
        assert session.get_one(Emergency, waits).state == "cancelled"
    false = sounded(house, Target(areas=(OTHER,)))
    old = replace(house.on_duty, strong_at=house.now - timedelta(hours=1))
    with raises(Refused, "second_factor.again"):
        emergency_voice.apologise(house.ctx, old, false, tmp_path)
    assert documents(house)[OTHER].alerts == []  # silent all the same
    with raises(Refused, "not_yours"):
        emergency_voice.apologise(house.ctx, house.on_duty.only_in(frozenset({COMMUNE})), false, tmp_path)
