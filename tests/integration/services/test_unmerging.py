"""A merger that was a mistake is undone: the communes of before stand again, what was planned in between sounds on, and
both acts are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from support.above import people_above
from support.services import HERE, THERE, House, raises

from broadcasts.clock import VIETNAM, ManualClock
from broadcasts.errors import Refused
from controller.db.tables import Area, AuditEntry, ClusterGroup, KeptSound, RoleGrant, Station, UnitPlan
from controller.services import accounts, areas, groups, merging, unmerging
from controller.services.composing import preview
from controller.services.merging import Wish
from controller.services.rights import Role, below
from controller.services.views.dry_run import dry_run
from controller.services.views.places import places

OLD = (f"c-{HERE}", f"c-{THERE}")
WHY = "Biên bản 3/BB-UBND: nhập nhầm xã"
POLES = {f"cl-{commune}-{n}" for commune in (HERE, THERE) for n in range(1, 6)}


def today(house: House) -> date:
    return house.now.astimezone(VIETNAM).date()


@pytest.fixture
def merged(house: House) -> str:
    """The new unit, which stands from today on; people of the province, and one of the new unit itself."""
    people_above(house)
    wish = Wish(OLD, "Xã An Thạnh", "31999", today(house), "NQ 1668")
    made = merging.merge_as(house.ctx, house.actor("chief"), wish)
    with house.ctx.db.write() as session:
        first = accounts.FirstPassword.make()
        accounts.create_user(house.ctx, session, first, "mới", "mới", Role.BROADCASTER, made, "test")
    house.clock.advance(timedelta(days=1).total_seconds())
    return made


def undo(house: House, area: str, by: str = "chief") -> unmerging.Undone:
    return unmerging.undo_as(house.ctx, house.actor(by), area, WHY)


def open_plan(house: House) -> set[str]:
    """The clusters in whose plan something is."""
    house.compile()
    with house.ctx.db.read() as session:
        units = session.scalars(select(UnitPlan.unit_id)).all()
    return {house.plan(unit).assignment.cluster for unit in units if house.plan(unit).items}


@pytest.mark.requirement("R-010", "R-011")
def test_the_communes_of_before_stand_again_with_their_stations_and_the_new_one_on_no_day(
    house: House, merged: str
) -> None:
    undo(house, merged)
    with house.ctx.db.read() as session:
        assert {place.area for place in places(session, house.actor("writer"), today(house))} == set(OLD)
        for day in (today(house), today(house) - timedelta(days=1), today(house) + timedelta(days=400)):
            lines = areas.history(session, areas.every_area(session), "", day)
            assert {line.area.id for line in lines if line.stands} >= set(OLD)
            assert [line.stands for line in lines if line.area.id == merged] == [False]
        assert below(session, merged) == {merged}
        assert {session.get_one(Area, name).parent_id for name in OLD} == {"p-94"}
        assert len(dry_run(session, house.actor("author"), house.now).clusters) == 5


def test_what_was_planned_in_between_sounds_on_where_it_was_approved_for_and_an_edit_chooses_anew(
    house: House, merged: str
) -> None:
    both = house.submit("writer", areas=(merged,), repeat="daily", also_later=True)
    house.approve(both, "head")
    assert open_plan(house) == POLES
    told = undo(house, merged)
    assert (list(told.on_air), list(told.waiting)) == (["Lịch tiêm chủng"], [])
    assert open_plan(house) == POLES
    with house.ctx.db.read() as session:
        assert len(dry_run(session, house.actor("author"), house.now).lines) == 7
    seen = preview(house.ctx, house.actor("writer"), house.draft(areas=(merged,)))
    assert {"target.merged_away", "target.empty"} & {each.key for each in seen.problems}
    again = preview(house.ctx, house.actor("writer"), house.draft(areas=OLD))
    assert (len(again.clusters), again.problems) == (10, [])


def test_what_waits_in_between_is_counted_and_nothing_of_it_is_lost(house: House, merged: str) -> None:
    waits = house.submit("writer", areas=(merged,))
    assert list(unmerging.outlook(house.ctx, house.actor("chief"), merged).waiting) == ["Lịch tiêm chủng"]
    undo(house, merged)
    house.approve(waits, "head")
    assert {each.cluster_id for each in house.deliveries(waits)} == POLES


def test_rights_in_the_new_unit_end_and_its_groups_go_to_the_province(house: House, merged: str) -> None:
    groups.keep(house.ctx, house.actor("writer"), "Nhóm", [f"cl-{HERE}-1"])
    with house.ctx.db.write() as session:
        own = ClusterGroup(id="g-own", area_id=merged, name="Nhóm", clusters=[f"cl-{HERE}-1"], changed_at=house.now)
        session.add(own)
    seen = unmerging.outlook(house.ctx, house.actor("chief"), merged)
    assert (list(seen.people), list(seen.groups), seen.parent) == (["mới"], ["Nhóm"], "Tỉnh Sóc Trăng")
    undo(house, merged)
    with house.ctx.db.read() as session:
        moved = session.get_one(ClusterGroup, "g-own")
        assert (moved.area_id, moved.name) == ("p-94", "Nhóm (Xã An Thạnh)")
        assert all(grant.until for grant in session.scalars(select(RoleGrant).where(RoleGrant.area_id == merged)))
    assert house.actor("author").areas == {f"c-{HERE}"}


def test_only_who_may_merge_undoes_and_the_log_tells_both(house: House, merged: str) -> None:
    for name, key in (("author", "no_right"), ("clerk", "not_yours")):
        with raises(Refused, key):
            undo(house, merged, name)
    with raises(Refused, "second_factor.needed"):
        unmerging.undo_as(house.ctx, replace(house.actor("chief"), strong=False), merged, WHY)
    undo(house, merged)
    with house.ctx.db.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.act.in_(["area.merge", "area.unmerge"]))).all()
        assert [line.act for line in lines] == ["area.merge", "area.unmerge"]
        assert (lines[1].actor, lines[1].about, lines[1].detail["decision"]) == ("chief", merged, WHY)
        assert (lines[1].detail["old"], lines[1].detail["rights_ended"]) == (sorted(OLD), ["mới"])


def test_what_cannot_be_undone_is_refused_in_a_sentence_and_nothing_is_changed(house: House, merged: str) -> None:
    chief = house.actor("chief")
    with raises(Refused, "merge.not_one"):
        undo(house, OLD[0])
    with raises(Refused, "merge.decision"):
        unmerging.undo_as(house.ctx, chief, merged, " ")
    further = Wish((merged,), "Xã Lớn", "32000", today(house) + timedelta(days=5), "NQ 2")
    last = merging.merge_as(house.ctx, chief, further)
    with raises(Refused, "merge.merged_on"):
        undo(house, merged)
    undo(house, last)
    with house.ctx.db.write() as session:
        other = session.scalars(select(Station)).first()
        assert other is not None
        before, other.area_id = other.area_id, merged
    with raises(Refused, "merge.own_stations"):
        undo(house, merged)
    with house.ctx.db.write() as session:
        session.get_one(Station, other.id).area_id = before
        session.add(
            Area(id="c-new", parent_id="p-94", kind="commune", name="Xã Khác", code=HERE, valid_from=today(house))
        )
    with raises(Refused, "merge.code_taken"):
        undo(house, merged)
    with house.ctx.db.read() as session:
        assert session.get_one(Area, OLD[0]).successor_id == merged


def test_a_merger_that_lies_ahead_is_called_off(house: House, merged: str) -> None:
    undo(house, merged)
    ahead = Wish(OLD, "Xã An Thạnh", "31999", today(house) + timedelta(days=30), "NQ 9")
    made = merging.merge_as(house.ctx, house.actor("chief"), ahead)
    undo(house, made)
    with house.ctx.db.read() as session:
        lines = areas.history(session, areas.every_area(session), "An Thạnh", ahead.day)
        assert {line.area.id for line in lines if line.stands} == {OLD[1]}
    with raises(Refused, "merge.not_one"):
        undo(house, made)
    assert merging.merge_as(house.ctx, house.actor("chief"), ahead) != made


def test_a_code_names_the_commune_that_stands_again_and_not_the_unit_that_never_stood(house: House) -> None:
    people_above(house)
    chief = house.actor("chief")
    made = merging.merge_as(house.ctx, chief, Wish(OLD, "Xã An Thạnh", HERE, today(house), "NQ 1"))
    with house.ctx.db.read() as session:
        assert merging.found(session, [HERE]) == (made,)
    house.clock.advance(timedelta(days=1).total_seconds())
    undo(house, made)
    with house.ctx.db.read() as session:
        assert merging.found(session, [HERE]) == (OLD[0],)


def test_an_old_code_that_is_promised_to_another_unit_from_a_later_day_is_taken(house: House, merged: str) -> None:
    with house.ctx.db.write() as session:
        later = today(house) + timedelta(days=30)
        session.add(Area(id="c-new", parent_id="p-94", kind="commune", name="Xã Khác", code=HERE, valid_from=later))
    with raises(Refused, "merge.code_taken"):
        undo(house, merged)


def test_the_outlook_names_what_goes_back_where_and_what_dies_with_the_unit(house: House, merged: str) -> None:
    with house.ctx.db.write() as session:
        kept = {"id": "s-own", "area_id": merged, "kind": "intro", "name": "Nhạc hiệu", "added_at": house.now}
        session.add(KeptSound(**kept, asset_sha256=house.other.sha256))
    seen = unmerging.outlook(house.ctx, house.actor("chief"), merged)
    assert {unit.area.id: (len(unit.stations), unit.clusters) for unit in seen.units} == dict.fromkeys(OLD, (1, 5))
    assert seen.dies == {"sounds": 1}


def test_rights_are_told_by_the_time_of_people_where_that_on_air_runs_ahead(house: House, merged: str) -> None:
    """A sandbox: a right that ends tomorrow is still held, however far the horns are."""
    wall = ManualClock(house.now)
    ctx = replace(house.ctx, wall=wall)
    with house.ctx.db.write() as session:
        for grant in session.scalars(select(RoleGrant).where(RoleGrant.area_id == merged)):
            grant.until = wall.now() + timedelta(days=1)
    house.clock.advance(timedelta(days=3).total_seconds())
    with ctx.db.read() as session:
        chief = accounts.actor_by_name(session, "chief", wall.now())
    assert list(unmerging.outlook(ctx, chief, merged).people) == ["mới"]
    wall.advance(timedelta(days=2).total_seconds())
    assert list(unmerging.outlook(ctx, chief, merged).people) == []
