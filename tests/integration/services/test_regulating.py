"""A station's regulation: who changes it, what is kept of it, what it takes off the plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.services import HERE, THERE, House, raises

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Conflict, Refused
from controller.db.tables import AuditEntry, Cluster, Delivery, Station
from controller.services import regulating
from controller.services.regulating import Rules
from controller.services.stations import regulation
from controller.services.views.holders import holders

STATION = f"s-{HERE}"
TOMORROW = datetime(2026, 3, 4, tzinfo=VIETNAM)
RULES = Rules("02/QC-UBND", date(2026, 3, 1), ((300, 420), (1000, 1260)), early="NQ 5/2026")


def change(house: House, rules: Rules = RULES, by: str = "boss", revision: int = 0, **more: Any) -> Any:
    return regulating.change(house.ctx, house.actor(by), STATION, rules, revision, **more)


@pytest.mark.requirement("R-032")
def test_a_change_is_kept_with_who_made_it_when_and_all_that_it_said(house: House) -> None:
    before = regulating.look(house.ctx, house.actor("author"), STATION)
    assert (before.rules.number, before.rules.hours, before.history) == ("01/QC-MẪU", ((300, 1260),), [])
    full = replace(RULES, weekend=((480, 600),), normal=((360, 400),), special=((0, 1440, 40),), session=20, day=30)
    change(house, full)
    told = regulating.look(house.ctx, house.actor("author"), STATION)
    assert told.rules == full
    ((row, who),) = told.history
    assert (row.revision, row.at, who, row.rules["number"]) == (1, house.now, "boss", "02/QC-UBND")
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "regulation.change")).one()
    assert line.about == STATION
    assert line.detail["changed"]["hours"] == [[[300, 1260]], [[300, 420], [1000, 1260]]]


def test_silent_weekends_and_no_normal_hours_are_kept_apart_from_nothing_said(house: House) -> None:
    """Lost, "nothing at weekends" would mean that weekends sound as other days do."""
    change(house, replace(RULES, weekend=(), normal=()))
    told = regulating.look(house.ctx, house.actor("author"), STATION)
    assert (told.rules.weekend, told.rules.normal) == ((), ())
    saturday = datetime(2026, 3, 7, 6, 0, tzinfo=VIETNAM)
    with house.ctx.db.read() as session:
        rule = regulation(session.get_one(Station, STATION))
    assert not rule.allows(saturday, timedelta(minutes=1), VIETNAM)
    assert rule.allows(saturday - timedelta(days=1), timedelta(minutes=1), VIETNAM)
    change(house, RULES, revision=1)
    told = regulating.look(house.ctx, house.actor("author"), STATION)
    assert (told.rules.weekend, told.rules.normal) == (None, None)


def test_only_who_may_changes_it_and_only_at_home(house: House) -> None:
    with raises(Refused, "no_right"):
        change(house, by="author")
    with raises(Refused, "station.unknown"):
        change(house, by="stranger")
    with raises(Refused, "station.unknown"):
        regulating.look(house.ctx, house.actor("neighbour"), STATION)


def test_of_two_who_change_it_at_once_the_second_is_told(house: House) -> None:
    change(house)
    with raises(Conflict, "regulation.changed"):
        change(house, by="deputy")
    change(house, by="deputy", revision=1)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"hours": ()}, "nothing"),
        ({"hours": ((400, 400),)}, "hours"),
        ({"weekend": ((0, 1441),)}, "hours"),
        ({"ceilings": ((0, 60, 101),)}, "ceilings"),
        ({"special": ((60, 0, 10),)}, "ceilings"),
        ({"volume": 101}, "volume"),
        ({"emergency_volume": -1}, "volume"),
        ({"session": 0}, "limits"),
        ({"session": 60, "day": 30}, "limits"),
        ({"number": " "}, "words"),
        ({"content": "x" * 5001}, "words"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(house: House, wrong: dict[str, Any], key: str) -> None:
    with raises(Refused, f"regulation.{key}"):
        change(house, replace(RULES, **wrong))
    assert regulating.look(house.ctx, house.actor("boss"), STATION).station.regulation_revision == 0
    with house.ctx.db.read() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.act == "regulation.change.refused")).one()
    assert (line.about, line.detail["rule"]) == (STATION, f"regulation.{key}")


@pytest.mark.requirement("R-109")
@pytest.mark.parametrize("hours", [((300, 420),), ((1200, 1261),)])
def test_hours_in_the_old_night_need_the_communes_decision_on_record(
    house: House, hours: tuple[tuple[int, int], ...]
) -> None:
    with raises(Refused, "regulation.early"):
        change(house, replace(RULES, hours=hours, early=""))
    change(house, replace(RULES, hours=hours, early="NQ 5/2026"))
    assert regulating.look(house.ctx, house.actor("boss"), STATION).history[0][0].rules["early"] == "NQ 5/2026"


@pytest.mark.requirement("R-032", "R-051")
def test_what_is_approved_and_no_longer_fits_is_listed_and_leaves_the_plans_with_the_reason(house: House) -> None:
    noon = house.on_air(first_day=TOMORROW.date(), at=time(12), title="Tin trưa")
    evening = house.on_air(first_day=TOMORROW.date(), at=time(18), title="Tin tối")
    house.compile()
    seen = regulating.weigh(house.ctx, house.actor("boss"), STATION, RULES)
    assert house.delivery(noon).state == State.PLANNED, "looking changes nothing"
    found = change(house)
    assert found == seen
    ((title, start, reason, clusters),) = [(each.title, each.start, each.reason, each.clusters) for each in found]
    assert (title, start, reason, clusters) == ("Tin trưa", TOMORROW + timedelta(hours=12), "quiet_hours", 5)
    house.compile()
    plan = house.plan(f"u-{HERE}-1")
    assert [item.id for item in plan.items] == [house.delivery(evening).id]
    assert [(window.start, window.end) for window in plan.policy.hours] == [(300, 420), (1000, 1260)]
    gone = house.delivery(noon)
    assert (gone.state, gone.reason) == (State.WITHDRAWN, "quiet_hours")


def test_what_had_left_in_no_plan_yet_is_known_not_to_play(house: House) -> None:
    noon = house.on_air(first_day=TOMORROW.date(), at=time(12))
    change(house)
    assert {each.verdict for each in house.deliveries(noon)} == {Verdict.NOT_PLAYED}


@pytest.mark.requirement("R-052")
def test_a_new_limit_keeps_the_first_and_takes_off_the_rest(house: House) -> None:
    for hour in (6, 17, 18):
        house.on_air(first_day=TOMORROW.date(), at=time(hour), title=f"Tin {hour} giờ", asset=house.bulletin.sha256)
    tight = replace(RULES, hours=((300, 1260),), day=1)
    assert change(house, tight) == []
    assert [each.title for each in _with_day_of(house, 5)] == ["Tin 18 giờ"]


def _with_day_of(house: House, seconds: float) -> list[regulating.Misfit]:
    """A day's limit in seconds, which no form can say."""
    short = replace(RULES, hours=((300, 1260),), day=seconds / 60)  # type: ignore[arg-type]
    return regulating.weigh(house.ctx, house.actor("boss"), STATION, short)


def test_of_two_that_start_together_a_limit_keeps_the_one_that_goes_first(house: House) -> None:
    whole = {"first_day": TOMORROW.date(), "at": time(18)}
    ordinary = house.on_air(**whole, title="Thường")
    urgent = house.on_air(**whole, title="Ưu tiên", priority=2)
    with house.ctx.db.write() as session:
        for each in session.scalars(select(Delivery)):
            each.end = each.start + timedelta(minutes=20)
    [misfit] = change(house, replace(RULES, day=30))
    assert (misfit.broadcast, misfit.reason) == (ordinary, "limit_day")
    assert {each.state for each in house.deliveries(urgent)} == {State.PLANNED}


@pytest.mark.requirement("R-056")
def test_who_still_holds_what_a_regulation_took_off_is_counted_as_after_a_withdrawal(house: House) -> None:
    noon = house.on_air(first_day=TOMORROW.date(), at=time(12))
    house.compile()
    change(house)
    with house.ctx.db.read() as session:
        found = holders(session, house.actor("boss"), noon, house.now)
    assert (found.all, len(found.still)) == (5, 5)


@pytest.mark.requirement("R-107")
def test_a_school_is_quieter_than_its_neighbours_in_the_plan_and_in_each_item(house: House) -> None:
    evening = house.on_air(first_day=TOMORROW.date(), at=time(18))
    school = f"cl-{HERE}-2"
    rules = replace(RULES, ceilings=((1000, 1260, 60),), special=((1000, 1260, 35),))
    change(house, rules, sites={school: "school"})
    house.compile()
    volumes = {each.cluster_id: each.volume for each in house.deliveries(evening)}
    assert volumes.pop(school) == 35
    assert set(volumes.values()) == {60}
    plan = house.plan(f"u-{HERE}-2")
    assert sorted(each.volume for each in plan.policy.ceilings) == [35, 60]
    assert [each.volume for each in house.plan(f"u-{HERE}-1").policy.ceilings] == [60]
    later = house.on_air(first_day=TOMORROW.date(), at=time(19))
    assert {each.volume for each in house.deliveries(later) if each.cluster_id == school} == {35}


def test_a_cluster_of_another_station_keeps_its_kind(house: House) -> None:
    with raises(Refused, "cluster.unknown"):
        change(house, sites={f"cl-{THERE}-1": "school"})
    with raises(Refused, "regulation.site"):
        change(house, sites={f"cl-{HERE}-1": "castle"})
    with house.ctx.db.read() as session:
        assert set(session.scalars(select(Cluster.site))) == {"ordinary"}


def test_the_units_are_told_the_weekends_hours(house: House) -> None:
    change(house, replace(RULES, weekend=((480, 600),)))
    house.compile()
    weekend = house.plan(f"u-{HERE}-1").policy.weekend_hours
    assert weekend is not None
    assert [(window.start, window.end) for window in weekend] == [(480, 600)]
