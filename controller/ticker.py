"""The one door to APScheduler: it wakes the steps, and never makes a bulletin happen (design, decision 1).

Once a second it asks which step is due; a step says itself when it wants to be called next, and `wake` makes all due at
once: an approval must not wait for the next second.
Losing a run, running late or running twice is harmless: a step compares what is with what should be.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

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


class Ticker:
    def __init__(self, clock: Clock, steps: Mapping[str, Step], ran: Ran) -> None:
        self._clock = clock
        self._steps = dict(steps)
        self._ran = ran
        self._due: dict[str, datetime | None] = dict.fromkeys(self._steps)
        self._woken = {name: threading.Event() for name in self._steps}
        self._running: set[str] = set()
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
                with contextlib.suppress(JobLookupError):  # stopping
                    self._scheduler.modify_job(name, next_run_time=_WALL.now())

    def at_work(self, *names: str) -> bool:
        """Whether one of these steps runs, or was woken and is about to."""
        return any(name in self._running or self._woken[name].is_set() for name in names)

    def _run(self, name: str) -> None:
        self._running.add(name)
        try:
            self._run_due(name)
        finally:
            self._running.discard(name)

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
            self._ran(name, self._clock.monotonic() - began, well)
            if not well:
                return
