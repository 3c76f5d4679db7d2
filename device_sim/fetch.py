"""The live side's HTTP: files by hash, resumable, as events. A few threads, because a download may take minutes."""

from __future__ import annotations

import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from broadcasts.clock import Clock
from device_sim.events import Fetch, FetchFailed, Got, Inbox

DEADLINE_S = 600.0
"""For a download in total (CONTRACT.md, section 7), whatever trickles in meanwhile."""
READ_S = 30.0
PIECE = 256 * 1024
THREADS = 6


@dataclass
class Trouble:
    """What is to go wrong with a unit's next downloads: each is used up by one."""

    break_at: int | None = None
    """Broken off after this many bytes."""
    corrupt: bool = False
    """One bit turned on the way."""


@dataclass(eq=False)
class _Job:
    unit: str
    secret: str
    asked: Fetch
    trouble: Trouble
    cancelled: threading.Event = field(default_factory=threading.Event)


class Fetches:
    """Downloads of a fleet: at most one runs for each unit. Results gather until `take`; `ready` is called from a
    worker thread whenever there are some."""

    def __init__(self, base: str, clock: Clock, ready: Callable[[], None], tls: ssl.SSLContext | None = None) -> None:
        """`base`: where paths begin, `http://127.0.0.1:8000/u`; `tls`: whom to trust, instead of the system's list."""
        self._base, self._clock, self._ready = base.rstrip("/"), clock, ready
        limits = httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS)
        timeout = httpx.Timeout(READ_S, connect=10.0)
        self._client = httpx.Client(timeout=timeout, limits=limits, verify=tls or True, trust_env=False)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="fetch")
        self._running: dict[str, _Job] = {}
        self._done: deque[tuple[_Job, Inbox]] = deque()
        self._troubles: dict[str, Trouble] = {}

    def trouble(self, unit: str, trouble: Trouble) -> None:
        """For the next download that `unit` begins."""
        self._troubles[unit] = trouble

    def troubled(self, unit: str) -> bool:
        return unit in self._troubles

    def begin(self, unit: str, secret: str, asked: Fetch) -> None:
        self.cancel(unit)
        job = _Job(unit, secret, asked, self._troubles.pop(unit, Trouble()))
        self._running[unit] = job
        self._pool.submit(self._run, job)

    def cancel(self, unit: str) -> None:
        job = self._running.pop(unit, None)
        if job is not None:
            job.cancelled.set()

    def take(self) -> list[tuple[str, Inbox]]:
        """(unit, `Got` or `FetchFailed`), in order; nothing of a download that was cancelled."""
        taken: list[tuple[str, Inbox]] = []
        while self._done:
            job, event = self._done.popleft()
            if self._running.get(job.unit) is not job:
                continue
            if isinstance(event, FetchFailed) or (isinstance(event, Got) and event.complete):
                del self._running[job.unit]
            taken.append((job.unit, event))
        return taken

    def close(self) -> None:
        for unit in list(self._running):
            self.cancel(unit)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    # --- in a worker thread

    def _run(self, job: _Job) -> None:
        try:
            self._download(job)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            self._tell(job, FetchFailed(job.asked.sha256, 0, type(failure).__name__))

    def _download(self, job: _Job) -> None:
        asked = job.asked
        deadline = self._clock.monotonic() + DEADLINE_S
        headers = {"Range": f"bytes={asked.offset}-{asked.offset + asked.size - 1}", "Accept-Encoding": "identity"}
        url = f"{self._base}/{asked.path}"
        with self._asked(url, headers, job) as answer:
            if answer.status_code not in (200, 206):
                self._tell(job, FetchFailed(asked.sha256, answer.status_code))
                return
            # A server that does not know Range sends the whole file: what lies before the offset is let pass.
            skip = asked.offset if answer.status_code == 200 else 0
            arrived, held = 0, bytearray()
            for piece in answer.iter_raw(PIECE):
                skipped, skip = piece[skip:], max(0, skip - len(piece))
                held += skipped[: asked.size - arrived - len(held)]
                if job.cancelled.is_set():
                    return
                if self._clock.monotonic() > deadline:
                    self._tell(job, FetchFailed(asked.sha256, 0, "deadline"))
                    return
                if len(held) >= PIECE or arrived + len(held) >= asked.size:
                    if not self._hand_over(job, arrived, bytes(held)):
                        return
                    arrived, held = arrived + len(held), bytearray()
                if arrived >= asked.size:
                    return
            if held and not self._hand_over(job, arrived, bytes(held)):
                return
        self._tell(job, FetchFailed(asked.sha256, 0, "ended early"))

    @contextmanager
    def _asked(self, url: str, headers: dict[str, str], job: _Job) -> Iterator[httpx.Response]:
        """The answer; where that is a link to an object store, what is there: one step, without the credential, and
        never from HTTPS to HTTP (CONTRACT.md, section 7)."""
        with self._client.stream("GET", url, headers=headers, auth=(job.unit, job.secret)) as answer:
            if answer.status_code not in (302, 307):
                yield answer
                return
            link = httpx.URL(url).join(answer.headers.get("location", ""))
            scheme = httpx.URL(url).scheme
        if link.scheme not in ("https", scheme):
            raise httpx.UnsupportedProtocol(f"a link to {link.scheme}")
        with self._client.stream("GET", link, headers=headers) as answer:
            yield answer

    def _hand_over(self, job: _Job, arrived: int, data: bytes) -> bool:
        """False when the download ends here."""
        asked, trouble = job.asked, job.trouble
        if trouble.break_at is not None and arrived + len(data) > trouble.break_at:
            kept = data[: max(0, trouble.break_at - arrived)]
            if kept:
                self._tell(job, Got(asked.sha256, asked.offset + arrived, kept, complete=False))
            self._tell(job, FetchFailed(asked.sha256, 0, "broken off"))
            return False
        if trouble.corrupt:
            trouble.corrupt = False
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        whole = arrived + len(data) >= asked.size
        self._tell(job, Got(asked.sha256, asked.offset + arrived, data, complete=whole))
        return True

    def _tell(self, job: _Job, event: Inbox) -> None:
        self._done.append((job, event))
        self._ready()
