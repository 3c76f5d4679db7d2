"""A priority bulletin from above whose time is taken at some clusters: partly, everywhere or nowhere, or in line."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.services import HERE, House, raises

from broadcasts.clock import VIETNAM
from broadcasts.domain.content import Translation
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Refused
from controller.db.tables import Cluster, Delivery
from controller.services import approving, composing
from controller.services.previewing import Preview

TOMORROW: dict[str, Any] = {"first_day": date(2026, 3, 4), "at": time(17, 0), "priority": 2}
TAKEN = f"cl-{HERE}-1"


@pytest.fixture
def other(house: House) -> str:
    """A priority bulletin that has the horn of one cluster a second earlier; it lasts two."""
    return house.on_air(**TOMORROW | {"areas": (), "clusters": (TAKEN,), "at": time(16, 59, 59)})


def preview(house: House, **changed: Any) -> Preview:
    return composing.preview(house.ctx, house.actor("author"), house.draft(**TOMORROW | changed))


def unreached(house: House, broadcast: str) -> dict[str, str | None]:
    """By cluster, why not: what the proof of the broadcast shows."""
    return {each.cluster_id: each.reason for each in house.deliveries(broadcast) if each.verdict == Verdict.NOT_PLAYED}


def lengthen(house: House, broadcast: str, length: timedelta) -> None:
    """As if its recording lasted so long."""
    with house.ctx.db.write() as session:
        for each in session.scalars(select(Delivery).where(Delivery.broadcast_id == broadcast)):
            each.end = each.start + length


def foreseen(seen: Preview) -> dict[str, str]:
    return {cluster: str(each.why) for each in seen.not_there for cluster in each.clusters}


ALL = {f"cl-{HERE}-{number}" for number in range(1, 6)}


def test_partly_it_goes_where_the_horn_is_free_and_the_proof_names_the_others(house: House, other: str) -> None:
    wish = {"routing": "partial"}
    assert foreseen(preview(house, **wish)) == {TAKEN: "busy"}
    broadcast = house.on_air(**TOMORROW | wish)
    assert unreached(house, broadcast) == {TAKEN: "busy"}
    house.compile()
    ids = {each.id for each in house.deliveries(broadcast)}
    assert not ids & {item.id for item in house.plan(f"u-{HERE}-1").items}
    assert ids & {item.id for item in house.plan(f"u-{HERE}-2").items}


def test_all_or_none_goes_nowhere_where_one_is_taken_and_everywhere_where_none_is(house: House, other: str) -> None:
    wish = {"routing": "all_or_none"}
    expected = {cluster: "busy" if cluster == TAKEN else "not_all" for cluster in ALL}
    assert foreseen(preview(house, **wish)) == expected
    assert unreached(house, house.on_air(**TOMORROW | wish)) == expected
    free = TOMORROW | wish | {"at": time(18, 0)}
    assert preview(house, **free).not_there == []
    assert unreached(house, house.on_air(**free)) == {}


def test_of_two_languages_neither_goes_where_the_second_would_find_the_horn_taken(house: House) -> None:
    """Something that begins between the two goes before the second."""
    with house.ctx.db.write() as session:
        for each in session.scalars(select(Cluster)):
            each.languages = ["vi", "km"]
    house.on_air(**TOMORROW | {"areas": (), "clusters": (TAKEN,), "at": time(17, 0, 2)})
    wish: dict[str, Any] = {"routing": "partial", "more": (Translation("km", house.other.sha256),)}
    seen = preview(house, **wish)
    assert {clash.loser.cluster for clash in seen.clashes} == {TAKEN}
    assert {clash.winner.broadcast == "" for clash in seen.clashes} == {False}
    assert foreseen(seen) == {TAKEN: "busy"}
    broadcast = house.on_air(**TOMORROW | wish)
    assert unreached(house, broadcast) == {TAKEN: "busy"}
    assert len([each for each in house.deliveries(broadcast) if each.reason]) == 2


def test_a_form_whose_only_language_here_has_no_recording_yet_is_answered(house: House) -> None:
    with house.ctx.db.write() as session:
        for each in session.scalars(select(Cluster)):
            each.languages = ["km"]
    seen = preview(house, routing="partial", more=(Translation("km", "0" * 64),))
    assert "rendition.asset" in {each.key for each in seen.problems}
    assert (seen.clashes, seen.not_there) == ([], [])


def test_what_may_wait_past_the_end_of_a_standing_approval_comes_into_no_being(house: House) -> None:
    """It would sound when nobody approves it any more; planned all the same, nobody would know why it was silent."""
    wish = {"routing": "stacked", "stack_minutes": 60, "repeat": "daily"}
    broadcast = house.submit(**TOMORROW | wish)
    end = datetime(2026, 3, 5, 17, 30, tzinfo=VIETNAM)
    approving.approve(house.ctx, house.actor("boss"), broadcast, house.seen(broadcast), until=end)
    assert {each.start.astimezone(VIETNAM).day: each.reason for each in house.deliveries(broadcast)} == {
        4: None, **dict.fromkeys(range(5, 11), "approval_over")
    }  # fmt: skip


def test_in_line_it_waits_on_the_unit_and_no_longer_than_it_may(house: House, other: str) -> None:
    wish = {"routing": "stacked", "stack_minutes": 3}
    assert foreseen(preview(house, **wish)) == {}
    broadcast = house.on_air(**TOMORROW | wish)
    assert unreached(house, broadcast) == {}
    house.compile()
    [item] = [
        each for each in house.plan(f"u-{HERE}-1").items if each.id in {x.id for x in house.deliveries(broadcast)}
    ]
    assert (item.late, item.on_preempt) == ("shift", "next_slot")
    assert item.not_after - item.start == timedelta(minutes=3) / timedelta(milliseconds=1)


def test_in_line_behind_something_too_long_it_is_not_begun_at_all(house: House, other: str) -> None:
    lengthen(house, other, timedelta(seconds=62))  # until 61 s after the start
    wish = {"routing": "stacked", "stack_minutes": 1}
    assert foreseen(preview(house, **wish)) == {TAKEN: "busy_too_long"}
    assert unreached(house, house.on_air(**TOMORROW | wish)) == {TAKEN: "busy_too_long"}


def test_what_is_ordinary_is_never_in_its_way(house: House) -> None:
    house.on_air(**TOMORROW | {"priority": 3, "at": time(16, 59, 59)})
    assert preview(house, routing="all_or_none").not_there == []


def test_routing_is_for_priority_bulletins_and_in_line_wants_its_minutes(house: House) -> None:
    for wrong, key in (
        ({"routing": "partial", "priority": 3}, "routing.priority"),
        ({"routing": "stacked"}, "routing.minutes"),
        ({"routing": "stacked", "stack_minutes": 121}, "routing.minutes"),
        ({"routing": "elsewhere"}, "choice.unknown"),
    ):
        with raises(Refused, key):
            house.submit(**TOMORROW | wrong)


def test_an_edit_keeps_the_choice_and_the_approver_decides_on_it(house: House) -> None:
    broadcast = house.submit(**TOMORROW | {"routing": "stacked", "stack_minutes": 3})
    before = house.seen(broadcast)
    composing.submit(
        house.ctx,
        house.actor("author"),
        house.draft(**TOMORROW | {"routing": "stacked", "stack_minutes": 4}),
        broadcast,
    )
    assert house.seen(broadcast) != before
