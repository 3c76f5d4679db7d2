"""What wakes the steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from support.wait import until

from broadcasts.clock import ManualClock, SystemClock
from controller import ticker as ticker_module
from controller.ticker import Ticker

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)


class Counted:
    """A step that says when it wants to be called next, and fails as often as told."""

    def __init__(self, wait: timedelta, failures: int = 0) -> None:
        self.calls: list[datetime] = []
        self._wait = wait
        self._failures = failures

    def __call__(self, now: datetime) -> datetime:
        self.calls.append(now)
        if len(self.calls) <= self._failures:
            raise OSError("no")
        return now + self._wait


def ticker(step: Counted) -> tuple[Ticker, ManualClock, list[bool]]:
    clock, went = ManualClock(NOON), list[bool]()
    return Ticker(clock, {"step": step}, lambda _, __, well: went.append(well)), clock, went


def test_a_step_runs_at_once_then_when_it_is_due_and_not_before() -> None:
    step = Counted(timedelta(minutes=5))
    it, clock, _ = ticker(step)
    it._run("step")
    it._run("step")
    assert len(step.calls) == 1
    clock.advance(299)
    it._run("step")
    assert len(step.calls) == 1
    clock.advance(1)
    it._run("step")
    assert step.calls == [NOON, NOON + timedelta(minutes=5)]


@pytest.mark.parametrize("ahead_ms", [1, 300, 999, 5_300])
def test_what_is_due_between_two_seconds_is_called_at_that_instant(ahead_ms: int) -> None:
    step = Counted(timedelta(milliseconds=ahead_ms))
    clock = ManualClock(NOON)
    it = Ticker(clock, {"step": step}, lambda *_: None, clock)
    it._run("step")
    while (job := it._scheduler.get_job("step")) is None or not hasattr(job, "next_run_time"):
        clock.advance(1)
        it._run("step")
        assert len(step.calls) == 1
    assert job.next_run_time == NOON + timedelta(milliseconds=ahead_ms)
    clock.set(job.next_run_time)
    it._run("step")
    assert step.calls == [NOON, NOON + timedelta(milliseconds=ahead_ms)]


def test_the_real_scheduler_keeps_such_an_instant() -> None:
    step = Counted(timedelta(milliseconds=350))
    it = Ticker(SystemClock(), {"step": step}, lambda *_: None)
    it.start()
    early = timedelta(milliseconds=900)
    until(lambda: any(later - one < early for one, later in pairwise(step.calls)), "two within a second", 60.0)
    it.stop()
    assert all(later - one >= timedelta(milliseconds=350) for one, later in pairwise(step.calls))


def test_a_wake_makes_it_due_once() -> None:
    step = Counted(timedelta(minutes=5))
    it, _, _ = ticker(step)
    it._run("step")
    it.wake()
    it.wake()
    it._run("step")
    it._run("step")
    assert len(step.calls) == 2


@pytest.mark.parametrize("woken", [False, True])
def test_a_step_that_failed_is_tried_again_at_the_next_second_even_when_it_had_time(woken: bool) -> None:
    step = Counted(timedelta(minutes=5), failures=0)
    it, _, went = ticker(step)
    it._run("step")
    step._failures = 2
    if woken:
        it.wake()
    else:
        it._due["step"] = None
    it._run("step")
    assert went == [True, False]
    it._run("step")
    assert went == [True, False, True]
    it._run("step")
    assert len(step.calls) == 3


def test_the_real_scheduler_calls_it_and_stops_when_told() -> None:
    step = Counted(timedelta(minutes=5))
    it, _, _ = ticker(step)
    it.start()
    until(lambda: len(step.calls) == 1, "the first run", 20.0)
    it.wake()
    until(lambda: len(step.calls) == 2, "the run after the wake", 20.0)
    it.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("APScheduler")]


def test_a_wake_by_name_leaves_the_others_alone_and_is_seen_until_it_is_done() -> None:
    one, other = Counted(timedelta(minutes=5)), Counted(timedelta(minutes=5))
    it = Ticker(ManualClock(NOON), {"one": one, "other": other}, lambda *_: None)
    for name in ("one", "other"):
        it._run(name)
    assert not it.at_work("one", "other")
    it.wake("one")
    assert (it.at_work("one"), it.at_work("other")) == (True, False)
    for name in ("one", "other"):
        it._run(name)
    assert (len(one.calls), len(other.calls)) == (2, 1)
    assert not it.at_work("one", "other")


def test_a_step_is_at_work_while_it_runs_and_not_after_it_failed() -> None:
    seen: list[bool] = []

    def step(_: datetime) -> datetime:
        seen.append(it.at_work("step"))
        raise OSError("no")

    it = Ticker(ManualClock(NOON), {"step": step}, lambda *_: None)
    it._run("step")
    assert seen == [True]
    assert not it.at_work("step")


def test_a_step_that_always_wants_to_go_on_ends_with_the_ticker() -> None:
    step = Counted(timedelta(0))
    it, _, _ = ticker(step)
    it.start()
    until(lambda: len(step.calls) > 3, "it goes on and on")
    it.stop()
    assert it.at_work("step") is False


class Slow:
    """A hurried step that tells, while it is at work, whether the patient one was let in."""

    def __init__(self, lets: Callable[[], None]) -> None:
        self._lets = lets

    def __call__(self, now: datetime) -> datetime:
        self._lets()
        return now + timedelta(hours=1)


def patient() -> tuple[Ticker, Counted, ManualClock]:
    look, clock = Counted(timedelta(hours=1)), ManualClock(NOON)
    steps = {"horn": Slow(lambda: it._run("look")), "look": look}
    it = Ticker(clock, steps, lambda *_: None, clock, hurried=["horn"], patient=["look"])
    return it, look, clock


def test_a_patient_step_begins_when_the_hurried_ones_have_been_over_for_a_moment() -> None:
    it, look, clock = patient()
    it._run("horn")
    it._run("look")
    assert look.calls == []
    clock.advance(ticker_module.QUIET_S)
    it._run("look")
    it._run("look")
    assert len(look.calls) == 1
    clock.advance(60)
    it.wake()
    it._run("look")  # the horns were only woken, and have not begun
    it._run("horn")
    assert len(look.calls) == 1
    clock.advance(ticker_module.QUIET_S)
    it._run("look")
    assert len(look.calls) == 2


def test_a_patient_step_waits_no_longer_than_it_may_however_busy_the_hurried_ones_are() -> None:
    it, look, clock = patient()
    waited = 0
    while not look.calls:
        it.wake("horn")
        it._run("horn")
        clock.advance(1)
        waited += 1
    assert ticker_module.PATIENCE_S <= waited <= ticker_module.PATIENCE_S + 2


def test_the_real_scheduler_tries_a_patient_step_again() -> None:
    look = Counted(timedelta(hours=1))
    steps = {"horn": Counted(timedelta(hours=1)), "look": look}
    it = Ticker(SystemClock(), steps, lambda *_: None, hurried=["horn"], patient=["look"])
    it.start()
    until(lambda: len(look.calls) == 1, "the first run", 60.0)
    it.wake()
    until(lambda: len(look.calls) == 2, "the run after the wake", 60.0)
    it.stop()
