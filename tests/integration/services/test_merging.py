"""Communes that become one: seen beforehand, done by who may, found again by the names of before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from support.above import people_above
from support.series import at, begin, broadcast, settle
from support.services import HERE, THERE, House, raises

from broadcasts.clock import VIETNAM
from broadcasts.errors import Refused
from controller.db.tables import Area, AuditEntry
from controller.services import areas, composing, emergency_set, groups, merging, people
from controller.services.merging import Wish
from controller.services.rights import Right, below
from controller.services.views.campaigns import published
from controller.services.views.dry_run import dry_run
from controller.services.views.places import areas_by_name, everywhere, home_of, not_offered, places

OLD = (f"c-{HERE}", f"c-{THERE}")
DECISION = "Nghị quyết 1668/NQ-UBTVQH15"


@pytest.fixture
def wish(house: House) -> Wish:
    return Wish(OLD, "Xã An Thạnh", "31999", today(house) + timedelta(days=2), DECISION)


@pytest.fixture
def people_of_the_province(house: House) -> None:
    people_above(house)


def today(house: House) -> date:
    return house.now.astimezone(VIETNAM).date()


def test_the_outlook_counts_what_goes_on_and_what_must_choose_anew_and_changes_nothing(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    house.on_air(repeat="daily")
    house.submit()
    groups.keep(house.ctx, house.actor("author"), "Nhóm", [f"cl-{HERE}-1"])
    seen = merging.outlook(house.ctx, house.actor("chief"), wish)
    assert (seen.clusters, seen.on_air, seen.waiting, seen.groups, seen.parent) == (10, 1, 1, 1, "Tỉnh Sóc Trăng")
    assert [(unit.area.code, unit.clusters, len(unit.stations)) for unit in seen.old] == [(HERE, 5, 1), (THERE, 5, 1)]
    assert seen.grants == 6, "the five of the workshop and the clerk"
    with house.ctx.db.read() as session:
        assert session.get_one(Area, OLD[0]).valid_to is None


@pytest.mark.requirement("R-011")
def test_until_the_day_the_old_communes_are_offered_from_then_on_the_new_one_with_their_names(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    writer = house.actor("writer")
    new = merging.merge_as(house.ctx, house.actor("chief"), wish)
    with house.ctx.db.read() as session:
        assert {place.area for place in places(session, house.actor("writer"), today(house))} == set(OLD)
        (one,) = places(session, house.actor("writer"), wish.day)
        assert (one.area, one.name, one.clusters_count, len(one.stations)) == (new, wish.name, 10, 2)
        assert [name.partition(",")[0] for name in one.formerly] == ["Thị trấn Cù Lao Dung", "Xã An Thạnh 1"]
        assert everywhere(session, writer, wish.day) == "p-94"
        gone = not_offered(session, [OLD[0], "p-94", new], [one], "p-94")
        assert [area.id for area in gone] == [OLD[0]]
    house.clock.advance(timedelta(days=2).total_seconds())
    seen = composing.preview(house.ctx, house.actor("writer"), house.draft(areas=(new,)))
    assert (len(seen.clusters), seen.problems) == (10, [])


@pytest.mark.requirement("R-010", "R-011")
def test_who_belongs_to_an_old_commune_goes_on_there_under_the_new_name(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    new = merging.merge_as(house.ctx, house.actor("chief"), replace(wish, day=today(house)))
    author = house.actor("author")
    with house.ctx.db.read() as session:
        (own,) = places(session, author, today(house))
        assert (own.area, own.clusters_count, home_of([own], author)) == (new, 5, (new,))
        assert everywhere(session, author, today(house)) == ""
        assert len(dry_run(session, author, house.now, area=new).clusters) == 5
        with raises(Refused, "area.unknown"):
            dry_run(session, author, house.now, area="c-never")
    broadcast = house.on_air(areas=(new,), repeat="daily", also_later=True)
    house.compile()
    assert {each.cluster_id for each in house.deliveries(broadcast)} == {f"cl-{HERE}-{n}" for n in range(1, 6)}


def test_pickers_of_accounts_and_recordings_list_what_stands_and_the_audit_all_of_it(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    merging.merge_as(house.ctx, house.actor("chief"), wish)
    chief = house.actor("chief")
    with house.ctx.db.read() as session:
        before = [area.name for area in people.areas(session, chief, today(house))]
        after = [area.name for area in people.areas(session, chief, wish.day)]
        assert wish.name not in before
        assert (len(before), after) == (3, ["Tỉnh Sóc Trăng", wish.name])
        assert [area.name for area in emergency_set.places(session, house.on_duty, wish.day)] == after
        told = areas_by_name(session, chief, wish.day)
        assert [name.until for name in told] == [None, None, wish.day, wish.day]


@pytest.mark.requirement("R-011")
def test_an_area_is_found_by_old_and_new_names_and_codes_without_accents_and_as_of_any_day(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    merging.merge_as(house.ctx, house.actor("chief"), wish)
    with house.ctx.db.read() as session:
        reach = areas.every_area(session)

        def names(wanted: str, day: date) -> list[tuple[str, bool, str, int]]:
            found = areas.history(session, reach, wanted, day)
            return [(line.area.code, line.stands, line.heir, line.clusters) for line in found]

        assert names("an thanh 1", wish.day) == [("31999", True, "", 10), (THERE, False, wish.name, 5)]
        assert names(HERE, wish.day) == [(HERE, False, wish.name, 5)]
        assert names("CÙ LAO", today(house))[0] == (HERE, True, "", 5)
        assert names("ở đâu", wish.day) == []
        assert areas.plain("Đại Ân, Ðông") == "dai an, dong"


def test_only_who_looks_after_all_of_it_merges_and_the_log_names_the_decision(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    for name, key in (("author", "no_right"), ("clerk", "not_yours")):
        with raises(Refused, key):
            merging.merge_as(house.ctx, house.actor(name), wish)
    chief = house.actor("chief")
    with raises(Refused, "second_factor.needed"):
        merging.merge_as(house.ctx, replace(chief, strong=False), wish)
    made = merging.merge_as(house.ctx, chief, wish)
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "area.merge")).one()
        refused = session.scalars(select(AuditEntry).where(AuditEntry.act == "area.merge.refused")).all()
        assert (line.actor, line.about, line.detail["decision"]) == ("chief", made, DECISION)
        assert (line.detail["old"], line.detail["clusters"]) == (sorted(OLD), 10)
        assert len(refused) == 3
        assert below(session, made) == {made, *OLD}
    assert chief.may(Right.AREAS)


def test_what_was_merged_can_be_merged_again_and_all_of_it_is_found_under_the_last(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    chief = house.actor("chief")
    first = merging.merge_as(house.ctx, chief, replace(wish, old=(OLD[0],), name="Xã Một", day=today(house)))
    house.clock.advance(timedelta(days=3).total_seconds())
    again = replace(wish, old=(first, OLD[1]), name="Xã Hai", code="32000", day=today(house))
    last = merging.merge_as(house.ctx, house.actor("chief"), again)
    with house.ctx.db.read() as session:
        (one,) = places(session, house.actor("writer"), today(house))
        assert (one.area, one.clusters_count) == (last, 10)
        line = areas.history(session, areas.every_area(session), "31999", today(house))
        assert [each.heir for each in line] == ["Xã Hai"]


def test_areas_are_named_by_id_or_by_code(house: House) -> None:
    with house.ctx.db.read() as session:
        assert merging.found(session, [HERE, OLD[1]]) == OLD
        with raises(Refused, "area.unknown"):
            merging.found(session, ["99999"])


@pytest.mark.requirement("R-011")
def test_what_was_made_public_is_reported_by_the_old_units_and_by_the_new_one(
    house: House, wish: Wish, people_of_the_province: None
) -> None:
    series = begin(house, by="writer", approved=False, areas=OLD)
    house.approve(broadcast(house, series), "head")
    settle(house, series, 4, 5, 6)
    house.clock.set(at(7))
    made = merging.merge_as(house.ctx, house.actor("chief"), replace(wish, day=today(house)))
    with house.ctx.db.read() as session:
        head = house.actor("head")

        def hamlets(area: str) -> list[tuple[int, set[str]]]:
            lines = published(session, head, 2026, 1, house.now, area)
            return [(line.times, {each.station for each in line.report.hamlets}) for line in lines]

        (old,), (other,), (both,) = hamlets(OLD[0]), hamlets(OLD[1]), hamlets(made)
        assert (len(old[1]), len(other[1]), both) == (1, 1, (3, old[1] | other[1]))
        assert hamlets("p-94") == hamlets("") == [both]
        for area, who in ((OLD[1], "boss"), ("c-never", "head")):
            with raises(Refused, "area.unknown"):
                published(session, house.actor(who), 2026, 1, house.now, area)
