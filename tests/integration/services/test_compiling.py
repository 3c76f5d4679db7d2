"""From approved broadcasts to the signed document that a unit holds."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from sqlalchemy import func, select, update
from support.services import HERE, NOON, THERE, House

from broadcasts.clock import VIETNAM, from_unix_ms, unix_ms
from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Fault
from broadcasts.wire import codec
from broadcasts.wire.jws import Typ, digest
from broadcasts.wire.plan import Plan
from broadcasts.wire.trust import Use
from controller.db.tables import (
    Assignment,
    Broadcast,
    Delivery,
    DeliveryMove,
    Station,
    Unit,
    UnitFault,
    UnitPlan,
    UnitStatus,
)
from controller.services import approving, compiling, deliveries, expanding
from controller.services.context import HORIZON

UNIT = f"u-{HERE}-1"
DAY = 86_400


def versions(house: House) -> dict[str, int]:
    with house.ctx.db.read() as session:
        return {row.unit_id: row.version for row in session.scalars(select(UnitPlan))}


def settled(house: House) -> None:
    """First plans come with a mark and are looked at once more."""
    house.compile()
    house.compile()


def test_every_unit_gets_a_plan_that_names_its_cluster_policy_and_scopes(house: House) -> None:
    house.compile()
    assert len(versions(house)) == 10
    plan = house.plan(UNIT)
    assert (plan.unit, plan.assignment.cluster, plan.items) == (UNIT, f"cl-{HERE}-1", [])
    assert plan.policy.scopes == ["p-94", f"c-{HERE}", UNIT]
    assert plan.policy.utc_offset_min == 420
    assert [(window.start, window.end) for window in plan.policy.hours] == [(300, 1260)]
    assert [(each.start, each.end, each.volume) for each in plan.policy.ceilings] == [(300, 360, 50), (360, 1260, 80)]
    assert (from_unix_ms(plan.issued_at), from_unix_ms(plan.horizon_end)) == (NOON, NOON + HORIZON)
    assert plan.version > unix_ms(NOON)


def test_the_document_is_verified_by_the_plan_key_alone(house: House) -> None:
    house.compile()
    stored = house.stored_plan(UNIT)
    assert stored.document_sha256 == digest(stored.document)
    for use in Use:
        key = house.keys.signer(use).public
        verify = lambda: codec.unseal(Plan, stored.document, Typ.PLAN, lambda _: key)  # noqa: B023, E731
        if use is Use.PLAN:
            assert verify().unit == UNIT
        else:
            with pytest.raises(Exception, match="bad_signature"):
                verify()


@pytest.mark.requirement("R-022")
def test_an_item_says_all_that_a_pole_needs_without_a_network(house: House) -> None:
    broadcast = house.on_air(volume=90, priority=2, late="shift", on_preempt="next_slot")
    house.compile()
    [item], [asset] = house.plan(UNIT).items, house.plan(UNIT).assets
    delivery = house.delivery(broadcast)
    assert (item.id, from_unix_ms(item.start)) == (delivery.id, NOON + timedelta(hours=2))
    assert (item.level, item.volume, str(item.late), str(item.on_preempt)) == (2, 80, "shift", "next_slot")
    assert item.not_after == item.deadline == item.start + house.bulletin.duration_ms + 3_600_000
    assert (asset.sha256, asset.size, asset.duration_ms) == (
        house.bulletin.sha256, house.bulletin.size, house.bulletin.duration_ms,
    )  # fmt: skip
    assert tuple(asset.chunks) == house.bulletin.chunks


def test_only_the_clusters_that_were_meant_are_told(house: House) -> None:
    house.on_air(areas=(), clusters=(f"cl-{HERE}-2", f"cl-{HERE}-3"))
    house.compile()
    told = {unit for unit in versions(house) if house.plan(unit).items}
    assert told == {f"u-{HERE}-2", f"u-{HERE}-3"}


def test_a_schedule_becomes_one_item_for_each_day_of_the_horizon(house: House) -> None:
    house.on_air(repeat="weekdays", at=time(6, 0))
    house.compile()
    local = [from_unix_ms(item.start).astimezone(VIETNAM) for item in house.plan(UNIT).items]
    assert [f"{at:%a %d %H:%M}" for at in local] == [
        "Wed 04 06:00", "Thu 05 06:00", "Fri 06 06:00", "Mon 09 06:00", "Tue 10 06:00",
    ]  # fmt: skip


def test_what_is_quieter_in_the_morning_is_planned_quieter(house: House) -> None:
    broadcast = house.on_air(repeat="daily", at=time(5, 59, 59), volume=70)
    assert {each.volume for each in house.deliveries(broadcast)} == {50}


def test_expanding_twice_makes_nothing_twice(house: House) -> None:
    broadcast = house.on_air(repeat="daily")
    before = [each.id for each in house.deliveries(broadcast)]
    with house.ctx.db.write() as session:
        row = session.get_one(Broadcast, broadcast)
        row.expanded_until = None
        assert deliveries.expand(session, row, house.now) == 0
        assert deliveries.expand(session, row, house.now) == 0
    house.compile()
    house.compile()
    assert [each.id for each in house.deliveries(broadcast)] == before


def test_a_plan_that_says_the_same_is_not_made_again(house: House) -> None:
    house.on_air()
    settled(house)
    before = versions(house)
    house.clock.advance(3600)
    with house.ctx.db.write() as session:
        session.execute(update(UnitPlan).values(dirty_since=house.now))
    house.compile()
    assert versions(house) == before
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).where(UnitPlan.dirty_since.is_not(None))) == 0


def test_a_first_plan_is_looked_at_once_more_and_not_published_twice(house: House) -> None:
    house.compile()
    first = versions(house)
    house.clock.advance(1)
    assert house.compile() <= house.now + timedelta(minutes=10)
    assert versions(house) == first
    assert house.stored_plan(UNIT).dirty_since is None


@pytest.mark.parametrize("where", ["reported", "retained"])
def test_a_version_outranks_whatever_was_seen_out_there(house: House, where: str) -> None:
    high = unix_ms(NOON) + 7_000_000
    with house.ctx.db.write() as session:
        status = UnitStatus(unit_id=UNIT, seen_plan_version=high if where == "retained" else 0)
        status.plan_version = high if where == "reported" else None
        session.add(status)
    house.compile()
    assert house.plan(UNIT).version == high + 1
    assert house.plan(f"u-{HERE}-2").version == unix_ms(NOON) + 1


def test_versions_never_go_back_even_where_the_clock_does(house: House) -> None:
    house.compile()
    first = house.plan(UNIT).version
    house.on_air()
    compiling.step(house.ctx, NOON - timedelta(minutes=30))
    assert house.plan(UNIT).version == first + 1


def test_the_horizon_rolls_once_a_day_jittered(house: House) -> None:
    house.on_air(repeat="daily")
    settled(house)
    first, due = versions(house), []
    with house.ctx.db.read() as session:
        due = list(session.scalars(select(UnitPlan.due_again)))
    assert len(set(due)) == 10
    assert min(due) > NOON + timedelta(hours=22, minutes=59)
    assert max(due) <= NOON + timedelta(days=1)
    house.clock.set(min(due) - timedelta(seconds=1))
    house.compile()
    assert versions(house) == first
    house.clock.set(max(due))
    house.compile()
    assert all(versions(house)[unit] > version for unit, version in first.items())
    starts = [from_unix_ms(item.start) for item in house.plan(UNIT).items]
    assert starts[-1] == NOON + timedelta(days=7, hours=2)


def test_the_next_look_is_no_later_than_the_next_roll(house: House) -> None:
    settled(house)
    with house.ctx.db.read() as session:
        due = session.scalar(select(func.min(UnitPlan.due_again)))
    assert due is not None
    house.clock.set(due - timedelta(minutes=3))
    assert house.compile() == due


def test_a_plan_too_long_for_its_document_is_cut_and_the_rest_follows_in_time(house: House) -> None:
    first = house.delivery(house.on_air(areas=(), clusters=(f"cl-{HERE}-1",)))
    told = {column.name: getattr(first, column.name) for column in Delivery.__table__.columns}
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").hours = [[0, 1440]]
        for number in range(1, 280):
            moved = {each: told[each] + timedelta(minutes=30 * number) for each in ("start", "end", "not_after")}
            session.add(Delivery(**told | moved | {"id": f"d-{number:03}"}))
    house.compile()
    plan = house.plan(UNIT)
    assert 40 < len(plan.items) < 280
    last, stored = from_unix_ms(plan.items[-1].start), house.stored_plan(UNIT)
    assert len(stored.document) <= 65_536
    assert stored.due_again < last
    house.clock.set(stored.due_again)
    house.compile()
    assert from_unix_ms(house.plan(UNIT).items[-1].start) > last


def test_a_change_while_the_compiler_is_at_work_is_not_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the very same instant of the clock, which is the hardest case: marks are told apart all the same."""
    settled(house)
    first = house.on_air(title="Một")
    later: list[str] = []
    original = compiling._make

    def slow(*args: object) -> object:
        if not later:
            later.append(house.on_air(title="Hai", at=time(16, 0)))
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(compiling, "_make", slow)
    assert house.compile() == house.now  # overtaken: it looks again at once
    assert house.plan(UNIT).items == []
    assert house.stored_plan(UNIT).dirty_since is not None
    house.compile()
    assert [item.id for item in house.plan(UNIT).items] == [house.delivery(first).id, house.delivery(later[0]).id]
    assert house.stored_plan(UNIT).dirty_since is None


@pytest.mark.parametrize("first", [True, False])
def test_what_is_withdrawn_while_the_compiler_is_at_work_is_never_signed(
    house: House, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Also where the plan is due for another reason than a mark."""
    house.compile()
    broadcast = house.on_air()
    if not first:
        settled(house)
        house.clock.advance(DAY - 3_600 * 22)
        with house.ctx.db.write() as session:
            session.execute(update(UnitPlan).values(due_again=house.now))
    before = versions(house)
    original, done = compiling._make, []

    def slow(*args: object) -> object:
        made = original(*args)  # type: ignore[arg-type]
        if not done:
            done.append(True)
            approving.withdraw(house.ctx, house.actor("boss"), broadcast)
        return made

    monkeypatch.setattr(compiling, "_make", slow)
    house.compile()
    touched = {each.unit_id for each in house.deliveries(broadcast)}
    assert UNIT in touched
    assert {unit: versions(house)[unit] for unit in touched if unit} == {unit: before[unit] for unit in touched if unit}
    house.compile()
    assert [house.plan(unit).items for unit in sorted(touched - {None})] == [[]] * 5
    assert {each.state for each in house.deliveries(broadcast)} == {State.WITHDRAWN}


def test_a_row_that_no_plan_can_say_keeps_back_its_own_units_alone(house: House) -> None:
    settled(house)
    before = versions(house)
    broken = [f"u-{HERE}-{number}" for number in range(1, 6)]
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").hours = [[60 * hour, 60 * hour + 30] for hour in range(13)]
        session.get_one(Station, f"s-{THERE}").hours = [[360, 720]]
        session.execute(update(UnitPlan).values(dirty_since=house.now))
    house.woken.clear()
    house.compile()
    assert [(each.start, each.end) for each in house.plan(f"u-{THERE}-1").policy.hours] == [(360, 720)]
    assert {unit for unit, version in versions(house).items() if version == before[unit]} == set(broken)
    assert [house.stored_plan(unit).dirty_since for unit in broken] == [house.now] * 5
    assert len(house.woken) == 1
    assert house.compile() > house.now  # it does not spin
    assert len(house.woken) == 1
    with house.ctx.db.read() as session:
        faults = session.scalars(select(UnitFault).order_by(UnitFault.unit_id)).all()
    assert [(each.unit_id, each.code, each.cleared_at) for each in faults] == [
        (unit, "plan_refused", None) for unit in broken
    ]
    assert all("hours" in each.detail and len(each.detail) <= 500 for each in faults)


def test_a_plan_that_can_be_made_again_clears_its_fault(house: House) -> None:
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").hours = [[720, 360]]
    house.compile()
    assert len(versions(house)) == 5
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").hours = [[360, 720]]
    house.clock.advance(60)
    house.compile()
    assert len(versions(house)) == 10
    with house.ctx.db.read() as session:
        faults = session.execute(select(UnitFault.raised_at, UnitFault.cleared_at)).all()
    assert [tuple(each) for each in faults] == [(NOON, house.now)] * 5


@pytest.mark.parametrize(
    "nonsense", [{"repeat": "yearly"}, {"clusters": None}, {"clusters": ["cl-gone"]}, {"late": "never"}], ids=str
)
def test_a_broadcast_that_no_calendar_knows_stops_no_other(house: House, nonsense: dict[str, object]) -> None:
    settled(house)
    broken, other = house.submit(repeat="daily"), house.submit(repeat="daily")
    for name in (broken, other):
        with house.ctx.db.write() as session:  # approved, but not looked at again
            session.execute(update(Broadcast).where(Broadcast.id == name).values(status="approved"))
    with house.ctx.db.write() as session:
        session.execute(update(Broadcast).where(Broadcast.id == broken).values(nonsense))
    house.compile()
    assert len(house.deliveries(other)) == 8 * 5
    assert house.deliveries(broken) == []
    assert {item.id for item in house.plan(UNIT).items} <= {each.id for each in house.deliveries(other)}


def test_a_broken_broadcast_is_a_fault_of_its_poles_until_it_is_gone(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    broken = house.submit(repeat="daily")

    def say(**changed: object) -> None:
        with house.ctx.db.write() as session:
            session.execute(update(Broadcast).where(Broadcast.id == broken).values(changed))

    def standing() -> list[tuple[str, str]]:
        with house.ctx.db.read() as session:
            rows = session.scalars(select(UnitFault).where(UnitFault.cleared_at.is_(None)).order_by(UnitFault.unit_id))
            return [(row.unit_id, row.detail) for row in rows if row.code == "broadcast_broken"]

    say(status="approved", repeat="yearly")
    house.compile()
    house.compile()
    assert [unit for unit, _ in standing()] == [f"u-{HERE}-{n}" for n in range(1, 6)]
    assert all(broken in detail and "yearly" in detail for _, detail in standing())
    assert caplog.text.count("cannot be expanded") == 1
    say(repeat="daily")
    house.compile()
    assert standing() == []
    assert len(house.deliveries(broken)) == 8 * 5


def test_a_database_that_cannot_write_is_no_fault_of_the_broadcasts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.on_air(repeat="daily")
    house.clock.advance(2 * DAY)

    def full(*_: object) -> None:
        raise Fault("database_full")

    monkeypatch.setattr(expanding, "expand", full)
    with pytest.raises(Fault):
        house.compile()


def test_a_version_that_no_unit_would_apply_is_not_outranked(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(UnitStatus(unit_id=UNIT, seen_plan_version=9_999_999_999_999, plan_version=9_999_999_999_999))
    house.compile()
    assert house.plan(UNIT).version == unix_ms(NOON) + 1


def test_of_two_compilers_the_second_to_store_steps_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(house)
    house.on_air()
    original, inner = compiling._make, []

    def overtaken(*args: object) -> object:
        if not inner:
            inner.append(True)
            compiling.step(house.ctx, house.now + timedelta(seconds=5))
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(compiling, "_make", overtaken)
    house.compile()
    assert house.plan(UNIT).issued_at == unix_ms(NOON + timedelta(seconds=5))
    assert versions(house)[UNIT] == house.plan(UNIT).version


def test_what_was_displaced_stays_in_the_plan_while_it_may_go_on(house: House) -> None:
    broadcast = house.on_air()
    house.compile()
    with house.ctx.db.write() as session:
        session.execute(
            update(Delivery)
            .where(Delivery.broadcast_id == broadcast)
            .values(state=State.PREEMPTED, verdict=Verdict.NOT_PLAYED, reason="displaced")
        )
    house.clock.set(NOON + timedelta(hours=2, seconds=1))
    house.submit(by="author", at=time(18, 0))
    house.on_air(at=time(18, 0))
    house.compile()
    assert house.delivery(broadcast).id in {item.id for item in house.plan(UNIT).items}


@pytest.mark.parametrize(
    ("how", "minutes_after", "stays"),
    [
        ({"late": "drop"}, 0.03, True),
        ({"late": "drop"}, 4, True),
        ({"late": "drop"}, 6, False),
        ({"late": "shift"}, 59, True),
        ({"late": "play"}, 60.02, True),
        ({"late": "shift"}, 64, True),
        ({"late": "shift"}, 66, False),
    ],
)
def test_an_item_stays_in_the_plan_as_long_as_it_may_sound_where_a_clock_is_behind(
    house: House, how: dict[str, str], minutes_after: float, stays: bool
) -> None:
    house.on_air(**how)
    settled(house)
    house.clock.set(NOON + timedelta(hours=2, minutes=minutes_after))
    with house.ctx.db.write() as session:
        deliveries.mark_dirty(session, [f"cl-{HERE}-1"], house.now)
    house.compile()
    assert bool(house.plan(UNIT).items) is stays


def test_a_unit_that_is_revoked_or_unassigned_gets_no_new_plan(house: House) -> None:
    settled(house)
    before = versions(house)
    with house.ctx.db.write() as session:
        session.get_one(Unit, UNIT).revoked_at = NOON
        session.execute(update(Assignment).where(Assignment.unit_id == f"u-{HERE}-2").values(until=NOON))
    house.on_air()
    house.compile()
    changed = {unit for unit, version in versions(house).items() if version != before[unit]}
    assert changed == {f"u-{HERE}-3", f"u-{HERE}-4", f"u-{HERE}-5"}


@pytest.mark.requirement("R-085")
def test_a_pole_whose_hardware_is_swapped_keeps_place_schedule_and_history(house: House) -> None:
    broadcast = house.on_air(repeat="daily")
    house.compile()
    before = house.plan(UNIT)
    with house.ctx.db.write() as session:
        session.add(Unit(id="u-spare", key_x="x" * 43, secret_hashes={"sha256": "0" * 64}, enrolled_at=NOON))
        session.flush()
        session.execute(update(Assignment).where(Assignment.unit_id == UNIT).values(until=NOON))
        session.add(Assignment(unit_id="u-spare", cluster_id=f"cl-{HERE}-1", since=NOON))
    house.compile()
    plan = house.plan("u-spare")
    assert (plan.assignment.cluster, plan.items) == (before.assignment.cluster, before.items)
    mine = [each for each in house.deliveries(broadcast) if each.cluster_id == f"cl-{HERE}-1"]
    assert {each.unit_id for each in mine if each.plan_version == plan.version} == {"u-spare"}
    with house.ctx.db.read() as session:
        served = session.scalars(select(Assignment.unit_id).where(Assignment.cluster_id == f"cl-{HERE}-1")).all()
    assert sorted(served) == [UNIT, "u-spare"]


def test_changed_hours_reach_the_units_with_the_next_plan(house: House) -> None:
    settled(house)
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{THERE}").hours = [[360, 720]]
        deliveries.mark_dirty(session, [f"cl-{THERE}-1"], house.now)
    house.compile()
    assert [(each.start, each.end) for each in house.plan(f"u-{THERE}-1").policy.hours] == [(360, 720)]


def test_every_move_of_a_delivery_is_a_row(house: House) -> None:
    broadcast = house.on_air(areas=(), clusters=(f"cl-{HERE}-1",))
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    with house.ctx.db.read() as session:
        [move] = session.scalars(select(DeliveryMove)).all()
    assert (move.before, move.after, move.at, move.why) == ("planned", "withdrawn", NOON, "withdrawn")


def test_a_day_that_was_slept_through_is_caught_up_with(house: House) -> None:
    broadcast = house.on_air(repeat="daily")
    house.clock.advance(10 * DAY)
    house.compile()
    starts = sorted({each.start for each in house.deliveries(broadcast)})
    assert starts == [NOON + timedelta(days=day, hours=2) for day in range(18)]
    assert len(house.plan(UNIT).items) == 7
