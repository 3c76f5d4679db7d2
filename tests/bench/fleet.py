"""The fleet of `compile`: communes with their clusters, units and daily broadcasts, written in bulk as approved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.ids import BroadcastId, ClusterId, delivery_id
from controller.db.engine import Database
from controller.db.tables import (
    Approval,
    Area,
    Asset,
    Assignment,
    Broadcast,
    Bulletin,
    Cluster,
    Delivery,
    Rendition,
    Station,
    Unit,
    UnitPlan,
    UnitStatus,
    User,
)
from controller.services.deliveries import expand, withdraw_open

DELIVERIES: Any = Delivery.__table__
PROVINCE = "p-94"
AUTHOR = "person"
LIST_DATE = date(2025, 3, 1)
HOURS = (5, 21)
"""Broadcasts are spread over these hours of the day."""
DAYS = 7
"""What plans reach (`services.context.HORIZON`)."""
WIDE = 10
"""One in so many comes from the province, for all clusters."""
LENGTH_MS, CHUNK, SIZE = 60_000, 65_536, 240_000


@dataclass(frozen=True)
class Commune:
    station: str
    clusters: Sequence[str]
    units: Sequence[str]
    broadcasts: Sequence[str]
    """Of its own, one after the other in the day."""


def fill(db: Database, clusters: int, per_commune: int, per_day: int, now: datetime) -> list[Commune]:
    """The deliveries of `DAYS` are there and every plan is marked; none is made yet."""
    wide = per_day // WIDE
    places = [_commune(n, per_commune, per_day - wide) for n in range(clusters // per_commune)]
    everywhere = [each for place in places for each in place.clusters]
    with db.write() as session:
        _people(session, now)
        _places(session, places, now)
        slots = list(_slots(per_day))
        rows: list[dict[str, Any]] = []
        for place in places:
            for name, at in zip(place.broadcasts, slots[wide:], strict=True):
                rows.append(_broadcast(name, place.station, place.clusters, at, now))
        rows += [_broadcast(f"b-wide-{n}", places[0].station, everywhere, slots[n], now) for n in range(wide)]
        _contents(session, rows, now)
        _in_parts(session, Broadcast, rows)
        _in_parts(session, Approval, [_approval(row["id"], now) for row in rows])
        unit = {cluster: unit for place in places for cluster, unit in zip(place.clusters, place.units, strict=True)}
        _plans(session, list(unit.values()), now)
    for start in range(0, len(rows), 100):
        with db.write() as session:
            for row in rows[start : start + 100]:
                session.connection().execute(insert(DELIVERIES), list(_deliveries(row, unit)))
    return places


def edit(db: Database, commune: Commune, number: int, now: datetime) -> str:
    """One of its daily broadcasts ends, and one a few minutes later comes in its place, as an approved edit of all that
    follows does; its id."""
    with db.write() as session:
        old = session.get_one(Broadcast, commune.broadcasts[number % len(commune.broadcasts)])
        old.status = "withdrawn"
        withdraw_open(session, old.id, now, "edited")
        later = (datetime.combine(old.first_day, old.at_time) + timedelta(minutes=5)).time()
        row = _broadcast(f"{old.id}-{number}", old.station_id, commune.clusters, later, now)
        changed = {"bulletin_id": old.bulletin_id, "replaces": old.id, "expanded_until": None}
        session.execute(insert(Broadcast), [row | changed])
        session.execute(insert(Approval), [_approval(row["id"], now)])
        expand(session, session.get_one(Broadcast, row["id"]), now)
    return str(row["id"])


def _commune(number: int, per_commune: int, broadcasts: int) -> Commune:
    code = f"{number:05}"
    return Commune(
        station=f"s-{code}",
        clusters=[f"cl-{code}-{n}" for n in range(per_commune)],
        units=[f"u-{code}-{n}" for n in range(per_commune)],
        broadcasts=[f"b-{code}-{n}" for n in range(broadcasts)],
    )


def _slots(per_day: int) -> Iterator[time]:
    first, last = (hour * 60 for hour in HOURS)
    for n in range(per_day):
        minute = first + n * (last - first) // per_day
        yield time(minute // 60, minute % 60)


def _people(session: Session, now: datetime) -> None:
    session.add(Area(id=PROVINCE, kind="province", name="Tỉnh", code="94", valid_from=LIST_DATE))
    session.flush()
    session.add(User(id=AUTHOR, name=AUTHOR, full_name=AUTHOR, area_id=PROVINCE, password_hash="", created_at=now))
    session.flush()


def _places(session: Session, places: Sequence[Commune], now: datetime) -> None:
    codes = [place.station.removeprefix("s-") for place in places]
    area = {"parent_id": PROVINCE, "kind": "commune", "valid_from": LIST_DATE}
    _in_parts(session, Area, [area | {"id": f"c-{code}", "name": f"Xã {code}", "code": code} for code in codes])
    hours, ceilings = [[each * 60 for each in HOURS]], [[HOURS[0] * 60, 360, 50], [360, HOURS[1] * 60, 80]]
    station = {"hours": hours, "ceilings": ceilings, "rules": {}, "regulation_number": "01/QC", "volume": 70}
    _in_parts(
        session,
        Station,
        [
            station | {"id": f"s-{code}", "area_id": f"c-{code}", "scope": f"c-{code}", "name": f"Đài {code}"}
            for code in codes
        ],
    )
    pairs = [(place.station, *pair) for place in places for pair in zip(place.clusters, place.units, strict=True)]
    _in_parts(
        session,
        Cluster,
        [{"id": cluster, "station_id": station, "name": cluster, "added_at": now} for station, cluster, _ in pairs],
    )
    _in_parts(
        session,
        Unit,
        [{"id": unit, "key_x": "", "secret_hashes": {}, "enrolled_at": now} for _, _, unit in pairs],
    )
    _in_parts(
        session, Assignment, [{"unit_id": unit, "cluster_id": cluster, "since": now} for _, cluster, unit in pairs]
    )
    _in_parts(session, UnitStatus, [{"unit_id": unit, "connected": True, "last_sign": now} for _, _, unit in pairs])


def _contents(session: Session, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """A bulletin with a recording of its own for each broadcast."""
    own = {row["id"]: _sha256(row["id"]) for row in rows}
    asset = {"size": SIZE, "codec": "opus", "duration_ms": LENGTH_MS, "chunk_size": CHUNK, "created_at": now}
    chunks = ["A" * 22] * -(-SIZE // CHUNK)
    _in_parts(session, Asset, [asset | {"sha256": sha256, "chunks": chunks} for sha256 in own.values()])
    _in_parts(
        session,
        Bulletin,
        [
            {
                "id": row["bulletin_id"],
                "station_id": row["station_id"],
                "title": row["id"],
                "field": 1,
                "author_id": AUTHOR,
                "created_at": now,
            }
            for row in rows
        ],
    )
    _in_parts(
        session,
        Rendition,
        [{"bulletin_id": row["bulletin_id"], "language": "vi", "asset_sha256": own[row["id"]]} for row in rows],
    )


def _broadcast(name: str, station: str, clusters: Sequence[str], at: time, now: datetime) -> dict[str, Any]:
    day = now.astimezone(VIETNAM).date()
    return {
        "id": name,
        "bulletin_id": f"n-{name}",
        "station_id": station,
        "author_id": AUTHOR,
        "status": "approved",
        "priority": 3,
        "target_areas": [],
        "target_clusters": [],
        "clusters": list(clusters),
        "repeat": "daily",
        "first_day": day,
        "at_time": at,
        "created_at": now,
        "changed_at": now,
        "expanded_until": now + timedelta(days=DAYS + 1),
    }


def _approval(broadcast: str, now: datetime) -> dict[str, Any]:
    told = {"revision": 1, "approved": True, "by_id": AUTHOR, "at": now, "content_sha256": ""}
    return told | {"broadcast_id": broadcast}


def _deliveries(row: dict[str, Any], unit: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Of one broadcast, as `expand` makes them and a first plan said them."""
    asset, length = _sha256(row["id"]), timedelta(milliseconds=LENGTH_MS)
    told = {"broadcast_id": row["id"], "revision": 1, "asset_sha256": asset, "language": "vi", "volume": 70, "rank": 0}
    told |= {"priority": row["priority"], "on_preempt": "resume", "late": "drop", "state": "published", "coverage": 0.0}
    for day in range(DAYS):
        start = datetime.combine(row["first_day"] + timedelta(days=day), row["at_time"], tzinfo=VIETNAM).astimezone(UTC)
        times = {"start": start, "end": start + length, "not_after": start + length}
        for cluster in row["clusters"]:
            name = delivery_id(BroadcastId(row["id"]), 1, unix_ms(start), ClusterId(cluster))
            yield {**told, **times, "id": name, "cluster_id": cluster, "unit_id": unit[cluster]}


def _plans(session: Session, units: Sequence[str], now: datetime) -> None:
    """Nothing is in them yet, and everybody waits for the compiler."""
    plan = {"version": 1, "body_sha256": "", "document_sha256": "", "document": b"", "compiled_at": now}
    plan |= {"horizon_end": now, "due_again": now, "published_at": now, "dirty_since": now}
    _in_parts(session, UnitPlan, [plan | {"unit_id": unit} for unit in units])


def _sha256(broadcast: str) -> str:
    """Of the recording that it alone plays."""
    return hashlib.sha256(broadcast.encode()).hexdigest()


def _in_parts(session: Session, table: Any, rows: Sequence[dict[str, Any]], size: int = 5_000) -> None:
    for start in range(0, len(rows), size):
        session.execute(insert(table), rows[start : start + size])
