"""What units say becomes status, evidence and verdicts, however often, late or disordered it is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from support.services import HERE, NOON, THERE, House
from support.voices import Voice

from broadcasts.clock import unix_ms
from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.wire.journal import Amplifier, AnyEntry
from broadcasts.wire.status import ClockSource, ClockState, PowerSource, Telemetry
from controller.db.tables import (
    Assignment,
    Delivery,
    DeliveryMove,
    JournalEntry,
    JournalMark,
    Quarantined,
    Unit,
    UnitFault,
    UnitPlan,
    UnitStatus,
)  # fmt: skip
from controller.services import ingesting, quarantine
from controller.services.heard import Bad, Tally

UNIT = f"u-{HERE}-1"
START = NOON + timedelta(hours=2)
END = START + timedelta(seconds=2)


@pytest.fixture
def planned(house: House) -> str:
    """The delivery of `UNIT`."""
    broadcast = house.on_air()
    house.compile()
    house.clock.set(END)
    return house.delivery(broadcast).id


@pytest.fixture
def voice(house: House) -> Voice:
    return Voice(UNIT, house.bulletin.sha256, house.bulletin.duration_ms)


def found(house: House, delivery: str) -> Delivery:
    with house.ctx.db.read() as session:
        return session.get_one(Delivery, delivery)


def told(house: House, delivery: str) -> tuple[str, str | None, str | None]:
    row = found(house, delivery)
    return row.state, row.verdict, row.reason


def mark(house: House, journal: str = "j-1") -> int:
    with house.ctx.db.read() as session:
        return session.get_one(JournalMark, (UNIT, journal)).seq


def status(house: House) -> UnitStatus:
    with house.ctx.db.read() as session:
        return session.get_one(UnitStatus, UNIT)


def journal(house: House, voice: Voice, *entries: AnyEntry, **how: Any) -> Tally:
    return house.hear(voice.batch(*entries, **how), unit=voice.unit, signed=True)


@pytest.mark.requirement("R-099")
def test_a_bulletin_that_sounded_is_heard_with_all_that_is_known_of_it(
    house: House, planned: str, voice: Voice
) -> None:
    late = START + timedelta(milliseconds=120)
    tally = journal(house, voice, voice.started(planned, late, late_ms=120), voice.ended(planned, END))
    row = found(house, planned)
    assert (row.state, row.verdict, row.reason) == (State.PLAYED, Verdict.HEARD, None)
    assert (row.started_at, row.late_ms, row.coverage, row.signed_evidence) == (late, 120, 1.0, True)
    assert (tally.entries, tally.verdicts, tally.illegal_moves) == (2, 1, 0)
    assert (row.priority, row.volume, row.cluster_id) == (3, 70, f"cl-{HERE}-1")


VERDICTS: list[tuple[str, Callable[[Voice, str], list[AnyEntry]], tuple[str, str | None, str | None]]] = [
    ("begun", lambda v, d: [v.started(d, START)], ("playing", None, None)),
    ("no sensor", lambda v, d: [v.ended(d, END, amplifier=Amplifier.NONE)], ("played", "played", None)),
    ("cut wire", lambda v, d: [v.ended(d, END, amplifier=Amplifier.SILENT)],
     ("played", "failed_to_sound", "silent_amplifier")),
    ("decoder", lambda v, d: [v.ended(d, END, "failed", played_ms=0, reason="does not decode: " + "x" * 400)],
     ("failed", "not_played", "decoder")),
    ("spoiled on the way", lambda v, d: [v.skipped(d, END, "no_asset", detail="asset_corrupt")],
     ("failed", "not_played", "asset_corrupt")),
    ("power", lambda v, d: [v.started(d, START), v.ended(d, END, "failed", played_ms=0, reason="power_off")],
     ("failed", "failed_to_sound", "power_off")),
    ("no file", lambda v, d: [v.skipped(d, END, "no_asset")], ("missed", "not_played", "no_asset")),
    ("displaced", lambda v, d: [v.started(d, START), v.ended(d, END, "preempted", played_ms=700)],
     ("preempted", "not_played", "displaced")),
    ("goes on", lambda v, d: [v.started(d, START), v.ended(d, END, "preempted"), v.started(d, END, offset_ms=900)],
     ("playing", None, None)),
    ("came to its end", lambda v, d: [v.ended(d, END, "preempted"), v.started(d, END), v.ended(d, END)],
     ("played", "heard", None)),
]  # fmt: skip


def test_each_kind_of_evidence_has_its_state_verdict_and_reason(house: House, planned: str) -> None:
    with house.ctx.db.read() as session:
        before = {column.name: getattr(session.get_one(Delivery, planned), column.name)
                  for column in Delivery.__table__.columns}  # fmt: skip
    for number, (name, entries, expected) in enumerate(VERDICTS):
        voice = Voice(UNIT, house.bulletin.sha256, house.bulletin.duration_ms, f"j-{number}")
        journal(house, voice, *entries(voice, planned))
        assert told(house, planned) == expected, name
        with house.ctx.db.write() as session:
            session.execute(delete(JournalEntry))
            session.execute(update(Delivery).where(Delivery.id == planned).values(**before))


@pytest.mark.parametrize("times", [1, 2])
def test_every_message_twice_comes_to_the_same(house: House, planned: str, voice: Voice, times: int) -> None:
    said = [
        voice.presence("online"),
        voice.batch(voice.started(planned, START)),
        voice.batch(voice.fault("clock_untrusted", True, START)),
        voice.batch(voice.ended(planned, END)),
        voice.batch(voice.fault("clock_untrusted", False, END)),
        voice.reported(END, plan_version=7, plan_hash="0" * 64),
    ]
    for message in said:
        for _ in range(times):
            house.hear(message, unit=UNIT, signed=True)
    for message in said[1:5] if times > 1 else []:
        house.hear(message, unit=UNIT, signed=True)
    assert told(house, planned) == (State.PLAYED, Verdict.HEARD, None)
    with house.ctx.db.read() as session:
        assert session.scalar(select(func.count()).select_from(JournalEntry)) == 4
        moves = session.scalars(select(DeliveryMove.after).order_by(DeliveryMove.id)).all()
        faults = session.scalars(select(UnitFault)).all()
    assert moves == ["playing", "played"]
    assert [(fault.code, fault.raised_at, fault.cleared_at) for fault in faults] == [("clock_untrusted", START, END)]
    assert (mark(house), status(house).connected, status(house).plan_version) == (4, True, 7)


def test_entries_in_any_order_come_to_the_same_end(house: House, planned: str, voice: Voice) -> None:
    entries = [
        voice.started(planned, START), voice.ended(planned, START, "preempted", played_ms=500),
        voice.fault("hot", True, START), voice.started(planned, END, offset_ms=900),
        voice.fault("hot", False, END), voice.ended(planned, END),
    ]  # fmt: skip
    for entry in (entries[4], entries[5], entries[2], entries[0], entries[3]):
        journal(house, voice, entry)
    assert mark(house) == 1
    journal(house, voice, entries[1])
    assert mark(house) == 6
    assert told(house, planned) == (State.PLAYED, Verdict.HEARD, None)
    with house.ctx.db.read() as session:
        standing = session.scalars(select(UnitFault).where(UnitFault.cleared_at.is_(None))).all()
    assert standing == []


def test_late_evidence_settles_what_was_unknown(house: House, planned: str, voice: Voice) -> None:
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).values(verdict=Verdict.UNKNOWN, verdict_at=house.now))
    house.clock.advance(86_400)
    journal(house, voice, voice.started(planned, START), voice.ended(planned, END), historical=True)
    assert told(house, planned) == (State.PLAYED, Verdict.HEARD, None)


def test_evidence_of_another_asset_is_none_for_this_delivery(house: House, planned: str, voice: Voice) -> None:
    journal(house, voice, voice.ended(planned, END, asset=house.other.sha256))
    assert told(house, planned) == (State.PLANNED, None, None)


@pytest.mark.requirement("R-066")
def test_a_drill_with_the_id_of_a_delivery_proves_nothing_of_it(house: House, planned: str, voice: Voice) -> None:
    """Whoever has the drill key may name a drill as he likes."""
    before = told(house, planned)
    drills = [voice.started(planned, START), voice.ended(planned, END)]
    journal(house, voice, *(each.model_copy(update={"drill": True}) for each in drills))
    assert told(house, planned) == before
    journal(house, voice, voice.ended(planned, END))
    assert told(house, planned) == ("played", "heard", None)


def test_evidence_counts_only_from_the_unit_that_served_the_cluster_then(house: House, planned: str) -> None:
    for unit in (f"u-{HERE}-2", f"u-{THERE}-1"):
        liar = Voice(unit, house.bulletin.sha256, house.bulletin.duration_ms)
        journal(house, liar, liar.started(planned, START), liar.ended(planned, END))
    assert told(house, planned) == (State.PLANNED, None, None)


@pytest.mark.parametrize(("until", "counts"), [(START - timedelta(seconds=1), False), (END, True)])
def test_a_unit_that_was_taken_away_speaks_for_the_time_it_stood_there(
    house: House, planned: str, voice: Voice, until: Any, counts: bool
) -> None:
    with house.ctx.db.write() as session:
        session.execute(update(Assignment).where(Assignment.unit_id == UNIT).values(until=until))
    journal(house, voice, voice.ended(planned, END))
    assert (told(house, planned)[1] == Verdict.HEARD) is counts


def test_unsigned_evidence_is_shown_as_such(house: House, planned: str, voice: Voice) -> None:
    house.hear(voice.batch(voice.started(planned, START)), unit=UNIT, signed=True)
    house.hear(voice.batch(voice.ended(planned, END)), unit=UNIT, signed=False)
    assert found(house, planned).signed_evidence is False


def test_a_gap_holds_the_mark_and_what_fills_it_lifts_it_over_all_that_is_there(house: House, voice: Voice) -> None:
    entries = [voice.fault("hot", number % 2 == 0, START) for number in range(6)]
    journal(house, voice, *entries[:2])
    journal(house, voice, *entries[3:])
    assert mark(house) == 2
    journal(house, voice, entries[2])
    assert mark(house) == 6


def test_what_the_unit_no_longer_holds_is_not_waited_for(house: House, voice: Voice) -> None:
    voice.seq = 40
    journal(house, voice, voice.fault("hot", True, START), oldest=41)
    assert mark(house) == 41


def test_a_mark_never_goes_back_and_a_repetition_is_acknowledged_again(house: House, voice: Voice) -> None:
    entries = [voice.fault("hot", number % 2 == 0, START) for number in range(3)]
    journal(house, voice, *entries)
    with house.ctx.db.write() as session:
        session.execute(update(JournalMark).values(acked_seq=3))
    journal(house, voice, entries[0])
    with house.ctx.db.read() as session:
        row = session.get_one(JournalMark, (UNIT, "j-1"))
    assert (row.seq, row.acked_seq) == (3, -1)


def test_two_entries_of_one_number_in_one_message_are_one(house: House, voice: Voice) -> None:
    first, second = voice.fault("hot", True, START), voice.fault("cold", True, START)
    tally = journal(house, voice, first, second.model_copy(update={"seq": 1}))
    with house.ctx.db.read() as session:
        assert session.scalars(select(UnitFault.code)).all() == ["hot"]
    assert (tally.entries, mark(house)) == (1, 1)


def test_a_lost_storage_begins_a_journal_of_its_own(house: House, voice: Voice) -> None:
    journal(house, voice, *[voice.fault("hot", True, START) for _ in range(5)])
    other = Voice(UNIT, voice.asset, 2000, "j-2")
    journal(house, other, other.fault("hot", False, END))
    assert (mark(house, "j-1"), mark(house, "j-2")) == (5, 1)


def test_a_fault_stands_until_it_is_cleared_and_may_come_again(house: House, voice: Voice) -> None:
    at = [START + timedelta(minutes=minute) for minute in range(4)]
    for minute, raised in enumerate((True, True, False, True)):
        journal(house, voice, voice.fault("speaker_wire", raised, at[minute], detail="a\x00b"))
    with house.ctx.db.read() as session:
        rows = session.scalars(select(UnitFault).order_by(UnitFault.id)).all()
    assert [(row.raised_at, row.cleared_at) for row in rows] == [(at[0], at[2]), (at[3], None)]
    assert "\x00" not in rows[0].detail


@pytest.mark.requirement("R-077")
def test_death_and_birth_are_told_apart_by_their_pairs_with_the_time_of_the_last_sign(
    house: House, voice: Voice
) -> None:
    def say(state: str, boot_id: int, conn: int) -> bool | None:
        house.clock.advance(10)
        house.hear(voice.presence(state, conn, boot_id), unit=UNIT)
        return status(house).connected

    assert say("online", 3, 1) is True
    assert say("offline", 3, 1) is False
    died = house.now
    assert say("online", 3, 2) is True
    assert say("offline", 3, 1) is True  # the will of the connection before
    assert say("offline", 2, 9) is True  # of the boot before
    assert say("online", 4, 0) is True
    assert say("offline", 4, 0) is False
    assert status(house).last_sign == house.now
    assert status(house).presence_at == house.now > died


def test_a_retained_message_is_no_sign_of_life(house: House, voice: Voice) -> None:
    house.hear(voice.presence("online"), unit=UNIT, retained=True)
    assert (status(house).connected, status(house).last_sign) == (True, None)


def test_what_was_said_before_the_last_boot_is_ignored(house: House, voice: Voice) -> None:
    house.hear(voice.presence("online", 1, 5), unit=UNIT)
    voice.boot_id = 5
    house.hear(voice.reported(NOON, plan_version=9), unit=UNIT)
    voice.boot_id = 4
    house.hear(voice.reported(NOON, plan_version=3), unit=UNIT)
    assert status(house).plan_version == 9


def test_telemetry_is_kept_as_the_last_one_said(house: House) -> None:
    numbers = Telemetry(
        unit=UNIT, at=house.ms(), power=PowerSource.BATTERY, volts=11.8, temperature_c=41.5, signal_dbm=-97,
        storage_free_mb=512, amplifier_ma=0, volume=70,
    )  # fmt: skip
    house.hear(numbers, unit=UNIT)
    assert status(house).telemetry["volts"] == 11.8
    assert status(house).telemetry_at == house.now


def test_the_journal_is_complete_once_its_last_entry_is_here(house: House, planned: str, voice: Voice) -> None:
    entries = [voice.started(planned, START), voice.ended(planned, END)]
    house.hear(voice.reported(END), unit=UNIT)
    assert status(house).complete_at is None
    journal(house, voice, entries[0])
    assert status(house).complete_at is None
    journal(house, voice, entries[1])
    assert status(house).complete_at == END
    early = Voice(f"u-{HERE}-2", voice.asset, 2000)
    house.hear(early.reported(END + timedelta(hours=3)), unit=early.unit)
    with house.ctx.db.read() as session:
        assert session.get_one(UnitStatus, early.unit).complete_at == house.now  # its clock is ahead of ours


def since(house: House) -> datetime | None:
    return status(house).complete_from


def test_the_first_journal_of_a_unit_reaches_back_to_its_enrolment(house: House, voice: Voice) -> None:
    house.hear(voice.reported(NOON), unit=UNIT)
    with house.ctx.db.read() as session:
        assert since(house) == session.get_one(Unit, UNIT).enrolled_at < NOON


@pytest.mark.parametrize("by", ["report", "entries"])
def test_another_journal_says_nothing_of_the_time_before_it_was_first_heard_of(
    house: House, voice: Voice, by: str
) -> None:
    journal(house, voice, voice.fault("hot", True, START))
    house.hear(voice.reported(START), unit=UNIT)
    house.clock.advance(60)
    first_heard, other = house.now, Voice(UNIT, voice.asset, 2000, "j-2")
    other.boot_id = 2
    for _ in range(2):
        if by == "report":
            house.hear(other.reported(END), unit=UNIT)
        else:
            journal(house, other, other.fault("hot", False, END))
        assert (since(house), status(house).journal_id) == (first_heard, "j-2")
        house.clock.advance(60)
    journal(house, voice, voice.fault("hot", False, START))  # late news of the old one changes nothing
    assert (since(house), status(house).journal_id) == (first_heard, "j-2")


def test_what_a_unit_threw_away_before_it_came_here_leaves_a_hole(house: House, voice: Voice) -> None:
    house.clock.set(END)
    journal(house, voice, voice.fault("hot", True, START), voice.fault("hot", False, START))
    enrolled = since(house)
    voice.seq = 40
    journal(house, voice, voice.fault("hot", True, END - timedelta(minutes=5), clock_error_ms=20), oldest=41)
    assert (mark(house), since(house)) == (41, END - timedelta(minutes=5))
    assert enrolled is not None
    assert enrolled < END - timedelta(minutes=5)
    voice.seq = 60
    journal(house, voice, voice.fault("hot", False, START), oldest=61)  # dated by a clock that nobody trusts
    assert since(house) == house.now


def test_a_ring_that_dropped_what_is_here_already_leaves_no_hole(house: House, voice: Voice) -> None:
    entries = [voice.fault("hot", number % 2 == 0, START) for number in range(6)]
    journal(house, voice, entries[0])
    enrolled = since(house)
    journal(house, voice, *entries[2:4])
    journal(house, voice, entries[1], entries[4], oldest=1)
    journal(house, voice, entries[5], oldest=6)
    assert (mark(house), since(house)) == (6, enrolled)


def test_a_unit_that_does_not_know_the_time_cannot_say_until_when_it_told_all(house: House, voice: Voice) -> None:
    house.clock.set(END)
    doubtful = ClockState(source=ClockSource.RTC, trusted=False)
    house.hear(voice.reported(END, clock=doubtful), unit=UNIT)
    assert status(house).complete_at is None
    house.hear(voice.reported(END), unit=UNIT)
    assert status(house).complete_at == END


@pytest.mark.parametrize("version", [9_999_999_999_999, unix_ms(END) + 86_400_001])
def test_a_plan_version_out_of_the_far_future_is_not_believed(house: House, voice: Voice, version: int) -> None:
    house.clock.set(END)
    house.hear(voice.reported(END, plan_version=7), unit=UNIT)
    tally = house.hear(voice.reported(END, plan_version=version), unit=UNIT)
    assert (tally.put_aside, status(house).plan_version) == (["far_future"], 7)
    with house.ctx.db.read() as session:
        [kept] = session.scalars(select(Quarantined)).all()
    assert (kept.topic, kept.reason, kept.at) == (f"loa/v1/u/{UNIT}/out/reported", "far_future", END)
    assert str(version).encode() in kept.head + kept.detail.encode()
    assert house.hear(voice.reported(END, plan_version=unix_ms(END) + 86_400_000), unit=UNIT).put_aside == []


def test_a_boot_out_of_the_far_future_silences_no_unit(house: House, voice: Voice) -> None:
    house.hear(voice.presence("online", 1, 5), unit=UNIT)
    far = int(house.now.timestamp()) + 86_401
    assert house.hear(voice.presence("offline", 1, far), unit=UNIT).put_aside == ["far_future"]
    assert house.hear(voice.reported(NOON, boot_id=far), unit=UNIT).put_aside == ["far_future"]
    assert (status(house).connected, status(house).boot_id, status(house).reported_at) == (True, 5, None)
    assert house.hear(voice.presence("online", 1, far - 1), unit=UNIT).put_aside == []
    assert status(house).boot_id == far - 1


def test_an_applied_plan_is_measured_only_where_the_unit_was_there_all_the_time(house: House, voice: Voice) -> None:
    house.compile()
    house.hear(voice.presence("online"), unit=UNIT)
    house.clock.advance(5)
    with house.ctx.db.write() as session:
        session.execute(update(UnitPlan).values(published_at=house.now))
    house.clock.advance(3)
    version = house.plan(UNIT).version
    assert house.hear(voice.reported(NOON, plan_version=version), unit=UNIT).applied == [3.0]
    assert house.hear(voice.reported(NOON, plan_version=version), unit=UNIT).applied == []
    other = Voice(f"u-{HERE}-2", voice.asset, 2000)
    house.hear(other.presence("online"), unit=other.unit)
    plan = house.plan(other.unit).version
    assert house.hear(other.reported(NOON, plan_version=plan), unit=other.unit).applied == []


def test_what_is_not_the_contract_is_kept_for_a_look_and_the_oldest_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "KEEPS", 5)
    for number in range(12):
        with house.ctx.db.write() as session:
            ingesting.apply(
                session, [], [Bad(f"loa/{number}" + "x\x00" * 300, "malformed", "y" * 900, b"z" * 900, NOON)]
            )
    with house.ctx.db.read() as session:
        rows = session.scalars(select(Quarantined).order_by(Quarantined.id)).all()
    assert [row.topic.split("x")[0] for row in rows] == [f"loa/{number}" for number in range(7, 12)]
    assert [(len(row.topic), len(row.detail), len(row.head)) for row in rows[:1]] == [(200, 200, 512)]


def test_evidence_for_what_was_withdrawn_is_told_as_it_was(house: House, planned: str, voice: Voice) -> None:
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).where(Delivery.id == planned).values(state=State.WITHDRAWN))
    journal(house, voice, voice.started(planned, START), voice.ended(planned, END))
    assert told(house, planned) == (State.PLAYED, Verdict.HEARD, None)


def test_a_withdrawal_that_cut_it_short_leaves_it_withdrawn(house: House, planned: str, voice: Voice) -> None:
    journal(house, voice, voice.started(planned, START))
    with house.ctx.db.write() as session:
        session.execute(update(Delivery).where(Delivery.id == planned).values(state=State.WITHDRAWN))
    journal(house, voice, voice.ended(planned, END, "withdrawn", played_ms=300))
    assert told(house, planned) == (State.WITHDRAWN, Verdict.NOT_PLAYED, "withdrawn")


def test_what_a_confused_unit_says_after_the_end_changes_no_verdict(house: House, planned: str, voice: Voice) -> None:
    journal(house, voice, voice.started(planned, START), voice.ended(planned, END))
    confused = Voice(UNIT, voice.asset, 2000, "j-2")
    confused.boot_id = 2
    tally = house.hear(confused.batch(confused.skipped(planned, END, "power_off")), unit=UNIT, signed=True)
    assert told(house, planned) == (State.PLAYED, Verdict.HEARD, None)
    assert tally.illegal_moves == 1
