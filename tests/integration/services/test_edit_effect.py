"""What an edit is said to change before it is handed in, and what it does once it is: the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.services import HERE, House, furnished, raises

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Delivery, Station
from controller.services import rescheduling
from controller.services.composing import Preview, preview
from controller.services.context import HORIZON
from controller.services.edit_effect import Effect, effect
from controller.services.rescheduling import Extent, span_of

FIVE = time(17, 0)
TODAY = date(2026, 3, 3)


def at(day: int, hour: int = 17, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, tzinfo=VIETNAM)


def daily(house: House, **changed: Any) -> str:
    """From today on at 17:00, approved."""
    return house.on_air(**{"repeat": "daily", "first_day": TODAY, "at": FIVE} | changed)


def draft(house: House, broadcast: str, extent: Extent, start: datetime | None, **changed: Any) -> Any:
    with house.ctx.db.read() as session:
        opened = rescheduling.draft_for(session, house.actor("author"), broadcast, extent, start, house.now)
    return replace(opened, **changed)


def told(house: House, broadcast: str, extent: Extent, start: datetime | None = None, **changed: Any) -> Effect:
    wanted = draft(house, broadcast, extent, start, **changed)
    return effect(house.ctx, house.actor("author"), broadcast, wanted, extent, start)


def seen(house: House, broadcast: str, extent: Extent, start: datetime | None = None, **changed: Any) -> Preview:
    wanted = draft(house, broadcast, extent, start, **changed)
    return preview(house.ctx, house.actor("author"), wanted, broadcast, span_of(extent, start))


def edit(house: House, broadcast: str, extent: Extent, start: datetime | None = None, **changed: Any) -> str:
    wanted = draft(house, broadcast, extent, start, **changed)
    return rescheduling.change(house.ctx, house.actor("author"), broadcast, wanted, extent, start)


def on_the_air(house: House) -> set[tuple[str, str, datetime]]:
    """Cluster, broadcast and start of all that may still begin."""
    live = select(Delivery).where(Delivery.state.in_([str(state) for state in OPEN]), Delivery.begin > house.now)
    with house.ctx.db.read() as session:
        return {(each.cluster_id, each.broadcast_id, each.begin) for each in session.scalars(live)}


def played(house: House) -> list[tuple[str, str]]:
    with house.ctx.db.read() as session:
        rows = session.scalars(select(Delivery).where(Delivery.begin <= house.now).order_by(Delivery.id))
        return [(row.id, row.state) for row in rows]


def test_all_of_a_series_that_has_begun_says_what_has_sounded_and_what_stops_until_the_approval(house: House) -> None:
    series = daily(house)
    house.clock.set(at(5, 18))
    found = told(house, series, Extent.ALL, title="Tên mới", at=time(18, 30), volume=40)
    assert (found.in_place, found.kept, found.last) == (False, 3, at(5))
    assert list(found.off) == [at(day) for day in range(6, 11)]
    assert found.changed == ("title", "when", "volume")
    before = played(house)
    new = edit(house, series, Extent.ALL, title="Tên mới", at=time(18, 30), volume=40)
    assert (new != series, played(house)) == (True, before)
    assert on_the_air(house) == set()


def test_what_was_handed_in_unchanged_is_said_to_change_nothing(house: House) -> None:
    series = daily(house)
    assert told(house, series, Extent.ALL).changed == ()
    assert told(house, series, Extent.ONE, at(6)).changed == ()
    assert told(house, series, Extent.FOLLOWING, at(6)).changed == ()


def test_of_a_series_that_has_not_begun_nothing_is_kept_and_it_stays_the_same_broadcast(house: House) -> None:
    series = daily(house)
    found = told(house, series, Extent.ALL, asset=house.other.sha256)
    assert (found.in_place, found.kept, found.last, found.changed) == (True, 0, None, ("sound",))
    assert found.off[0] == at(3)


def test_one_start_stops_one_start_and_the_following_all_from_there(house: House) -> None:
    series = daily(house)
    house.clock.set(at(4, 12))
    assert list(told(house, series, Extent.ONE, at(6), at=time(19)).off) == [at(6)]
    assert list(told(house, series, Extent.FOLLOWING, at(6)).off) == [at(day) for day in range(6, 11)]
    assert told(house, series, Extent.ONE, at(6)).kept == 1


@pytest.mark.requirement("R-052")
def test_what_a_series_has_sounded_today_counts_when_all_of_it_is_edited(house: House) -> None:
    """Once said to be fine, and then refused when it was handed in."""
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").rules = {"day": 0.05}
    series = daily(house)
    house.clock.set(at(3, 17, 30))
    twice = seen(house, series, Extent.ALL, at=time(18, 30))
    assert [each.key for each in twice.problems] == ["limit.day"]
    with raises(Refused, "limit.day"):
        edit(house, series, Extent.ALL, at=time(18, 30))


def test_what_sounds_while_all_is_edited_sounds_on_and_asks_for_no_push(house: House) -> None:
    series = daily(house)
    house.clock.set(at(4, 17, 0, 1))
    ahead = seen(house, series, Extent.ALL, at=time(18, 30))
    assert (ahead.inside_lock, ahead.problems) == (False, [])
    edit(house, series, Extent.ALL, at=time(18, 30))
    begun = [each.state for each in house.deliveries(series) if each.start == at(4)]
    assert "withdrawn" not in begun


def test_what_begins_in_the_second_of_the_edit_has_begun(house: House) -> None:
    series = daily(house)
    house.clock.set(at(4))
    found = told(house, series, Extent.ALL)
    assert (found.kept, found.off[0]) == (2, at(5))
    edit(house, series, Extent.ALL, title="Tên mới")
    assert {each.state for each in house.deliveries(series) if each.start <= at(4)} == {"planned"}


def test_nobody_is_told_of_a_series_of_another_station(house: House) -> None:
    series = daily(house)
    with raises(Refused, "not_yours"):
        effect(house.ctx, house.actor("neighbour"), series, house.draft(), Extent.ALL)


edits = st.tuples(
    st.sampled_from(list(Extent)),
    st.integers(0, 5),
    st.sampled_from((None, time(6, 30), time(17), time(19, 15))),
    st.integers(0, 3 * 24 * 60),
)


@settings(
    max_examples=15, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck), deadline=None
)
@given(st.lists(edits, min_size=1, max_size=3))
def test_what_is_said_to_go_goes_what_is_said_to_come_comes_and_what_was_played_stays(
    workshop: Any, tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[Extent, int, time | None, int]]
) -> None:
    with furnished(workshop, "sqlite", tmp_path_factory.mktemp("effect")) as house:
        series = daily(house)
        for extent, number, clock, minutes in steps:
            house.clock.advance(minutes * 60)
            house.compile()
            _edit_and_look(house, series, extent, number, clock)


def _edit_and_look(house: House, series: str, extent: Extent, number: int, clock: time | None) -> None:
    ahead = sorted({start for _, broadcast, start in on_the_air(house) if broadcast == series})
    if len(ahead) <= number:
        return
    start = None if extent is Extent.ALL else ahead[number]
    changed: dict[str, Any] = {"title": "Tên mới", "push_now": True} | ({"at": clock} if clock else {})
    said = told(house, series, extent, start, **changed)
    foreseen = seen(house, series, extent, start, **changed)
    before, sounded = on_the_air(house), played(house)
    if foreseen.problems:
        with pytest.raises(LoaError) as refused:
            edit(house, series, extent, start, **changed)
        assert refused.value.key in {each.key for each in foreseen.problems}
        return
    new = edit(house, series, extent, start, **changed)
    gone = before - on_the_air(house)
    assert played(house) == sounded
    assert {each[2] for each in gone if each[2] < house.now + HORIZON} == set(said.off)
    house.approve(new)
    came = {(each[0], each[2]) for each in on_the_air(house) if each[1] == new}
    now = {(cluster.id, each) for cluster in foreseen.clusters for each in foreseen.starts}
    assert now <= came
    left = {(each[0], each[2]) for each in gone}
    for change in foreseen.air.changes:
        for cluster in change.clusters:
            assert change.was is None or (cluster, change.was) in left - came
            assert change.at is None or (cluster, change.at) in came - left
    if new != series and extent is Extent.ALL:
        assert not any(broadcast == series for _, broadcast, _ in on_the_air(house))
    assert played(house) == sounded
