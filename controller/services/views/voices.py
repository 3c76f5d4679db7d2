"""Live voices as pages show them: who speaks where now, what waits, and what each pole heard of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from controller.db.tables import Area, Asset, Cluster, JournalEntry, LiveSession, Station, UnitStatus, User
from controller.services.live_rules import EMERGENCY, areas_of
from controller.services.live_titles import may_stop
from controller.services.rights import Actor, Right, all_mine
from controller.services.stations import units_of

LOOK_BACK = timedelta(days=90)
MOST = 200
GRACE = timedelta(seconds=30)
"""So long after the end a pole that has not said so may still be at its last word; then nobody knows."""
STATES = ("heard", "played", "silent", "sounding", "refused", "no_word", "away", "no_unit")
"""What is known of one pole, the best first."""


@dataclass(frozen=True)
class Line:
    """One session. `state`: as in the table, or "over" for a window that passed unused. `places`: communes by name."""

    row: LiveSession
    state: str
    speaker: str
    places: tuple[str, ...]
    mine: bool
    may_decide: bool
    may_stop: bool
    may_confirm: bool

    @property
    def emergency(self) -> bool:
        return self.row.priority == EMERGENCY


@dataclass(frozen=True)
class Pole:
    cluster: Cluster
    state: str
    from_: datetime | None = None
    played_ms: int = 0
    lost_ms: int = 0
    why: str = ""


@dataclass(frozen=True)
class Full:
    line: Line
    decided_by: str
    confirmed_by: str
    asset: Asset | None
    poles: tuple[Pole, ...]
    counts: Counter[str]
    after_s: float | None
    """From the begin until the first pole said that it sounds."""


def lines(session: Session, actor: Actor, now: datetime) -> list[Line]:
    """Of the actor's area: on air, then what waits, then the newest."""
    rows = session.scalars(
        select(LiveSession)
        .where(LiveSession.asked_at > now - LOOK_BACK)
        .order_by(LiveSession.asked_at.desc())
        .limit(5 * MOST)
    ).all()
    found = [line for row in rows if (line := _line(session, actor, row, now)) is not None]
    order = {"on_air": 0, "asked": 1, "approved": 1}
    return sorted(found, key=lambda line: order.get(line.state, 2))[:MOST]


def full(session: Session, actor: Actor, session_id: str, now: datetime) -> Full:
    """Raises Refused("not_yours")."""
    row = session.get(LiveSession, session_id)
    line = _line(session, actor, row, now) if row is not None else None
    if row is None or line is None:
        raise Refused("not_yours")
    poles, first = poles_of(session, row, now)
    names = {
        user.id: user.full_name
        for user in session.scalars(select(User).where(User.id.in_([row.decided_by_id, row.confirmed_by_id])))
    }
    return Full(
        line=line,
        decided_by=names.get(row.decided_by_id or "", ""),
        confirmed_by=names.get(row.confirmed_by_id or "", ""),
        asset=session.get(Asset, row.asset_sha256) if row.asset_sha256 else None,
        poles=poles,
        counts=Counter(pole.state for pole in poles),
        after_s=(first - row.begun_at).total_seconds() if first is not None and row.begun_at is not None else None,
    )


def waiting(session: Session, actor: Actor, now: datetime) -> int:
    """How many wait for the actor's word: to be approved, or to be confirmed afterwards."""
    if not actor.strong or not (actor.may(Right.APPROVE) or actor.may(Right.ALERT)):
        return 0
    asked = (LiveSession.state == "asked") & (LiveSession.hard_end > now)
    unconfirmed = (
        (LiveSession.priority == EMERGENCY)
        & LiveSession.begun_at.is_not(None)
        & LiveSession.confirmed_at.is_(None)
        & (LiveSession.asked_at > now - LOOK_BACK)
    )
    found = [_line(session, actor, row, now) for row in session.scalars(select(LiveSession).where(asked | unconfirmed))]
    return sum(line is not None and (line.may_decide or line.may_confirm) for line in found)


def _line(session: Session, actor: Actor, row: LiveSession, now: datetime) -> Line | None:
    areas = areas_of(session, row)
    mine = row.speaker_id == actor.id
    if not mine and not areas & actor.areas:
        return None
    state = "over" if row.state in ("asked", "approved") and row.hard_end <= now else row.state
    over = state in ("ended", "rejected", "over")
    held = actor.within(Right.APPROVE) | actor.within(Right.ALERT)
    return Line(
        row=row,
        state=state,
        speaker=session.get_one(User, row.speaker_id).full_name,
        places=tuple(session.scalars(select(Area.name).where(Area.id.in_(areas)).order_by(Area.name))),
        mine=mine,
        may_decide=state == "asked" and actor.may(Right.APPROVE) and _all(session, actor, row.clusters),
        may_stop=not over and may_stop(session, actor, row),
        may_confirm=row.priority == EMERGENCY
        and row.begun_at is not None
        and row.confirmed_at is None
        and not mine
        and bool(areas & held),
    )


def _all(session: Session, actor: Actor, clusters: Sequence[str]) -> bool:
    return all_mine(session, actor.only_in(actor.within(Right.APPROVE)), clusters)


def poles_of(session: Session, row: LiveSession, now: datetime) -> tuple[tuple[Pole, ...], datetime | None]:
    """What each of its poles heard, and when the first of them began."""
    clusters = session.scalars(
        select(Cluster)
        .join(Station, Cluster.station_id == Station.id)
        .where(Cluster.id.in_(row.clusters))
        .order_by(Station.name, Cluster.name)
    ).all()
    units = units_of(session, row.clusters, row.begun_at)
    over = row.ended_at is not None and now > row.ended_at + GRACE
    entries = session.scalars(
        select(JournalEntry)
        .where(JournalEntry.item == row.id, JournalEntry.unit_id.in_(units.values()))
        .order_by(JournalEntry.at)
    ).all()
    told: dict[str, list[JournalEntry]] = {}
    for entry in entries:
        told.setdefault(entry.unit_id, []).append(entry)
    wanted = select(UnitStatus.unit_id, UnitStatus.connected).where(UnitStatus.unit_id.in_(units.values()))
    online = {row.unit_id: row.connected for row in session.execute(wanted)}
    starts = [entry.at for entry in entries if entry.kind == "started"]
    found = []
    for cluster in clusters:
        unit = units.get(cluster.id)
        if unit is None:
            found.append(Pole(cluster, "no_unit"))
        elif unit in told:
            found.append(_heard(cluster, told[unit], over=over))
        else:
            found.append(Pole(cluster, "no_word" if online.get(unit) else "away"))
    return tuple(found), min(starts, default=None)


def _heard(cluster: Cluster, entries: Sequence[JournalEntry], *, over: bool) -> Pole:
    """It may have begun more than once: an emergency came between, or the power went."""
    ends = [entry for entry in entries if entry.kind == "ended"]
    starts = [entry for entry in entries if entry.kind == "started"]
    first = min((entry.at for entry in starts), default=None)
    played = sum(int(entry.entry.get("played_ms", 0)) for entry in ends)
    lost = sum(int((entry.entry.get("live_heard") or {}).get("lost_ms", 0)) for entry in ends)
    if len(starts) > len(ends):
        return Pole(cluster, "no_word" if over else "sounding", first, played, lost)
    if not ends:
        why = str(entries[-1].entry.get("reason", ""))
        return Pole(cluster, "refused", why=why)
    amplifiers = {str(entry.entry.get("amplifier")) for entry in ends}
    state = "heard" if "sound" in amplifiers else "silent" if "silent" in amplifiers else "played"
    return Pole(cluster, state, first, played, lost)
