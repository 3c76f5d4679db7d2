"""What a draft would do, computed before anything is saved: where it sounds, when, and whom it displaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain import priority as rules
from broadcasts.domain.content import Origin, Translation
from broadcasts.domain.delivery import OPEN
from broadcasts.domain.model import PLAIN, Field, Late, OnPreempt, Pattern, Priority, Repeat, Schedule
from broadcasts.domain.polygon import Polygon
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.recurrence import starts
from broadcasts.domain.relay import Relay
from broadcasts.domain.schedule_check import FAR, problems
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Asset, Cluster, Delivery, Station
from controller.services import airtime, clashing, origins, programmes, relaying, routing, targets
from controller.services.airtime import Airtime
from controller.services.context import HORIZON, LOCK_WINDOW, Context
from controller.services.listening import heard_among
from controller.services.renditions import Hearing, hearings, layouts, wishes
from controller.services.replaced import Span, replaced, yet_to_come
from controller.services.rights import Actor, Right
from controller.services.routing import NotThere

LONGEST_TITLE = 200
LONGEST_TEXT = 20_000
FARTHEST = timedelta(days=732)
LONG_AGO = 2000
"""A series that began before this year is a typing mistake."""
COMING = 6
SAVED_LATE = timedelta(seconds=10)
"""A "now + 2 minutes" form that was looked at for long: the start must still lie ahead by so much, or it is past."""


@dataclass(frozen=True)
class Draft:
    """What the form says. Areas and clusters are ids; `at` is local time in steps of a second."""

    title: str
    field: int
    language: str
    asset: str
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    repeat: str = "once"
    first_day: date | None = None
    at: time | None = None
    until_day: date | None = None
    priority: int = 3
    on_preempt: str = "resume"
    late: str = "drop"
    routing: str = ""
    """broadcasts.domain.routing.Routing; `stack_minutes` where it waits in line."""
    stack_minutes: int | None = None
    volume: int | None = None
    text: str = ""
    push_now: bool = False
    unusual: str = ""
    """Hours outside the normal ones that were confirmed (`Unusual.mark`)."""
    pattern: Pattern = PLAIN
    parts: tuple[Part, ...] = ()
    """Of a programme, in order, `asset` among them; none for one recording."""
    more: tuple[Translation, ...] = ()
    """Further languages; `language`, `text` and `asset` are those it was written in."""
    origin: str = "own"
    source: str = ""
    relay: Relay | None = None
    """Of a relay, whose `asset` sounds where the source is silent; `source` is then the source's name."""
    category: str = ""
    issued_at: datetime | None = None
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    polygon: Polygon = ()
    also_later: bool = False
    """Clusters that come to the target after the approval join in."""


@dataclass(frozen=True)
class Preview:
    """What would sound. `problems` must be empty to submit; `notes` are said, and do not stop anybody."""

    clusters: Sequence[Cluster]
    horns: int
    duration: timedelta
    starts: Sequence[datetime]
    """Within the next 7 days, or the very first when that is later."""
    coming: Sequence[datetime]
    """The next few, however far."""
    first_end: datetime | None
    inside_lock: bool
    clashes: Sequence[rules.Clash]
    problems: Sequence[LoaError] = field(default=())
    titles: dict[str, str] = field(default_factory=dict)
    """Broadcast id to title, for the clashes."""
    programme: Sequence[tuple[timedelta, Part]] = ()
    """The parts, each with when it begins after the start."""
    illustrative: frozenset[str] = frozenset()
    """The stations among those of `clusters` that were made up for a demo."""
    hearing: Sequence[Hearing] = ()
    """Which clusters hear which languages."""
    not_there: Sequence[NotThere] = ()
    """Where its own choice of routing keeps it off the air, as things stand."""
    air: Airtime = airtime.NOTHING
    """What the regulations and the neighbourhood say to it."""
    relayed: str = ""
    """Name of the station that is relayed."""
    fallback: timedelta = timedelta(0)
    """Of a relay: how long the recording lasts that sounds instead,"""
    silence_s: int = 0
    """once the source has been silent for so long."""

    def names(self, clusters: Iterable[str]) -> list[str]:
        """Of clusters by id, as people call them."""
        known = {cluster.id: cluster.name for cluster in self.clusters}
        return [known.get(name, name) for name in clusters]


def preview(ctx: Context, actor: Actor, draft: Draft, editing: str | None = None, part: Span | None = None) -> Preview:
    """Never raises for what the form says: that is in `problems`. `part`: which starts of `editing` it replaces."""
    actor = actor.need(Right.COMPOSE)
    with ctx.db.read() as session:
        return look_ahead(session, actor, draft, ctx.clock.now(), editing, part)


def look_ahead(
    session: Session,
    actor: Actor,
    draft: Draft,
    now: datetime,
    editing: str | None = None,
    part: Span | None = None,
) -> Preview:
    draft = without_foreign(session, actor, draft)
    part = yet_to_come(session, editing, part, now)
    wrong: list[LoaError] = []
    wrong += targets.problems(session, actor, draft, now)
    clusters = targets.resolve(session, actor.areas, draft)
    if not clusters and not wrong:
        wrong.append(Refused("target.empty"))
    asset = session.get(Asset, draft.asset) if draft.asset else None
    if asset is None:
        wrong.append(Refused("asset.missing"))
    if not draft.title.strip():
        wrong.append(Refused("title.missing"))
    bad = _bad_words(draft, now)
    wrong += bad
    # The source of a relay is in the registry.
    named = draft.source or ("-" if draft.origin == Origin.RELAY else "")
    wrong += origins.problems(session, draft.language, draft.more, draft.origin, named, draft.category)
    wrong += programmes.problems(session, draft.asset, draft.parts, draft.relay.slot if draft.relay else None)
    manners = (draft.late, draft.on_preempt, draft.routing)
    wrong += relaying.problems(session, draft.relay, draft.origin, clusters, draft.parts, draft.more, manners)
    slot = draft.relay.slot if draft.relay else None
    sound = draft.asset if draft.parts else relaying.sound(session, draft.relay, draft.asset)
    spoken = {draft.language: draft.asset} | {each.language: each.asset for each in draft.more}
    wanted = wishes(clusters)
    heard = layouts(session, wanted, list(spoken.items()), draft.parts, slot)
    lasts = {cluster.id: heard[wanted[cluster.id]].length for cluster in clusters}
    pieces = {
        cluster.id: [(after, said.length) for after, said in heard[wanted[cluster.id]].pieces] for cluster in clusters
    }
    longest = max(heard.values(), key=lambda layout: layout.length, default=None)
    duration = longest.length if longest else slot or programmes.whole_length(session, asset, draft.parts)
    # Said as soon as it can be known, even while title or recording are still missing.
    ahead = _starts(draft, now) if draft.at and draft.first_day and not bad else []
    if not (draft.at and draft.first_day):
        wrong.append(Refused("time.missing"))
    elif not ahead and not bad:
        wrong.append(Refused("time.past"))
    extra = [each for each in draft.pattern.extra if each > now and each not in ahead]
    air = airtime.weigh(
        session, clusters, sound, ahead, extra, lasts, now, editing=editing, part=part, confirmed=draft.unusual
    )
    wrong += air.problems
    if any(after - before < duration for before, after in pairwise(ahead)):
        wrong.append(Refused("schedule.overlap", seconds=round(duration.total_seconds())))
    inside_lock = (bool(ahead) and ahead[0] - now < LOCK_WINDOW) or _about_to_sound(session, editing, part, now)
    if inside_lock and not draft.push_now:
        wrong.append(Refused("time.locked", minutes=int(LOCK_WINDOW.total_seconds() // 60)))
    found = (
        clashing.clashes(session, draft.asset, draft.priority, clusters, ahead, pieces, editing, part)
        if asset and not bad
        else []
    )
    away = (
        routing.foreseen(session, draft.routing, draft.stack_minutes, clusters, ahead, pieces, editing, part)
        if asset and not bad
        else []
    )
    return Preview(
        clusters=clusters,
        horns=sum(cluster.horns for cluster in clusters),
        duration=duration,
        starts=ahead,
        coming=list(islice(starts(schedule_of(draft), ahead[0], now + FAR, VIETNAM), COMING)) if ahead else [],
        first_end=ahead[0] + duration if ahead else None,
        inside_lock=inside_lock,
        clashes=found,
        problems=wrong,
        titles=clashing.titles(session, found),
        programme=[(after, said.part) for after, said in longest.pieces if said.part] if longest else [],
        hearing=hearings(clusters, heard),
        illustrative=_illustrative(session, clusters),
        not_there=away,
        air=air,
        relayed=source.name if (source := relaying.source_of(session, draft.relay)) else "",
        fallback=_fallback(session, draft),
        silence_s=draft.relay.silence_s if draft.relay else 0,
    )


def without_foreign(session: Session, actor: Actor, draft: Draft) -> Draft:
    """The draft with recordings that this person may not listen to under names that nothing has: whoever hands such a
    one in could listen to it then, and even its length is nobody's business."""
    named = {draft.asset, *(part.asset for part in draft.parts), *(each.asset for each in draft.more)} - {""}
    foreign = {name: f"-{name}" for name in named - heard_among(session, actor, named)}
    if not foreign:
        return draft
    return replace(
        draft,
        asset=foreign.get(draft.asset, draft.asset),
        parts=tuple(replace(part, asset=foreign.get(part.asset, part.asset)) for part in draft.parts),
        more=tuple(replace(each, asset=foreign.get(each.asset, each.asset)) for each in draft.more),
    )


def _fallback(session: Session, draft: Draft) -> timedelta:
    """How long the recording lasts that sounds where a relay is silent."""
    names = [part.asset for part in draft.parts if part.kind is PartKind.RELAY] or [draft.asset]
    asset = session.get(Asset, names[0]) if draft.relay else None
    return timedelta(milliseconds=asset.duration_ms) if asset else timedelta(0)


def _illustrative(session: Session, clusters: Sequence[Cluster]) -> frozenset[str]:
    ids = {cluster.station_id for cluster in clusters}
    return frozenset(session.scalars(select(Station.id).where(Station.id.in_(ids), Station.illustrative)))


def _about_to_sound(session: Session, editing: str | None, part: Span | None, now: datetime) -> bool:
    """Whether the edit takes something off the air that begins within the lock window, or sounds already."""
    soon = select(Delivery.id).where(
        replaced(editing or "", part),
        Delivery.state.in_([str(state) for state in OPEN]),
        Delivery.end > now,
        Delivery.start < now + LOCK_WINDOW,
    )
    return session.scalar(soon.limit(1)) is not None


def _bad_words(draft: Draft, now: datetime) -> list[LoaError]:
    choices: list[tuple[str, str | int, type]] = [
        ("field", draft.field, Field),
        ("repeat", draft.repeat, Repeat),
        ("on_preempt", draft.on_preempt, OnPreempt),
        ("late", draft.late, Late),
        ("priority", draft.priority, Priority),
    ]
    bad: list[LoaError] = routing.problems(draft.routing, draft.stack_minutes, draft.priority)
    for name, value, kind in choices:
        try:
            kind(value)
        except ValueError:
            bad.append(Refused("choice.unknown", name=name, value=value))
    if not origins.LANGUAGE.match(draft.language):
        bad.append(Refused("choice.unknown", name="language", value=draft.language[:20]))
    if len(draft.title) > LONGEST_TITLE:
        bad.append(Refused("title.long", most=LONGEST_TITLE))
    if len(draft.text) > LONGEST_TEXT:
        bad.append(Refused("text.long", most=LONGEST_TEXT, length=len(draft.text)))
    if "\x00" in draft.title + draft.text:
        bad.append(Refused("choice.unknown", name="title", value="NUL"))
    if draft.first_day and draft.first_day > (now + FARTHEST).date():
        bad.append(Refused("time.far", days=FARTHEST.days))
    if draft.priority == Priority.EMERGENCY:
        bad.append(Refused("priority.emergency"))
    if draft.volume is not None and not 0 <= draft.volume <= 100:
        bad.append(Refused("volume.range"))
    if draft.first_day and draft.first_day.year < LONG_AGO:
        bad.append(Refused("time.past"))
    if draft.first_day and draft.at and not bad:
        bad += problems(schedule_of(draft), VIETNAM)
    return bad


def schedule_of(draft: Draft) -> Schedule:
    assert draft.first_day is not None
    assert draft.at is not None
    return Schedule(Repeat(draft.repeat), draft.first_day, draft.at, draft.until_day, draft.pattern)


def _starts(draft: Draft, now: datetime) -> list[datetime]:
    """All within the horizon; the very first one when that lies beyond it."""
    schedule = schedule_of(draft)
    near = list(starts(schedule, now + SAVED_LATE, now + HORIZON, VIETNAM))
    if near:
        return near
    return list(islice(starts(schedule, now + SAVED_LATE, now + FAR, VIETNAM), 1))
