"""What will sound in the next days, who wins, and what becomes of the others: for a cluster, a commune, the province.

By the same rule that a unit keeps to (`broadcasts.domain.timeline`), so that page, print and terminal say what a
villager will hear.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN, State
from broadcasts.domain.model import Slot
from broadcasts.domain.priority import order
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.routing import Unreached
from broadcasts.domain.timeline import Fate, Stretch, timeline
from broadcasts.errors import Refused
from controller.db.tables import Area, Broadcast, Bulletin, Cluster, Delivery, RelaySource, Station
from controller.services.deliveries import may_sound_after
from controller.services.laying import APPROVAL_OVER, UNASKED
from controller.services.programmes import parts_of
from controller.services.rights import Actor, Right, below
from controller.services.slots import last_sound, slot_of
from controller.services.stations import clusters_in, regulation
from controller.services.supposing import Supposed, suppose

DAYS = 7
FAR_AHEAD = datetime.max.replace(tzinfo=UTC)
CLOSED = (
    *("quiet_hours", "limit_session", "limit_day", "limit_week", "no_unit"),
    *(APPROVAL_OVER, UNASKED, *map(str, Unreached)),
)
"""Reasons of an occurrence that was never put into a plan."""


@dataclass(frozen=True)
class Line:
    """One planned start and what becomes of it, alike at all of `clusters`."""

    broadcast: str
    title: str
    priority: int
    start: datetime
    length: timedelta
    outcome: str
    """`timeline.Outcome`, or one of `CLOSED`: then nothing of it sounds."""
    sounds: tuple[Stretch, ...]
    by: tuple[str, ...]
    """Titles of those that take the horn from it, in order."""
    on_preempt: str
    first: bool
    """Never heard at these clusters before."""
    waiting: bool
    """Nobody has approved it yet: what would be if somebody did."""
    begin: datetime
    """Of the whole that this is a piece of."""
    part: Part | None
    """Of a programme: which this is."""
    language: str
    goes_on: bool
    """A warning that sounds until it is cancelled: no plan has this start yet (decision 23)."""
    relayed: str
    """Name of the station that sounds here (R-024)."""
    clusters: frozenset[str]

    @property
    def when(self) -> datetime:
        return self.sounds[0].start if self.sounds else self.start


@dataclass(frozen=True)
class DryRun:
    """`name`: of the place. Lines in order of time."""

    name: str
    clusters: Sequence[Cluster]
    since: datetime
    until: datetime
    lines: Sequence[Line]


def dry_run(
    session: Session,
    actor: Actor,
    now: datetime,
    *,
    cluster: str = "",
    area: str = "",
    days: int = DAYS,
    waiting: bool = False,
) -> DryRun:
    """Of one cluster, of an area, or of all that the actor may see. `waiting`: as if everything that waits for approval
    had it. Raises Refused: "no_right", "cluster.unknown", "area.unknown"."""
    actor = actor.need(Right.LOOK)
    name, clusters = _place(session, actor, cluster, area)
    until = now + timedelta(days=max(1, min(DAYS, days)))
    return DryRun(name, clusters, now, until, lines(session, clusters, now, until, waiting=waiting))


def lines(
    session: Session, clusters: Sequence[Cluster], since: datetime, until: datetime, *, waiting: bool = False
) -> list[Line]:
    here = [each.id for each in clusters]
    supposed = suppose(session, here, since, until, waiting=waiting)
    slots, closed, pieces = _planned(session, here, since, until, supposed)
    known = _titles(
        session, {slot.broadcast for each in slots.values() for slot in each} | {row.broadcast_id for row, _ in closed}
    )
    parts, relays = _Parts(session), _relays(session, known)
    heard = _first_heard(session, here, slots, [row for row, _ in closed if row.id in supposed.off])
    goes_on = {row.id for row in supposed.new} - supposed.waiting
    groups: dict[Line, set[str]] = defaultdict(set)
    for where, fate, owners in _fates(session, clusters, slots):
        slot = fate.slot
        if fate.sounds and fate.sounds[-1].end <= since:
            continue
        key = Line(
            broadcast=slot.broadcast,
            title=known.get(slot.broadcast, slot.broadcast),
            priority=int(slot.priority),
            start=slot.start,
            length=slot.duration,
            outcome=str(fate.outcome),
            sounds=fate.sounds,
            by=tuple(known.get(owners[name], owners[name]) for name in dict.fromkeys(fate.by)),
            on_preempt=str(slot.on_preempt),
            first=slot.start <= heard.get((where, slot.asset), slot.start),
            waiting=slot.delivery in supposed.waiting,
            clusters=frozenset(),
            begin=pieces[slot.delivery].begin,
            part=parts.of(slot.broadcast, pieces[slot.delivery].place),
            language=pieces[slot.delivery].language,
            goes_on=slot.delivery in goes_on,
            relayed=_relayed(relays, slot.broadcast, parts.of(slot.broadcast, pieces[slot.delivery].place)),
        )
        groups[key].add(where)
    for row, why in closed:
        piece = _piece(row)
        gone = Line(
            broadcast=row.broadcast_id,
            title=known.get(row.broadcast_id, row.broadcast_id),
            priority=row.priority,
            start=row.start,
            length=row.end - row.start,
            outcome=why,
            sounds=(),
            by=(),
            on_preempt="",
            first=False,
            waiting=row.id in supposed.waiting,
            clusters=frozenset(),
            begin=piece.begin,
            part=parts.of(row.broadcast_id, piece.place),
            language=piece.language,
            goes_on=row.id in goes_on,
            relayed=_relayed(relays, row.broadcast_id, parts.of(row.broadcast_id, piece.place)),
        )
        groups[gone].add(row.cluster_id)
    found = [replace(line, clusters=frozenset(places)) for line, places in groups.items()]
    return sorted(found, key=lambda line: (line.when, line.start, line.priority, line.title, line.outcome))


def _place(session: Session, actor: Actor, cluster: str, area: str) -> tuple[str, list[Cluster]]:
    if cluster:
        found = clusters_in(session, actor.areas, [cluster])
        if not found:
            raise Refused("cluster.unknown", name=cluster[:40])
        return found[0].name, found
    top = area or actor.area
    row = session.get(Area, top)
    within = below(session, top) & actor.areas
    # Of a commune that was merged, who belongs to one of the old ones may ask for the new one and is told his part.
    if row is None or not within:
        raise Refused("area.unknown", name=top[:40])
    return row.name, clusters_in(session, within)


@dataclass(frozen=True)
class _Piece:
    begin: datetime
    place: int | None
    language: str


def _piece(row: Delivery) -> _Piece:
    return _Piece(row.begin, row.part, row.language)


class _Parts:
    """The parts of programmes, looked up once each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, Sequence[Part]] = {}

    def of(self, broadcast: str, place: int | None) -> Part | None:
        if place is None:
            return None
        if broadcast not in self._known:
            self._known[broadcast] = parts_of(self._session, broadcast)
        found = self._known[broadcast]
        return found[place] if place < len(found) else None


def _planned(
    session: Session, clusters: Sequence[str], since: datetime, until: datetime, supposed: Supposed
) -> tuple[dict[str, list[Slot]], Sequence[tuple[Delivery, str]], dict[str, _Piece]]:
    """(what may sound, by cluster; what is closed beforehand, and why; which piece of what each is)."""
    mine = Delivery.cluster_id.in_(clusters)
    live = Delivery.state.in_([str(state) for state in OPEN])
    planned = session.scalars(select(Delivery).where(mine, live, Delivery.start < until, may_sound_after(since)))
    kept_off = session.scalars(
        select(Delivery).where(
            mine,
            Delivery.state == str(State.WITHDRAWN),
            Delivery.reason.in_(CLOSED),
            Delivery.start >= since,
            Delivery.start < until,
        )
    )
    here = set(clusters)
    slots: dict[str, list[Slot]] = defaultdict(list)
    pieces: dict[str, _Piece] = {}
    closed: list[tuple[Delivery, str]] = []
    for row in [*planned, *kept_off, *(each for each in supposed.new if each.cluster_id in here)]:
        found = supposed.back.get(row.id, row)
        why = supposed.off.get(row.id) or (found.reason if found.state == str(State.WITHDRAWN) else None)
        if why is not None:
            closed.append((found, why))
        elif last_sound(found) > since:
            slots[found.cluster_id].append(slot_of(found))
            pieces[found.id] = _piece(found)
    return slots, closed, pieces


def _fates(
    session: Session, clusters: Sequence[Cluster], slots: dict[str, list[Slot]]
) -> Iterator[tuple[str, Fate, dict[str, str]]]:
    """(cluster, fate, broadcast by delivery). Clusters with the same wishes and rules are looked at once, where the
    same goes first too: of two that are alike in all else the name decides, and each cluster has names of its own."""
    stations = {row.id: row for row in session.scalars(select(Station))}
    alike: dict[object, list[str]] = defaultdict(list)
    for cluster in clusters:
        mine = sorted(slots[cluster.id], key=order)
        wishes = tuple((slot.broadcast, slot.start, slot.asset, slot.volume, slot.not_after) for slot in mine)
        if wishes:
            alike[cluster.station_id, cluster.site, wishes].append(cluster.id)
    sites = {cluster.id: cluster for cluster in clusters}
    for places in alike.values():
        one = sites[places[0]]
        here = slots[one.id]
        owners = {str(slot.delivery): str(slot.broadcast) for slot in here}
        for fate in timeline(here, regulation(stations[one.station_id], one.site), VIETNAM):
            for name in places:
                yield name, fate, owners


def _titles(session: Session, broadcasts: Iterable[str]) -> dict[str, str]:
    rows = session.execute(
        select(Broadcast.id, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(Broadcast.id.in_(set(broadcasts)))
    )
    return {row[0]: row[1] for row in rows}


def _relays(session: Session, broadcasts: Iterable[str]) -> dict[str, str]:
    """By broadcast that relays a station: its name."""
    rows = session.execute(
        select(Broadcast.id, RelaySource.name)
        .join(RelaySource, Broadcast.relay_source_id == RelaySource.id)
        .where(Broadcast.id.in_(set(broadcasts)))
    )
    return {row[0]: row[1] for row in rows}


def _relayed(relays: Mapping[str, str], broadcast: str, part: Part | None) -> str:
    """Of a programme only the part that is a relay."""
    return relays.get(broadcast, "") if part is None or part.kind is PartKind.RELAY else ""


def _first_heard(
    session: Session, clusters: Sequence[str], slots: dict[str, list[Slot]], off: Sequence[Delivery]
) -> dict[tuple[str, str], datetime]:
    """By cluster and recording, the first start that was not taken off the air; `off`: supposed to be."""
    assets = {slot.asset for each in slots.values() for slot in each}
    rows = session.execute(
        select(Delivery.cluster_id, Delivery.asset_sha256, func.min(Delivery.start))
        .where(
            Delivery.cluster_id.in_(clusters),
            Delivery.asset_sha256.in_(assets),
            Delivery.state != str(State.WITHDRAWN),
        )
        .group_by(Delivery.cluster_id, Delivery.asset_sha256)
    )
    found: dict[tuple[str, str], datetime] = {(row[0], row[1]): row[2] for row in rows}
    found |= _first_without(session, off)
    for cluster, several in slots.items():
        for slot in several:
            found[cluster, slot.asset] = min(slot.start, found.get((cluster, slot.asset), slot.start))
    return found


def _first_without(session: Session, off: Sequence[Delivery]) -> dict[tuple[str, str], datetime]:
    """The same of the clusters and recordings of `off`, without these."""
    gone = {row.id for row in off}
    rows = session.execute(
        select(Delivery.id, Delivery.cluster_id, Delivery.asset_sha256, Delivery.start)
        .where(
            Delivery.cluster_id.in_({row.cluster_id for row in off}),
            Delivery.asset_sha256.in_({row.asset_sha256 for row in off}),
            Delivery.state != str(State.WITHDRAWN),
        )
        .order_by(Delivery.start.desc())
    )
    found = {(row.cluster_id, row.asset_sha256): FAR_AHEAD for row in off}
    return found | {(row.cluster_id, row.asset_sha256): row.start for row in rows if row.id not in gone}
