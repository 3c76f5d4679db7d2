"""Clusters with their papers as one table: out, and in again after a look at what it would change. In as a whole or not
at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, LoaError, Refused
from controller.db.tables import Area, Assignment, Cluster, Hardware, HardwareClass, SheetImport, Station
from controller.services import audit, hardware, placing
from controller.services.context import Context
from controller.services.hardware import Papers
from controller.services.placing import Place
from controller.services.revisions import revision
from controller.services.rights import Actor, Right
from controller.services.sheet_files import Row, read

PLACE = ("name", "hamlet", "latitude", "longitude", "horns", "horn_watts", "site", "languages", "tags")
PAPERS = (
    *("vendor", "model", "serial", "supplier_code", "supplier", "contract", "purchased_on", "warranty_until"),
    *("funding", "purpose", "cost_vnd", "sim_operator", "sim_number", "sim_iccid", "sim_quota_mb", "notes"),
)
COLUMNS = ("id", "station", *PLACE, "unit", *PAPERS, "end")
"""`station`: the official code of its commune. `unit` is for reading: a unit is swapped at the pole. `end`: a dot in
each row, so that a file that was cut off is seen."""
NEEDED = ("id", "station", "name")
GOOD_FOR, MOST_WAITING = timedelta(days=1), 3


@dataclass(frozen=True)
class Change:
    """`fields`: [name, before, after]; of a new cluster before is empty."""

    row: int
    name: str
    cluster: str
    fields: list[list[str]]


@dataclass
class Outlook:
    """What taking the sheet in would do. `refused`: row and why; as long as there is one nothing is taken in."""

    added: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0
    refused: list[tuple[int, LoaError]] = field(default_factory=list)
    acts: list[tuple[int, str, Place, str, Papers | None, Papers]] = field(default_factory=list)
    """Row, cluster (of a new one its station), place, unit, papers before (none: a new one) and after."""

    @property
    def seen(self) -> str:
        told = [[each.row, each.cluster, each.fields] for each in (*self.added, *self.changed)]
        return revision(told, self.unchanged, [[row, error.key] for row, error in self.refused])


@dataclass(frozen=True)
class _There:
    cluster: Cluster
    station: Station
    code: str
    unit: str
    papers: Papers


def _look(session: Session, areas: frozenset[str]) -> dict[str, _There]:
    """By id, the clusters in use of these areas, in the order of their ids."""
    rows = session.execute(
        select(Cluster, Station, Area.code, Assignment.unit_id, Hardware, HardwareClass)
        .join(Station, Cluster.station_id == Station.id)
        .join(Area, Station.area_id == Area.id)
        .outerjoin(Assignment, (Assignment.cluster_id == Cluster.id) & Assignment.until.is_(None))
        .outerjoin(Hardware, Hardware.unit_id == Assignment.unit_id)
        .outerjoin(HardwareClass, HardwareClass.id == Hardware.class_id)
        .where(Station.area_id.in_(areas), Cluster.removed_at.is_(None))
        .order_by(Cluster.id)
    )
    return {row[0].id: _There(row[0], row[1], row[2], row[3] or "", hardware.papers_of(row[4], row[5])) for row in rows}


def table(ctx: Context, actor: Actor) -> list[list[str]]:
    """Rows in the order of COLUMNS, by cluster id. Raises Refused("no_right")."""
    actor = actor.need(Right.PLACES)
    with ctx.db.read() as session:
        found = _look(session, actor.areas)
    return [_row(each) for each in found.values()]


def _row(each: _There) -> list[str]:
    told = _said(asdict(placing.place_of(each.cluster))) | _said(asdict(each.papers))
    told |= {"id": each.cluster.id, "station": each.code, "unit": each.unit, "end": "."}
    return [told[name] for name in COLUMNS]


def _said(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        for name, value in values.items()
    }


def bring(ctx: Context, actor: Actor, data: bytes, name: str, labels: Mapping[str, str]) -> str:
    """Read the file and keep its rows until somebody says yes; the import's id. Nothing else is changed.

    Raises Refused: "no_right", and as `sheet_files.read`."""
    actor, now = actor.need(Right.PLACES), ctx.wall.now()
    rows = read(data, {**{each: each for each in COLUMNS}, **labels}, NEEDED)
    if not rows:
        raise Refused("sheet.empty")
    with ctx.db.write() as session:
        session.execute(delete(SheetImport).where(SheetImport.opened_at < now - GOOD_FOR))
        mine = session.scalars(
            select(SheetImport.id).where(SheetImport.user_id == actor.id).order_by(SheetImport.opened_at.desc())
        ).all()
        session.execute(delete(SheetImport).where(SheetImport.id.in_(mine[MOST_WAITING - 1 :])))
        kept = SheetImport(
            id=ctx.ids.new("im"), user_id=actor.id, name=name[:120], opened_at=now, rows=[list(row) for row in rows],
            seen=reckon(session, actor, rows, ctx.clock.now()).seen,
        )  # fmt: skip
        session.add(kept)
        session.flush()
        return kept.id


def look(ctx: Context, actor: Actor, name: str) -> Outlook:
    """What it would do now. What was shown before is forgotten: who says yes says it to this. Raises Refused:
    "no_right", "sheet.unknown"."""
    actor = actor.need(Right.PLACES)
    with ctx.db.write() as session:
        kept = _mine(ctx, session, actor, name)
        outlook = reckon(session, actor, _rows(kept), ctx.clock.now())
        kept.seen = outlook.seen
        return outlook


@audit.decided("inventory.import")
def take(ctx: Context, actor: Actor, name: str, seen: str | None = None) -> Outlook:
    """All of it, if it does what was shown. `seen`: of the outlook that this person had before him; without it, of the
    newest that was shown. Raises Refused: "no_right", "sheet.unknown", "sheet.refused" (rows),
    "sheet.nothing"; Conflict("sheet.changed")."""
    actor, now = actor.need(Right.PLACES), ctx.clock.now()
    with ctx.db.write() as session:
        kept = _mine(ctx, session, actor, name)
        outlook = reckon(session, actor, _rows(kept), now)
        if outlook.refused:
            raise Refused("sheet.refused", rows=len(outlook.refused))
        if outlook.seen != (kept.seen if seen is None else seen):
            raise Conflict("sheet.changed")
        if not outlook.added and not outlook.changed:
            raise Refused("sheet.nothing")
        _act(ctx, session, actor, outlook, now)
        told = {"file": kept.name, "added": len(outlook.added), "changed": len(outlook.changed)}
        audit.record(session, now, actor.name, "inventory.import", kept.id, told, actor.area)
        session.delete(kept)
    ctx.wake()
    return outlook


def _act(ctx: Context, session: Session, actor: Actor, outlook: Outlook, now: datetime) -> None:
    hardware.forget_names(session, [unit for _, _, _, unit, before, after in outlook.acts if before != after and unit])
    fields = {each.row: each.fields for each in (*outlook.added, *outlook.changed)}
    for row, cluster_id, place, unit, before, after in outlook.acts:
        if before is None:
            station = session.get_one(Station, cluster_id)
            cluster = placing.add(session, station, ctx.ids.new("cl"), place, now)
        else:
            cluster = session.get_one(Cluster, cluster_id)
            station = session.get_one(Station, cluster.station_id)
            placing.change(session, station, cluster, place, now)
            if unit:
                hardware.change(session, unit, before, after, now)
        told = {"changed": {name: [was, will] for name, was, will in fields[row]}}
        audit.record(session, now, actor.name, "cluster.import", cluster.id, told, station.area_id)


def _mine(ctx: Context, session: Session, actor: Actor, name: str) -> SheetImport:
    kept = session.get(SheetImport, name[:32])
    if kept is None or kept.user_id != actor.id or kept.opened_at < ctx.wall.now() - GOOD_FOR:
        raise Refused("sheet.unknown")
    return kept


def _rows(kept: SheetImport) -> list[Row]:
    return [(int(number), dict(told)) for number, told in kept.rows]


def reckon(session: Session, actor: Actor, rows: Sequence[Row], now: datetime) -> Outlook:
    """Nothing is changed."""
    there = _look(session, actor.areas)
    stations = {
        code: station
        for station, code in session.execute(
            select(Station, Area.code).join(Area, Station.area_id == Area.id).where(Station.area_id.in_(actor.areas))
        )
    }
    names = {(each.station.id, each.cluster.name.casefold()): each.cluster.id for each in there.values()}
    often = {name: Counter(told[name] for _, told in rows if told.get(name)) for name in ("id", "serial", "sim_iccid")}
    found, ours = Outlook(), {told.get("id", ""): told for _, told in rows}
    holders = _holders(session)
    for number, told in rows:
        try:
            for name, key in (
                ("id", "sheet.twice_id"),
                ("serial", "sheet.twice_serial"),
                ("sim_iccid", "sheet.twice_sim"),
            ):
                if often[name][told.get(name, "")] > 1:
                    raise Refused(key, value=told[name][:40])
            if told["id"]:
                _existing(found, number, told, there, names, holders, ours)
            else:
                _new(found, number, told, stations, names)
        except LoaError as error:
            found.refused.append((number, error))
    return found


def _existing(
    found: Outlook,
    number: int,
    told: Mapping[str, str],
    there: Mapping[str, _There],
    names: dict[tuple[str, str], str],
    holders: Mapping[tuple[str, str], str],
    ours: Mapping[str, Mapping[str, str]],
) -> None:
    each = there.get(told["id"])
    if each is None:
        raise Refused("sheet.no_cluster", value=told["id"][:40])
    if told["station"] != each.code:
        raise Refused("sheet.station_moved", value=told["station"][:40])
    if "unit" in told and told["unit"] != each.unit:
        raise Refused("sheet.unit", unit=each.unit or "-")
    was = placing.place_of(each.cluster)
    place = placing.checked(_place(told, was)) if any(name in told for name in PLACE) else was
    papers = hardware.checked(_papers(told, each.papers))
    if papers != each.papers and not each.unit:
        raise Refused("hardware.no_unit")
    for name, key in (("serial", "hardware.serial_taken"), ("sim_iccid", "hardware.iccid_taken")):
        value = getattr(papers, name)
        holder = holders.get((name, value)) if value else None
        if holder not in (None, each.unit) and not _gives_up(there, ours, str(holder), name, value):
            raise Conflict(key, value=value, unit=holder)
    taken = names.get((each.station.id, place.name.casefold()), each.cluster.id)
    if taken != each.cluster.id:
        raise Conflict("place.name_taken", cluster=place.name)
    names[each.station.id, place.name.casefold()] = each.cluster.id
    before, after = _told(was, each.papers), _told(place, papers)
    fields = [[name, before[name], after[name]] for name in after if before[name] != after[name]]
    if not fields:
        found.unchanged += 1
        return
    found.changed.append(Change(number, place.name, each.cluster.id, fields))
    found.acts.append((number, each.cluster.id, place, each.unit, each.papers, papers))


def _new(
    found: Outlook,
    number: int,
    told: Mapping[str, str],
    stations: Mapping[str, Station],
    names: dict[tuple[str, str], str],
) -> None:
    station = stations.get(told["station"])
    if station is None:
        raise Refused("sheet.no_station", value=told["station"][:40])
    place = placing.checked(_place(told, Place("")))
    if told.get("unit"):
        raise Refused("sheet.unit", unit="-")
    if _papers(told, hardware.NOTHING) != hardware.NOTHING:
        raise Refused("hardware.no_unit")
    if (station.id, place.name.casefold()) in names:
        raise Conflict("place.name_taken", cluster=place.name)
    names[station.id, place.name.casefold()] = ""
    fields = [[name, "", value] for name, value in _told(place, hardware.NOTHING).items() if value]
    found.added.append(Change(number, place.name, "", fields))
    found.acts.append((number, station.id, place, "", None, hardware.NOTHING))


def _told(place: Place, papers: Papers) -> dict[str, str]:
    return _said({name: getattr(place, name) for name in PLACE}) | _said(
        {name: getattr(papers, name) for name in PAPERS}
    )


def _holders(session: Session) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for row in session.execute(select(Hardware.unit_id, Hardware.serial, Hardware.sim_iccid)):
        found |= {("serial", row.serial or ""): row.unit_id, ("sim_iccid", row.sim_iccid or ""): row.unit_id}
    return found


def _gives_up(
    there: Mapping[str, _There], ours: Mapping[str, Mapping[str, str]], unit: str, name: str, value: str
) -> bool:
    """The sheet itself takes it out of that box: two boxes change with each other."""
    other = next((each for each in there.values() if each.unit == unit), None)
    told = ours.get(other.cluster.id) if other is not None else None
    return told is not None and name in told and told[name] != value


def _place(told: Mapping[str, str], was: Place) -> Place:
    values: dict[str, Any] = {name: told[name] for name in ("name", "hamlet", "site") if name in told}
    for name in ("latitude", "longitude"):
        if name in told:
            values[name] = _decimal(told[name])
    for name in ("horns", "horn_watts"):
        if told.get(name):
            values[name] = _whole(told[name], name)
    for name in ("languages", "tags"):
        if name in told:
            values[name] = tuple(each.strip() for each in told[name].split(",") if each.strip())
    if not values.get("site", "-"):
        del values["site"]
    if not values.get("languages", "-"):
        del values["languages"]
    return replace(was, **values)


def _papers(told: Mapping[str, str], was: Papers) -> Papers:
    values: dict[str, Any] = {name: told[name] for name in PAPERS if name in told}
    for name in ("purchased_on", "warranty_until"):
        if name in values:
            values[name] = _day(values[name], name)
    for name in ("cost_vnd", "sim_quota_mb"):
        if name in values:
            values[name] = _whole(values[name], name) if values[name] else None
    return replace(was, **values)


def _whole(told: str, name: str) -> int:
    said = told.replace(" ", "").replace("\N{NO-BREAK SPACE}", "")
    said = said.replace(".", "") if name == "cost_vnd" else said
    if not (said.isascii() and said.isdecimal() and len(said) <= 15):
        raise Refused("sheet.number", name=name, value=told[:40])
    return int(said)


def _decimal(told: str) -> float | None:
    if not told:
        return None
    try:
        return float(told.replace(",", "."))
    except ValueError:
        raise Refused("place.position") from None


def _day(told: str, name: str) -> date | None:
    """As ISO says it, or day/month/year."""
    if not told:
        return None
    try:
        if "/" in told:
            day, month, year = told.split("/")
            return date(int(year), int(month), int(day))
        return date.fromisoformat(told)
    except ValueError:
        raise Refused("sheet.day", name=name, value=told[:40]) from None
