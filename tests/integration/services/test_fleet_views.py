"""The fleet at a glance, its trends, and the past of one pole, on both databases."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import event, select, update
from support.services import HERE, NOON, THERE, House

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Refused
from controller.db.tables import Assignment, Cluster, ClusterDay, Delivery, FaultCase, PlannedWork, UnitStatus
from controller.services.history_keeping import Keeper, local_day
from controller.services.views import fleet, past, trends

AREA, OTHER = f"c-{HERE}", f"c-{THERE}"


def say(house: House, cluster: str, *, connected: bool = True, quiet: timedelta = timedelta()) -> None:
    with house.ctx.db.write() as session:
        unit = session.scalar(
            select(Assignment.unit_id).where(Assignment.cluster_id == cluster, Assignment.until.is_(None))
        )
        assert unit is not None
        status = session.get(UnitStatus, unit) or UnitStatus(unit_id=unit)
        status.connected = connected
        status.presence_at = status.last_sign = status.telemetry_at = house.clock.now() - quiet
        status.telemetry = {"power": "mains", "data_mb": 5}
        session.add(status)


def clusters(house: House, area: str = AREA) -> list[str]:
    with house.ctx.db.read() as session:
        names = session.scalars(select(Cluster.id).where(Cluster.station_id == area.replace("c-", "s-")))
        return sorted(names)


def ail(house: House, cluster: str, code: str, area: str = AREA, hours: int = 3, gone: int | None = None) -> None:
    now = house.clock.now()
    since = now - timedelta(hours=hours)
    with house.ctx.db.write() as session:
        session.add(
            FaultCase(
                id=house.ctx.ids.new("f"), code=code, cluster_id=cluster, area_id=area, since=since, raised_at=since,
                gone_at=None if gone is None else since + timedelta(hours=gone),
                state="new" if gone is None else "reset",
            )
        )  # fmt: skip


def overview(house: House, name: str = "phatthanh") -> fleet.Overview:
    with house.ctx.db.read() as session:
        return fleet.overview(session, house.actor(name), house.clock.now())


def test_connected_reporting_and_able_to_sound_are_counted_apart(house: House) -> None:
    one, two, three, four, _ = clusters(house)
    say(house, one)
    say(house, two, quiet=timedelta(hours=2))
    say(house, three)
    ail(house, three, "line_open")
    say(house, four, connected=False)
    line = next(each for each in overview(house).lines if each.id == AREA)
    assert (line.clusters, line.connected, line.reporting, line.able) == (5, 3, 2, 1)
    assert (dict(line.faults), line.oldest) == ({"now": 1}, house.clock.now() - timedelta(hours=3))


def test_the_commune_with_the_most_silent_poles_comes_first_and_the_sum_is_of_all(house: House) -> None:
    for cluster in clusters(house):
        say(house, cluster)
    found = overview(house)
    assert [line.id for line in found.lines][:2] == [OTHER, AREA]
    assert (found.total.clusters, found.total.able) == (sum(line.clusters for line in found.lines), 5)


def test_who_sees_one_commune_sees_no_other(house: House) -> None:
    assert [line.id for line in overview(house, "author").lines] == [AREA]
    with house.ctx.db.read() as session, pytest.raises(Refused) as caught:
        fleet.commune(session, house.actor("author"), OTHER, house.clock.now())
    assert caught.value.key == "area.unknown"


def sound(house: House) -> None:
    house.on_air()
    house.clock.set(NOON + timedelta(hours=3))
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).values(state=str(State.PLAYED), verdict=str(Verdict.HEARD)))
        first = session.scalars(select(Delivery).order_by(Delivery.cluster_id)).first()
        assert first is not None
        first.verdict = str(Verdict.FAILED_TO_SOUND)


def test_what_sounded_is_told_for_the_day_and_for_the_week(house: House) -> None:
    sound(house)
    Keeper(house.ctx, lambda: True).step(house.clock.now())
    with house.ctx.db.read() as session:
        area, found = fleet.commune(session, house.actor("author"), AREA, house.clock.now())
    assert area.id == AREA
    total = found.total
    assert (total.day.due, total.day.sounded, total.day.heard) == (5, 4, 4)
    assert (total.week.due, total.week.sounded, total.week.kept) == (5, 4, False)
    assert {line.day.due for line in found.lines} == {1}


def test_the_number_of_statements_does_not_grow_with_the_fleet(house: House) -> None:
    said: list[str] = []
    event.listen(house.ctx.db.engine, "before_cursor_execute", lambda *told: said.append(told[2]))
    actor = house.actor("phatthanh")
    counts = []
    for turn in range(2):
        said.clear()
        with house.ctx.db.read() as session:
            fleet.overview(session, actor, house.clock.now())
        counts.append(len([each for each in said if each.lstrip().upper().startswith("SELECT")]))
        with house.ctx.db.write() as session:
            session.add_all(
                Cluster(
                    id=f"cl-more-{turn}-{number}",
                    station_id=f"s-{HERE}",
                    name=f"Cụm {number}",
                    added_at=house.clock.now(),
                )
                for number in range(300)
            )
            session.flush()
            session.add_all(
                ClusterDay(cluster_id=f"cl-more-{turn}-{number}", day=date(2026, 3, 3), link="." * 96, power="." * 96)
                for number in range(300)
            )
    assert counts[0] == counts[1] <= 8


def test_trends_say_week_by_week_what_sounded_what_broke_and_how_long_it_took(house: House) -> None:
    sound(house)
    first, second, *_ = clusters(house)
    ail(house, first, "line_open", hours=5, gone=2)
    ail(house, second, "line_open", hours=5)
    say(house, first)
    Keeper(house.ctx, lambda: True).step(house.clock.now())
    with house.ctx.db.write() as session:
        day = session.get_one(ClusterDay, (first, local_day(house.clock.now())))
        day.link_known, day.link_there, day.data_used_mb = 8, 6, 3
    with house.ctx.db.read() as session:
        found = trends.trends(session, house.actor("author"), "", "week", house.clock.now(), timedelta(days=100))
    assert len(found) == trends.WEEKS
    last = found[-1]
    assert (last.first, last.after) == (date(2026, 3, 2), date(2026, 3, 9))
    assert (last.due, last.sounded, last.heard, last.known, last.there, last.data_mb) == (5, 4, 4, 8, 6, 3)
    assert (dict(last.faults), last.mean_repair) == ({"line_open": 2}, timedelta(hours=2))
    assert found[0].mean_repair is None


@pytest.mark.parametrize(("area", "by", "key"), [(OTHER, "week", "area.unknown"), ("", "year", "choice.unknown")])
def test_trends_of_elsewhere_or_by_something_else_are_refused(house: House, area: str, by: str, key: str) -> None:
    with house.ctx.db.read() as session, pytest.raises(Refused) as caught:
        trends.trends(session, house.actor("author"), area, by, house.clock.now(), timedelta(days=100))
    assert caught.value.key == key


def test_months_go_back_only_as_far_as_anything_is_kept() -> None:
    found = trends.periods("month", date(2026, 3, 3), timedelta(days=40))
    assert [(each.first, each.after) for each in found] == [
        (date(2026, 2, 1), date(2026, 3, 1)), (date(2026, 3, 1), date(2026, 4, 1)),
    ]  # fmt: skip


def test_the_past_of_a_pole_holds_its_link_power_plays_faults_and_works(house: House) -> None:
    sound(house)
    first = clusters(house)[0]
    ail(house, first, "line_open", hours=1)
    ail(house, first, "mute", hours=90, gone=2)
    now = house.clock.now()
    with house.ctx.db.write() as session:
        session.add(
            PlannedWork(
                id="w1", area_id=AREA, begins=now - timedelta(hours=1), ends=now + timedelta(hours=1),
                reason="Thay loa", made_by="tho", made_at=now,
            )
        )  # fmt: skip
        session.add(
            ClusterDay(cluster_id=first, day=local_day(now), link="1" * 40 + "." * 56, power="m" * 40 + "." * 56)
        )
    with house.ctx.db.read() as session:
        it = past.past(session, house.actor("author"), first, now - timedelta(days=1), now)
    assert [(each.mark, each.end - each.begin) for each in it.link] == [("1", timedelta(hours=10))]
    assert [each.mark for each in it.power] == ["m"]
    assert [each.verdict for each in it.plays] == ["failed_to_sound"]
    assert [(each.code, each.end) for each in it.troubles] == [("line_open", None)]
    assert [each.reason for each in it.works] == ["Thay loa"]
    assert not it.nothing


def test_the_past_of_a_pole_elsewhere_is_unknown(house: House) -> None:
    now = house.clock.now()
    with house.ctx.db.read() as session, pytest.raises(Refused) as caught:
        past.past(session, house.actor("author"), clusters(house, OTHER)[0], now - timedelta(days=1), now)
    assert caught.value.key == "cluster.unknown"
