"""When an emergency or a drill may sound at a pole, judged from what the controller decided and from which of its
documents had reached that pole, and never from what the unit believes. CONTRACT.md, sections 6 and 6b."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from broadcasts.wire.alert import Alert, AlertDocument
from broadcasts.wire.codec import decode
from broadcasts.wire.drill import Drill, DrillDocument
from broadcasts.wire.topics import ScopeTopic
from device_sim.counterpart import Siren
from device_sim.post import Post, Ran

WHOLE_MS = 1_500
"""As in `promises`."""
LATE_MS = 15_000
"""50 ppm of drift over more than three days without a link: so much later a unit may see the hard end."""
LATE_WRONG_MS = 180_000
"""Several steps of a clock that nobody could correct."""
Said = AlertDocument | DrillDocument
Standing = dict[str, Alert | Drill]
"""By id."""
Documents = Collection[tuple[str, str, bytes]]
"""(scope, topic, document)"""


@dataclass
class _Shown:
    """What had reached one pole at some moment: the newest document of each scope."""

    alerts: dict[str, AlertDocument] = field(default_factory=dict)
    drills: dict[str, DrillDocument] = field(default_factory=dict)

    def take(self, document: Said) -> None:
        held: dict[str, AlertDocument] | dict[str, DrillDocument]
        held = self.alerts if isinstance(document, AlertDocument) else self.drills
        known = held.get(document.scope)
        if known is None or known.version < document.version:
            held[document.scope] = document  # type: ignore[assignment]

    def standing(self, scopes: Sequence[str], unit: str) -> Standing:
        """`scopes` from wide to narrow."""
        found: Standing = {}
        void = void_drills = 0
        for scope in scopes:
            alerts, drills = self.alerts.get(scope), self.drills.get(scope)
            void = max(void, alerts.void_before if alerts is not None else 0)
            void_drills = max(void, void_drills, drills.void_before if drills is not None else 0)
            for alert in alerts.alerts if alerts is not None else ():
                if alert.issued_at >= void and (alert.target == "all" or unit in alert.target):
                    found[alert.id] = alert
            for drill in drills.drills if drills is not None else ():
                if drill.issued_at >= void_drills and (drill.target == "all" or unit in drill.target):
                    found[drill.id] = drill
        return found


def judge(posts: Sequence[Post], sirens: Sequence[Siren], said: Documents) -> Iterator[str]:
    """Each broken promise. `said`: the documents that the controller signed; what else came to a pole was forged, or
    said to others."""
    known = {each["id"]: each for each in sirens}
    for post in posts:
        ran = [each for each in post.ran if each.item in known]
        if ran:
            yield from _pole(post, ran, known, said)


def _pole(post: Post, ran: Sequence[Ran], known: Mapping[str, Siren], said: Documents) -> Iterator[str]:
    plan = post.disk.documents.plan
    scopes = plan.policy.scopes if plan is not None else []
    states = list(_states(post, scopes, said))
    whole: Counter[tuple[str, str]] = Counter()
    blind: Counter[str] = Counter()
    for each in ran:
        siren = known[each.item]
        what = f"{post.name} sounded {each.item} at {each.from_ms}..{each.to_ms}"
        yield from (f"window: {what}: {why}" for why in _window(post, each, siren, states))
        late = each.to_ms - max(each.from_ms, siren["hard_end"] + (LATE_WRONG_MS if post.clock_wrong else LATE_MS))
        blind[each.item] += max(0, late)
        length = siren["lengths"].get(each.asset, 0)
        if length and each.offset_ms <= WHOLE_MS and each.to_ms - each.from_ms >= length - WHOLE_MS:
            whole[each.item, each.asset] += 1
    for (item, asset), count in whole.items():
        siren = known[item]
        most = 1 if siren["drill"] else siren["times"]
        if most is not None and count > most + _cut(post, [each for each in ran if each.item == item]):
            yield f"window: {post.name} sounded {item} ({asset[:8]}) wholly {count} times, and may {most}"
    for item, lasted in blind.items():
        if lasted > (known[item]["blind_ms"] if _timeless(post) else 0):
            yield f"window: {post.name} sounded {item} for {lasted} ms after its hard end"


def _window(post: Post, ran: Ran, siren: Siren, states: Sequence[tuple[int, Standing]]) -> Iterator[str]:
    if siren["released"] is None:
        yield "it was cancelled before anybody outside heard of it"
        return
    if ran.from_ms < siren["released"]:
        yield f"{siren['released'] - ran.from_ms} ms before its release"
    margin = LATE_WRONG_MS if post.clock_wrong else LATE_MS
    if ran.from_ms < siren["begins"] - margin:
        yield f"{siren['begins'] - ran.from_ms} ms before its time"
    if post.name not in siren["units"]:
        yield "it was not meant for this pole"
    if siren["drill"] and siren["silent"]:
        yield "a silent drill"
    before = [standing for at, standing in states if at <= ran.from_ms]
    if not before or ran.item not in before[-1]:
        yield "nothing that had reached this pole said so (any more)"
        return
    gone = next((at for at, standing in states if ran.from_ms < at < ran.to_ms and ran.item not in standing), None)
    if gone is not None:
        yield f"on for {ran.to_ms - gone} ms after its silence had come"
    if siren["drill"]:
        active = [each for each in before[-1].values() if isinstance(each, Alert)]
        if any(each.not_before + margin <= ran.from_ms < each.hard_end - margin for each in active):
            yield "a drill while an alert was active here"


def _states(post: Post, scopes: Sequence[str], said: Documents) -> Iterator[tuple[int, Standing]]:
    shown = _Shown()
    for at, arrived in post.shown:
        *_, scope, topic = arrived.topic.split("/")
        if (scope, topic, arrived.payload) in said:  # under another topic no unit takes it
            shown.take(_read(arrived.payload, topic))
            yield at, shown.standing(scopes, post.name)


@lru_cache(maxsize=4096)
def _read(payload: bytes, topic: str) -> Said:
    """What the controller signed needs no second check of its signature."""
    body = urlsafe_b64decode(payload.split(b".")[1] + b"==")
    return decode(DrillDocument, body) if topic == ScopeTopic.DRILL else decode(AlertDocument, body)


def _cut(post: Post, ran: Sequence[Ran]) -> int:
    """How often power went in or right after one of these: what it had sounded may not have come to the disk."""
    return sum(any(each.from_ms <= begin <= each.to_ms + WHOLE_MS for each in ran) for begin, _ in post.touched)


def _timeless(post: Post) -> bool:
    """Whether it ever was without trusted time, or its clock ran wrong."""
    return post.clock_wrong or not post.config.battery
