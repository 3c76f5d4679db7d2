"""The district level ends in one act: communes lie in the province from then on, and the past is told as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from support.above import people_above
from support.services import HERE, THERE, House, raises

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.db.tables import Area, AuditEntry, ClusterGroup, RoleGrant
from controller.services import accounts, areas, ending_districts, merging, unmerging
from controller.services.composing import preview
from controller.services.ending_districts import Wish
from controller.services.rights import Role, below
from controller.services.stations import lines
from controller.services.views.dry_run import dry_run
from controller.services.views.playings import playings

NAMES = {"d-1": "Huyện Một", "d-2": "Huyện Hai"}
LAW = "NQ 203/2025/QH15"
COMMUNES = {"d-1": f"c-{HERE}", "d-2": f"c-{THERE}"}


def today(house: House) -> date:
    return house.now.astimezone(VIETNAM).date()


@pytest.fixture
def districts(house: House) -> House:
    """Two, each with a commune; somebody who writes for one of them, and a saved group there."""
    people_above(house)
    with house.ctx.db.write() as session:
        for name, said in NAMES.items():
            begun = date(2000, 1, 1)
            session.add(
                Area(id=name, parent_id="p-94", kind="district", name=said, code=name[-1] * 3, valid_from=begun)
            )
        session.flush()
        for name, commune in COMMUNES.items():
            session.get_one(Area, commune).parent_id = name
        first = accounts.FirstPassword.make()
        accounts.create_user(house.ctx, session, first, "huyện", "huyện", Role.BROADCASTER, "d-1", "test")
        group = {"id": "g-d", "area_id": "d-1", "name": "Chợ", "clusters": [f"cl-{HERE}-1"]}
        session.add(ClusterGroup(**group, changed_at=house.now))
    house.add_as("huyện")
    return house


def ended(house: House, by: str = "chief", ahead: int = 0) -> ending_districts.Outlook:
    wish = Wish(today(house) + timedelta(days=ahead), LAW)
    return ending_districts.end_as(house.ctx, house.actor(by), wish)


@pytest.mark.requirement("R-010")
def test_from_that_day_communes_lie_in_the_province_and_no_district_stands(districts: House) -> None:
    before, day = today(districts) - timedelta(days=1), today(districts)
    ended(districts)
    with districts.ctx.db.read() as session:
        every = areas.every_area(session)
        standing = {
            when: {line.area.id for line in areas.history(session, every, "", when) if line.stands}
            for when in (before, day)
        }
        assert NAMES.keys() <= standing[before]
        assert not NAMES.keys() & standing[day]
        assert set(COMMUNES.values()) <= standing[day]
        above = lines(session, COMMUNES.values())
        assert above == {name: [name, "p-94"] for name in COMMUNES.values()}
        told = areas.history(session, every, "huyện một", day)
        assert [(line.heir, line.formerly) for line in told] == [("Tỉnh Sóc Trăng", ())]
        [province] = areas.history(session, ["p-94"], "", day)
        assert province.formerly == ()


@pytest.mark.requirement("R-010")
def test_what_was_played_is_still_told_by_the_district_also_after_its_communes_merged(districts: House) -> None:
    heard = districts.on_air()
    districts.clock.set(districts.delivery(heard).start + timedelta(minutes=5))
    day = today(districts)
    ended(districts)
    merge = merging.Wish(tuple(COMMUNES.values()), "Xã An Thạnh", "31999", day, "NQ 1668")
    made = merging.merge_as(districts.ctx, districts.actor("chief"), merge)
    with districts.ctx.db.read() as session:
        assert below(session, "d-1") == {"d-1", f"c-{HERE}"}
        found = playings(session, districts.actor("head"), day, day, districts.now, "d-1")
        assert [line.bulletin for line in found] == [heard] * 5
        assert playings(session, districts.actor("head"), day, day, districts.now, "d-2") == []
        assert below(session, made) == {made, *COMMUNES.values()}


@pytest.mark.requirement("R-010")
def test_a_merger_that_came_before_goes_on_in_the_province_and_can_still_be_undone(districts: House) -> None:
    day = today(districts)
    wish = merging.Wish((f"c-{HERE}",), "Xã Mới", "31998", day, "NQ 1")
    made = merging.merge_as(districts.ctx, districts.actor("chief"), wish)
    districts.clock.advance(timedelta(days=1).total_seconds())
    ended(districts)
    unmerging.undo_as(districts.ctx, districts.actor("chief"), made, "Nhầm")
    with districts.ctx.db.read() as session:
        commune = session.get_one(Area, f"c-{HERE}")
        assert (commune.parent_id, commune.former_parent_id) == ("p-94", "d-1")
        assert below(session, "d-1") == {"d-1", made, f"c-{HERE}"}


def test_the_end_of_districts_is_no_merger_that_could_be_undone(districts: House) -> None:
    ended(districts)
    with raises(Refused, "merge.not_one"):
        unmerging.undo(districts.ctx, "terminal", "p-94", "Nhầm")


@pytest.mark.requirement("R-010")
def test_the_outlook_names_what_ends_and_changes_nothing(districts: House) -> None:
    title = districts.submit("writer", areas=("d-1",), title="Cả huyện")
    wish = Wish(today(districts) + timedelta(days=10), LAW)
    seen = ending_districts.outlook(districts.ctx, districts.actor("chief"), wish)
    told = {each.area.id: ([one.id for one in each.communes], each.parent, each.clusters) for each in seen.districts}
    assert told == {name: ([commune], "Tỉnh Sóc Trăng", 5) for name, commune in COMMUNES.items()}
    assert (list(seen.on_air), list(seen.waiting)) == ([], ["Cả huyện"])
    assert (list(seen.people), list(seen.groups)) == (["huyện"], ["Chợ"])
    with districts.ctx.db.read() as session:
        assert session.get_one(Area, "d-1").valid_to is None
    districts.approve(title, "head")
    assert list(ending_districts.outlook(districts.ctx, None, wish).on_air) == ["Cả huyện"]


@pytest.mark.requirement("R-010")
def test_rights_end_that_day_groups_go_to_the_province_and_what_was_approved_sounds_on(districts: House) -> None:
    both = districts.submit("writer", areas=("d-1",), repeat="daily")
    districts.approve(both, "head")
    ended(districts, ahead=2)
    assert f"c-{HERE}" in districts.actor("huyện").areas, "until that day"
    districts.clock.advance(timedelta(days=3).total_seconds())
    assert districts.actor("huyện").areas == frozenset()
    districts.compile()
    with districts.ctx.db.read() as session:
        assert session.get_one(ClusterGroup, "g-d").area_id == "p-94"
        assert all(each.until for each in session.scalars(select(RoleGrant).where(RoleGrant.area_id == "d-1")))
        ahead = dry_run(session, districts.actor("author"), districts.now)
        assert {line.broadcast for line in ahead.lines} == {both}
    assert len({row.cluster_id for row in districts.deliveries(both)}) == 5
    again = preview(districts.ctx, districts.actor("writer"), districts.draft(areas=("d-1",)))
    assert "target.merged" in {each.key for each in again.problems}


@pytest.mark.requirement("R-010")
def test_it_is_one_act_in_the_log_with_every_district_and_its_communes(districts: House) -> None:
    ended(districts)
    with districts.ctx.db.read() as session:
        [line] = session.scalars(select(AuditEntry).where(AuditEntry.act == "area.end_districts"))
        assert (line.actor, line.about, line.detail["decision"]) == ("chief", "p-94", LAW)
        assert {each["id"]: each["communes"] for each in line.detail["districts"]} == {
            name: [commune] for name, commune in COMMUNES.items()
        }
        assert (line.detail["rights_ended"], line.detail["groups"]) == (["huyện"], ["Chợ"])


def test_only_who_looks_after_all_of_it_ends_them_and_once(districts: House) -> None:
    for name, key in (("author", "no_right"), ("clerk", "not_yours")):
        with raises(Refused, key):
            ended(districts, name)
    wish = Wish(today(districts), LAW)
    with raises(Refused, "second_factor.needed"):
        ending_districts.end_as(districts.ctx, replace(districts.actor("chief"), strong=False), wish)
    for wrong, key in (
        (Wish(date(1999, 1, 1), LAW), "districts.day"),
        (Wish(today(districts) + timedelta(days=900), LAW), "districts.day"),
        (Wish(today(districts), " "), "merge.decision"),
    ):
        with raises(Refused, key):
            ending_districts.end(districts.ctx, "terminal", wrong)
    ended(districts)
    with raises(Refused, "districts.none"):
        ended(districts)
