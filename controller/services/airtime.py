"""What the stations' regulations and the neighbourhood say to a draft: refusals, a question, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.changes import Change, changes
from broadcasts.domain.delivery import OPEN
from broadcasts.domain.regulation import Regulation, Window
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Cluster, Delivery, Station
from controller.services.context import HORIZON
from controller.services.limiting import too_much
from controller.services.neighbours import Again, Overlap, overlaps, repeats
from controller.services.replaced import Span, others, replaced
from controller.services.stations import regulation
from controller.services.unusual import Unusual, covers, unusual


@dataclass(frozen=True)
class Airtime:
    """`problems` forbid, or ask (`unusual`); the rest is said and stops nobody."""

    problems: Sequence[LoaError] = ()
    unusual: Unusual | None = None
    again: Sequence[Again] = ()
    overlaps: Sequence[Overlap] = ()
    changes: Sequence[Change] = ()


NOTHING = Airtime()


def weigh(
    session: Session,
    clusters: Sequence[Cluster],
    sound: str,
    ahead: Sequence[datetime],
    extra: Sequence[datetime],
    lasts: Mapping[str, timedelta],
    now: datetime,
    *,
    editing: str | None,
    part: Span | None,
    confirmed: str,
) -> Airtime:
    """`sound`: a recording's SHA-256, or which station is relayed (`relaying.sound`); `lasts`: how long it sounds at
    each cluster; `ahead`: the starts within the horizon, `extra`: single ones beyond it; `confirmed`: what somebody
    said yes to (`Unusual.mark`). Problems are Refused "time.quiet", "limit.session", "limit.day", "limit.week",
    "time.unusual"."""
    times = [*ahead, *extra]
    ids = {cluster.station_id for cluster in clusters}
    stations = session.scalars(select(Station).where(Station.id.in_(ids)).order_by(Station.id)).all()
    rules = {station.id: regulation(station) for station in stations}
    duration = max(lasts.values(), default=timedelta(0))
    wrong = _outside_hours(stations, rules, times, _by_station(clusters, lasts))
    if not wrong:
        wrong += _over_limits(session, stations, rules, clusters, ahead, lasts, now, editing, part)
    strange = unusual(rules, clusters, times, duration) if times else None
    if strange is not None and not wrong and not covers(confirmed, strange.mark):
        wrong.append(Refused("time.unusual", at=strange.starts[0], clusters=len(strange.clusters)))
    return Airtime(
        problems=wrong,
        unusual=strange,
        again=repeats(session, sound, clusters, ahead, editing, part),
        overlaps=overlaps(session, sound, clusters, ahead, duration),
        changes=_changes(session, clusters, ahead, now, editing, part),
    )


def hours_told(windows: Sequence[Window]) -> str:
    """ "05:00-07:00, 16:30-21:00"."""
    return ", ".join(
        f"{each.start // 60:02}:{each.start % 60:02}-{each.end // 60:02}:{each.end % 60:02}" for each in windows
    )


def _by_station(clusters: Sequence[Cluster], lasts: Mapping[str, timedelta]) -> dict[str, timedelta]:
    """How long it sounds in the commune: its clusters may play different languages."""
    found: dict[str, timedelta] = {}
    for cluster in clusters:
        found[cluster.station_id] = max(lasts[cluster.id], found.get(cluster.station_id, timedelta(0)))
    return found


def _outside_hours(
    stations: Sequence[Station],
    rules: dict[str, Regulation],
    times: Sequence[datetime],
    lasts: Mapping[str, timedelta],
) -> list[LoaError]:
    """One refusal for each station whose regulation says no at any of the starts (R-032, R-051)."""
    refused: list[LoaError] = []
    for station in stations:
        rule = rules[station.id]
        bad = next((start for start in times if not rule.allows(start, lasts[station.id], VIETNAM)), None)
        if bad is not None:
            hours = hours_told(rule.hours_on(bad.astimezone(VIETNAM).date())) or "-"
            number = station.regulation_number
            refused.append(Refused("time.quiet", station=station.name, at=bad, hours=hours, number=number))
    return refused


def _over_limits(
    session: Session,
    stations: Sequence[Station],
    rules: dict[str, Regulation],
    clusters: Sequence[Cluster],
    ahead: Sequence[datetime],
    lasts: Mapping[str, timedelta],
    now: datetime,
    editing: str | None,
    part: Span | None,
) -> list[LoaError]:
    """The first excess of each station (R-052)."""
    sounds = {name: [(start, start + each) for start in ahead] for name, each in lasts.items()}
    limits = {cluster.id: rules[cluster.station_id].limits for cluster in clusters}
    over = too_much(session, limits, sounds, now, there=others(editing, part))
    home = {cluster.id: cluster.station_id for cluster in clusters}
    refused: list[LoaError] = []
    for station in stations:
        mine = [each for cluster, several in over.items() if home[cluster] == station.id for each in several]
        if mine:
            worst = min(mine, key=lambda each: each.at)
            told = {"at": worst.at, "total": worst.total, "limit": worst.limit, "number": station.regulation_number}
            refused.append(Refused(f"limit.{worst.kind}", station=station.name, **told))
    return refused


def _changes(
    session: Session,
    clusters: Sequence[Cluster],
    ahead: Sequence[datetime],
    now: datetime,
    editing: str | None,
    part: Span | None,
) -> list[Change]:
    """Within the horizon, against what is on the plans."""
    before: dict[str, set[datetime]] = {}
    if editing:
        rows = session.execute(
            select(Delivery.cluster_id, Delivery.begin).where(
                replaced(editing, part),
                Delivery.state.in_([str(state) for state in OPEN]),
                Delivery.begin >= now,
                Delivery.begin < now + HORIZON,
            )
        )
        for cluster, start in rows:
            before.setdefault(cluster, set()).add(start)
    return changes(before, {cluster.id: ahead for cluster in clusters}, VIETNAM)
