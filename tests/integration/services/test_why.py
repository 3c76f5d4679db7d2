"""Why? The chain of a delivery says who, when and which rule, as it was then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support.services import HERE, NOON, House, raises

from broadcasts.clock import unix_ms
from broadcasts.errors import Refused
from broadcasts.wire.journal import Amplifier, Ended, JournalBatch, Outcome, Started
from controller.db.tables import Delivery
from controller.services import accounts, approving, composing, delegating, settling
from controller.services.rights import Role
from controller.services.views.broadcast import proof
from controller.services.views.occurrences import occurrences
from controller.services.views.why import Chain, chain

UNIT = f"u-{HERE}-1"


@pytest.fixture(autouse=True)
def second(house: House) -> None:
    with house.ctx.db.write() as session:
        first = accounts.FirstPassword("x", "x")
        accounts.create_user(house.ctx, session, first, "second", "second", Role.BROADCASTER, f"c-{HERE}", "test")


def why(house: House, delivery: str, by: str = "boss") -> Chain:
    with house.ctx.db.read() as session:
        return chain(session, house.actor(by), delivery)


def kinds(found: Chain) -> list[str]:
    return [step.kind for step in found.steps]


def first_at(house: House, broadcast: str, revision: int = 1) -> Delivery:
    return next(
        each for each in house.deliveries(broadcast) if each.cluster_id == f"cl-{HERE}-1" and each.revision == revision
    )


def journal(house: House, delivery: Delivery, outcome: Outcome, by: str | None = None) -> None:
    at = unix_ms(delivery.start)
    item = {"item": delivery.id, "asset": delivery.asset_sha256, "offset_ms": 0, "volume": 70, "clock_error_ms": 5}
    begun = Started(seq=1, at=at + 20, late_ms=20, **item)
    over = {"outcome": outcome, "started_at": at + 20, "played_ms": 2000, "amplifier": Amplifier.SOUND, "by": by}
    ended = Ended(seq=2, at=at + 2020, **item, **over)
    house.clock.set(delivery.end + timedelta(seconds=5))
    house.hear(
        JournalBatch(unit=UNIT, journal_id="j-1", boot_id=1, oldest=1, entries=[begun, ended]), unit=UNIT, signed=True
    )


def test_one_chain_from_the_draft_to_the_verdict_names_who_when_and_which_version(house: House) -> None:
    broadcast = house.submit(title="Bản đầu")
    house.clock.advance(60)
    approving.reject(house.ctx, house.actor("deputy"), broadcast, house.seen(broadcast), "Sai tên xã")
    composing.submit(house.ctx, house.actor("author"), house.draft(title="Bản hai"), broadcast)
    house.clock.advance(60)
    house.approve(broadcast)
    house.compile()
    delivery = first_at(house, broadcast, 2)
    journal(house, delivery, Outcome.PLAYED)
    found = why(house, delivery.id)
    assert kinds(found) == [
        *("submitted", "rejected", "submitted", "approved", "planned", "named"),
        *("started", "ended", "moved", "verdict"),
    ]
    first, no, second, yes, *_ = found.steps
    assert (first.who, first.fields["title"], second.fields["title"]) == ("author", "Bản đầu", "Bản hai")
    assert (no.who, no.fields["reason"]) == ("deputy", "Sai tên xã")
    assert (yes.who, yes.at, yes.fields["hash"]) == ("boss", NOON + timedelta(minutes=2), second.fields["hash"])
    assert found.steps[5].fields == {"version": house.stored_plan(UNIT).version, "unit": UNIT}
    assert found.steps[-1].fields["verdict"] == "heard"
    assert found.steps[6].fields["signed"] is True


def test_a_lent_right_stands_in_the_chain(house: House) -> None:
    tomorrow = house.now + timedelta(days=1)
    delegating.lend(house.ctx, house.actor("boss"), "second", f"c-{HERE}", None, tomorrow, "Đi họp")
    broadcast = house.submit()
    house.approve(broadcast, "second")
    said = next(step for step in why(house, first_at(house, broadcast).id).steps if step.kind == "approved_lent")
    assert (said.who, said.fields["lender"]) == ("second", "boss")


def test_the_rule_by_which_a_higher_class_won_is_said(house: House) -> None:
    low = house.on_air()
    high = house.on_air(title="Ưu tiên", priority=2)
    house.compile()
    delivery, winner = first_at(house, low), first_at(house, high)
    journal(house, delivery, Outcome.PREEMPTED, by=winner.id)
    lost = next(step for step in why(house, delivery.id).steps if step.kind.startswith("lost_"))
    assert lost.kind == "lost_class"
    assert lost.fields == {"title": "Ưu tiên", "by": winner.id, "won": 2, "lost": 3}


def test_who_stopped_it_is_said_and_what_a_rule_closed_names_nobody(house: House) -> None:
    broadcast = house.on_air()
    house.compile()
    house.clock.advance(60)
    approving.withdraw(house.ctx, house.actor("deputy"), broadcast)
    stopped = next(step for step in why(house, first_at(house, broadcast).id).steps if step.kind == "stopped")
    assert (stopped.who, stopped.at, stopped.fields["why"]) == ("deputy", house.now, "withdrawn")
    standing = house.submit(repeat="daily")
    until = house.now + timedelta(days=2)
    approving.approve(house.ctx, house.actor("boss"), standing, house.seen(standing), until=until)
    over = house.deliveries(standing)[-1]
    told = why(house, over.id)
    assert [step.fields["why"] for step in told.steps if step.kind == "closed"] == ["approval_over"]
    assert "approved_until" in kinds(told)


def test_what_an_older_revision_was_called_is_shown_as_it_was_then(house: House) -> None:
    broadcast = house.on_air(title="Tên cũ")
    house.compile()
    composing.submit(house.ctx, house.actor("author"), house.draft(title="Tên mới"), broadcast)
    house.approve(broadcast)
    older, newer = why(house, first_at(house, broadcast).id), why(house, first_at(house, broadcast, 2).id)
    assert (older.title, older.outdated, newer.title, newer.outdated) == ("Tên cũ", True, "Tên mới", False)
    assert "Tên mới" not in str(older.steps)
    with house.ctx.db.read() as session:
        lines = occurrences(session, house.actor("boss"), Delivery.broadcast_id == broadcast)
        assert {line.revision: line.title for line in lines} == {1: "Tên cũ", 2: "Tên mới"}
        assert proof(session, house.actor("boss"), broadcast, None, house.now).chosen is not None


def test_silence_is_told_with_the_rule_that_made_it_unknown(house: House) -> None:
    broadcast = house.on_air()
    house.compile()
    house.clock.advance(3 * 3600)
    settling.step(house.ctx, house.now)
    with house.ctx.db.read() as session:
        assert session.scalars(select(Delivery.verdict).distinct()).all() == ["unknown"]
    last = why(house, first_at(house, broadcast).id).steps[-1]
    assert (last.kind, last.fields["verdict"]) == ("verdict", "unknown")


@pytest.mark.requirement("R-112")
def test_the_chain_is_for_those_who_see_the_pole(house: House) -> None:
    broadcast = house.on_air()
    with raises(Refused, "not_yours"):
        why(house, first_at(house, broadcast).id, "stranger")
