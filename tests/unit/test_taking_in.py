"""What the one consumer takes in at a time, and how long it lets units wait."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import Out
from controller.bootstrap import taking_in
from controller.bootstrap.taking_in import parts, take
from controller.mqtt.inbound import Received

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)


def said(kind: Out, number: int = 1) -> Received:
    return Received(topics.from_unit(f"u-{number}", kind), b"{}", False, NOON)


def full(messages: Sequence[Received]) -> queue.Queue[Received]:
    inbox: queue.Queue[Received] = queue.Queue()
    for each in messages:
        inbox.put(each)
    return inbox


class Publishing:
    """True for so many looks; at the last of them one more message arrives."""

    def __init__(self, looks: int, inbox: queue.Queue[Received], late: Received) -> None:
        self._left, self._inbox, self._late = looks, inbox, late

    def __call__(self) -> bool:
        self._left -= 1
        if self._left == 0:
            self._inbox.put(self._late)
        return self._left >= 0


def test_a_batch_is_what_is_there_and_no_more_than_a_batch() -> None:
    inbox = full([said(Out.REPORTED, number) for number in range(taking_in.BATCH + 3)])
    assert len(take(inbox, SystemClock(), lambda: False)) == taking_in.BATCH
    assert len(take(inbox, SystemClock(), lambda: False)) == 3


def test_while_plans_are_published_reports_gather_beyond_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "HELD_S", 60.0)
    messages = [said(Out.REPORTED, number) for number in range(taking_in.BATCH + 3)]
    inbox = full(messages)
    late = said(Out.REPORTED, 99_999)
    batch = take(inbox, SystemClock(), Publishing(2 * len(messages) + 4, inbox, late))
    assert batch == [*messages, late]


def test_reports_wait_no_longer_than_they_may_however_long_publishing_takes() -> None:
    clock = SystemClock()
    began = clock.monotonic()
    assert len(take(full([said(Out.JOURNAL)]), clock, lambda: True)) == 1
    assert taking_in.HELD_S <= clock.monotonic() - began < taking_in.HELD_S + 30
    inbox = full([said(Out.REPORTED, number) for number in range(taking_in.MOST_HELD + 1)])
    assert len(take(inbox, clock, lambda: True)) == taking_in.MOST_HELD


def test_who_asks_for_the_time_ends_the_waiting_and_is_answered_before_all_others() -> None:
    clock = SystemClock()
    reports, ask = [said(Out.REPORTED, number) for number in range(3)], said(Out.TIME_ASK)
    batch = take(full([*reports, ask]), clock, lambda: True)
    assert batch == [*reports, ask]
    assert list(parts(batch, lambda: False)) == [[ask], reports]


def test_beside_publishing_little_is_taken_in_at_a_time_and_in_order() -> None:
    batch = [said(Out.REPORTED, number) for number in range(taking_in.BATCH + 2 * taking_in.BESIDE)]
    looks = iter([True, False, True])
    told = list(parts(batch, lambda: next(looks)))
    assert [len(each) for each in told] == [taking_in.BESIDE, taking_in.BATCH, taking_in.BESIDE]
    assert [one for each in told for one in each] == batch


class Impatient(queue.Queue[Received]):
    """Waits for nothing more."""

    def get(self, block: bool = True, timeout: float | None = None) -> Received:
        assert not (block and self.empty()), "somebody is kept waiting"
        return super().get(block, timeout)


def test_who_asks_for_the_time_is_not_kept_waiting_by_what_others_said_right_afterwards() -> None:
    inbox = Impatient()
    messages = [said(Out.TIME_ASK), said(Out.REPORTED), said(Out.JOURNAL)]
    for each in messages:
        inbox.put(each)
    assert take(inbox, SystemClock(), lambda: True) == messages


def test_a_long_wait_is_taken_in_by_transactions_of_a_batch_each_in_order() -> None:
    many = [said(Out.REPORTED, number) for number in range(2 * taking_in.BATCH + 1)]
    some = list(parts(many, lambda: False))
    assert [len(each) for each in some] == [taking_in.BATCH, taking_in.BATCH, 1]
    assert [one for each in some for one in each] == many
    assert list(parts([], lambda: False)) == []
