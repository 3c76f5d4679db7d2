"""What is wanted against what is out there: published once, said again, never marked before it arrived."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from support.services import HERE, NOON, House

from broadcasts.domain.delivery import State
from broadcasts.wire import codec, topics
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import Typ
from broadcasts.wire.status import ClockSource, ClockState, Player, PlayerState, Presence, PresenceState, Reported
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import Assignment, JournalMark, ScopeDocument, Unit, UnitPlan, UnitStatus
from controller.services import acknowledging, alerting, reconciling, trusting

UNIT = f"u-{HERE}-1"
TOPIC = topics.to_unit(UNIT, In.PLAN)
SPARE = "u-spare"


def reconcile(house: House) -> list[str]:
    """The topics that were published now."""
    house.link.sent.clear()
    reconciling.step(house.ctx, house.link, house.now)
    return house.link.topics()


def online(house: House, unit: str = UNIT, conn: int = 1) -> None:
    house.hear(Presence(unit=unit, state=PresenceState.ONLINE, boot_id=1, conn=conn), unit=unit)


def report(house: House, version: int | None, held: list[str] | None = None, unit: str = UNIT) -> None:
    told = Reported(
        unit=unit,
        boot_id=1,
        at=house.ms(),
        plan_version=version,
        plan_hash="0" * 64 if version else None,
        assets=held or [],
        player=Player(state=PlayerState.IDLE),
        clock=ClockState(source=ClockSource.NTP, trusted=True),
        firmware="1",
    )
    house.hear(told, unit=unit)


@pytest.fixture
def planned(house: House) -> str:
    broadcast = house.on_air()
    house.compile()
    house.compile()
    return broadcast


def test_each_plan_is_published_once_retained_and_as_it_is_stored(house: House, planned: str) -> None:
    assert len(reconcile(house)) == 10
    sent = {topic: (payload, qos, retain) for topic, payload, qos, retain in house.link.sent}
    assert sent[TOPIC] == (house.stored_plan(UNIT).document, 1, True)
    assert reconcile(house) == []
    house.clock.advance(3600)
    assert reconcile(house) == []


@pytest.mark.requirement("R-046")
def test_saved_pushed_and_confirmed_are_three_states(house: House, planned: str) -> None:
    assert house.delivery(planned).state == State.PLANNED
    reconcile(house)
    assert house.delivery(planned).state == State.PUBLISHED
    online(house)
    version = house.plan(UNIT).version
    report(house, version)
    assert house.delivery(planned).state == State.PUBLISHED
    report(house, version, [house.bulletin.sha256])
    assert house.delivery(planned).state == State.READY
    report(house, version, [])
    assert house.delivery(planned).state == State.PUBLISHED
    assert {each.state for each in house.deliveries(planned)[1:]} == {State.PUBLISHED}


def test_what_was_ready_at_the_unit_before_is_not_ready_at_the_one_that_took_its_place(
    house: House, planned: str
) -> None:
    reconcile(house)
    report(house, house.plan(UNIT).version, [house.bulletin.sha256])
    assert house.delivery(planned).state == State.READY
    with house.ctx.db.write() as session:
        session.add(Unit(id=SPARE, key_x="x" * 43, secret_hashes={"sha256": "0" * 64}, enrolled_at=house.now))
        session.flush()
        session.execute(update(Assignment).where(Assignment.unit_id == UNIT).values(until=house.now))
        session.add(Assignment(unit_id=SPARE, cluster_id=house.delivery(planned).cluster_id, since=house.now))
    # It said so before it had a place: with a plan of its own, or where it stood before.
    report(house, 3, unit=SPARE)
    house.compile()
    reconcile(house)
    version = house.plan(SPARE).version
    report(house, version, unit=SPARE)
    assert (house.delivery(planned).unit_id, house.delivery(planned).state) == (SPARE, State.PUBLISHED)
    report(house, version, [house.bulletin.sha256], SPARE)
    assert house.delivery(planned).state == State.READY


def test_a_connected_unit_that_did_not_hear_its_plan_is_told_again_after_a_minute(house: House, planned: str) -> None:
    reconcile(house)
    online(house)
    house.clock.advance(60)
    assert reconcile(house) == []
    house.clock.advance(1)
    assert reconcile(house) == [TOPIC]
    report(house, house.plan(UNIT).version - 1)
    house.clock.advance(61)
    assert reconcile(house) == [TOPIC]
    report(house, house.plan(UNIT).version)
    house.clock.advance(3600)
    assert reconcile(house) == []


@pytest.mark.requirement("R-056")
def test_a_change_reaches_a_unit_that_was_away_when_it_comes_back(house: House, planned: str) -> None:
    reconcile(house)
    house.clock.advance(7200)
    assert reconcile(house) == []
    online(house)
    assert reconcile(house) == [TOPIC]


def test_without_a_broker_nothing_is_published_and_nothing_marked(house: House, planned: str) -> None:
    house.link.up = False
    assert reconcile(house) == []
    assert house.stored_plan(UNIT).published_at is None
    assert house.delivery(planned).state == State.PLANNED
    house.link.up = True
    assert len(reconcile(house)) == 10


def test_what_the_broker_did_not_acknowledge_is_not_marked(house: House, planned: str) -> None:
    trusting.ensure_trust(house.ctx, house.now)
    house.link.flushes = False
    reconcile(house)
    with house.ctx.db.read() as session:
        assert session.scalars(select(UnitPlan).where(UnitPlan.published_at.is_not(None))).all() == []
        assert session.scalars(select(ScopeDocument).where(ScopeDocument.published_at.is_not(None))).all() == []
    assert house.delivery(planned).state == State.PLANNED
    house.link.flushes = True
    assert len(reconcile(house)) == 11


def test_a_link_that_breaks_in_the_middle_leaves_the_rest_for_the_next_time(house: House, planned: str) -> None:
    house.link.takes = 3
    first = reconcile(house)
    house.link.takes = 100
    second = reconcile(house)
    assert (len(first), len(second), len({*first, *second})) == (3, 7, 10)


def test_a_plan_made_anew_while_the_old_one_left_is_published_too(house: House, planned: str) -> None:
    """The mark belongs to the version that left."""
    with house.ctx.db.write() as session:
        reconciling._mark_published(session, [house.stored_plan(UNIT)], house.now)
    old = house.stored_plan(UNIT)
    house.on_air(title="Hai")
    house.compile()
    with house.ctx.db.write() as session:
        reconciling._mark_published(session, [old], house.now)
    assert house.stored_plan(UNIT).published_at is None
    assert TOPIC in reconcile(house)


def test_after_a_wiped_broker_everything_is_said_again(house: House, planned: str) -> None:
    trusting.ensure_trust(house.ctx, house.now)
    with house.ctx.db.write() as session:
        session.add(JournalMark(unit_id=UNIT, journal_id="j", seq=7, at=NOON, acked_seq=-1))
    first = reconcile(house)
    assert reconcile(house) == []
    reconciling.say_everything_again(house.ctx)
    assert reconcile(house) == first
    assert first[0] == topics.TRUST
    assert len(first) == 12


def test_after_a_reconnect_only_the_few_documents_of_the_scopes_are_said_again(house: House, planned: str) -> None:
    trusting.ensure_trust(house.ctx, house.now)
    alerting.silence(house.ctx, house.on_duty, f"c-{HERE}")
    reconcile(house)
    reconciling.connected(house.ctx)
    assert reconcile(house) == [topics.TRUST, f"loa/v1/s/c-{HERE}/alert"]


def test_an_acknowledgement_is_signed_retained_and_said_once(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(JournalMark(unit_id=UNIT, journal_id="j-1", seq=7, at=NOON, acked_seq=-1))
    assert reconcile(house) == [topics.to_unit(UNIT, In.JOURNAL_ACK)]
    [(_, document, qos, retain)] = house.link.sent
    key = house.keys.signer(Use.COMMAND).public
    ack = codec.unseal(JournalAck, document, Typ.JOURNAL_ACK, lambda kid: key if kid == key.kid else None)
    assert (ack.unit, ack.journal_id, ack.seq, ack.epoch, qos, retain) == (UNIT, "j-1", 7, 0, 1, True)
    assert reconcile(house) == []
    with house.ctx.db.write() as session:
        session.execute(update(JournalMark).values(seq=9))
    assert len(reconcile(house)) == 1


def test_of_two_journals_of_a_unit_the_newer_one_is_acknowledged_last(house: House) -> None:
    """The broker retains one message a topic: the one that the unit still writes must be it."""
    with house.ctx.db.write() as session:
        session.add(JournalMark(unit_id=UNIT, journal_id="b-old", seq=7, at=NOON, acked_seq=-1))
        session.add(JournalMark(unit_id=UNIT, journal_id="a-new", seq=1, at=NOON + timedelta(days=1), acked_seq=-1))
    reconcile(house)
    key = house.keys.signer(Use.COMMAND).public
    last = codec.unseal(JournalAck, house.link.sent[-1][1], Typ.JOURNAL_ACK, lambda _: key)
    assert last.journal_id == "a-new"


@pytest.mark.parametrize("where", ["reported", "retained"])
def test_a_restored_controller_outranks_what_is_out_there_and_says_so_once(
    house: House, planned: str, where: str
) -> None:
    reconcile(house)
    high = house.plan(UNIT).version + 5_000
    with house.ctx.db.write() as session:
        status = UnitStatus(unit_id=UNIT, seen_plan_version=high if where == "retained" else 0)
        status.plan_version, status.connected = (high if where == "reported" else None), True
        session.add(status)
    house.woken.clear()
    reconcile(house)
    reconcile(house)
    assert house.woken == [house.now]  # it does not spin while the compiler is at work
    house.compile()
    assert house.plan(UNIT).version == high + 1
    assert reconcile(house) == [TOPIC]


def test_one_unit_that_is_ahead_does_not_have_all_journals_sent_again(house: House, planned: str) -> None:
    other = f"u-{HERE}-2"
    with house.ctx.db.write() as session:
        for unit in (UNIT, other):
            session.add(JournalMark(unit_id=unit, journal_id="j", seq=7, at=NOON, acked_seq=7))
    reconcile(house)
    report(house, house.plan(UNIT).version + 5_000)
    reconcile(house)
    assert topics.to_unit(UNIT, In.JOURNAL_ACK) in reconcile(house)
    with house.ctx.db.read() as session:
        assert session.get_one(JournalMark, (UNIT, "j")).acked_seq == 7
    assert not [topic for topic in house.link.topics() if other in topic]


def test_the_epoch_of_one_unit_is_no_business_of_another(house: House, planned: str) -> None:
    """Else every journal of the fleet would be sent again with the next acknowledgement of each unit."""
    other = f"u-{HERE}-2"
    with house.ctx.db.write() as session:
        for unit in (UNIT, other):
            session.add(JournalMark(unit_id=unit, journal_id="j", seq=7, at=NOON, acked_seq=7))
    reconcile(house)
    report(house, house.plan(UNIT).version + 5_000)
    reconcile(house)
    with house.ctx.db.write() as session:
        session.execute(update(JournalMark).values(acked_seq=-1))
    house.link.sent.clear()
    reconcile(house)
    key = house.keys.signer(Use.COMMAND).public
    acks = [
        codec.unseal(JournalAck, document, Typ.JOURNAL_ACK, lambda _: key)
        for topic, document, *_ in house.link.sent
        if topic.endswith("/in/journal-ack")
    ]
    assert {ack.unit: ack.epoch for ack in acks} == {UNIT: int(house.now.timestamp()), other: 0}


def test_an_epoch_never_goes_back_with_a_clock(house: House) -> None:
    with house.ctx.db.write() as session:
        session.add(UnitStatus(unit_id=UNIT, journal_epoch=9_999_999_999))
    with house.ctx.db.write() as session:
        acknowledging.ask_again(session, [UNIT], house.now)
    with house.ctx.db.read() as session:
        assert session.get_one(UnitStatus, UNIT).journal_epoch == 10_000_000_000


def test_a_version_that_no_unit_would_apply_is_left_alone(house: House, planned: str) -> None:
    reconcile(house)
    with house.ctx.db.write() as session:
        session.add(UnitStatus(unit_id=UNIT, seen_plan_version=9_999_999_999_999, plan_version=9_999_999_999_999))
    house.woken.clear()
    assert reconcile(house) == []
    assert (house.woken, house.stored_plan(UNIT).dirty_since) == ([], None)


def test_a_dispatch_is_measured_from_the_approval(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(type(house.ctx.measures), "dispatched", lambda _, seconds: told.append(seconds))
    house.on_air()
    house.clock.advance(4)
    house.compile()
    reconcile(house)
    assert told == [4.0]
