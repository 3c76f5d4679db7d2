"""A box is swapped while a drill stands, or waits for its approval: whom it names, and who told what."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.services import HERE, NOON, THERE, House
from support.sirens import preload
from support.voices import Voice

from broadcasts.domain.tally import Mark, Why
from broadcasts.wire import codec
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.journal import Amplifier, Outcome
from broadcasts.wire.jws import Typ
from broadcasts.wire.trust import Use
from controller.db.tables import Assignment, DrillList, KeptSound, Unit
from controller.services import drill_lists, drill_tally, drilling, reconciling, swapping
from controller.services.drill_tally import Line
from controller.services.drilling import Exercise
from controller.services.files import scopes_of
from controller.services.noticing import Notice
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from controller.services.views.playings import playings
from device_sim.drills import concerning

ROOT, COMMUNE = PROVINCE[0], f"c-{HERE}"
CLUSTER, OTHER, OLD, NEW = f"cl-{HERE}-2", f"cl-{HERE}-3", f"u-{HERE}-2", "u-spare"


@pytest.fixture(autouse=True)
def spare(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(Unit(id=NEW, vendor="loasim", key_x="x" * 43, secret_hashes={"sha256": "0" * 64}, enrolled_at=NOON))
    preload(house, ROOT)


def asked(house: House, *clusters: str, **changed: Any) -> str:
    target = Target(clusters=clusters) if clusters else Target(areas=(COMMUNE,))
    told: dict[str, Any] = {"kind": AlertKind.STORM, "target": target, "reason": "Diễn tập quý"} | changed
    return drilling.ask(house.ctx, house.on_duty, Exercise(**told))


def put(house: House, unit: str, seen: str, cluster: str = CLUSTER) -> None:
    house.clock.advance(5)
    swapping.swap(house.ctx, house.actor("kythuat"), cluster, unit, seen)
    drill_lists.issue_pending(house.ctx, house.now)
    house.clock.advance(5)


def take_away(house: House, unit: str) -> None:
    house.clock.advance(5)
    swapping.release(house.ctx, house.actor("kythuat"), CLUSTER, unit)
    drill_lists.issue_pending(house.ctx, house.now)
    house.clock.advance(5)


def lists(house: House) -> dict[str, DrillDocument]:
    key = house.keys.signer(Use.DRILL).public
    with house.ctx.db.read() as session:
        rows = session.scalars(select(DrillList).where(DrillList.version > 0)).all()
    return {
        row.scope: codec.unseal(DrillDocument, row.document, Typ.DRILL, lambda kid: key if kid == key.kid else None)
        for row in rows
    }


def does(house: House, unit: str, area: str = COMMUNE) -> list[str]:
    """What drills this unit makes of the documents, by the reading of the simulator; hung or not, it follows its
    commune."""
    with house.ctx.db.read() as session:
        scopes = scopes_of(session, unit) or [ROOT, area, unit]
    return [each.id for each in concerning(lists(house), {}, scopes, unit, scopes)]


def line(house: House, drill: str, cluster: str = CLUSTER) -> Line:
    with house.ctx.db.read() as session:
        return next(each for each in drill_tally.tally(session, drill, house.now) if each.cluster == cluster)


def voice(house: House, unit: str) -> Voice:
    return Voice(unit, house.bulletin.sha256, 2_000)


def starts(house: House, box: Voice, drill: str, at: datetime | None = None, **told: int | None) -> None:
    said: dict[str, Any] = {"clock_error_ms": 20, "drill": True} | told
    house.hear(box.batch(box.started(drill, at or house.now, **said)), unit=box.unit, signed=True)


def ends(house: House, box: Voice, drill: str) -> None:
    told: dict[str, Any] = {"amplifier": Amplifier.SOUND, "clock_error_ms": 20, "drill": True}
    house.hear(box.batch(box.ended(drill, house.now, Outcome.PLAYED, **told)), unit=box.unit, signed=True)


@pytest.mark.parametrize("clusters", [(CLUSTER,), (CLUSTER, OTHER), ()])
def test_a_drill_that_stands_is_for_the_place_and_done_by_the_new_box(house: House, clusters: tuple[str, ...]) -> None:
    name = asked(house, *clusters)
    neighbour = does(house, f"u-{HERE}-3")
    before = lists(house)
    put(house, NEW, OLD)
    assert does(house, NEW) == [name]
    assert does(house, f"u-{HERE}-3") == neighbour, "its neighbours notice nothing"
    if clusters:
        assert does(house, OLD) == [], "who stands in the workshop exercises nothing"
        assert all(told.version > before[scope].version for scope, told in lists(house).items() if scope in before)
    else:
        assert lists(house) == before, "a list for all named it already"
    assert line(house, name).unit == NEW


def test_a_new_list_is_published_by_the_next_step_alone(house: House) -> None:
    asked(house, CLUSTER, OTHER)
    reconciling.step(house.ctx, house.link, house.now)
    house.link.sent.clear()
    house.clock.advance(5)
    swapping.swap(house.ctx, house.actor("kythuat"), CLUSTER, NEW, OLD)
    reconciling.step(house.ctx, house.link, house.now)
    assert f"loa/v1/s/{COMMUNE}/drill" in house.link.topics()
    house.link.sent.clear()
    reconciling.step(house.ctx, house.link, house.now)
    assert f"loa/v1/s/{COMMUNE}/drill" not in house.link.topics()


def test_what_the_old_box_did_stays_its_own_and_the_new_one_is_asked_for_its_own(house: House) -> None:
    name, old, new = asked(house, CLUSTER, OTHER), voice(house, OLD), voice(house, NEW)
    starts(house, old, name)
    begun = house.now
    put(house, NEW, OLD)
    told = line(house, name)
    assert (told.unit, told.found.mark, told.found.seconds) == (NEW, Mark.NOT_REACHED, None)
    [before] = told.before
    assert (before.unit_id, before.sounded_at) == (OLD, begun)
    starts(house, new, name)
    ends(house, new, name)
    told = line(house, name)
    assert (told.found.mark, told.before[0].sounded_at, told.before[0].heard) == (Mark.HEARD, begun, None)
    with house.ctx.db.read() as session:
        day = house.now.date()
        shown = playings(session, house.on_duty, day, day, house.now)
    there = [each.started for each in shown if each.bulletin == name and each.started is not None]
    assert sorted(there) == [begun, begun + timedelta(seconds=10)]


def test_what_the_old_box_tells_late_is_its_own_and_in_the_workshop_counts_for_nobody(house: House) -> None:
    name, old = asked(house, CLUSTER, OTHER), voice(house, OLD)
    begun = house.now + timedelta(seconds=2)
    put(house, NEW, OLD)
    starts(house, old, name, begun)
    assert [each.sounded_at for each in line(house, name).before] == [begun]
    again = asked(house, CLUSTER, OTHER)
    put(house, OLD, NEW)
    put(house, NEW, OLD)
    starts(house, old, again, house.now + timedelta(seconds=1))
    starts(house, old, again, clock_error_ms=None)
    told = line(house, again)
    assert told.found.mark is Mark.NOT_REACHED
    assert {each.unit_id: each.sounded_at for each in told.before} == {OLD: None}


def test_a_box_that_was_swapped_by_mistake_goes_on_with_what_it_told(house: House) -> None:
    name, old = asked(house, CLUSTER, OTHER), voice(house, OLD)
    starts(house, old, name)
    put(house, NEW, OLD)
    put(house, OLD, NEW)
    ends(house, old, name)
    told = line(house, name)
    assert (told.unit, told.found.mark, does(house, OLD), does(house, NEW)) == (OLD, Mark.HEARD, [name], [])
    assert [(each.unit_id, each.sounded_at) for each in told.before] == [(NEW, None)]


def test_a_list_that_named_only_the_box_that_went_names_nobody_and_then_the_next_one(house: House) -> None:
    name = asked(house, CLUSTER, f"cl-{THERE}-1")
    take_away(house, OLD)
    assert (does(house, OLD), line(house, name).found.why) == ([], Why.NO_UNIT)
    assert does(house, f"u-{THERE}-1", f"c-{THERE}") == [name]
    put(house, NEW, "")
    assert does(house, NEW) == [name]
    drilling.end(house.ctx, house.on_duty, name)
    assert does(house, NEW) == []


def test_who_had_applied_an_older_list_is_not_reached_by_the_one_that_names_him(house: House) -> None:
    name = asked(house, CLUSTER, OTHER)
    older = lists(house)[COMMUNE].version
    put(house, NEW, OLD)
    box = voice(house, NEW)
    for version, mark in ((older, Mark.NOT_REACHED), (lists(house)[COMMUNE].version, Mark.REACHED)):
        house.clock.advance(1)
        house.hear(box.reported(house.now, drills={COMMUNE: version}), unit=NEW)
        assert line(house, name).found.mark is mark


def test_a_loud_one_that_waits_for_its_second_person_names_whoever_hangs_there_then(house: House) -> None:
    with house.ctx.db.write() as session:
        told = {"kind": "intro", "name": "Diễn tập", "asset_sha256": house.other.sha256, "added_at": house.now}
        session.add(KeptSound(id="s-word", area_id=ROOT, **told))
    name = asked(house, CLUSTER, silent=False)
    put(house, NEW, OLD)
    assert line(house, name).before == (), "nobody outside had heard of it"
    drilling.approve(house.ctx, house.actor("boss"), name)
    assert (does(house, NEW), does(house, OLD)) == ([name], [])


def test_one_that_is_over_is_left_as_it_was(house: House) -> None:
    name = asked(house, CLUSTER, OTHER)
    house.clock.advance(3600)
    before = lists(house)
    put(house, NEW, OLD)
    assert (line(house, name).unit, line(house, name).before, lists(house)) == (OLD, (), before)
    with house.ctx.db.read() as session:
        assert session.scalars(select(Assignment.unit_id).where(Assignment.until.is_(None))).all().count(NEW) == 1


def test_a_swap_that_another_process_made_is_seen_within_a_second_and_wakes_once(house: House) -> None:
    asked(house, CLUSTER, OTHER)
    reconciling.step(house.ctx, house.link, house.now)
    house.clock.advance(5)
    swapping.swap(house.ctx, house.actor("kythuat"), CLUSTER, NEW, OLD)
    woken: list[int] = []
    notice = Notice(replace(house.ctx, wake_publisher=lambda: woken.append(1)))
    for _ in range(3):
        assert notice.step(house.now) == house.now + timedelta(seconds=1)
    assert woken == [1]
