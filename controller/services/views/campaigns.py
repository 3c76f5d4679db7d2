"""How far a series is fulfilled, hamlet by hamlet, with each gap and its cause; and what a quarter made public."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain.campaign import WHOLE, Fulfilment, Outcome, Play, Rule, Status, check, worst
from broadcasts.domain.recurrence import starts
from broadcasts.domain.statutes import TEMPLATES, Kind, Template
from broadcasts.domain.verdict import Verdict
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Campaign, Cluster, Delivery, Station
from controller.services.campaigns import broadcasts_of, last_day_for, mine
from controller.services.relaying import name_of
from controller.services.rights import Actor, below
from controller.services.schedules import schedule_of
from controller.services.views.occurrences import GOOD, OURS

FAR = timedelta(days=70)
"""No series is longer (`domain.series`)."""


@dataclass(frozen=True)
class Place:
    """One cluster: what sounded there and what did not. `playings` are its deliveries in order of start."""

    cluster: Cluster
    found: Fulfilment
    playings: Sequence[Delivery]
    sounded: Sequence[datetime] = ()
    """The starts that sounded there whole."""
    after_end: Sequence[Delivery] = ()
    """What began although the series had been ended: the word had not arrived there."""


@dataclass(frozen=True)
class Hamlet:
    """As its clusters were told to it when the series was handed in."""

    name: str
    station: str
    places: Sequence[Place]

    @property
    def status(self) -> Status:
        return worst(place.found for place in self.places)


@dataclass(frozen=True)
class Report:
    campaign: Campaign
    template: Template
    rule: Rule
    station: str
    broadcasts: Sequence[Broadcast]
    hamlets: Sequence[Hamlet]

    @property
    def status(self) -> Status:
        """Of the whole: that of its worst hamlet."""
        return min((hamlet.status for hamlet in self.hamlets), default=Status.NOT_FULFILLED)

    @property
    def sounded(self) -> list[datetime]:
        """The starts that sounded whole somewhere, in order."""
        found = {start for hamlet in self.hamlets for place in hamlet.places for start in place.sounded}
        return sorted(found)


@dataclass(frozen=True)
class Published:
    """One line of the quarterly list (R-039)."""

    report: Report
    times: int
    """Starts of this quarter that sounded."""
    first: datetime
    last: datetime
    relayed: Sequence[str]
    """Names of the stations that were relayed in it (R-024)."""


def campaigns(session: Session, actor: Actor) -> list[tuple[Campaign, str]]:
    """Those of the actor's area with the name of their station, the newest first."""
    rows = session.execute(
        select(Campaign, Station.name)
        .join(Station, Campaign.station_id == Station.id)
        .where(Station.area_id.in_(actor.areas))
        .order_by(Campaign.created_at.desc(), Campaign.id)
    )
    return [(campaign, station) for campaign, station in rows]


def report(session: Session, actor: Actor, campaign_id: str, now: datetime) -> Report:
    """Computed anew each time: evidence still comes in. Raises Refused("not_yours")."""
    return _report(session, actor, mine(session, actor, campaign_id), now)


def published(
    session: Session, actor: Actor, year: int, quarter: int, now: datetime, area: str = ""
) -> list[Published]:
    """What was made public in this quarter (1 to 4) by loudspeaker, in order of the first time; `area`: at the clusters
    of this one alone, which may be one that was merged since (R-011). Raises Refused("area.unknown")."""
    reporter = actor.only_in(below(session, area)) if area else actor
    if not reporter.grants:
        raise Refused("area.unknown", name=area[:40])
    since = datetime(year, 3 * quarter - 2, 1, tzinfo=VIETNAM)
    until = datetime(year + quarter // 4, 3 * quarter % 12 + 1, 1, tzinfo=VIETNAM)
    planned = set(
        session.scalars(
            select(Broadcast.campaign_id)
            .join(Delivery, Delivery.broadcast_id == Broadcast.id)
            .where(Broadcast.campaign_id.is_not(None), Delivery.begin >= since, Delivery.begin < until)
            .distinct()
        )
    )
    found = []
    for campaign, _ in campaigns(session, actor):
        if TEMPLATES[campaign.template].is_warning or campaign.id not in planned:
            continue
        one = _report(session, reporter, campaign, now)
        there = [each for each in one.sounded if since <= each < until]
        if there:
            found.append(Published(one, len(there), there[0], there[-1], _relayed(session, campaign)))
    return sorted(found, key=lambda line: (line.first, line.report.campaign.id))


def _relayed(session: Session, campaign: Campaign) -> list[str]:
    names = (name_of(session, each) for each in broadcasts_of(session, campaign.id))
    return sorted({name for name in names if name})


def _report(session: Session, actor: Actor, campaign: Campaign, now: datetime) -> Report:
    template = TEMPLATES[campaign.template]
    made = broadcasts_of(session, campaign.id)
    planned = {each.id: frozenset(_planned(each)) for each in made}
    due = sorted(
        {
            start
            for each in made
            if each.status in ("submitted", "approved", "withdrawn")
            for start in planned[each.id]
            if campaign.ended_at is None or start < campaign.ended_at
        }
    )
    rule = _rule(campaign, template, due)
    played: dict[str, list[Delivery]] = defaultdict(list)
    ids = [each.id for each in made]
    for row in session.scalars(select(Delivery).where(Delivery.broadcast_id.in_(ids)).order_by(Delivery.start)):
        played[row.cluster_id].append(row)
    rows = session.execute(
        select(Cluster, Station.name)
        .join(Station, Cluster.station_id == Station.id)
        .where(Cluster.id.in_(campaign.clusters), Station.area_id.in_(actor.areas))
        .order_by(Station.name, Cluster.id)
    ).all()
    told: dict[str, str] = campaign.numbers.get("hamlets", {})
    by_hamlet: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for cluster, station in sorted(rows, key=lambda row: (row[1], told.get(row[0].id, row[0].hamlet))):
        plays = list(_plays(campaign, made, planned, played[cluster.id], now))
        found = check(rule, plays, now, VIETNAM)
        sounded = [play.at for play in plays if play.outcome is Outcome.SOUNDED]
        late = _after_end(campaign, played[cluster.id])
        by_hamlet[(station, told.get(cluster.id, cluster.hamlet))].append(
            Place(cluster, found, played[cluster.id], sounded, late)
        )
    return Report(
        campaign=campaign,
        template=template,
        rule=rule,
        station=session.get_one(Station, campaign.station_id).name,
        broadcasts=made,
        hamlets=[Hamlet(name, station, places) for (station, name), places in by_hamlet.items()],
    )


def _rule(campaign: Campaign, template: Template, due: Sequence[datetime]) -> Rule:
    latest_first = None
    if template.within_hours is not None and campaign.issued_at is not None:
        latest_first = campaign.issued_at + timedelta(hours=template.within_hours)
    return Rule(
        template.kind,
        days=int(campaign.numbers.get("days", template.days)),
        times=template.times,
        latest_first=latest_first,
        latest_day=last_day_for(template, campaign.event_on) if campaign.event_on is not None else None,
        due=tuple(due) if template.kind is Kind.REPEATS else (),
    )


def _planned(broadcast: Broadcast) -> Iterator[datetime]:
    first = datetime.combine(broadcast.first_day, time(0), tzinfo=VIETNAM)
    return starts(schedule_of(broadcast), first, first + FAR, VIETNAM)


def _plays(
    campaign: Campaign,
    made: Sequence[Broadcast],
    planned: Mapping[str, frozenset[datetime]],
    rows: Sequence[Delivery],
    now: datetime,
) -> Iterator[Play]:
    """At one cluster. What was taken off the air on purpose is no gap; what nobody approved in time is one."""
    newest = {each.id: each.revision for each in made}
    told = set()
    for parts in _occurrences(rows):
        first = parts[0]
        outcome, speaks = _of_all(parts)
        if outcome is not None or first.revision == newest[first.broadcast_id]:
            told.add((first.broadcast_id, first.begin))
        ended = campaign.ended_at is not None and first.begin >= campaign.ended_at
        if outcome is Outcome.SOUNDED or (outcome is not None and not ended):
            yield Play(first.begin, outcome, _cause(speaks, outcome), speaks.silent_since)
    for broadcast in made:
        for start in planned[broadcast.id]:
            ended = campaign.ended_at is not None and start >= campaign.ended_at
            if (broadcast.id, start) in told or ended:
                continue
            if start <= now and start > broadcast.created_at:
                yield Play(start, Outcome.MISSED, "not_approved")
            elif start > now and broadcast.status in ("submitted", "approved"):
                yield Play(start, Outcome.OPEN)


def _occurrences(rows: Sequence[Delivery]) -> Iterable[list[Delivery]]:
    """Languages and parts of a programme are one playing together."""
    found: dict[tuple[str, int, datetime], list[Delivery]] = {}
    for row in rows:
        found.setdefault((row.broadcast_id, row.revision, row.begin), []).append(row)
    return found.values()


def _of_all(parts: Sequence[Delivery]) -> tuple[Outcome | None, Delivery]:
    """The outcome of one playing, and the part that speaks for it: the worst."""
    found = [(_outcome(part), part) for part in parts]
    for outcome in (Outcome.MISSED, Outcome.OPEN, None):
        for one, part in found:
            if one is outcome:
                return outcome, part
    return Outcome.SOUNDED, parts[0]


def _after_end(campaign: Campaign, rows: Sequence[Delivery]) -> list[Delivery]:
    end = campaign.ended_at
    return [row for row in rows if end is not None and row.start >= end and row.started_at is not None]


def _outcome(row: Delivery) -> Outcome | None:
    """None: taken off the air on purpose, so that nothing was to sound."""
    if row.verdict in GOOD:
        return Outcome.SOUNDED if row.coverage >= WHOLE else Outcome.MISSED
    if row.state == "withdrawn" and (row.verdict is None or row.reason in OURS):
        return None
    if row.verdict is None or row.verdict == Verdict.UNKNOWN:
        return Outcome.OPEN
    return None if row.reason in OURS else Outcome.MISSED


def _cause(row: Delivery, outcome: Outcome) -> str:
    if outcome is Outcome.SOUNDED or row.verdict is None:
        return ""
    if row.verdict in GOOD:
        return row.reason or "partial"
    return row.reason or str(row.verdict)


def quarter_of(day: date) -> tuple[int, int]:
    return day.year, (day.month + 2) // 3
