"""Keeps the past of each cluster in one row a day: each quarter of an hour, link and power; each quarter, what came of
today's deliveries; each night, of those days whose verdicts may still have changed. Missing a run leaves a gap that
says "nobody knows"; running twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM
from broadcasts.domain import day_strip
from broadcasts.domain.day_strip import EMPTY, QUARTER
from broadcasts.domain.health import STALE
from broadcasts.domain.verdict import Verdict
from controller.db.tables import Assignment, Cluster, ClusterDay, Delivery, UnitStatus
from controller.services import objective
from controller.services.context import Context

AT_ONCE = 1_000
"""Clusters in one transaction."""
LATE_VERDICTS = 8
"""Days back for which the count of deliveries is made anew each night: as long as a unit goes by its plan, and one."""
AFTER = timedelta(seconds=20)
"""So long after the quarter, that what was said at its end is here."""
_TABLE = ClusterDay.__table__
_NOW = (
    select(
        Assignment.cluster_id, Assignment.unit_id, UnitStatus.connected, UnitStatus.presence_at,
        UnitStatus.telemetry, UnitStatus.telemetry_at,
    )
    .join(Cluster, Cluster.id == Assignment.cluster_id)
    .join(UnitStatus, UnitStatus.unit_id == Assignment.unit_id)
    .where(Assignment.until.is_(None), Cluster.removed_at.is_(None))
    .order_by(Assignment.cluster_id)
)  # fmt: skip


def local_day(at: datetime) -> date:
    return at.astimezone(VIETNAM).date()


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), VIETNAM)


class Keeper:
    """One for the life of the process. `listening`: whether units can be heard at this moment."""

    def __init__(self, ctx: Context, listening: Callable[[], bool]) -> None:
        self._ctx, self._listening = ctx, listening
        self._since: datetime | None = None
        self._kept: datetime | None = None
        self._night: date | None = None

    def step(self, now: datetime) -> datetime:
        if not self._listening():
            self._since = None
        elif self._since is None:
            self._since = now
        quarter = day_strip.quarter_of((now - AFTER).astimezone(VIETNAM))
        if self._kept != quarter:
            begin = quarter - QUARTER
            if self._kept == begin and self._since is not None and self._since <= begin:
                self._keep(begin, now)
            today = local_day(now)
            self._tally([today] if self._night == today else [today - timedelta(days=n) for n in range(LATE_VERDICTS)])
            if self._night != today:
                with self._ctx.db.write() as session:
                    session.execute(delete(ClusterDay).where(ClusterDay.day < today - self._ctx.history_keep))
                self._night = today
            self._kept = quarter
        return min(quarter + QUARTER + AFTER, now + timedelta(minutes=5))

    def _keep(self, begin: datetime, now: datetime) -> None:
        day = local_day(begin)
        with self._ctx.db.read() as session:
            told = session.execute(_NOW).all()
        for first in range(0, len(told), AT_ONCE):
            some = told[first : first + AT_ONCE]
            with self._ctx.db.write() as session:
                rows = _rows(session, [each.cluster_id for each in some], day)
                _write(session, rows, [_marked(each, rows.get(each.cluster_id, {}), begin, now) for each in some])

    def _tally(self, days: Sequence[date]) -> None:
        now = self._ctx.clock.now()
        for day in days:
            with self._ctx.db.read() as session:
                counted = counts(session, day, now)
            names = sorted(counted)
            for first in range(0, len(names), AT_ONCE):
                some = names[first : first + AT_ONCE]
                with self._ctx.db.write() as session:
                    here = {row["cluster_id"]: row for row in _stored(session, some, [day])}
                    fresh = [{"cluster_id": name, "day": day, **counted[name]} for name in some]
                    _write(session, here, [row for row in fresh if _differs(here.get(row["cluster_id"]), row)])


def counts(session: Session, day: date, now: datetime) -> dict[str, dict[str, int]]:
    """By cluster, of the deliveries that began on that day: due, sounded, heard."""
    begin = midnight(day)
    end = begin + timedelta(days=1)
    well = Delivery.verdict.in_([str(Verdict.HEARD), str(Verdict.PLAYED)])
    rows = session.execute(
        select(
            Delivery.cluster_id,
            func.sum(case((well, 1), else_=0)),
            func.sum(case((objective.unsounded(now), 1), else_=0)),
            func.sum(case((Delivery.verdict == str(Verdict.HEARD), 1), else_=0)),
        )
        .where(
            Delivery.verdict.in_([str(each) for each in Verdict]),
            Delivery.end > begin, Delivery.end <= end + objective.LONGEST,
            Delivery.start >= begin, Delivery.start < end, objective.counted(),
        )
        .group_by(Delivery.cluster_id)
    )  # fmt: skip
    return {name: {"due": int(yes + no), "sounded": int(yes), "heard": int(heard)} for name, yes, no, heard in rows}


def _stored(session: Session, clusters: Sequence[str], days: Sequence[date]) -> list[dict[str, Any]]:
    query = select(_TABLE).where(_TABLE.c.cluster_id.in_(clusters), _TABLE.c.day.in_(days)).order_by(_TABLE.c.day)
    return [dict(row) for row in session.execute(query).mappings()]


def _rows(session: Session, clusters: Sequence[str], day: date) -> dict[str, dict[str, Any]]:
    """Of that day, or where there is none yet, the counter of the day before to go on from."""
    found: dict[str, dict[str, Any]] = {}
    for row in _stored(session, clusters, [day - timedelta(days=1), day]):
        found[row["cluster_id"]] = row if row["day"] == day else {"before": row}
    return found


def _marked(told: Any, had: Mapping[str, Any], begin: datetime, now: datetime) -> dict[str, Any]:
    place = day_strip.place_of(begin.astimezone(VIETNAM))
    link = day_strip.link(told.connected, told.presence_at, begin)
    said = told.telemetry or {}
    power = day_strip.power(told.connected, said.get("power"), told.telemetry_at, now, STALE)
    row: dict[str, Any] = {"cluster_id": told.cluster_id, "day": local_day(begin), "unit_id": told.unit_id}
    strip = had.get("link", EMPTY)
    known, there = day_strip.halves(link)
    if strip[place] != day_strip.Mark.NOBODY_KNOWS:
        known = there = 0  # this quarter was kept before
    row["link"] = day_strip.put(strip, place, link)
    row["power"] = day_strip.put(had.get("power", EMPTY), place, power)
    row["link_known"] = had.get("link_known", 0) + known
    row["link_there"] = had.get("link_there", 0) + there
    before = had.get("before", had)
    now_mb = said.get("data_mb")
    row["data_mb"] = had.get("data_mb") if now_mb is None else int(now_mb)
    row["data_used_mb"] = had.get("data_used_mb", 0) + _grown(before, told.unit_id, now_mb)
    return row


def _grown(before: Mapping[str, Any], unit: str, now_mb: Any) -> int:
    """A counter that is lower than it was began anew: a new month."""
    was = before.get("data_mb")
    if now_mb is None or was is None or before.get("unit_id") != unit:
        return 0
    return int(now_mb) - was if now_mb >= was else int(now_mb)


def _differs(had: Mapping[str, Any] | None, row: Mapping[str, Any]) -> bool:
    return had is None or any(had[name] != value for name, value in row.items())


def _write(session: Session, here: Mapping[str, Mapping[str, Any]], rows: Sequence[dict[str, Any]]) -> None:
    """All rows name the same columns."""
    there = [row for row in rows if "day" in here.get(row["cluster_id"], {})]
    new = [row for row in rows if "day" not in here.get(row["cluster_id"], {})]
    if there:
        session.execute(update(ClusterDay), there)
    if new:
        whole = {"link": EMPTY, "power": EMPTY, "link_known": 0, "link_there": 0, "data_used_mb": 0}
        whole |= {"due": 0, "sounded": 0, "heard": 0}
        session.execute(insert(ClusterDay), [whole | row for row in new])
