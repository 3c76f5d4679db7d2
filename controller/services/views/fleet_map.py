"""The fleet's health on a map: each pole in one of five states, or each commune where there are too many poles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from broadcasts.domain.fault_life import OPEN
from broadcasts.domain.health import STALE
from broadcasts.errors import Refused
from controller.db.tables import Area, Assignment, Cluster, FaultCase, Station, UnitStatus
from controller.services.rights import Actor, Right
from controller.services.views import land
from controller.services.views.fleet import mute_clusters
from controller.services.views.land import Land

MOST_POLES = 1_500
"""Beyond, a mark is a commune: a page of ten thousand points would be megabytes, and its points would lie on each
other."""


class State(StrEnum):
    """The worst first."""

    AWAY = "away"
    """It was there once, and is not connected."""
    UNABLE = "unable"
    """Connected, and nobody can say that it could sound: it reports nothing, or a fault says no."""
    NEVER = "never"
    """No unit hangs there, or it never came."""
    FAULT = "fault"
    """It can sound, and something is wrong with it."""
    WELL = "well"


STATES = tuple(State)


@dataclass(frozen=True)
class Pole:
    id: str
    name: str
    area: str
    state: State
    spot: tuple[float, float] | None
    """Longitude and latitude; none where nobody has told."""


@dataclass(frozen=True)
class Mark:
    """One pole, or one commune with all of its poles that were asked for."""

    id: str
    name: str
    state: State
    """Of a commune the worst among its poles."""
    counts: Counter[State]
    x: float
    y: float

    @property
    def poles(self) -> int:
        return self.counts.total()


@dataclass(frozen=True)
class FleetMap:
    marks: Sequence[Mark]
    """The worst first, then by name."""
    by_commune: bool
    land: Land
    counts: Counter[State]
    """Of all poles of the area, whichever state is asked for."""
    unplaced: Sequence[Pole]
    areas: Sequence[tuple[str, str]]
    """Id and name of every commune that has poles, by name."""
    names: dict[str, str] = field(default_factory=dict)


def poles(session: Session, areas: frozenset[str], now: datetime) -> list[Pole]:
    """Every cluster in use of these areas: one statement, whatever their number."""
    mute = mute_clusters().subquery()
    troubled = (
        select(FaultCase.cluster_id)
        .where(FaultCase.cluster_id.is_not(None), FaultCase.state.in_([str(state) for state in OPEN]))
        .distinct()
        .subquery()
    )
    rows = session.execute(
        select(
            Cluster.id, Cluster.name, Station.area_id, Cluster.longitude, Cluster.latitude,
            UnitStatus.connected, UnitStatus.telemetry_at,
            mute.c.cluster_id.is_not(None), troubled.c.cluster_id.is_not(None),
        )
        .join(Station, Station.id == Cluster.station_id)
        .outerjoin(Assignment, and_(Assignment.cluster_id == Cluster.id, Assignment.until.is_(None)))
        .outerjoin(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
        .outerjoin(mute, mute.c.cluster_id == Cluster.id)
        .outerjoin(troubled, troubled.c.cluster_id == Cluster.id)
        .where(Station.area_id.in_(areas), Cluster.removed_at.is_(None))
    )  # fmt: skip
    found = []
    for name, said, area, longitude, latitude, connected, telemetry_at, is_mute, is_troubled in rows:
        state = _state(connected, telemetry_at, now, bool(is_mute), bool(is_troubled))
        spot = None if longitude is None or latitude is None else (longitude, latitude)
        found.append(Pole(name, said, area, state, spot))
    return found


def _state(connected: bool | None, telemetry_at: datetime | None, now: datetime, mute: bool, troubled: bool) -> State:
    if connected is None:
        return State.NEVER
    if not connected:
        return State.AWAY
    if mute or telemetry_at is None or telemetry_at <= now - STALE:
        return State.UNABLE
    return State.FAULT if troubled else State.WELL


def fleet_map(session: Session, actor: Actor, now: datetime, area: str = "", state: str = "") -> FleetMap:
    """`area`: one commune, or "" for all that one sees; `state`: one of `STATES`, or "" for all. Raises
    Refused("no_right", "area.unknown", "choice.unknown")."""
    actor = actor.need(Right.HEALTH)
    if area and area not in actor.areas:
        raise Refused("area.unknown", name=area[:40])
    if state and state not in STATES:
        raise Refused("choice.unknown", name="state", value=state[:20])
    here = poles(session, frozenset({area}) if area else actor.areas, now)
    asked = [pole for pole in here if not state or pole.state == state]
    own = select(Area.id, Area.name).join(Station, Station.area_id == Area.id).where(Area.id.in_(actor.areas))
    names = {row[0]: row[1] for row in session.execute(own.group_by(Area.id, Area.name).having(func.count() > 0))}
    placed = [pole for pole in asked if pole.spot is not None]
    by_commune = len(placed) > MOST_POLES
    drawn = land.around([pole.spot for pole in placed if pole.spot is not None])
    marks = _communes(placed, drawn, names) if by_commune else [_mark(pole, drawn) for pole in placed]
    order = {each: place for place, each in enumerate(STATES)}
    return FleetMap(
        marks=sorted(marks, key=lambda mark: (order[mark.state], mark.name, mark.id)),
        by_commune=by_commune,
        land=drawn,
        counts=Counter(pole.state for pole in here),
        unplaced=sorted((pole for pole in asked if pole.spot is None), key=lambda pole: (order[pole.state], pole.name)),
        areas=sorted(names.items(), key=lambda pair: pair[1]),
        names=names,
    )


def _mark(pole: Pole, drawn: Land) -> Mark:
    assert pole.spot is not None
    return Mark(pole.id, pole.name, pole.state, Counter([pole.state]), *drawn.at(*pole.spot))


def _communes(placed: Sequence[Pole], drawn: Land, names: dict[str, str]) -> list[Mark]:
    """In the middle of their poles."""
    groups: dict[str, list[Pole]] = {}
    for pole in placed:
        groups.setdefault(pole.area, []).append(pole)
    found = []
    for area, several in groups.items():
        spots = [pole.spot for pole in several if pole.spot is not None]
        middle = sum(x for x, _ in spots) / len(spots), sum(y for _, y in spots) / len(spots)
        counts = Counter(pole.state for pole in several)
        worst = next(each for each in STATES if counts[each])
        found.append(Mark(area, names.get(area, area), worst, counts, *drawn.at(*middle)))
    return found
