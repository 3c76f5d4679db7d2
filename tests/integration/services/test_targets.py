"""Whom a bulletin is for: areas, tags, groups and shapes, frozen at submission; communes that are no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.services import HERE, THERE, House, raises

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, Assignment, AuditEntry, Broadcast, Cluster, Station, Unit
from controller.services import accounts, approving, composing, describing, groups, merging, targets
from controller.services.rights import Role, below
from controller.services.targets import Target, look_again
from controller.services.views.dry_run import dry_run

SHAPE = (((105.0, 9.0), (107.0, 9.0), (107.0, 10.0), (105.0, 10.0)),)
"""All of the province."""


def here(*numbers: int) -> list[str]:
    return [f"cl-{HERE}-{number}" for number in numbers]


def tag(house: House, *numbers: int) -> None:
    for number in numbers:
        describing.set_hearing(house.ctx, house.actor("author"), f"cl-{HERE}-{number}", ["vi"], ["chợ"])


def meant(house: House, **changed: Any) -> list[str]:
    draft = house.draft(**{"areas": ()} | changed)
    return [each.id for each in composing.preview(house.ctx, house.actor("author"), draft).clusters]


def one_more(house: House, name: str = "cl-new", station: str = f"s-{HERE}") -> str:
    """A pole that is put up now, with a unit."""
    with house.ctx.db.write() as session:
        session.add(Cluster(id=name, station_id=station, name="Cụm mới", added_at=house.now))
        session.add(Unit(id=f"u-{name}", key_x="", password_only=True, secret_hashes={}, enrolled_at=house.now))
        session.flush()
        session.add(Assignment(unit_id=f"u-{name}", cluster_id=name, since=house.now))
    return name


def merge(house: House, old: list[str], name: str, code: str, day: date) -> str:
    return merging.merge(house.ctx, "test", merging.Wish(tuple(old), name, code, day, "Nghị quyết 1/NQ"))


def test_tags_groups_and_shapes_name_clusters_as_areas_do_and_only_ones_own(house: House) -> None:
    tag(house, 2, 4)
    group = groups.keep(house.ctx, house.actor("author"), "Nhóm chợ", here(1, 2))
    assert meant(house, tags=("chợ",)) == here(2, 4)
    assert meant(house, groups=(group,)) == here(1, 2)
    assert meant(house, polygon=SHAPE) == here(1, 2, 3, 4, 5)
    assert meant(house, tags=("chợ",), groups=(group,), clusters=(here(5)[0],)) == here(1, 2, 4, 5)
    assert meant(house, areas=(f"c-{THERE}",), clusters=(f"cl-{THERE}-1",)) == []


PARTS: dict[str, tuple[str, ...]] = {
    "areas": (f"c-{HERE}", f"c-{THERE}"),
    "clusters": (*here(1, 3), f"cl-{THERE}-2"),
    "tags": ("chợ", "trường"),
    "groups": ("g-1", "g-2"),
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_order_of_the_parts_does_not_matter_and_more_parts_never_take_one_away(
    house: House, data: st.DataObject
) -> None:
    chosen = {name: tuple(data.draw(st.lists(st.sampled_from(all_), unique=True))) for name, all_ in PARTS.items()}
    reach = frozenset({f"c-{HERE}", f"c-{THERE}"})
    tags = {each: data.draw(st.lists(st.sampled_from(PARTS["tags"]), unique=True)) for each in here(1, 2)}
    with house.ctx.db.read() as session:
        for name, told in tags.items():
            session.get_one(Cluster, name).tags = told
        session.flush()
        found = [each.id for each in targets.resolve(session, reach, Target(**chosen))]
        for name, value in chosen.items():
            for other in list(permutations(value))[:3]:
                again = targets.resolve(session, reach, Target(**chosen | {name: other}))
                assert [each.id for each in again] == found
            less = targets.resolve(session, reach, Target(**chosen | {name: value[1:]}))
            assert {each.id for each in less} <= set(found)
        one = targets.resolve(session, {f"c-{HERE}"}, Target(**chosen))
        assert {each.id for each in one} == {name for name in found if HERE in name}
        session.rollback()


def test_what_a_target_came_to_is_frozen_without_the_switch(house: House) -> None:
    broadcast = house.on_air(repeat="daily")
    one_more(house)
    house.clock.advance(timedelta(days=1).total_seconds())
    house.compile()
    assert sorted({each.cluster_id for each in house.deliveries(broadcast)}) == here(1, 2, 3, 4, 5)
    with house.ctx.db.read() as session:
        assert session.get_one(Broadcast, broadcast).joined == []


def test_with_the_switch_a_cluster_that_is_put_up_later_joins_in_from_the_next_start_on_and_it_is_logged(
    house: House,
) -> None:
    broadcast = house.on_air(repeat="daily", also_later=True)
    house.compile()
    house.clock.advance(timedelta(hours=1, minutes=55).total_seconds())
    new = one_more(house)
    house.compile()
    starts = sorted({each.start for each in house.deliveries(broadcast)})
    mine = sorted(each.start for each in house.deliveries(broadcast) if each.cluster_id == new)
    assert mine == starts[1:], "the first start lies in the lock window"
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast)
        assert (row.clusters, row.joined) == (here(1, 2, 3, 4, 5), [new])
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "broadcast.join")).one()
        assert (line.about, line.detail["clusters"]) == (broadcast, [new])
    house.compile()
    assert len([each for each in house.deliveries(broadcast) if each.cluster_id == new]) == len(mine)
    house.clock.advance(timedelta(days=1).total_seconds())
    house.compile()
    assert len([each for each in house.deliveries(broadcast) if each.cluster_id == new]) > len(mine)


def test_a_cluster_of_another_commune_never_joins_in(house: House) -> None:
    broadcast = house.on_air(repeat="daily", also_later=True)
    house.compile()
    other = one_more(house, "cl-other", f"s-{THERE}")
    house.compile()
    assert other not in {each.cluster_id for each in house.deliveries(broadcast)}


def test_an_area_that_is_not_ones_own_adds_nothing_later_either(house: House) -> None:
    """Or a form of a commune would reach the whole province as soon as the province approves it."""
    broadcast = house.submit(areas=(f"c-{HERE}", "p-94"), repeat="daily", also_later=True)
    with house.ctx.db.write() as session:
        assert session.get_one(Broadcast, broadcast).target_more["within"] == [f"c-{HERE}"]
        first = accounts.FirstPassword.make()
        accounts.create_user(house.ctx, session, first, "province", "x", Role.APPROVER, "p-94", "test")
    house.approve(broadcast, by="province")
    house.compile()
    assert {each.cluster_id for each in house.deliveries(broadcast)} == set(here(1, 2, 3, 4, 5))


def test_who_joins_in_at_an_hour_that_nobody_confirmed_for_its_station_stays_silent_and_says_why(house: House) -> None:
    """The hour was confirmed for HERE; the province's switch lets THERE join in."""
    with house.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.hours = [[180, 1260]]
        first = accounts.FirstPassword.make()
        for name, role in (("province", Role.BROADCASTER), ("provost", Role.APPROVER)):
            accounts.create_user(house.ctx, session, first, name, "x", role, "p-94", "test")
    tag(house, 1)
    wish: dict[str, Any] = {"areas": (), "tags": ("chợ",), "repeat": "daily", "at": time(3, 15), "also_later": True}
    asked = composing.preview(house.ctx, house.actor("province"), house.draft(**wish)).air.unusual
    assert asked is not None
    broadcast = house.submit("province", **wish, unusual=asked.mark)
    seen = house.seen(broadcast, "provost")
    approving.approve(house.ctx, house.actor("provost"), broadcast, seen, asked.mark)
    with house.ctx.db.write() as session:
        session.get_one(Cluster, f"cl-{THERE}-1").tags = ["chợ"]
        look_again(session)
    tag(house, 2)
    house.compile()
    why = {each.cluster_id: each.reason for each in house.deliveries(broadcast)}
    assert why == {f"cl-{HERE}-1": None, f"cl-{HERE}-2": None, f"cl-{THERE}-1": "unusual_hours"}
    with raises(Refused, "not_yours"):
        approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    with house.ctx.db.read() as session:
        run = dry_run(session, house.actor("stranger"), house.now, cluster=f"cl-{THERE}-1")
    assert {line.outcome for line in run.lines} == {"unusual_hours"}


def test_a_tag_and_a_group_let_join_in_too_where_that_was_asked_for(house: House) -> None:
    tag(house, 1)
    group = groups.keep(house.ctx, house.actor("author"), "Nhóm", here(2))
    broadcast = house.on_air(repeat="daily", areas=(), tags=("chợ",), groups=(group,), also_later=True)
    house.compile()
    assert {each.cluster_id for each in house.deliveries(broadcast)} == set(here(1, 2))
    tag(house, 3)
    groups.keep(house.ctx, house.actor("author"), "Nhóm", here(2, 4), group_id=group)
    house.compile()
    assert {each.cluster_id for each in house.deliveries(broadcast)} == set(here(1, 2, 3, 4))


def test_whoever_approves_that_others_join_in_answers_for_all_of_that_area(house: House) -> None:
    with house.ctx.db.write() as session:
        first = accounts.FirstPassword.make()
        accounts.create_user(house.ctx, session, first, "province", "x", Role.BROADCASTER, "p-94", "test")
    broadcast = house.submit("province", areas=(), clusters=tuple(here(1)), polygon=SHAPE, also_later=True)
    with house.ctx.db.write() as session:
        session.get_one(Broadcast, broadcast).clusters = here(1)
    with raises(Refused, "target.later_reach"):
        house.approve(broadcast)


@pytest.mark.requirement("R-010", "R-011")
def test_a_commune_that_was_merged_yesterday_names_its_successor_and_loses_no_log(house: House) -> None:
    played = house.on_air(repeat="daily")
    day = (house.now + timedelta(hours=7)).date()
    new = merge(house, [f"c-{HERE}", f"c-{THERE}"], "Xã An Thạnh", "31999", day)
    house.clock.advance(timedelta(days=1).total_seconds())
    seen = composing.preview(house.ctx, house.actor("author"), house.draft())
    assert (seen.problems[0].key, seen.problems[0].fields["successor"]) == ("target.merged", "Xã An Thạnh")
    with raises(Refused, "target.merged"):
        house.submit()
    with house.ctx.db.write() as session:
        assert below(session, new) == {new, f"c-{HERE}", f"c-{THERE}"}
        old = session.get_one(Area, f"c-{HERE}")
        assert (old.code, old.valid_to, old.successor_id) == (HERE, day, new)
        assert old.parent_id == new
        assert session.get_one(Area, new).valid_from == day
    assert len(house.deliveries(played)) > 0
    house.compile()
    assert meant(house, clusters=tuple(here(1))) == here(1), "its poles stand where they stood"


def test_a_merger_that_cannot_be_is_refused(house: House) -> None:
    day = house.now.date()
    for old, name, code, key in (
        ([], "x", "1", "merge.areas"),
        (["c-never"], "x", "1", "merge.areas"),
        (["p-94", f"c-{HERE}"], "x", "1", "merge.areas"),
        ([f"c-{HERE}"], " ", "1", "merge.name"),
        ([f"c-{HERE}"], "x", "31x", "merge.code"),
    ):
        with raises(Refused, key):
            merge(house, old, name, code, day)
    for changed, key in (
        ({"decision": " "}, "merge.decision"),
        ({"day": date(2025, 3, 1)}, "merge.day"),
        ({"day": date(2099, 1, 1)}, "merge.day"),
        ({"code": THERE}, "merge.code_taken"),
    ):
        with raises(Refused, key):
            merging.merge(house.ctx, "test", replace(merging.Wish((f"c-{HERE}",), "x", "1", day, "1/NQ"), **changed))
    merge(house, [f"c-{HERE}"], "x", "1", day)
    with raises(Refused, "merge.areas"):
        merge(house, [f"c-{HERE}"], "y", "2", day)


def test_groups_are_ones_own_have_a_name_and_are_not_there_twice(house: House) -> None:
    author, neighbour = house.actor("author"), house.actor("neighbour")
    made = groups.keep(house.ctx, author, "Nhóm", here(1))
    with raises(Conflict, "group.there"):
        groups.keep(house.ctx, author, " Nhóm ", here(2))
    for name, clusters, key in (
        ("", here(1), "group.name"),
        ("x" * 81, here(1), "group.name"),
        ("x", [], "target.empty"),
        ("x", [f"cl-{THERE}-1"], "not_yours"),
    ):
        with raises(Refused, key):
            groups.keep(house.ctx, author, name, clusters)
    with raises(Refused, "not_yours"):
        groups.drop(house.ctx, neighbour, made)
    with house.ctx.db.read() as session:
        assert [each.id for each in groups.groups(session, author)] == [made]
        assert groups.groups(session, neighbour) == []
    groups.drop(house.ctx, author, made)
    with raises(Refused, "target.group"):
        house.submit(groups=(made,))


def test_what_a_cluster_hears_is_set_by_those_who_write_there(house: House) -> None:
    author, name = house.actor("author"), here(1)[0]
    describing.set_hearing(house.ctx, author, name, ["km", "vi"], [" chợ ", "chợ", ""])
    with house.ctx.db.read() as session:
        cluster = session.get_one(Cluster, name)
        assert (cluster.languages, cluster.tags) == (["km", "vi"], ["chợ"])
    for languages, tags, key in (
        ([], [], "cluster.languages"),
        (["vi", "vi"], [], "cluster.languages"),
        (["Khmer"], [], "choice.unknown"),
        (["vi"], ["x" * 41], "cluster.tags"),
    ):
        with raises(Refused, key):
            describing.set_hearing(house.ctx, author, name, languages, tags)
    with raises(Refused, "cluster.unknown"):
        describing.set_hearing(house.ctx, house.actor("neighbour"), name, ["vi"], [])
    with raises(Refused, "no_right"):
        describing.set_hearing(house.ctx, house.actor("boss"), name, ["vi"], [])
