"""What will sound in the next days, who wins, and what becomes of the others: for a cluster, a commune, the province.

By the same rule that a unit keeps to (`broadcasts.domain.timeline`), so that page, print and terminal say what a
villager will hear.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN, State
from broadcasts.domain.model import Late, OnPreempt, Priority, Slot
from broadcasts.domain.priority import order
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.recurrence import starts
from broadcasts.domain.routing import Unreached
from broadcasts.domain.timeline import Fate, Stretch, timeline
from broadcasts.errors import Refused
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId
from controller.db.tables import Area, Broadcast, Bulletin, Cluster, Delivery, RelaySource, Station
from controller.services.deliveries import APPROVAL_OVER, UNASKED, last_sound, may_sound_after, slot_of
from controller.services.programmes import laid_out, parts_of
from controller.services.rights import Actor, Right, below
from controller.services.schedules import schedule_of
from controller.services.stations import clusters_in, regulation

DAYS = 7
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
    slots, closed, pieces = _planned(session, [each.id for each in clusters], since, until)
    for slot, piece in _supposed(session, clusters, since, until, waiting=waiting):
        slots[slot.cluster].append(slot)
        pieces[slot.delivery] = piece
    known = _titles(
        session, {slot.broadcast for each in slots.values() for slot in each} | {row.broadcast_id for row in closed}
    )
    parts, relays = _Parts(session), _relays(session, known)
    heard = _first_heard(session, [each.id for each in clusters], slots)
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
            waiting=slot.delivery.startswith(WAITS),
            clusters=frozenset(),
            begin=pieces[slot.delivery].begin,
            part=parts.of(slot.broadcast, pieces[slot.delivery].place),
            language=pieces[slot.delivery].language,
            goes_on=slot.delivery.startswith(GOES_ON),
            relayed=_relayed(relays, slot.broadcast, parts.of(slot.broadcast, pieces[slot.delivery].place)),
        )
        groups[key].add(where)
    for row in closed:
        piece = _piece(row)
        gone = Line(
            broadcast=row.broadcast_id,
            title=known.get(row.broadcast_id, row.broadcast_id),
            priority=row.priority,
            start=row.start,
            length=row.end - row.start,
            outcome=row.reason or "",
            sounds=(),
            by=(),
            on_preempt="",
            first=False,
            waiting=False,
            clusters=frozenset(),
            begin=piece.begin,
            part=parts.of(row.broadcast_id, piece.place),
            language=piece.language,
            goes_on=False,
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


WAITS, GOES_ON = "~", "+"
"""How the name of a slot begins that no plan has."""


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
    session: Session, clusters: Sequence[str], since: datetime, until: datetime
) -> tuple[dict[str, list[Slot]], Sequence[Delivery], dict[str, _Piece]]:
    """(what may sound, by cluster; what was closed beforehand; which piece of what each is)."""
    slots: dict[str, list[Slot]] = defaultdict(list)
    pieces: dict[str, _Piece] = {}
    mine = Delivery.cluster_id.in_(clusters)
    live = Delivery.state.in_([str(state) for state in OPEN])
    rows = session.scalars(select(Delivery).where(mine, live, Delivery.start < until, may_sound_after(since)))
    for row in rows:
        if last_sound(row) > since:
            slots[row.cluster_id].append(slot_of(row))
            pieces[row.id] = _piece(row)
    shut = session.scalars(
        select(Delivery).where(
            mine,
            Delivery.state == str(State.WITHDRAWN),
            Delivery.reason.in_(CLOSED),
            Delivery.start >= since,
            Delivery.start < until,
        )
    )
    return slots, shut.all(), pieces


def _supposed(
    session: Session, clusters: Sequence[Cluster], since: datetime, until: datetime, *, waiting: bool
) -> Iterator[tuple[Slot, _Piece]]:
    """What no plan has yet, as the slots it would become: warnings beyond the few hours for which they are planned, and
    with `waiting` what was handed in."""
    mine = {cluster.id: cluster for cluster in clusters}
    volumes = {
        station.id: station.volume
        for station in session.scalars(select(Station).where(Station.id.in_({c.station_id for c in clusters})))
    }
    goes_on = and_(Broadcast.status == "approved", Broadcast.ahead_minutes.is_not(None))
    wanted = or_(goes_on, Broadcast.status == "submitted") if waiting else goes_on
    for broadcast in session.scalars(select(Broadcast).where(wanted)):
        places = [name for name in (*broadcast.clusters, *broadcast.joined) if name in mine]
        if not places:
            continue
        approved = broadcast.status == "approved"
        mark, begins = GOES_ON if approved else WAITS, max(since, broadcast.expanded_until or since)
        late, layouts = Late(broadcast.late), laid_out(session, broadcast, places)
        pieces = [(after, said, here) for layout, here in layouts for after, said in layout.pieces]
        for begin in starts(schedule_of(broadcast), begins if approved else since, until, VIETNAM):
            for after, said, here in pieces:
                start, length = begin + after, said.length
                for name in here:
                    volume = broadcast.volume if broadcast.volume is not None else volumes[mine[name].station_id]
                    slot = Slot(
                        delivery=DeliveryId(f"{mark}{broadcast.id}:{start.timestamp():.3f}:{name}"),
                        broadcast=BroadcastId(broadcast.id),
                        cluster=ClusterId(name),
                        asset=AssetId(said.asset.sha256),
                        start=start,
                        duration=length,
                        priority=Priority(broadcast.priority),
                        rank=broadcast.rank,
                        on_preempt=OnPreempt(broadcast.on_preempt),
                        late=late,
                        not_after=start + length + (timedelta(0) if late is Late.DROP else timedelta(hours=1)),
                        volume=volume,
                    )
                    yield slot, _Piece(begin, said.place, said.language)


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
    session: Session, clusters: Sequence[str], slots: dict[str, list[Slot]]
) -> dict[tuple[str, str], datetime]:
    """By cluster and recording, the first start that was not taken off the air."""
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
    return {(row[0], row[1]): row[2] for row in rows}
