"""What ended without a word: unknown after the grace, not played once the journal is known to be complete."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from support.services import HERE, NOON, House
from support.voices import Voice

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import GRACE, Verdict
from controller.db.tables import Delivery, UnitStatus
from controller.services import approving, reconciling, settling

UNIT = f"u-{HERE}-1"
START = NOON + timedelta(hours=2)


@pytest.fixture
def voice(house: House) -> Voice:
    return Voice(UNIT, house.bulletin.sha256, house.bulletin.duration_ms)


def at_one_pole(house: House, **how: Any) -> str:
    broadcast = house.on_air(areas=(), clusters=(f"cl-{HERE}-1",), **how)
    house.compile()
    return house.delivery(broadcast).id


def sweep(house: House, at: datetime) -> datetime:
    house.clock.set(at)
    return settling.step(house.ctx, at)


def told(house: House, delivery: str) -> tuple[str, str | None, str | None]:
    with house.ctx.db.read() as session:
        row = session.get_one(Delivery, delivery)
        return row.state, row.verdict, row.reason


def complete(house: House, until: datetime) -> None:
    with house.ctx.db.write() as session:
        session.merge(UnitStatus(unit_id=UNIT, complete_from=NOON, complete_at=until, seen_plan_version=0))


def put(house: House, state: State) -> None:
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).values(state=state))


def test_silence_is_unknown_after_the_grace_and_not_a_second_earlier(house: House) -> None:
    delivery = at_one_pole(house)
    with house.ctx.db.read() as session:
        end = session.get_one(Delivery, delivery).end
    assert sweep(house, end + GRACE) > house.now
    assert told(house, delivery)[1] is None
    sweep(house, end + GRACE + timedelta(seconds=1))
    assert told(house, delivery) == (State.PLANNED, Verdict.UNKNOWN, None)


def test_the_sweep_comes_back_when_the_next_grace_ends(house: House) -> None:
    delivery = at_one_pole(house)
    with house.ctx.db.read() as session:
        end = session.get_one(Delivery, delivery).end
    assert sweep(house, end + timedelta(minutes=11)) == end + GRACE + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.PLANNED, "plan_not_received"),
        (State.PUBLISHED, "plan_not_received"),
        (State.READY, "no_trace"),
        (State.PLAYING, "cut_short"),
        (State.WITHDRAWN, "withdrawn"),
    ],
)
def test_a_complete_journal_without_a_word_is_not_played_with_its_reason(
    house: House, state: State, reason: str
) -> None:
    delivery = at_one_pole(house)
    put(house, state)
    over = START + timedelta(minutes=1)
    complete(house, START)
    sweep(house, over)
    assert told(house, delivery)[1] is None
    complete(house, over)
    sweep(house, over + timedelta(seconds=1))
    assert told(house, delivery) == (state, Verdict.NOT_PLAYED, reason)


def test_a_complete_journal_turns_unknown_into_not_played_and_evidence_turns_that_round(
    house: House, voice: Voice
) -> None:
    delivery = at_one_pole(house)
    sweep(house, START + timedelta(hours=1))
    assert told(house, delivery)[1] == Verdict.UNKNOWN
    complete(house, START + timedelta(minutes=30))
    sweep(house, START + timedelta(hours=2))
    assert told(house, delivery)[1:] == (Verdict.NOT_PLAYED, "plan_not_received")
    house.hear(voice.batch(voice.started(delivery, START), voice.ended(delivery, START)), unit=UNIT, signed=True)
    assert told(house, delivery) == (State.PLAYED, Verdict.HEARD, None)


def test_the_silence_of_a_journal_that_began_later_says_nothing(house: House, voice: Voice) -> None:
    """The storage died after the bulletin sounded: what it knew is lost, and it may have been heard."""
    before, after = at_one_pole(house), at_one_pole(house, at=time(15, 0))
    house.hear(voice.reported(NOON), unit=UNIT)
    house.clock.set(START + timedelta(minutes=30))
    other = Voice(UNIT, voice.asset, 2000, "j-2")
    other.boot_id = 2
    house.hear(other.reported(house.now), unit=UNIT)
    sweep(house, house.now)
    assert told(house, before) == (State.PLANNED, Verdict.UNKNOWN, None)
    house.clock.set(START + timedelta(minutes=90))
    house.hear(other.reported(house.now), unit=UNIT)
    sweep(house, house.now)
    assert told(house, before) == (State.PLANNED, Verdict.UNKNOWN, None)
    assert told(house, after) == (State.PLANNED, Verdict.NOT_PLAYED, "plan_not_received")


def test_what_was_withdrawn_while_a_journal_was_lost_stays_unknown(house: House, voice: Voice) -> None:
    delivery = at_one_pole(house)
    house.hear(voice.reported(NOON), unit=UNIT)
    with house.ctx.db.read() as session:
        broadcast = session.get_one(Delivery, delivery).broadcast_id
    house.clock.set(START + timedelta(seconds=1))
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    house.compile()
    reconciling.step(house.ctx, house.link, house.now)
    house.clock.advance(60)
    other = Voice(UNIT, voice.asset, 2000, "j-2")
    other.boot_id = 2
    house.hear(other.reported(house.now, plan_version=house.plan(UNIT).version), unit=UNIT)
    sweep(house, START + timedelta(hours=1))
    assert told(house, delivery) == (State.WITHDRAWN, Verdict.UNKNOWN, None)


@pytest.mark.parametrize("how", [{"late": "shift"}, {"late": "play"}])
def test_what_may_begin_late_is_not_given_up_before_it_could_have_ended(house: House, how: dict[str, str]) -> None:
    delivery = at_one_pole(house, **how)
    for minutes in (16, 59):
        complete(house, START + timedelta(minutes=minutes))
        sweep(house, START + timedelta(minutes=minutes, seconds=1))
        assert told(house, delivery)[1] is None, minutes
    sweep(house, START + timedelta(minutes=76))
    assert told(house, delivery)[1] == Verdict.UNKNOWN


def test_what_begins_again_after_it_was_displaced_is_not_given_up_at_its_slots_end(house: House, voice: Voice) -> None:
    delivery = at_one_pole(house, on_preempt="restart")
    house.clock.set(START)
    house.hear(voice.batch(voice.started(delivery, START + timedelta(seconds=1))), unit=UNIT, signed=True)
    with house.ctx.db.read() as session:
        end = session.get_one(Delivery, delivery).end
    complete(house, end + timedelta(milliseconds=500))
    sweep(house, end + timedelta(seconds=1))
    assert told(house, delivery) == (State.PLAYING, None, None)


def test_a_bulletin_that_began_and_was_never_ended_is_unknown_with_that_reason(house: House, voice: Voice) -> None:
    delivery = at_one_pole(house)
    house.clock.set(START)
    house.hear(voice.batch(voice.started(delivery, START)), unit=UNIT, signed=True)
    sweep(house, START + timedelta(hours=1))
    assert told(house, delivery) == (State.PLAYING, Verdict.UNKNOWN, "cut_short")


def test_what_was_withdrawn_after_it_left_stays_open_until_the_unit_is_heard_of(house: House) -> None:
    delivery = at_one_pole(house)
    with house.ctx.db.read() as session:
        broadcast = session.get_one(Delivery, delivery).broadcast_id
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    assert told(house, delivery) == (State.WITHDRAWN, None, None)
    sweep(house, START + timedelta(hours=1))
    assert told(house, delivery)[1] == Verdict.UNKNOWN
    complete(house, START + timedelta(hours=1))
    sweep(house, START + timedelta(hours=2))
    assert told(house, delivery)[1:] == (Verdict.NOT_PLAYED, "withdrawn")


def test_a_verdict_that_stands_is_left_alone(house: House, voice: Voice) -> None:
    delivery = at_one_pole(house)
    house.clock.set(START)
    house.hear(voice.batch(voice.started(delivery, START), voice.ended(delivery, START)), unit=UNIT, signed=True)
    complete(house, START + timedelta(hours=1))
    sweep(house, START + timedelta(hours=2))
    assert told(house, delivery) == (State.PLAYED, Verdict.HEARD, None)


def withdrawn_and_told(house: House, delivery: str) -> int:
    """Withdrawn a minute before its start; the version of the plan without it, which has left."""
    with house.ctx.db.read() as session:
        broadcast = session.get_one(Delivery, delivery).broadcast_id
    house.clock.set(START - timedelta(minutes=1))
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    house.compile()
    reconciling.step(house.ctx, house.link, house.now)
    return house.plan(UNIT).version


@pytest.mark.parametrize("behind", [0, 3])
def test_a_unit_that_took_a_withdrawal_back_at_once_is_believed_whatever_its_clock_says(
    house: House, voice: Voice, behind: int
) -> None:
    delivery = at_one_pole(house)
    version = withdrawn_and_told(house, delivery)
    house.hear(voice.reported(house.now - timedelta(seconds=behind), plan_version=version), unit=UNIT)
    sweep(house, house.now)
    assert told(house, delivery) == (State.WITHDRAWN, Verdict.NOT_PLAYED, "withdrawn")


def test_who_applied_a_withdrawal_is_not_believed_before_its_journal_is_here(house: House, voice: Voice) -> None:
    """It may have sounded until the plan came: the entry that says so is still under way."""
    delivery = at_one_pole(house)
    version = withdrawn_and_told(house, delivery)
    house.clock.advance(1)
    house.hear(voice.reported(house.now, plan_version=version - 1), unit=UNIT)
    begun = voice.started(delivery, START - timedelta(seconds=2))
    ended = voice.ended(delivery, START - timedelta(seconds=2), "withdrawn", played_ms=1500)
    house.clock.advance(90)
    house.hear(voice.reported(house.now, plan_version=version), unit=UNIT)
    sweep(house, house.now)
    assert told(house, delivery) == (State.WITHDRAWN, None, None)
    house.hear(voice.batch(begun, ended), unit=UNIT, signed=True)
    sweep(house, house.now)
    assert told(house, delivery)[1:] != (Verdict.NOT_PLAYED, "withdrawn")
