"""A station's operating regulation: changed by who may, kept with its history, held against what is approved already
(R-032, R-051, R-052, R-107, R-109)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.delivery import OPEN
from broadcasts.domain.limits import Sound, excesses
from broadcasts.domain.regulation import Regulation, Window, touches_night
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Broadcast, Bulletin, Cluster, Delivery, RegulationChange, Station, User
from controller.services import audit
from controller.services.context import Context
from controller.services.deliveries import mark_dirty
from controller.services.limiting import A_WEEK, COUNTS
from controller.services.returning import by_regulation, take_off
from controller.services.rights import Actor, Right
from controller.services.spoken import spoken
from controller.services.stations import SITES, regulation

MOST_WINDOWS, MOST_CEILINGS = 12, 12
"""What a plan can hold (wire.Policy), half of it for the ceilings of special sites."""
LONGEST_WEEK = 7 * 24 * 60


@dataclass(frozen=True)
class Rules:
    """All of it as somebody writes it. Windows are (start, end), ceilings (start, end, volume), in minutes of the local
    day; limits in minutes. None: no weekend of its own, the usual normal hours, no limit; no windows: silent weekends,
    no hour is a normal one."""

    number: str
    date: date | None
    hours: tuple[tuple[int, int], ...]
    weekend: tuple[tuple[int, int], ...] | None = None
    normal: tuple[tuple[int, int], ...] | None = None
    ceilings: tuple[tuple[int, int, int], ...] = ()
    special: tuple[tuple[int, int, int], ...] = ()
    """Beside `ceilings`, at hospitals, schools and pagodas."""
    volume: int = 70
    emergency_volume: int = 100
    session: int | None = None
    day: int | None = None
    week: int | None = None
    early: str = ""
    """The commune's decision about sound between 21:00 and 06:00 (R-109)."""
    content: str = ""
    """What is normally broadcast, in words."""


@dataclass(frozen=True)
class Misfit:
    """An approved start that the new rules do not allow, at so many clusters. `reason` as the deliveries keep it."""

    broadcast: str
    title: str
    start: datetime
    reason: str
    clusters: int


@dataclass(frozen=True)
class Told:
    """The regulation of a station, and every change of it, the newest first, with who made it."""

    station: Station
    rules: Rules
    clusters: Sequence[Cluster]
    history: Sequence[tuple[RegulationChange, str]]


def rules_of(station: Station) -> Rules:
    told: dict[str, Any] = station.rules or {}
    kept: dict[str, Any] = {name: _tuples(value) if isinstance(value, list) else value for name, value in told.items()}
    return Rules(
        number=station.regulation_number,
        date=station.regulation_date,
        hours=_tuples(station.hours),
        ceilings=_tuples(station.ceilings),
        volume=station.volume,
        emergency_volume=station.emergency_volume,
        **kept,
    )


def look(ctx: Context, actor: Actor, station_id: str) -> Told:
    """Raises Refused: "no_right", "station.unknown"."""
    with ctx.db.read() as session:
        station = _mine(session, actor.need(Right.LOOK), station_id)
        clusters = session.scalars(
            select(Cluster).where(Cluster.station_id == station_id, Cluster.removed_at.is_(None)).order_by(Cluster.id)
        ).all()
        rows = session.execute(
            select(RegulationChange, User.full_name)
            .join(User, RegulationChange.by_id == User.id)
            .where(RegulationChange.station_id == station_id)
            .order_by(RegulationChange.revision.desc())
        )
        return Told(station, rules_of(station), clusters, [(row[0], row[1]) for row in rows])


def weigh(
    ctx: Context, actor: Actor, station_id: str, rules: Rules, sites: Mapping[str, str] | None = None
) -> list[Misfit]:
    """What these rules would take off the plans; nothing is changed. Raises as `change`."""
    actor = actor.need(Right.REGULATE)
    with ctx.db.read() as session, session.no_autoflush:
        station = _mine(session, actor, station_id)
        check(rules, sites or {})
        _apply(session, station, rules, sites or {})
        found = [(delivery, why) for delivery, why in _held_against(session, station, ctx.clock.now()) if why]
        return _misfits(session, found)


@audit.decided("regulation.change")
def change(
    ctx: Context,
    actor: Actor,
    station_id: str,
    rules: Rules,
    revision: int,
    sites: Mapping[str, str] | None = None,
) -> list[Misfit]:
    """Put it into force: what is approved and no longer fits is taken off the plans, with the reason, and listed here;
    what the rules before had taken off and these allow is planned again, as far as it lies beyond the lock window.

    `sites`: kind of site by cluster, of those that change. Raises Refused: "no_right", "station.unknown",
    "regulation.*"; Conflict("regulation.changed") when `revision` is not the newest any more."""
    actor = actor.need(Right.REGULATE)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        station = _mine(session, actor, station_id)
        check(rules, sites or {})
        if station.regulation_revision != revision:
            raise Conflict("regulation.changed")
        before = _plain(rules_of(station))
        _apply(session, station, rules, sites or {})
        station.regulation_revision = revision + 1
        after = _plain(rules)
        row = RegulationChange(station_id=station_id, revision=revision + 1, at=now, by_id=actor.id, rules=after)
        session.add(row)
        found = [(delivery, why) for delivery, why in _held_against(session, station, now) if why]
        take_off(session, found, now)
        told = _misfits(session, found)
        here = list(session.scalars(select(Cluster.id).where(Cluster.station_id == station_id)))
        session.flush()
        back = by_regulation(session, here, now)
        changed = {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
        detail = {"changed": changed, "sites": dict(sites or {}), "taken_off": len(found), "returned": back}
        audit.record(session, now, actor.name, "regulation.change", station_id, detail)
        mark_dirty(session, here, now)
    ctx.wake()
    return told


def follow(session: Session, station: Station, now: datetime) -> None:
    """After a cluster became another kind of site: what is to come follows the ceilings there, and what no longer fits
    is taken off the plans."""
    take_off(session, [(delivery, why) for delivery, why in _held_against(session, station, now) if why], now)


def check(rules: Rules, sites: Mapping[str, str]) -> None:
    """Raises Refused: "regulation.nothing", "regulation.hours", "regulation.ceilings", "regulation.volume",
    "regulation.limits", "regulation.early", "regulation.words", "regulation.site"."""
    if not rules.hours and not rules.weekend:
        raise Refused("regulation.nothing")
    for windows in (rules.hours, rules.weekend or (), rules.normal or ()):
        if len(windows) > MOST_WINDOWS or not all(_is_window(*each) for each in windows):
            raise Refused("regulation.hours", most=MOST_WINDOWS)
    for ceilings in (rules.ceilings, rules.special):
        fine = all(_is_window(start, end) and 0 <= volume <= 100 for start, end, volume in ceilings)
        if len(ceilings) > MOST_CEILINGS or not fine:
            raise Refused("regulation.ceilings", most=MOST_CEILINGS)
    if not 0 <= rules.volume <= 100 or not 0 <= rules.emergency_volume <= 100:
        raise Refused("regulation.volume")
    limits = [each for each in (rules.session, rules.day, rules.week) if each is not None]
    if not all(0 < each <= LONGEST_WEEK for each in limits) or limits != sorted(limits):
        raise Refused("regulation.limits")
    words = (rules.number, rules.early, rules.content)
    if not rules.number.strip() or len(rules.number) > 60 or max(map(len, words)) > 5_000 or "\0" in "".join(words):
        raise Refused("regulation.words")
    all_hours = [Window(start, end) for start, end in (*rules.hours, *(rules.weekend or ()))]
    if touches_night(all_hours) and not rules.early.strip():
        raise Refused("regulation.early")
    if not set(sites.values()) <= set(SITES):
        raise Refused("regulation.site")


def _is_window(start: int, end: int) -> bool:
    return 0 <= start < end <= 1440


def _apply(session: Session, station: Station, rules: Rules, sites: Mapping[str, str]) -> None:
    told = _plain(rules)
    station.regulation_number, station.regulation_date = rules.number.strip(), rules.date
    station.hours, station.ceilings = told.pop("hours"), told.pop("ceilings")
    station.volume, station.emergency_volume = rules.volume, rules.emergency_volume
    for name in ("number", "date", "volume", "emergency_volume"):
        told.pop(name)
    # No hours at weekends is not the same as none of their own.
    station.rules = {name: value for name, value in told.items() if value is not None and value != ""}
    for name, site in sites.items():
        cluster = session.get(Cluster, name)
        if cluster is None or cluster.station_id != station.id:
            raise Refused("cluster.unknown", name=name[:40])
        cluster.site = site


def _held_against(session: Session, station: Station, now: datetime) -> list[tuple[Delivery, str]]:
    """Every start to come at the station's clusters, with why it does not fit; "" for those that do, whose volume
    follows the ceilings."""
    rows = session.execute(
        select(Delivery, Cluster.site, Broadcast.volume)
        .join(Cluster, Delivery.cluster_id == Cluster.id)
        .join(Broadcast, Delivery.broadcast_id == Broadcast.id)
        .where(
            Cluster.station_id == station.id,
            Delivery.start > now,
            Delivery.state.in_([str(state) for state in OPEN]),
        )
        .order_by(Delivery.start, Delivery.priority, Delivery.id)
    ).all()
    rules = {site: regulation(station, site) for site in SITES}
    whys: dict[str, str] = {}
    fitting: dict[str, list[Delivery]] = defaultdict(list)
    for delivery, site, volume in rows:
        rule, length = rules[site], delivery.end - delivery.start
        if not rule.allows(delivery.start, length, VIETNAM):
            whys[delivery.id] = "quiet_hours"
            continue
        wanted = station.volume if volume is None else volume
        delivery.volume = min(wanted, rule.ceiling(delivery.start, length, VIETNAM))
        fitting[delivery.cluster_id].append(delivery)
    for several in fitting.values():
        whys |= _over(session, rules[SITES[0]], several, now)
    return [(delivery, whys.get(delivery.id, "")) for delivery, _, _ in rows]


def _over(session: Session, rule: Regulation, several: Sequence[Delivery], now: datetime) -> dict[str, str]:
    """At one cluster, beside what has sounded this week already and the live voices of these weeks."""
    if not rule.limits.any:
        return {}
    heard = session.execute(
        select(Delivery.start, Delivery.end).where(
            Delivery.cluster_id == several[0].cluster_id,
            Delivery.state.in_(COUNTS),
            Delivery.start <= now,
            Delivery.start > now - A_WEEK,
        )
    )
    here = several[0].cluster_id
    voices = spoken(session, [here], now - A_WEEK, several[-1].end + A_WEEK, now)
    there: list[Sound] = [*((row[0], row[1]) for row in heard), *voices.get(here, [])]
    more = [(each.start, each.end) for each in several]
    over = excesses(there, more, rule.limits, VIETNAM)
    return {several[each.place].id: f"limit_{each.kind}" for each in over}


def _misfits(session: Session, found: Sequence[tuple[Delivery, str]]) -> list[Misfit]:
    groups: dict[tuple[str, datetime, str], int] = defaultdict(int)
    for delivery, why in found:
        groups[delivery.broadcast_id, delivery.start, why] += 1
    rows = session.execute(
        select(Broadcast.id, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .where(Broadcast.id.in_({key[0] for key in groups}))
    )
    titles = {row[0]: row[1] for row in rows}
    told = [Misfit(name, titles[name], start, why, count) for (name, start, why), count in groups.items()]
    return sorted(told, key=lambda each: (each.start, each.title))


def _mine(session: Session, actor: Actor, station_id: str) -> Station:
    station = session.get(Station, station_id)
    if station is None or station.area_id not in actor.areas:
        raise Refused("station.unknown", name=station_id[:40])
    return station


def _plain(rules: Rules) -> dict[str, Any]:
    """As JSON keeps it."""
    told = asdict(rules)
    told["date"] = rules.date.isoformat() if rules.date else None
    return {name: [list(each) for each in value] if isinstance(value, tuple) else value for name, value in told.items()}


def _tuples(told: Sequence[Sequence[int]]) -> tuple[Any, ...]:
    return tuple(tuple(each) for each in told)
