"""Live voice in an emergency: at once, by one person with a second factor, confirmed by another afterwards."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.audio import recording
from support.live_studio import Studio

from broadcasts.audio.live import RATES
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from controller.db.tables import AuditEntry, EmergencyReach
from controller.services import emergencies, live_keeping, live_sessions
from controller.services.alert_calls import Call, Content
from controller.services.live_rules import SOON
from controller.services.rights import Actor
from controller.services.seeding import PROVINCE
from controller.services.targets import Target


def test_an_emergency_sounds_at_once_in_the_name_of_one_and_waits_for_the_word_of_another(studio: Studio) -> None:
    studio.clock.advance(16 * 3600)  # 04:00 at night
    officer = studio.house.actor("khancap")
    name = live_sessions.declare(studio.ctx, officer, studio.emergency())
    live_sessions.begin(studio.ctx, officer, name, studio.room)
    studio.room.turn()
    assert {document.level for _, document in studio.ears.documents} == {1}
    assert {document.volume for _, document in studio.ears.documents} == {100}
    with pytest.raises(Refused, match=r"alert\.own"):
        live_sessions.confirm(studio.ctx, officer, name, right=True)
    approver = studio.house.actor("lanhdao")
    with pytest.raises(Refused, match=r"reason\.missing"):
        live_sessions.confirm(studio.ctx, approver, name, right=False)
    live_sessions.confirm(studio.ctx, approver, name, right=True)
    with pytest.raises(Conflict, match=r"alert\.confirmed"):
        live_sessions.confirm(studio.ctx, approver, name, right=True)
    assert studio.row(name).confirmed_right is True


def test_an_emergency_wants_a_second_factor_of_just_now(studio: Studio) -> None:
    old = replace(studio.officer, strong_at=studio.clock.now() - timedelta(hours=1))
    with pytest.raises(Refused, match=r"second_factor\.again"):
        live_sessions.declare(studio.ctx, old, studio.emergency())
    with pytest.raises(Refused, match=r"second_factor\.needed"):
        live_sessions.declare(studio.ctx, replace(studio.officer, strong=False), studio.emergency())
    with pytest.raises(Refused, match="no_right"):
        live_sessions.declare(studio.ctx, studio.author, studio.emergency())


def test_emergencies_of_one_person_are_counted(studio: Studio) -> None:
    few = replace(studio.ctx, emergencies=replace(studio.ctx.emergencies, per_person=2))
    for _ in range(2):
        live_sessions.declare(few, studio.officer, studio.emergency())
    with pytest.raises(Refused, match=r"alert\.rate_person"):
        live_sessions.declare(few, studio.officer, studio.emergency())
    studio.clock.advance(few.emergencies.window.total_seconds() + 1)
    live_sessions.declare(few, studio.house.actor("khancap"), studio.emergency())


def flood(studio: Studio, folder: Path) -> Call:
    siren = studio.house.add_asset(recording(folder / "siren.wav", seconds=1.5)).sha256
    content = Content(recordings=(("vi", siren),))
    return Call(AlertKind.FLOOD, Target(areas=(PROVINCE[0],)), content, "Nước lên", timedelta(hours=1), confirmed="10")


def test_spoken_and_played_emergencies_of_one_person_are_one_count(studio: Studio, tmp_path: Path) -> None:
    told = flood(studio, tmp_path)
    few = replace(studio.ctx, emergencies=replace(studio.ctx.emergencies, per_person=2))
    live_sessions.declare(few, studio.officer, studio.emergency())
    emergencies.sound(few, studio.officer, told)
    with pytest.raises(Refused, match=r"alert\.rate_person"):
        live_sessions.declare(few, studio.officer, studio.emergency())
    with pytest.raises(Refused, match=r"alert\.rate_person"):
        emergencies.sound(few, studio.officer, told)
    studio.clock.advance(few.emergencies.window.total_seconds() + 1)
    emergencies.sound(few, studio.house.actor("khancap"), told)


def test_a_voice_counts_for_the_lists_that_would_carry_it_while_it_may_sound(studio: Studio, tmp_path: Path) -> None:
    told = flood(studio, tmp_path)
    few = replace(studio.ctx, emergencies=replace(studio.ctx.emergencies, per_scope=1))
    unspoken = live_sessions.declare(few, studio.officer, studio.emergency())
    for refused in (lambda: emergencies.sound(few, studio.officer, told),
                    lambda: live_sessions.declare(few, studio.officer, studio.emergency())):  # fmt: skip
        with pytest.raises(Refused, match=r"alert\.rate_scope"):
            refused()
    commune = studio.emergency(areas=(studio.house.commune,))
    live_sessions.stop(few, studio.officer, live_sessions.declare(few, studio.officer, commune), None)
    live_sessions.stop(few, studio.officer, unspoken, None)
    spoken = live_sessions.declare(few, studio.officer, studio.emergency())
    live_sessions.begin(few, studio.officer, spoken, studio.room)
    studio.room.turn()
    live_sessions.stop(few, studio.officer, spoken, studio.room)
    studio.wait(5)
    with pytest.raises(Refused, match=r"alert\.rate_scope"):
        emergencies.sound(few, studio.officer, told)
    studio.clock.advance(few.emergencies.window.total_seconds() + 1)
    emergencies.sound(few, studio.house.actor("khancap"), told)
    with pytest.raises(Refused, match=r"alert\.rate_scope"):
        live_sessions.declare(few, studio.house.actor("khancap"), studio.emergency())


def test_an_emergency_that_nobody_speaks_into_goes_stale(studio: Studio) -> None:
    name = live_sessions.declare(studio.ctx, studio.officer, studio.emergency())
    studio.clock.advance(SOON.total_seconds() + 1)
    with pytest.raises(Refused, match=r"live\.stale"):
        live_sessions.begin(studio.ctx, studio.officer, name, studio.room)


def test_above_a_threshold_the_number_of_poles_is_typed(studio: Studio) -> None:
    few = replace(studio.ctx, emergencies=replace(studio.ctx.emergencies, wide_clusters=5))
    with pytest.raises(Refused, match=r"alert\.confirm_reach"):
        live_sessions.declare(few, studio.officer, studio.emergency(typed=""))
    live_sessions.declare(few, studio.officer, studio.emergency(typed=str(len(studio.house.clusters()))))


@pytest.mark.requirement("R-068")
def test_the_newest_emergency_takes_the_horns_from_whoever_has_them(studio: Studio) -> None:
    ordinary = studio.approved(chime="")
    studio.begin(ordinary)
    studio.room.turn()
    first = live_sessions.declare(studio.ctx, studio.officer, studio.emergency())
    live_sessions.begin(studio.ctx, studio.officer, first, studio.room)
    studio.room.turn()
    second = live_sessions.declare(studio.ctx, studio.officer, studio.emergency())
    studio.clock.advance(1)
    live_sessions.begin(studio.ctx, studio.officer, second, studio.room)
    studio.room.turn()
    assert studio.room.on_air == (second,)
    live_keeping.step(studio.ctx, studio.room, studio.clock.now())
    assert [studio.row(name).end_why for name in (ordinary, first)] == ["newer", "newer"]
    third = studio.approved()
    with pytest.raises(Conflict, match=r"live\.busy"):
        studio.begin(third)


def test_silence_for_all_ends_the_voice_of_an_emergency_too(studio: Studio) -> None:
    name = live_sessions.declare(studio.ctx, studio.officer, studio.emergency(chime=""))
    live_sessions.begin(studio.ctx, studio.officer, name, studio.room)
    studio.wait(0.4)
    assert studio.room.on_air == (name,)
    emergencies.silence_all(studio.ctx, studio.officer)
    studio.wait(0.4)
    assert studio.row(name).end_why == "stopped"
    studio.clock.advance(1)
    again = live_sessions.declare(studio.ctx, studio.officer, studio.emergency(chime=""))
    live_sessions.begin(studio.ctx, studio.officer, again, studio.room)
    studio.wait(0.4)
    assert studio.room.on_air == (again,), "what begins afterwards is not meant"


def test_who_was_away_gets_the_recording_of_an_emergency_as_an_alert(studio: Studio, tmp_path: Path) -> None:
    officer = studio.officer
    name = live_sessions.declare(studio.ctx, officer, studio.emergency(chime="", areas=(studio.house.commune,)))
    live_sessions.begin(studio.ctx, officer, name, studio.room)
    mouth = studio.room.attach(name, officer.id, RATES[0])
    studio.speak(mouth, 3)
    live_sessions.stop(studio.ctx, officer, name, studio.room)
    studio.wait(1)
    live_keeping.keep(studio.ctx, studio.clock.now())
    row = studio.row(name)
    assert len(row.alerts) == 1
    with studio.ctx.db.read() as session:
        told = session.scalars(select(AuditEntry.detail).where(AuditEntry.about == row.alerts[0])).one()
    assert told["exempt"] == "spoken", "nobody types a number for it: he did when he began to speak"
    once = replace(studio.ctx, emergencies=replace(studio.ctx.emergencies, per_person=2, wide_clusters=1))
    emergencies.sound(once, officer, flood(studio, tmp_path))
    assert row.later_until == row.hard_end + timedelta(minutes=60)


def spoken(studio: Studio) -> str:
    officer = studio.officer
    name = live_sessions.declare(studio.ctx, officer, studio.emergency(chime="", areas=(studio.house.commune,)))
    live_sessions.begin(studio.ctx, officer, name, studio.room)
    studio.speak(studio.room.attach(name, officer.id, RATES[0]), 3)
    return name


def other_officer(studio: Studio) -> Actor:
    return replace(studio.officer, id="another", name="another")


def test_an_emergency_that_another_officer_broke_off_sounds_nowhere_afterwards(studio: Studio) -> None:
    name = spoken(studio)
    live_sessions.stop(studio.ctx, other_officer(studio), name, studio.room)
    studio.wait(1)
    assert studio.row(name).end_why == "stopped"
    live_keeping.keep(studio.ctx, studio.clock.now())
    assert studio.row(name).asset_sha256 is not None, "the recording is kept as a proof"
    assert studio.row(name).alerts == []


def test_an_emergency_that_a_second_person_calls_wrong_sounds_nowhere_afterwards(studio: Studio) -> None:
    name = spoken(studio)
    live_sessions.stop(studio.ctx, studio.officer, name, studio.room)
    studio.wait(1)
    live_sessions.confirm(studio.ctx, studio.house.actor("lanhdao"), name, right=False, note="Nhầm")
    live_keeping.keep(studio.ctx, studio.clock.now())
    assert studio.row(name).alerts == []


def test_silence_for_all_after_the_last_word_holds_for_the_recording_too(studio: Studio) -> None:
    name = spoken(studio)
    live_sessions.stop(studio.ctx, studio.officer, name, studio.room)
    studio.wait(1)
    emergencies.silence_all(studio.ctx, studio.officer)
    live_keeping.keep(studio.ctx, studio.clock.now())
    assert studio.row(name).alerts == []


def test_an_emergency_that_begins_in_the_same_instant_takes_the_horns_all_the_same(studio: Studio) -> None:
    ordinary = studio.approved(chime="")
    urgent = live_sessions.declare(studio.ctx, studio.officer, studio.emergency(chime=""))
    real, beside = studio.room.open, []

    def slowly(*told: Any) -> Any:
        if not beside:  # the first is on air for the database, and not yet in the room
            other = threading.Thread(target=live_sessions.begin, args=(studio.ctx, studio.officer, urgent, studio.room))
            beside.append(other)
            other.start()
            other.join(1)
        return real(*told)

    studio.room.open = slowly  # type: ignore[method-assign]
    studio.begin(ordinary)
    beside[0].join(30)
    studio.room.turn()
    assert studio.room.on_air == (urgent,)


@pytest.mark.parametrize("cancel", [0, 600])
def test_the_recording_of_a_voice_overtakes_no_emergency_that_is_newer(
    studio: Studio, tmp_path: Path, cancel: int
) -> None:
    """Neither one that stands nor one that still waits for its release; where there is none it sounds."""
    siren = studio.house.add_asset(recording(tmp_path / "siren.wav", seconds=1.5)).sha256
    name = spoken(studio)
    live_sessions.stop(studio.ctx, studio.officer, name, studio.room)
    warned, *others = studio.row(name).clusters
    rules = replace(studio.ctx.emergencies, cancel=timedelta(seconds=cancel))
    content = Content(recordings=(("vi", siren),))
    call = Call(AlertKind.FLOOD, Target(clusters=(warned,)), content, "Nước lên", timedelta(minutes=30))
    newer = emergencies.sound(replace(studio.ctx, emergencies=rules), studio.officer, call)
    studio.wait(1)
    live_keeping.keep(studio.ctx, studio.clock.now())
    [made] = studio.row(name).alerts
    with studio.ctx.db.read() as session:
        rows = session.scalars(select(EmergencyReach).where(EmergencyReach.emergency_id.in_((made, newer)))).all()
    assert {row.cluster_id for row in rows if row.emergency_id == newer} == {warned}
    assert {row.cluster_id for row in rows if row.emergency_id == made} == set(others)
