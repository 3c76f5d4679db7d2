"""Every metric of Loa, once. Callers use methods with types; label strings live here only.

Names begin with `loa_` and end with their unit. Labels have few values, known beforehand: no unit, cluster or person is
a label, so that a fleet of 10,000 costs a scrape no more than one of 80 (the pages show the single pole). Who wants
clusters one by one all the same asks for them (`per_cluster.py`), up to a bound.
What is counted as it happens is here; what is looked up when somebody asks is in `snapshot.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from monitoring.machine import Machine, MachineSnapshot
from monitoring.per_cluster import ClusterNumbers, ClusterPage
from monitoring.snapshot import OTHER, Fleet, FleetSnapshot

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what `render` gives."""

REASONS = (
    "bad_header",
    "bad_signature",
    "command_foreign",
    "command_future",
    "command_repeated",
    "command_unasked",
    "empty",
    "far_future",
    "flooding",
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
CAP_OUTCOMES = (
    *("draft", "exercise", "cancel", "kept", "unread", "duplicate"),
    *("sounded", "automatic", "held", "drilled", "rejected", "silenced"),
)
"""What becomes of a warning of somebody else's: when it comes, and afterwards."""
CAP_FETCHES = ("new", "same", "failed")
VOICES = ("espeak", "piper", "http")
"""Who reads texts aloud (broadcasts.audio.voices)."""
SPOKEN = ("ok", "failed")
LIVE_FATES = ("sent", "late")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
MAX_ROUTES = 200
"""More route templates than any version of Loa has: above it somebody passes paths, and they become "other"."""

_WAITS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_SPEAKING = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
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
        self._machine = Machine()
        self._clusters = ClusterPage()
        registry.register(self._fleet)
        registry.register(self._machine)
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
        self._siren = histogram("loa_alert_sound_seconds", "From the press of an emergency to sound at a pole", _WAITS)
        self._entries = counter("loa_journal_entries_total", "Journal entries taken in, each once")
        self._verdicts = counter("loa_verdicts_total", "Verdicts given or changed by evidence")
        self._illegal = counter("loa_illegal_moves_total", "Evidence for a move that no delivery can make")
        self._batch = histogram("loa_ingest_batch_seconds", "Work of one batch of messages", _WORK)
        self._heard = counter("loa_ear_matches_total", "What units heard, held against the file, by answer", "answer")
        self._matching = histogram("loa_ear_match_seconds", "Work of one such match", _WORK)
        self._clips = counter("loa_ear_clips_total", "Clips held against the file, by answer", "answer")
        self._cap = counter("loa_cap_messages_total", "Warnings of others (CAP), by what became of them", "outcome")
        self._cap_fetches = counter("loa_cap_fetches_total", "Fetches of feeds with warnings, by outcome", "outcome")
        self._voices = counter("loa_voice_requests_total", "Texts given to a voice, by how it went", "voice", "result")
        self._speaking = histogram("loa_voice_seconds", "Until a text was spoken, or not", _SPEAKING, "voice")
        self._live_packets = counter("loa_live_packets_total", "Tenths of a second of live voice, sent or late", "fate")
        self._live_work = counter("loa_live_work_seconds_total", "Work on live voices")
        self._live_talks = counter("loa_live_sessions_total", "Live voices that are over")
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
        for outcome in CAP_OUTCOMES:
            self._cap.labels(outcome)
        for outcome in CAP_FETCHES:
            self._cap_fetches.labels(outcome)
        for voice in VOICES:
            for result in SPOKEN:
                self._voices.labels(voice, result)
            self._speaking.labels(voice)
        for fate in LIVE_FATES:
            self._live_packets.labels(fate)
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

    def siren(self, seconds: float) -> None:
        """One pole sounded an emergency for the first time, `seconds` after the press (R-069)."""
        self._siren.observe(max(0.0, seconds))

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

    def cap_taken(self, outcome: str) -> None:
        """A warning of somebody else's came, or something became of it: one of `CAP_OUTCOMES`."""
        self._cap.labels(outcome if outcome in CAP_OUTCOMES else OTHER).inc()

    def cap_fetched(self, outcome: str) -> None:
        """A feed was fetched: one of `CAP_FETCHES`."""
        self._cap_fetches.labels(outcome if outcome in CAP_FETCHES else OTHER).inc()

    def spoke(self, voice: str, seconds: float, *, well: bool) -> None:
        """A text was given to a voice of `VOICES`, and this long afterwards there was a sound, or a failure."""
        known = voice if voice in VOICES else OTHER
        self._voices.labels(known, SPOKEN[0] if well else SPOKEN[1]).inc()
        self._speaking.labels(known).observe(max(0.0, seconds))

    def talked(self, packets: int, late: int, seconds: float) -> None:
        """A live voice is over: what was sent of it, what came too late from whoever spoke, and the work of it."""
        for fate, count in zip(LIVE_FATES, (packets, late), strict=True):
            self._live_packets.labels(fate).inc(count)
        self._live_work.inc(max(0.0, seconds))
        self._live_talks.inc()

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

    def show(self, snapshot: FleetSnapshot, machine: MachineSnapshot | None = None) -> None:
        """The state of the fleet, and of the controller, that the next `render` shows."""
        self._fleet.newest = snapshot
        self._machine.newest = machine or self._machine.newest

    def families(self) -> Iterable[Metric]:
        """Everything but the single clusters as objects, for `monitoring.check`."""
        return self._registry.collect()

    def render(self, clusters: Sequence[ClusterNumbers] | None = None, asked: int = 0) -> bytes:
        """Prometheus text; send it as `CONTENT_TYPE`. `clusters`: those to be shown one by one, of so many that were
        `asked` for; none: nobody asked."""
        page = generate_latest(self._registry)
        return page if clusters is None else page + self._clusters.render(clusters, asked)
