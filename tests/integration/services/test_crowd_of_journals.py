"""Journals of many units that come together are taken in together, and each as if it had come alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import event, select
from support.services import HERE, House
from support.voices import Voice

from broadcasts.wire.journal import JournalBatch
from controller.db.tables import Delivery, DeliveryMove, JournalMark, UnitFault
from controller.services.heard import Heard
from controller.services.ingesting import apply

UNITS = [f"u-{HERE}-{n}" for n in range(1, 6)]


def voices(house: House) -> list[Voice]:
    return [Voice(unit, house.bulletin.sha256, house.bulletin.duration_ms) for unit in UNITS]


def planned(house: House, clusters: Sequence[int]) -> list[Delivery]:
    broadcast = house.on_air()
    house.compile()
    with house.ctx.db.read() as session:
        rows = session.scalars(select(Delivery).where(Delivery.broadcast_id == broadcast)).all()
    by_unit = {row.unit_id: row for row in rows}
    return [by_unit[UNITS[n]] for n in clusters]


def told(voice: Voice, delivery: Delivery) -> JournalBatch:
    return voice.batch(voice.started(delivery.id, delivery.start), voice.ended(delivery.id, delivery.end))


def statements(house: House, heard: Sequence[Heard]) -> int:
    """How many it takes."""
    ran: list[Any] = []

    def note(*told: Any) -> None:
        ran.append(told)

    event.listen(house.ctx.db.engine, "before_cursor_execute", note)
    try:
        with house.ctx.db.write() as session:
            apply(session, heard)
    finally:
        event.remove(house.ctx.db.engine, "before_cursor_execute", note)
    return len(ran)


def test_a_crowd_takes_no_more_statements_than_one_unit_and_each_delivery_is_judged(house: House) -> None:
    crowd = voices(house)
    deliveries = planned(house, range(5))
    for voice in crowd:
        house.hear(voice.batch(voice.fault("hot", True, house.now)), unit=voice.unit)
    house.clock.advance((deliveries[0].end - house.now).total_seconds() + 1)
    heard = [
        Heard(voice.unit, told(voice, delivery), house.now, signed=True)
        for voice, delivery in zip(crowd, deliveries, strict=True)
    ]
    assert statements(house, heard[1:]) == statements(house, heard[:1])
    with house.ctx.db.read() as session:
        for row in deliveries:
            delivery = session.get_one(Delivery, row.id)
            assert (delivery.state, delivery.verdict, delivery.signed_evidence) == ("played", "heard", True)
        assert set(session.scalars(select(JournalMark.seq))) == {3}


def test_what_a_unit_says_in_two_batches_is_two_things_also_where_they_come_together(house: House) -> None:
    voice, (delivery,) = voices(house)[0], planned(house, [0])
    house.clock.advance((delivery.end - house.now).total_seconds() + 1)
    first = voice.batch(voice.started(delivery.id, delivery.start), voice.fault("hot", True, delivery.start))
    cleared = delivery.start + timedelta(seconds=1)
    second = voice.batch(voice.fault("hot", False, cleared), voice.ended(delivery.id, delivery.end))
    tally = house.hear(first, second, unit=voice.unit)
    assert (tally.entries, tally.verdicts) == (4, 1)
    with house.ctx.db.read() as session:
        moves = select(DeliveryMove.after).where(DeliveryMove.delivery_id == delivery.id).order_by(DeliveryMove.id)
        assert session.scalars(moves).all()[-2:] == ["playing", "played"]
        fault = session.scalars(select(UnitFault).where(UnitFault.unit_id == voice.unit, UnitFault.code == "hot")).one()
        assert (fault.raised_at, fault.cleared_at) == (delivery.start, cleared)


def test_a_gap_is_closed_by_what_comes_with_it_in_the_wrong_order_and_nothing_counts_twice(house: House) -> None:
    one, other = voices(house)[:2]
    early = one.batch(one.fault("hot", True, house.now), one.fault("hot", False, house.now))
    late = one.batch(one.fault("wet", True, house.now), one.fault("wet", False, house.now), oldest=1)
    there = other.batch(other.fault("hot", True, house.now))
    with house.ctx.db.write() as session:
        heard = [(one, late), (other, there), (one, early), (one, late), (other, there)]
        tally = apply(session, [Heard(voice.unit, batch, house.now) for voice, batch in heard])
    assert tally.entries == 5
    with house.ctx.db.read() as session:
        marks = {mark.unit_id: mark.seq for mark in session.scalars(select(JournalMark))}
    assert marks == {one.unit: 4, other.unit: 1}
