"""The one door to APScheduler: it wakes the steps, and never makes a bulletin happen (design, decision 1).

Once a second it asks which step is due; a step says itself when it wants to be called next, and is called at that very
instant: an emergency whose cancel interval ends between two seconds is not a second late. `wake` makes all due at once:
an approval must not wait for the next second.
Losing a run, running late or running twice is harmless: a step compares what is with what should be.

Steps that only look (`patient`) let those go first that lead to sound or silence (`hurried`), and a moment more, in
which units answer: a look at every unit of the fleet would take the processor, and the writer's lock, from what
villagers wait for.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from broadcasts.clock import Clock, SystemClock

Step = Callable[[datetime], datetime]
Ran = Callable[[str, float, bool], None]
"""(step, seconds it took, whether it went well)"""
_LOG = logging.getLogger("loa.ticker")
_WALL = SystemClock()
"""The scheduler's own time, whatever time it is on air."""
_EVERY = timedelta(seconds=1)
QUIET_S, PATIENCE_S = 2.0, 10.0
"""So long the hurried steps have to be over before a patient one begins; and how long that one waits at the most."""
_AGAIN = timedelta(milliseconds=500)


class Ticker:
    def __init__(
        self,
        clock: Clock,
        steps: Mapping[str, Step],
        ran: Ran,
        wall: Clock = _WALL,
        *,
        hurried: Collection[str] = (),
        patient: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._steps = dict(steps)
        self._ran = ran
        self._due: dict[str, datetime | None] = dict.fromkeys(self._steps)
        self._woken = {name: threading.Event() for name in self._steps}
        self._running: set[str] = set()
        self._hurried, self._patient = tuple(hurried), frozenset(patient)
        self._hurried_until: float | None = None
        self._waits_since: dict[str, float] = {}
        """Patient steps that want to begin."""
        self._ending = False
        executors = {"default": ThreadPoolExecutor(len(self._steps))}
        settings = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(executors=executors, job_defaults=settings, timezone="UTC")
        for name in self._steps:
            self._scheduler.add_job(self._run, "interval", seconds=1, args=[name], id=name)
        # A step that is still at work when its next second comes is no news.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Waits for the steps that are at work; none begins again."""
        self._ending = True
        self._scheduler.shutdown(wait=True)

    def wake(self, *names: str) -> None:
        """These steps are due now; without a name, all. From any thread; returns at once."""
        for name in names or self._steps:
            event = self._woken[name]
            if not event.is_set():
                event.set()
                self._call_at(name, self._wall.now())

    def at_work(self, *names: str) -> bool:
        """Whether one of these steps runs, or was woken and is about to."""
        return any(name in self._running or self._woken[name].is_set() for name in names)

    def _run(self, name: str) -> None:
        if name in self._patient and self._lets_others_go_first(name):
            if not self._ending:
                self._call_at(name, self._wall.now() + _AGAIN)
            return
        self._running.add(name)
        try:
            self._run_due(name)
        finally:
            self._running.discard(name)
        due = self._due[name]
        left = _EVERY if due is None else due - self._clock.now()
        if left < _EVERY and not self._ending:
            self._call_at(name, self._wall.now() + max(left, timedelta(0)))

    def _lets_others_go_first(self, name: str) -> bool:
        due = self._due[name]
        if not (self._woken[name].is_set() or due is None or self._clock.now() >= due):
            return False
        now = self._wall.monotonic()
        since = self._waits_since.setdefault(name, now)
        over = self._hurried_until
        quiet = not self.at_work(*self._hurried) and (over is None or now - over >= QUIET_S)
        if not quiet and now - since < PATIENCE_S:
            return True
        del self._waits_since[name]
        return False

    def _call_at(self, name: str, at: datetime) -> None:
        with contextlib.suppress(JobLookupError):  # stopping
            self._scheduler.modify_job(name, next_run_time=at)

    def _run_due(self, name: str) -> None:
        due, woken = self._due[name], self._woken[name]
        while not self._ending and (woken.is_set() or due is None or self._clock.now() >= due):
            woken.clear()
            began = self._clock.monotonic()
            try:
                due = self._steps[name](self._clock.now())
                well = True
            except Exception:  # noqa: BLE001
                # The next second tries again; a step that dies must not take the thread with it.
                _LOG.exception("step %s failed", name)
                due, well = None, False
            self._due[name] = due
            if name in self._hurried:
                self._hurried_until = self._wall.monotonic()
            self._ran(name, self._clock.monotonic() - began, well)
            if not well:
                return
