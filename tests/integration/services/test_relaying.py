"""A broadcast that is a relay: its form, its slot, its rules, and what the journal makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from support.relays import SILENCE, SLOT, STREAM, a_relay, a_source, approve, on_air
from support.services import HERE, NOON, SOON, House, raises
from support.voices import Voice

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.domain.content import Translation
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.relay import Relay
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Refused
from controller.db.tables import Delivery, Station, UnitFault
from controller.services import composing, relay_evidence, valid_approvals
from controller.services.views.clusters import health
from controller.services.views.dry_run import dry_run
from controller.services.views.week import Wish, week
from controller.services.views.why import chain

UNIT = f"u-{HERE}-1"
SLOT_MS = SLOT * 60_000
START = NOON + SOON
END = START + timedelta(minutes=SLOT)


@pytest.fixture
def voice(house: House) -> Voice:
    return Voice(UNIT, house.bulletin.sha256, SLOT_MS)


def first(house: House, broadcast: str) -> Delivery:
    return house.delivery(broadcast)


def heard(house: House, voice: Voice, *entries: Any) -> None:
    house.clock.set(END + timedelta(minutes=1))
    house.hear(voice.batch(*entries), unit=UNIT)


def problems(house: House, **changed: Any) -> set[str]:
    draft = house.draft(**changed)
    return {each.key for each in composing.preview(house.ctx, house.actor("author"), draft).problems}


@pytest.mark.requirement("R-024")
def test_a_plan_holds_source_slot_silence_and_the_fallback_for_a_unit_that_knows_no_relays(house: House) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    house.compile()
    plan = house.plan(UNIT)
    (item,) = plan.items
    assert item.relay is not None
    assert (item.relay.source, item.relay.url) == (source, STREAM.url)
    assert (item.relay.length_ms, item.relay.silence_s) == (SLOT_MS, SILENCE)
    assert (item.start, item.hard_end) == (unix_ms(START), unix_ms(END))
    assert item.asset == house.bulletin.sha256
    assert item.asset in {asset.sha256 for asset in plan.assets}
    delivery = first(house, broadcast)
    assert (delivery.relayed, delivery.start, delivery.end) == (STREAM.name, START, END)


def test_the_preview_counts_the_slot_and_not_the_fallback(house: House) -> None:
    draft = house.draft(**a_relay(house))
    seen = composing.preview(house.ctx, house.actor("author"), draft)
    assert (seen.duration, seen.first_end) == (timedelta(minutes=SLOT), END)
    assert (seen.relayed, seen.silence_s) == (STREAM.name, SILENCE)
    assert seen.fallback == timedelta(milliseconds=house.bulletin.duration_ms)


@pytest.mark.requirement("R-052")
def test_the_limits_of_a_station_count_relays_by_their_slot(house: House) -> None:
    relay = a_relay(house)
    with house.ctx.db.write() as session:
        station = session.get_one(Station, f"s-{HERE}")
        station.rules = {**station.rules, "session": SLOT - 1}
    assert problems(house, **relay) == {"limit.session"}
    assert problems(house, **relay | {"relay": replace(relay["relay"], minutes=SLOT - 1)}) == set()


@pytest.mark.requirement("R-051")
def test_a_relay_must_end_before_the_hours_of_the_regulation_do(house: House) -> None:
    late = {"at": time(20, 50), "first_day": NOON.date()}
    relay = a_relay(house)
    assert problems(house, **relay | late) == {"time.quiet"}
    assert problems(house, **relay | late | {"at": time(20, 45)}) == set()
    assert problems(house, **late) == set()  # the recording alone would fit


@pytest.mark.requirement("R-053")
def test_a_relay_at_an_unusual_hour_is_asked_about_twice(house: House) -> None:
    with house.ctx.db.write() as session:
        station = session.get_one(Station, f"s-{HERE}")
        station.hours = [[0, 1440]]
    tomorrow = {"first_day": NOON.date() + timedelta(days=1), "at": time(3, 15)}
    relay = a_relay(house) | tomorrow
    seen = composing.preview(house.ctx, house.actor("author"), house.draft(**relay))
    assert {each.key for each in seen.problems} == {"time.unusual"}
    assert seen.air.unusual is not None
    broadcast = house.submit(**relay, unusual=seen.air.unusual.mark)
    with raises(Refused, "time.unusual"):
        approve(house, broadcast, house.now + timedelta(days=2))


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"relay": None}, "relay.missing"),
        ({"origin": "own"}, "relay.origin"),
        ({"relay": Relay("ts-none", SLOT)}, "relay.source"),
        ({"late": "shift"}, "relay.manner"),
        ({"on_preempt": "restart"}, "relay.manner"),
        ({"on_preempt": "next_slot"}, "relay.manner"),
        ({"priority": 2, "routing": "stacked", "stack_minutes": 5}, "relay.manner"),
        ({"asset": ""}, "asset.missing"),
    ],
)
def test_what_no_relay_can_be_is_refused(house: House, changed: dict[str, Any], key: str) -> None:
    assert key in problems(house, **a_relay(house) | changed)


@pytest.mark.parametrize(("minutes", "silence", "key"), [(0, 20, "relay.minutes"), (15, 4, "relay.silence")])
def test_a_slot_that_cannot_be_is_refused(house: House, minutes: int, silence: int, key: str) -> None:
    assert key in problems(house, **a_relay(house, minutes=minutes, silence_s=silence))


def test_a_relay_has_neither_parts_nor_further_languages(house: House) -> None:
    sound = house.bulletin.sha256
    relay = a_relay(house)
    assert "relay.alone" in problems(house, **relay, parts=(Part(PartKind.BULLETIN, "", sound),))
    assert "relay.alone" in problems(house, **relay, more=(Translation("km", house.other.sha256),))


def test_no_approval_ends_before_the_relay_begins(house: House) -> None:
    broadcast = house.submit(first_day=(house.now + timedelta(days=9)).date(), **a_relay(house))
    with raises(Refused, "approval.end_early"):
        approve(house, broadcast, house.now + timedelta(days=8))
    approve(house, broadcast, house.now + timedelta(days=10))


@pytest.mark.requirement("R-030")
def test_nothing_of_a_relay_sounds_once_its_approval_has_ended(house: House) -> None:
    broadcast = house.submit(repeat="daily", **a_relay(house))
    until = START + timedelta(days=1, minutes=SLOT)
    approve(house, broadcast, until)
    house.compile()
    assert [item.start for item in house.plan(UNIT).items] == [unix_ms(START), unix_ms(START + timedelta(days=1))]
    late = [one for one in house.deliveries(broadcast) if one.start > until]
    assert late
    assert {one.reason for one in late} == {"approval_over"}


def test_an_occurrence_that_would_be_cut_by_the_end_of_the_approval_is_left_out(house: House) -> None:
    broadcast = house.submit(repeat="daily", **a_relay(house))
    approve(house, broadcast, START + timedelta(days=1, minutes=SLOT - 1))
    house.compile()
    assert [item.start for item in house.plan(UNIT).items] == [unix_ms(START)]


@pytest.mark.requirement("R-024")
def test_the_week_says_whose_sound_it_is_before_and_after_the_approval(house: House) -> None:
    broadcast = house.submit(**a_relay(house))
    day = START.astimezone(VIETNAM).date()
    with house.ctx.db.read() as session:
        (wish,) = week(session, house.actor("boss"), day)[0].lines
    assert isinstance(wish, Wish)
    assert (wish.relayed, wish.end) == (STREAM.name, END)
    approve(house, broadcast, house.now + timedelta(days=1))
    with house.ctx.db.read() as session:
        (line,) = week(session, house.actor("boss"), day)[0].lines
    assert (line.relayed, line.end) == (STREAM.name, END)


def relay_entries(
    voice: Voice, delivery: Delivery, source: str, relay_ms: int, fallback_ms: int, **told: Any
) -> list[Any]:
    begun = voice.started(delivery.id, START, relay=source)
    shares = {"relay": source, "relay_ms": relay_ms, "fallback_ms": fallback_ms, "played_ms": SLOT_MS}
    return [begun, voice.ended(delivery.id, END, **shares | told)]


@pytest.mark.requirement("R-024")
@pytest.mark.parametrize(
    ("relay_ms", "fallback_ms", "reason", "percent"),
    [
        (SLOT_MS, 0, None, (100, 0)),
        (SLOT_MS - 900, 900, None, (100, 0)),
        (420_000, 460_000, "relay_fallback", (48, 52)),
        (0, SLOT_MS, "relay_fallback", (0, 100)),
    ],
)
def test_the_proof_says_how_much_was_the_source_and_how_much_the_fallback(
    house: House, voice: Voice, relay_ms: int, fallback_ms: int, reason: str | None, percent: tuple[int, int]
) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    house.compile()
    heard(house, voice, *relay_entries(voice, first(house, broadcast), source, relay_ms, fallback_ms))
    found = first(house, broadcast)
    assert (found.verdict, found.reason) == (Verdict.HEARD, reason)
    assert (found.source_ms, found.fallback_ms) == (relay_ms, fallback_ms)
    share = relay_evidence.share(found)
    assert share is not None
    assert share.percent == percent
    assert found.coverage == pytest.approx((relay_ms + fallback_ms) / SLOT_MS)


def test_a_slot_in_which_neither_gave_sound_has_failed(house: House, voice: Voice) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    house.compile()
    silent = {"outcome": "failed", "reason": "relay_silent"}
    heard(house, voice, *relay_entries(voice, first(house, broadcast), source, 0, 0, **silent))
    found = first(house, broadcast)
    assert (found.verdict, found.reason, found.coverage) == (Verdict.FAILED_TO_SOUND, "relay_silent", 0.0)
    assert relay_evidence.share(found) is None


def test_an_older_unit_that_plays_the_recording_has_played_the_fallback(house: House, voice: Voice) -> None:
    broadcast = on_air(house)
    house.compile()
    name, length = first(house, broadcast).id, house.bulletin.duration_ms
    heard(house, voice, voice.started(name, START), voice.ended(name, END, played_ms=length))
    found = first(house, broadcast)
    assert (found.verdict, found.reason) == (Verdict.HEARD, "relay_fallback")
    assert (found.source_ms, found.fallback_ms) == (0, length)


def test_a_relay_that_was_displaced_and_rejoined_adds_up(house: House, voice: Voice) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    house.compile()
    name = first(house, broadcast).id
    shares = {"relay": source, "fallback_ms": 0}
    entries = [
        voice.started(name, START, relay=source),
        voice.ended(name, START, "preempted", played_ms=300_000, relay_ms=300_000, **shares),
        voice.started(name, START, relay=source),
        voice.ended(name, END, offset_ms=420_000, played_ms=480_000, relay_ms=480_000, **shares),
    ]
    heard(house, voice, *entries)
    found = first(house, broadcast)
    assert (found.verdict, found.reason, found.source_ms) == (Verdict.HEARD, "displaced", 780_000)


@pytest.mark.requirement("R-024")
def test_the_chain_of_a_relay_names_source_and_shares(house: House, voice: Voice) -> None:
    source = a_source(house)
    broadcast = on_air(house, **a_relay(house, source))
    house.compile()
    heard(house, voice, *relay_entries(voice, first(house, broadcast), source, 420_000, 460_000))
    with house.ctx.db.read() as session:
        steps = chain(session, house.actor("boss"), first(house, broadcast).id).steps
    (ended,) = [step for step in steps if step.kind == "ended_relay"]
    assert (ended.fields["source"], ended.fields["relay_ms"], ended.fields["fallback_ms"]) == (
        STREAM.name,
        420_000,
        460_000,
    )


def test_a_silent_source_is_a_fault_of_the_cluster_until_it_sounds_again(house: House, voice: Voice) -> None:
    heard(house, voice, voice.fault("relay_silent", True, START, detail="ts-1"))
    with house.ctx.db.read() as session:
        fault = session.query(UnitFault).filter_by(unit_id=UNIT, code="relay_silent").one()
    assert (fault.detail, fault.cleared_at) == ("ts-1", None)
    heard(house, voice, voice.fault("relay_silent", False, END))
    with house.ctx.db.read() as session:
        assert session.get_one(UnitFault, fault.id).cleared_at == END


def test_two_relays_of_one_station_are_no_repeat_of_yesterday(house: House) -> None:
    """The same fallback in the evening and in the morning says nothing twice."""
    source = a_source(house)
    evening = {"first_day": NOON.date(), "at": time(18, 0)}
    on_air(house, **a_relay(house, source) | evening)
    morning = house.draft(**a_relay(house, source) | {"first_day": NOON.date() + timedelta(days=1), "at": time(5, 30)})
    assert composing.preview(house.ctx, house.actor("author"), morning).air.again == []


def test_an_edit_turns_a_relay_back_into_a_recording(house: House) -> None:
    broadcast = on_air(house)
    composing.submit(house.ctx, house.actor("author"), house.draft(), broadcast)
    with house.ctx.db.read() as session:
        assert valid_approvals.relays(session, [broadcast]).keys() == {(broadcast, 1)}
    house.approve(broadcast)
    house.compile()
    (item,) = house.plan(UNIT).items
    assert item.relay is None
    newest = [one for one in house.deliveries(broadcast) if one.revision == 2]
    assert {one.relayed for one in newest} == {None}
    ends: set[datetime] = {one.end for one in newest}
    assert ends == {START + timedelta(milliseconds=house.bulletin.duration_ms)}


@pytest.mark.requirement("R-024")
def test_the_dry_run_says_which_station_sounds_for_how_long(house: House) -> None:
    house.submit(**a_relay(house))
    with house.ctx.db.read() as session:
        (line,) = dry_run(session, house.actor("boss"), house.now, waiting=True).lines
    assert (line.relayed, line.length) == (STREAM.name, timedelta(minutes=SLOT))
    on_air(house, **a_relay(house, a_source(house, name="Đài thứ hai")), at=time(17, 0))
    with house.ctx.db.read() as session:
        (line,) = dry_run(session, house.actor("boss"), house.now).lines
    assert line.relayed == "Đài thứ hai"


def test_the_health_page_names_the_station_that_is_silent(house: House, voice: Voice) -> None:
    source = a_source(house)
    heard(house, voice, voice.fault("relay_silent", True, START, detail=source))
    with house.ctx.db.read() as session:
        found = health(session, house.actor("boss"), f"cl-{HERE}-1", house.now)
    assert [fault.code for fault in found.line.faults] == ["relay_silent"]
    assert found.stations == {source: STREAM.name}
