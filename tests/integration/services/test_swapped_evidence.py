"""A box is swapped while an emergency stands, or waits for its release: who told what, and whom it is expected of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, NOON, House
from support.sirens import heard, meant, reached, sounded
from support.voices import Voice

from broadcasts.domain.tally import Mark
from broadcasts.wire.journal import Amplifier, Outcome
from controller.db.tables import Emergency, Unit
from controller.services import alert_lists, alert_restoring, emergencies, swapping
from controller.services.alert_tally import Line
from controller.services.emergency_rules import EmergencyRules
from controller.services.targets import Target
from controller.services.views.playings import playings

CLUSTER, OTHER, OLD, NEW = f"cl-{HERE}-2", f"cl-{HERE}-3", f"u-{HERE}-2", "u-spare"


@pytest.fixture(autouse=True)
def spare(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(Unit(id=NEW, vendor="loasim", key_x="x" * 43, secret_hashes={"sha256": "0" * 64}, enrolled_at=NOON))


def voice(house: House, unit: str) -> Voice:
    return Voice(unit, house.bulletin.sha256, 2_000)


def starts(house: House, box: Voice, alert: str, at: datetime | None = None, **told: int | None) -> None:
    said = {"clock_error_ms": 20} | told
    house.hear(box.batch(box.started(alert, at or house.now, **said)), unit=box.unit, signed=True)


def ends(house: House, box: Voice, alert: str) -> None:
    told = {"amplifier": Amplifier.SOUND, "clock_error_ms": 20}
    house.hear(box.batch(box.ended(alert, house.now, Outcome.PLAYED, **told)), unit=box.unit, signed=True)


def put(house: House, unit: str, seen: str, cluster: str = CLUSTER) -> None:
    house.clock.advance(5)
    swapping.swap(house.ctx, house.actor("kythuat"), cluster, unit, seen)
    alert_lists.issue_pending(house.ctx, house.now)
    house.clock.advance(5)


def take_away(house: House, unit: str) -> None:
    house.clock.advance(5)
    swapping.release(house.ctx, house.actor("kythuat"), CLUSTER, unit)
    alert_lists.issue_pending(house.ctx, house.now)
    house.clock.advance(5)


def line(house: House, alert: str, cluster: str = CLUSTER) -> Line:
    with house.ctx.db.read() as session:
        told = emergencies.tally(session, alert, house.now).lines
    return next(each for each in told if each.cluster == cluster)


def both(house: House) -> str:
    return sounded(house, Target(clusters=(CLUSTER, OTHER)))


def test_what_the_old_box_sounded_stays_its_own_and_the_new_one_is_asked_for_its_own(house: House) -> None:
    alert, old, new = both(house), voice(house, OLD), voice(house, NEW)
    starts(house, old, alert)
    begun = house.now
    put(house, NEW, OLD)
    told = line(house, alert)
    assert (told.unit, told.found.mark, told.found.seconds) == (NEW, Mark.NOT_REACHED, None)
    [before] = told.before
    assert (before.unit_id, before.sounded_at) == (OLD, begun)
    starts(house, new, alert)
    ends(house, new, alert)
    told = line(house, alert)
    assert (told.found.mark, told.before[0].sounded_at, told.before[0].heard) == (Mark.HEARD, begun, None)


def test_what_the_old_box_tells_only_after_the_swap_is_kept_as_its_own(house: House) -> None:
    alert, old = both(house), voice(house, OLD)
    begun = house.now + timedelta(seconds=2)
    put(house, NEW, OLD)
    starts(house, old, alert, begun)
    told = line(house, alert)
    assert told.found.mark is Mark.NOT_REACHED, "nothing is counted for the new one"
    assert [each.sounded_at for each in told.before] == [begun]
    with house.ctx.db.read() as session:
        day = house.now.date()
        shown = playings(session, house.on_duty, day, day, house.now)
    assert [(each.started, each.verdict) for each in shown if each.bulletin == alert and each.started] == [
        (begun, "sounded")
    ]


@pytest.mark.parametrize("clock_error_ms", [20, None])
def test_what_the_old_box_sounds_in_the_workshop_counts_for_nobody(house: House, clock_error_ms: int | None) -> None:
    alert, old = both(house), voice(house, OLD)
    put(house, NEW, OLD)
    starts(house, old, alert, clock_error_ms=clock_error_ms)
    told = line(house, alert)
    assert (told.found.mark, [each.sounded_at for each in told.before]) == (Mark.NOT_REACHED, [None])


def test_a_box_that_was_swapped_by_mistake_goes_on_with_what_it_told(house: House) -> None:
    alert, old = both(house), voice(house, OLD)
    starts(house, old, alert)
    begun = house.now
    put(house, NEW, OLD)
    put(house, OLD, NEW)
    ends(house, old, alert)
    told = line(house, alert)
    assert (told.unit, told.found.mark) == (OLD, Mark.HEARD)
    assert [(each.unit_id, each.sounded_at) for each in told.before] == [(NEW, None)]
    assert told.found.seconds == (begun - NOON).total_seconds()


def test_a_box_that_moved_from_one_warned_pole_to_another_tells_of_each_what_it_did_there(house: House) -> None:
    alert, box = both(house), voice(house, OLD)
    starts(house, box, alert)
    first = house.now
    take_away(house, OLD)
    put(house, OLD, f"u-{HERE}-3", OTHER)
    assert (line(house, alert, OTHER).unit, line(house, alert, OTHER).found.mark) == (OLD, Mark.NOT_REACHED)
    second = house.now
    starts(house, box, alert)
    assert [each.sounded_at for each in line(house, alert).before] == [first]
    assert line(house, alert, OTHER).found.seconds == (second - NOON).total_seconds()


def test_what_a_box_sounded_at_another_pole_in_between_is_no_proof_of_the_pole_it_came_back_to(house: House) -> None:
    alert, box = both(house), voice(house, OLD)
    take_away(house, OLD)
    put(house, OLD, f"u-{HERE}-3", OTHER)
    there = house.now
    put(house, NEW, OLD, OTHER)
    put(house, OLD, "")
    starts(house, box, alert, at=there)
    told = line(house, alert)
    assert (told.unit, told.found.mark) == (OLD, Mark.NOT_REACHED)
    before = {each.unit_id: each.sounded_at for each in line(house, alert, OTHER).before}
    assert before == {f"u-{HERE}-3": None, OLD: there}


def slow(house: House) -> House:
    return replace(house, ctx=replace(house.ctx, emergencies=EmergencyRules(cancel=timedelta(minutes=2))))


def release(house: House) -> None:
    house.clock.advance(120)
    emergencies.step(house.ctx, house.now)


@pytest.mark.parametrize("clusters", [(CLUSTER,), (CLUSTER, OTHER)])
def test_what_waits_for_its_release_while_a_box_is_swapped_reaches_the_new_one_alone(
    house: House, clusters: tuple[str, ...]
) -> None:
    waits = slow(house)
    alert = sounded(waits, Target(clusters=clusters))
    put(waits, NEW, OLD)
    release(waits)
    others = {f"u-{HERE}-3"} & {name.replace("cl-", "u-") for name in clusters}
    assert reached(house, alert) == {NEW} | others
    assert meant(house, alert) == {NEW} | others
    assert line(house, alert).before == (), "nobody outside had heard of it"
    emergencies.silence(house.ctx, house.on_duty, alert)
    assert reached(house, alert) == set()


def test_released_while_nothing_hung_there_it_is_sounded_by_the_next_box(house: House) -> None:
    waits = slow(house)
    alert = sounded(waits, Target(clusters=(CLUSTER,)))
    take_away(waits, OLD)
    release(waits)
    assert (reached(house, alert), heard(house, OLD)) == (set(), [])
    put(house, NEW, "")
    assert [each.id for each in heard(house, NEW)] == [alert]
    assert (reached(house, alert), line(house, alert).unit) == ({NEW}, NEW)
    emergencies.silence(house.ctx, house.on_duty, alert)
    assert heard(house, NEW) == []


def test_after_a_backup_was_put_back_the_next_box_sounds_nothing_that_had_no_list(house: House) -> None:
    alert = sounded(house, Target(clusters=(CLUSTER,)))
    take_away(house, OLD)
    with house.ctx.db.write() as session:
        assert alert_restoring.take_all_off(session, house.now) == 1
        assert session.scalars(select(Emergency.state).where(Emergency.id == alert)).one() == "silenced"
    put(house, NEW, "")
    assert heard(house, NEW) == []
