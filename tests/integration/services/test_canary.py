"""The canary: one retained message of ours that tells whether the broker still has what we told it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from support.services import HERE, NOON, House

from broadcasts.wire import topics
from controller.db.tables import ScopeDocument, UnitPlan
from controller.mqtt.canary import WAIT, Canary
from controller.services import alerting

UNIT = f"u-{HERE}-1"


class TestCanary:
    def test_a_canary_that_sings_leaves_everything_as_it_is(self, house: House) -> None:
        first = self._new(house)
        house.clock.advance(WAIT.total_seconds())
        first.step(house.now)
        [(topic, song, qos, retain)] = house.link.sent
        assert (topic, qos, retain) == (topics.CANARY, 1, True)
        house.compile()
        second = self._new(house)
        second.heard(song)
        house.clock.advance(60)
        self._mark(house)
        assert second.step(house.now) > house.now + timedelta(minutes=5)
        assert house.stored_plan(UNIT).published_at is not None
        assert len(house.link.sent) == 1

    def test_a_canary_that_is_gone_has_everything_said_again_after_a_moment(self, house: House) -> None:
        house.compile()
        self._mark(house)
        canary = self._new(house)
        canary.heard(b"of another controller")
        assert canary.step(house.now) == house.now + WAIT
        assert house.stored_plan(UNIT).published_at is not None
        house.clock.advance(WAIT.total_seconds())
        canary.step(house.now)
        assert house.stored_plan(UNIT).published_at is None
        assert house.link.topics() == [topics.CANARY]
        canary.step(house.now)
        assert house.link.topics() == [topics.CANARY]

    def test_a_new_connection_says_the_documents_of_the_scopes_again(self, house: House) -> None:
        alerting.silence(house.ctx, house.on_duty, "p-94")
        with house.ctx.db.write() as session:
            session.get_one(ScopeDocument, "p-94").published_at = NOON
        canary = self._new(house)
        canary.step(house.now)
        with house.ctx.db.read() as session:
            assert session.get_one(ScopeDocument, "p-94").published_at is None

    def test_what_the_network_thread_calls_never_asks_the_database(self, house: House) -> None:
        """An exception there would end that thread for good."""
        canary = Canary(house.ctx, house.link)
        with house.ctx.db.write():
            canary.connected(house.now)
            canary.heard(b"anything")
        house.ctx.db.close()
        canary.connected(house.now)
        assert not canary._alive

    def test_without_a_link_it_waits_to_be_woken(self, house: House) -> None:
        canary = self._new(house)
        house.link.up = False
        assert canary.step(house.now) > house.now + timedelta(minutes=5)
        assert house.link.sent == []

    def _new(self, house: House) -> Canary:
        canary = Canary(house.ctx, house.link)
        canary.connected(house.now)
        return canary

    def _mark(self, house: House) -> None:
        with house.ctx.db.write() as session:
            for plan in session.scalars(select(UnitPlan)):
                plan.published_at = house.now
