"""What follows a revocation outside, step by step: told, tried, cleared, and said again where a broker may forget."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from support.services import HERE, NOON, House

from broadcasts.wire import topics
from broadcasts.wire.topics import In
from controller.db.tables import Revocation
from controller.services import reconciling, unit_revoking
from controller.services.unit_clearing import SETTLED, Clearing, Proof

UNIT = f"u-{HERE}-1"


@dataclass
class FakeDoor:
    """Implements `services.unit_clearing.Door`."""

    proof: Proof = Proof.REFUSED
    takes: bool = True
    said: list[str] = field(default_factory=list)

    def admit(self) -> None:
        self.said.append("admit")

    def empty(self, unit: str) -> None:
        self.said.append(f"empty {unit}")

    def shut(self, units: list[str]) -> bool:
        self.said.append(f"shut {' '.join(units)}")
        return self.takes

    def prove(self, unit: str) -> Proof:
        self.said.append(f"prove {unit}")
        return self.proof

    def list_revoked(self, serials: list[tuple[str, datetime]], now: datetime) -> None:
        self.said.append(f"list {len(serials)}")


def row(house: House) -> Revocation:
    with house.ctx.db.read() as session:
        return session.get_one(Revocation, UNIT)


def revoke(house: House) -> None:
    with house.ctx.db.write() as session:
        unit_revoking.revoke_now(house.ctx, session, UNIT, "stolen", "gone", "test")


@pytest.mark.requirement("R-084")
def test_it_is_emptied_shut_and_tried_and_taken_off_a_second_time_later(house: House) -> None:
    door = FakeDoor()
    clearing = Clearing(house.ctx, house.link, door)
    clearing.step(NOON)
    assert door.said == ["admit", "list 0"]
    revoke(house)
    door.said.clear()
    clearing.step(NOON)
    assert door.said == ["admit", "list 0", f"empty {UNIT}", f"shut {UNIT}", f"prove {UNIT}"]
    left = [(topics.to_unit(UNIT, kind), b"", 1, True) for kind in (In.PLAN, In.JOURNAL_ACK)]
    assert house.link.sent == left
    assert (row(house).told_at, row(house).proven_at, row(house).cleared_at) == (NOON, NOON, None)
    clearing.step(NOON + SETTLED)
    assert house.link.sent == left * 2
    assert row(house).cleared_at == NOON + SETTLED
    door.said.clear()
    clearing.step(NOON + SETTLED * 2)
    assert door.said == []
    clearing.again()  # a new connection: the broker may have been restored
    clearing.step(NOON + SETTLED * 3)
    assert door.said == [f"shut {UNIT}"]


def test_what_is_still_open_is_told_again_and_never_shown_as_proven(house: House) -> None:
    door = FakeDoor(Proof.OPEN)
    clearing = Clearing(house.ctx, house.link, door)
    revoke(house)
    for seconds in range(0, 60, 5):
        assert clearing.step(NOON + timedelta(seconds=seconds)) <= NOON + timedelta(seconds=seconds + 5)
    assert door.said.count(f"shut {UNIT}") == 12
    assert (row(house).told_at, row(house).proven_at) == (None, None)
    door.proof = Proof.REFUSED
    clearing.step(NOON + timedelta(seconds=60))
    assert row(house).proven_at == NOON + timedelta(seconds=60)


def test_where_nothing_can_be_tried_it_is_told_and_not_proven(house: House) -> None:
    clearing = Clearing(house.ctx, house.link, FakeDoor(Proof.UNTRIED))
    revoke(house)
    clearing.step(NOON)
    clearing.step(NOON + SETTLED)
    assert row(house).cleared_at is not None
    assert row(house).proven_at is None


def test_while_the_broker_is_away_nothing_is_taken_for_done(house: House) -> None:
    door = FakeDoor()
    clearing = Clearing(house.ctx, house.link, door)
    revoke(house)
    house.link.up = False
    clearing.step(NOON)
    assert row(house).told_at is None
    house.link.up, door.takes = True, False
    clearing.step(NOON)
    assert row(house).told_at is None
    door.takes = True
    clearing.step(NOON)
    assert row(house).told_at == NOON


def test_what_was_taken_off_is_not_said_again_after_the_broker_lost_its_store(house: House) -> None:
    house.on_air()
    house.compile()
    reconciling.step(house.ctx, house.link, NOON)
    assert topics.to_unit(UNIT, In.PLAN) in house.link.topics()
    revoke(house)
    house.link.sent.clear()
    reconciling.say_everything_again(house.ctx)
    reconciling.step(house.ctx, house.link, NOON)
    assert topics.to_unit(f"u-{HERE}-2", In.PLAN) in house.link.topics()
    assert [topic for topic in house.link.topics() if f"/{UNIT}/" in topic] == []
