"""A pole without a unit gets one while an emergency stands that was sounded for some poles: it is heard there too."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from support.services import HERE, NOON, THERE, House
from support.sirens import documents, heard, reached, sounded

from controller.db.tables import Assignment, Emergency, Unit
from controller.services import alert_lists, emergencies, swapping
from controller.services.targets import Target

CLUSTER, OTHER, NEW, OLD = f"cl-{HERE}-1", f"cl-{HERE}-2", "u-spare", f"u-{HERE}-2"


@pytest.fixture(autouse=True)
def bare(house: House) -> None:
    """Nothing hangs at the cluster; a unit that is ours hangs nowhere."""
    with house.ctx.db.write() as session:
        session.add(Unit(id=NEW, vendor="loasim", key_x="x" * 43, secret_hashes={"sha256": "0" * 64}, enrolled_at=NOON))
        session.scalars(select(Assignment).where(Assignment.cluster_id == CLUSTER)).one().until = NOON
    house.clock.advance(1)


def hang(house: House) -> None:
    swapping.swap(house.ctx, house.actor("kythuat"), CLUSTER, NEW, "")
    alert_lists.issue_pending(house.ctx, house.now)


def places(house: House, alert: str) -> list[list[object]]:
    with house.ctx.db.read() as session:
        return session.get_one(Emergency, alert).places


def test_the_list_that_names_its_neighbours_names_it_too(house: House) -> None:
    alert = sounded(house, Target(clusters=(CLUSTER, OTHER, f"cl-{HERE}-3")))
    assert reached(house, alert) == {f"u-{HERE}-2", f"u-{HERE}-3"}
    house.clock.advance(1)
    hang(house)
    assert reached(house, alert) == {NEW, f"u-{HERE}-2", f"u-{HERE}-3"}
    assert places(house, alert) == [[f"c-{HERE}", [f"u-{HERE}-2", f"u-{HERE}-3", NEW]]]
    house.clock.advance(1)
    emergencies.silence(house.ctx, house.on_duty, alert)
    assert reached(house, alert) == set()


def test_where_its_neighbours_are_not_meant_its_own_list_carries_it(house: House) -> None:
    alert = sounded(house, Target(clusters=(CLUSTER, f"cl-{THERE}-1")))
    assert reached(house, alert) == {f"u-{THERE}-1"}
    house.clock.advance(1)
    hang(house)
    assert reached(house, alert) == {NEW, f"u-{THERE}-1"}
    assert [each.id for each in heard(house, NEW)] == [alert]
    house.clock.advance(1)
    emergencies.silence(house.ctx, house.on_duty, alert)
    assert reached(house, alert) == set()


def test_what_is_meant_for_all_of_its_commune_or_was_silenced_or_is_not_for_it_changes_no_list(house: House) -> None:
    whole = sounded(house, Target(areas=(f"c-{HERE}",)))
    house.clock.advance(1)
    gone = sounded(house, Target(clusters=(CLUSTER, OTHER, f"cl-{HERE}-3")))
    foreign = sounded(house, Target(clusters=(OTHER, f"cl-{HERE}-3")))
    house.clock.advance(1)
    emergencies.silence(house.ctx, house.on_duty, gone)
    before = documents(house)
    house.clock.advance(1)
    hang(house)
    assert documents(house) == before
    assert NEW in reached(house, whole)
    assert NEW not in reached(house, gone) | reached(house, foreign)


def alone(house: House) -> str:
    """For one pole alone: a second one, whose unit hangs."""
    return sounded(house, Target(clusters=(OTHER,)))


def put(house: House, unit: str, seen: str) -> None:
    house.clock.advance(1)
    swapping.swap(house.ctx, house.actor("kythuat"), OTHER, unit, seen)
    alert_lists.issue_pending(house.ctx, house.now)


def let_go(house: House) -> None:
    house.clock.advance(1)
    swapping.release(house.ctx, house.actor("kythuat"), OTHER, OLD)
    alert_lists.issue_pending(house.ctx, house.now)


def test_a_box_that_was_swapped_by_mistake_and_is_put_back_sounds_what_stands_for_its_pole(house: House) -> None:
    alert = alone(house)
    put(house, NEW, OLD)
    assert ([each.id for each in heard(house, NEW)], heard(house, OLD)) == ([alert], [])
    put(house, OLD, NEW)
    assert ([each.id for each in heard(house, OLD)], heard(house, NEW)) == ([alert], [])
    assert places(house, alert) == [[OLD, None]]
    house.clock.advance(1)
    emergencies.silence(house.ctx, house.on_duty, alert)
    assert heard(house, OLD) == []


@pytest.mark.parametrize("unit", [NEW, OLD])
def test_an_emergency_for_one_pole_outlives_the_minutes_without_a_box(house: House, unit: str) -> None:
    alert = alone(house)
    let_go(house)
    assert heard(house, OLD) == []
    put(house, unit, "")
    assert [each.id for each in heard(house, unit)] == [alert]
    assert places(house, alert) == [[unit, None]]
    house.clock.advance(1)
    emergencies.silence(house.ctx, house.on_duty, alert)
    assert heard(house, unit) == []


def test_what_was_silenced_while_no_box_hung_there_sounds_from_none_afterwards(house: House) -> None:
    alert = alone(house)
    let_go(house)
    house.clock.advance(1)
    emergencies.silence(house.ctx, house.on_duty, alert)
    with house.ctx.db.read() as session:
        assert session.get_one(Emergency, alert).state == "silenced"
    put(house, NEW, "")
    assert heard(house, NEW) == []
