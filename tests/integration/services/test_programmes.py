"""An ordered programme: one broadcast, one approval, a delivery and a verdict for each part."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.relays import SLOT, a_relay
from support.relays import approve as approve_relay
from support.services import HERE, House, raises

from broadcasts.domain.delivery import State
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Bulletin, Delivery
from controller.services import approving, composing, rescheduling, valid_approvals
from controller.services.rescheduling import Extent
from controller.services.views.broadcast import proof
from controller.services.views.occurrences import occurrences


def parts(house: House) -> tuple[Part, ...]:
    return (
        Part(PartKind.CHIME, "Nhạc hiệu", house.other.sha256),
        Part(PartKind.BULLETIN, "Lịch tiêm chủng", house.bulletin.sha256),
        Part(PartKind.OUTRO, "", house.other.sha256),
    )


def programme(house: House, **changed: Any) -> str:
    """Tomorrow at 17:00, approved."""
    told = {"first_day": date(2026, 3, 4), "at": time(17, 0), "parts": parts(house)}
    return house.on_air(**told | changed)


def heard(house: House, broadcast: str) -> list[tuple[float, str]]:
    """Seconds after the first start and recording of what may still sound at the first cluster."""
    found = [each for each in house.deliveries(broadcast) if each.cluster_id == f"cl-{HERE}-1"]
    found = [each for each in found if each.state != State.WITHDRAWN]
    return [((each.start - found[0].start).total_seconds(), each.asset_sha256) for each in found]


@pytest.mark.requirement("R-044")
def test_each_part_is_an_item_of_the_plan_with_a_delivery_of_its_own(house: House) -> None:
    broadcast = programme(house)
    assert heard(house, broadcast) == [(0, house.other.sha256), (2, house.bulletin.sha256), (5, house.other.sha256)]
    house.compile()
    plan = house.plan(f"u-{HERE}-1")
    assert [item.asset for item in plan.items] == [asset for _, asset in heard(house, broadcast)]
    assert {asset.sha256 for asset in plan.assets} == {house.other.sha256, house.bulletin.sha256}


def test_the_preview_says_when_each_part_begins_and_when_all_is_over(house: House) -> None:
    seen = composing.preview(house.ctx, house.actor("author"), house.draft(parts=parts(house)))
    assert [after for after, _ in seen.programme] == [timedelta(0), timedelta(seconds=2), timedelta(seconds=5)]
    assert seen.first_end is not None
    assert timedelta(seconds=6.5) <= seen.first_end - seen.starts[0] < timedelta(seconds=7)


def test_a_programme_must_end_within_the_hours_of_the_station(house: House) -> None:
    late = house.draft(first_day=date(2026, 3, 4), at=time(20, 59, 56))
    author = house.actor("author")
    assert [each.key for each in composing.preview(house.ctx, author, late).problems] == []
    assert [each.key for each in composing.preview(house.ctx, author, replace(late, parts=parts(house))).problems] == [
        "time.quiet"
    ]


def test_the_parts_and_their_order_are_what_is_approved(house: House) -> None:
    broadcast = house.submit(parts=parts(house))
    before = house.seen(broadcast)
    composing.submit(house.ctx, house.actor("author"), house.draft(parts=parts(house)[::-1]), broadcast)
    assert house.seen(broadcast) != before
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast)
        assert approving.draft_of(session, row).parts == parts(house)[::-1]
        assert [kind for kind, *_ in approving.facts_of(session, row)["parts"]] == ["outro", "bulletin", "chime"]


def test_one_start_of_a_daily_programme_is_left_out_with_all_its_parts(house: House) -> None:
    broadcast = programme(house, repeat="daily")
    first = house.deliveries(broadcast)[0].start
    stopped = rescheduling.leave_out(house.ctx, house.actor("author"), broadcast, Extent.ONE, first, False)
    assert stopped == 3 * 5
    assert len(heard(house, broadcast)) == 6 * 3


def test_a_programme_that_sounds_goes_on_to_its_end_when_the_series_is_edited(house: House) -> None:
    broadcast = programme(house, repeat="daily")
    first = house.deliveries(broadcast)[0].start
    house.clock.set(first + timedelta(seconds=4))
    with house.ctx.db.read() as session:
        draft = rescheduling.draft_for(session, house.actor("author"), broadcast, Extent.ALL, None, house.now)
    rescheduling.change(house.ctx, house.actor("author"), broadcast, replace(draft, title="Mới"), Extent.ALL)
    assert len(heard(house, broadcast)) == 3


WRONG: list[tuple[tuple[Part, ...], str]] = [
    ((Part(PartKind.CHIME, "", "0" * 64),), "programme.part"),
    ((Part(PartKind.CHIME, "x" * 201, ""),), "programme.part"),
    (tuple(Part(PartKind.CHIME, "", "") for _ in range(31)), "programme.many"),
]


@pytest.mark.parametrize(("wrong", "key"), WRONG)
def test_a_programme_that_cannot_be_is_refused(house: House, wrong: tuple[Part, ...], key: str) -> None:
    with raises(Refused, key):
        house.submit(parts=wrong)


def test_the_recording_of_the_bulletin_is_one_of_the_parts(house: House) -> None:
    with raises(Refused, "programme.main"):
        house.submit(parts=(Part(PartKind.CHIME, "", house.other.sha256),))


def settle(house: House, broadcast: str, told: dict[int, Verdict | None], cluster: str = f"cl-{HERE}-1") -> None:
    """The verdict of each part at one cluster."""
    with house.ctx.db.write() as session:
        for row in session.scalars(select(Delivery).where(Delivery.broadcast_id == broadcast)):
            if row.cluster_id == cluster and row.part is not None and (verdict := told.get(row.part)) is not None:
                row.state, row.verdict, row.reason = State.PLAYED, verdict, "no_asset"


def test_a_programme_is_one_playing_and_each_cluster_counts_once(house: House) -> None:
    broadcast = programme(house)
    with house.ctx.db.read() as session:
        (line,) = occurrences(session, house.actor("author"), Delivery.broadcast_id == broadcast)
    assert line.clusters == 5
    assert line.end - line.start == timedelta(seconds=5) + timedelta(milliseconds=house.other.duration_ms)


HEARD, PLAYED, NOT_PLAYED, FAILED = Verdict.HEARD, Verdict.PLAYED, Verdict.NOT_PLAYED, Verdict.FAILED_TO_SOUND
FOLDED = [
    ({0: HEARD, 1: HEARD, 2: HEARD}, HEARD),
    ({0: NOT_PLAYED, 1: HEARD, 2: FAILED}, HEARD),
    ({0: HEARD, 1: NOT_PLAYED, 2: HEARD}, NOT_PLAYED),
    ({0: HEARD, 2: HEARD}, None),
]


@pytest.mark.parametrize(("told", "speaks"), FOLDED)
def test_the_bulletin_speaks_for_the_programme_and_not_the_chime(
    house: House, told: dict[int, Verdict | None], speaks: Verdict | None
) -> None:
    broadcast = programme(house)
    settle(house, broadcast, told)
    with house.ctx.db.read() as session:
        (line,) = occurrences(
            session,
            house.actor("author"),
            Delivery.broadcast_id == broadcast,
            Delivery.cluster_id == f"cl-{HERE}-1",
        )
    assert dict(line.verdicts) == ({speaks: 1} if speaks else {})


def test_the_worst_of_two_bulletins_speaks_for_both(house: House) -> None:
    two = (
        Part(PartKind.BULLETIN, "", house.bulletin.sha256),
        Part(PartKind.BULLETIN, "Hai", house.other.sha256),
    )
    broadcast = programme(house, parts=two)
    settle(house, broadcast, {0: HEARD, 1: FAILED})
    settle(house, broadcast, {0: PLAYED, 1: HEARD}, f"cl-{HERE}-2")
    with house.ctx.db.read() as session:
        found = proof(session, house.actor("author"), broadcast, None, house.now)
    assert found.chosen is not None
    assert dict(found.chosen.verdicts) == {FAILED: 1, PLAYED: 1}
    assert [(piece.kind, piece.title, dict(piece.verdicts)) for piece in found.pieces] == [
        ("bulletin", "", {HEARD: 1, PLAYED: 1}),
        ("bulletin", "Hai", {FAILED: 1, HEARD: 1}),
    ]
    assert found.waiting == 3


def with_relay(house: House) -> dict[str, Any]:
    """Chime of 1.5 s, bulletin of 2 s, a relay whose fallback is the bulletin, and a closing."""
    told = a_relay(house)
    opening, bulletin, closing = parts(house)
    relayed = Part(PartKind.RELAY, "Thời sự", house.bulletin.sha256)
    return {"relay": told["relay"], "parts": (opening, bulletin, relayed, closing)}


@pytest.mark.requirement("R-024")
def test_one_part_of_a_programme_is_a_relay_and_the_next_begins_after_its_slot(house: House) -> None:
    told = with_relay(house)
    broadcast = house.submit(first_day=date(2026, 3, 4), at=time(17, 0), **told)
    approve_relay(house, broadcast, house.now + timedelta(days=2))
    rows = [each for each in house.deliveries(broadcast) if each.cluster_id == f"cl-{HERE}-1"]
    assert [(each.part, each.relayed is not None, each.frame) for each in rows] == [
        (0, False, True),
        (1, False, False),
        (2, True, False),
        (3, False, True),
    ]
    begins = [round((each.start - rows[0].start).total_seconds()) for each in rows]
    assert begins == [0, 2, 5, 5 + SLOT * 60 + 1]
    house.compile()
    items = house.plan(f"u-{HERE}-1").items
    assert [item.relay is not None for item in items] == [False, False, True, False]
    assert items[2].relay is not None
    assert items[2].relay.length_ms == SLOT * 60_000
    assert items[2].asset == house.bulletin.sha256


@pytest.mark.requirement("R-024")
def test_a_programme_with_a_relay_in_it_is_approved_for_a_time_only(house: House) -> None:
    broadcast = house.submit(first_day=date(2026, 3, 4), at=time(17, 0), **with_relay(house))
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast)
        assert session.get_one(Bulletin, row.bulletin_id).origin == "own"
    proposed = valid_approvals.proposed_end(row, house.now, house.ctx.standing_approval)
    assert proposed is not None
    assert proposed.must
    boss, seen = house.actor("boss"), house.seen(broadcast)
    with raises(Refused, "approval.end_missing"):
        approving.approve(house.ctx, boss, broadcast, seen)
    with raises(Refused, "approval.end"):
        approving.approve(house.ctx, boss, broadcast, seen, until=house.now + timedelta(days=32))
    approving.approve(house.ctx, boss, broadcast, seen, until=proposed.at)


def test_a_relay_in_a_programme_names_its_station_and_is_the_only_one(house: House) -> None:
    told = with_relay(house)
    author = house.actor("author")

    def wrong(**changed: Any) -> list[str]:
        seen = composing.preview(house.ctx, author, house.draft(**{**told, **changed}))
        return [each.key for each in seen.problems]

    assert wrong() == []
    assert wrong(relay=None) == ["relay.missing"]
    assert wrong(parts=(*told["parts"], told["parts"][2])) == ["relay.alone"]
    assert wrong(parts=parts(house)) == ["relay.origin"]
