"""Every metric of Loa, once. Callers use methods with types; label strings live here only.

Names begin with `loa_` and end with their unit. Labels have few values, known beforehand: no unit, cluster or person is
a label, so that a fleet of 10,000 costs a scrape no more than one of 80 (the pages show the single pole).
What is counted as it happens is here; what is looked up when somebody asks is in `snapshot.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from monitoring.snapshot import OTHER, Fleet, FleetSnapshot

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what `render` gives."""

REASONS = (
    "bad_header",
    "bad_signature",
    "empty",
    "far_future",
    "key_not_trusted",
    "malformed",
    "not_for_me",
    "not_signed",
    "oversized",
    "unknown_entry",
    "unknown_topic",
    "unknown_unit",
    "unknown_version",
    "unreadable",
    "unstorable",
    OTHER,
)
"""Why a message was put aside: the reasons of ContractViolation."""
ANSWERS = ("yes", "no", "unknown")
"""Of an ear."""
DROPPED = "dropped"
"""A clip that nobody had asked for, or that could not be read."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
MAX_ROUTES = 200
"""More route templates than any version of Loa has: above it somebody passes paths, and they become "other"."""

_WAITS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_WORK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Step(StrEnum):
    """The steps that keep the promise; each must come round again (design, section 3)."""

    COMPILE = "compile"
    RECONCILE = "reconcile"
    SETTLE = "settle"
    INGEST = "ingest"


class FleetMetrics:
    """All metrics in one registry. Safe to call from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """`registry` is the caller's, never the global one: two controllers in one test do not add up."""
        self._registry = registry
        self._fleet = Fleet()
        self._routes: set[str] = set()
        registry.register(self._fleet)
        ProcessCollector(registry=registry)
        Info("loa_build", "What is running", registry=registry).info({"version": version("loa")})

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(name, what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, what, labels, buckets=buckets, registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(name, what, labels, registry=registry)

        self._dispatch = histogram("loa_dispatch_lag_seconds", "From approval to the plan published", _WAITS)
        self._apply = histogram("loa_apply_lag_seconds", "From the plan published to reported as applied", _WAITS)
        self._entries = counter("loa_journal_entries_total", "Journal entries taken in, each once")
        self._verdicts = counter("loa_verdicts_total", "Verdicts given or changed by evidence")
        self._illegal = counter("loa_illegal_moves_total", "Evidence for a move that no delivery can make")
        self._batch = histogram("loa_ingest_batch_seconds", "Work of one batch of messages", _WORK)
        self._heard = counter("loa_ear_matches_total", "What units heard, held against the file, by answer", "answer")
        self._matching = histogram("loa_ear_match_seconds", "Work of one such match", _WORK)
        self._clips = counter("loa_ear_clips_total", "Clips held against the file, by answer", "answer")
        self._violations = counter("loa_contract_violations_total", "Messages put aside, by reason", "reason")
        self._ran = gauge("loa_step_last_run_timestamp_seconds", "When the step last ended well; 0: never", "step")
        self._took = gauge("loa_step_last_duration_seconds", "Work of the last run of the step", "step")
        self._failures = counter("loa_step_failures_total", "Runs of the step that ended in an error", "step")
        self._requests = histogram(
            "loa_http_request_seconds", "Answers by route template", _WORK, "route", "method", "status"
        )
        # A rate needs its zero, and an alert on "never ran" its series, before the first event.
        for answer in ANSWERS:
            self._heard.labels(answer)
        for answer in (*ANSWERS, DROPPED):
            self._clips.labels(answer)
        for reason in REASONS:
            self._violations.labels(reason)
        for step in Step:
            for each in (self._ran, self._took, self._failures):
                each.labels(step)

    def dispatched(self, seconds: float) -> None:
        """One plan left for the broker that carries a newly approved broadcast, `seconds` after the approval."""
        self._dispatch.observe(max(0.0, seconds))

    def applied(self, seconds: float) -> None:
        """One unit reported a plan, `seconds` after it was published. Only for units that were connected when it was
        published: for the others this would measure how long they were away."""
        self._apply.observe(max(0.0, seconds))

    def ingested(self, seconds: float, *, entries: int = 0, verdicts: int = 0, illegal_moves: int = 0) -> None:
        """One batch was written, `seconds` of work; the counts are those of its tally."""
        self._batch.observe(max(0.0, seconds))
        self._entries.inc(entries)
        self._verdicts.inc(verdicts)
        self._illegal.inc(illegal_moves)

    def listened(self, answer: str, seconds: float) -> None:
        """What a unit heard was held against the file, with so much work. `answer`: of `ANSWERS`."""
        self._heard.labels(answer if answer in ANSWERS else OTHER).inc()
        self._matching.observe(max(0.0, seconds))

    def clipped(self, answer: str) -> None:
        """Ten seconds of sound were held against the file (`ANSWERS`), or thrown away (`DROPPED`)."""
        self._clips.labels(answer if answer in (*ANSWERS, DROPPED) else OTHER).inc()

    def violation(self, reason: str) -> None:
        """One message was put aside. A reason that is not in `REASONS` counts as "other"."""
        self._violations.labels(reason if reason in REASONS else OTHER).inc()

    def step_ran(self, step: Step, at: datetime, seconds: float) -> None:
        """The step ended well at `at`, after `seconds` of work. `at` is the time of the machine, not of the sandbox:
        Prometheus compares it with its own."""
        self._ran.labels(step).set(at.timestamp())
        self._took.labels(step).set(max(0.0, seconds))

    def step_failed(self, step: Step) -> None:
        self._failures.labels(step).inc()

    def request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """One HTTP answer. `route` is the template (`/clusters/{cluster}`), none when no route matched."""
        known = route or "unmatched"
        if known not in self._routes:
            if len(self._routes) < MAX_ROUTES:
                self._routes.add(known)
            else:
                known = OTHER
        verb = method if method in METHODS else OTHER
        self._requests.labels(known, verb, f"{status // 100}xx").observe(max(0.0, seconds))

    def show(self, snapshot: FleetSnapshot) -> None:
        """The state of the fleet that the next `render` shows."""
        self._fleet.newest = snapshot

    def families(self) -> Iterable[Metric]:
        """Everything as objects, for `monitoring.check`."""
        return self._registry.collect()

    def render(self) -> bytes:
        """Prometheus text; send it as `CONTENT_TYPE`."""
        return generate_latest(self._registry)
