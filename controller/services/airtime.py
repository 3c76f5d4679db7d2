"""What the stations' regulations and the neighbourhood say to a draft: refusals, a question, and notes."""

from __future__ import annotations

from collections.abc import Sequence
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
from controller.services.stations import regulation
from controller.services.unusual import Unusual, covers, unusual

Part = tuple[datetime, datetime]
"""Which starts of a series an edit replaces: from, to (not included)."""


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
    asset: str,
    ahead: Sequence[datetime],
    extra: Sequence[datetime],
    duration: timedelta,
    now: datetime,
    *,
    editing: str | None,
    part: Part | None,
    confirmed: str,
) -> Airtime:
    """`ahead`: the starts within the horizon, `extra`: single ones beyond it; `confirmed`: what somebody said yes to
    (`Unusual.mark`). Problems are Refused "time.quiet", "limit.session", "limit.day", "limit.week", "time.unusual"."""
    times = [*ahead, *extra]
    ids = {cluster.station_id for cluster in clusters}
    stations = session.scalars(select(Station).where(Station.id.in_(ids)).order_by(Station.id)).all()
    rules = {station.id: regulation(station) for station in stations}
    wrong = _outside_hours(stations, rules, times, duration)
    if not wrong:
        wrong += _over_limits(session, stations, rules, clusters, ahead, duration, editing)
    strange = unusual(rules, clusters, times, duration) if times else None
    if strange is not None and not wrong and not covers(confirmed, strange.mark):
        wrong.append(Refused("time.unusual", at=strange.starts[0], clusters=len(strange.clusters)))
    return Airtime(
        problems=wrong,
        unusual=strange,
        again=repeats(session, asset, clusters, ahead, editing),
        overlaps=overlaps(session, asset, clusters, ahead, duration),
        changes=_changes(session, clusters, ahead, now, editing, part),
    )


def hours_told(windows: Sequence[Window]) -> str:
    """ "05:00-07:00, 16:30-21:00"."""
    return ", ".join(
        f"{each.start // 60:02}:{each.start % 60:02}-{each.end // 60:02}:{each.end % 60:02}" for each in windows
    )


def _outside_hours(
    stations: Sequence[Station], rules: dict[str, Regulation], times: Sequence[datetime], duration: timedelta
) -> list[LoaError]:
    """One refusal for each station whose regulation says no at any of the starts (R-032, R-051)."""
    refused: list[LoaError] = []
    for station in stations:
        rule = rules[station.id]
        bad = next((start for start in times if not rule.allows(start, duration, VIETNAM)), None)
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
    duration: timedelta,
    editing: str | None,
) -> list[LoaError]:
    """The first excess of each station (R-052)."""
    sounds = [(start, start + duration) for start in ahead]
    limits = {cluster.id: rules[cluster.station_id].limits for cluster in clusters}
    over = too_much(session, limits, {cluster.id: sounds for cluster in clusters}, editing or "")
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
    part: Part | None,
) -> list[Change]:
    """Within the horizon, against what is on the plans."""
    before: dict[str, set[datetime]] = {}
    if editing:
        since, until = part or (now, now + HORIZON)
        rows = session.execute(
            select(Delivery.cluster_id, Delivery.start).where(
                Delivery.broadcast_id == editing,
                Delivery.state.in_([str(state) for state in OPEN]),
                Delivery.start >= max(since, now),
                Delivery.start < min(until, now + HORIZON),
            )
        )
        for cluster, start in rows:
            before.setdefault(cluster, set()).add(start)
    return changes(before, {cluster.id: ahead for cluster in clusters}, VIETNAM)
