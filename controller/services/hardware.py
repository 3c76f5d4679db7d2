"""The papers of the boxes: what they are, who sold them, with whose money, how long they are under warranty, and the
card inside (R-003, R-074, R-129, R-140 to R-142)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.domain.power import LEAST_W, MOST_W
from broadcasts.errors import Conflict, Refused
from controller.db.tables import Assignment, Cluster, Hardware, HardwareClass, Station
from controller.services import audit
from controller.services.context import Context
from controller.services.revisions import revision
from controller.services.rights import Actor, Right
from controller.services.swapping import serving, there

KINDS = ("cluster", "management", "loudspeaker", "microphone", "other")
"""The hardware classes of Art. 4(1)."""
POWERS = ("", "mains", "mains_dc", "solar")
"""How it is fed; R-071 asks for mains with a terminal for DC."""
FUNDS = ("", "central", "province", "commune", "sponsor", "other")
PURPOSES = ("", "new_station", "upgrade", "replacement")
"""R-141: central money has another limit for a new station than for an upgrade."""
LIMITS_VND = {"new_station": 300_000_000, "upgrade": 210_000_000}
"""Of central money for one station (Circular 55/2023, Art. 76(4))."""
LENGTHS = {"supplier_code": 40, "supplier": 120, "contract": 80, "sim_operator": 40, "notes": 500}
LONGEST_SERIAL, MOST_VND, MOST_QUOTA_MB = 60, 10**12, 10_000_000
YEARS = range(1990, 2101)
_NUMBER = re.compile(r"\+?[0-9]{6,15}\Z")
_ICCID = re.compile(r"[0-9]{18,22}\Z")


@dataclass(frozen=True)
class Papers:
    """Of one unit. `vendor` and `model` name its class, both or neither; an empty text is nothing known."""

    vendor: str = ""
    model: str = ""
    serial: str = ""
    supplier_code: str = ""
    supplier: str = ""
    contract: str = ""
    purchased_on: date | None = None
    warranty_until: date | None = None
    funding: str = ""
    purpose: str = ""
    cost_vnd: int | None = None
    sim_operator: str = ""
    sim_number: str = ""
    sim_iccid: str = ""
    sim_quota_mb: int | None = None
    notes: str = ""


NOTHING = Papers()
OWN = tuple(each.name for each in fields(Papers) if each.name not in ("vendor", "model", "serial", "sim_iccid"))
"""Columns of the row that say the same as the field."""


def papers_of(row: Hardware | None, kind: HardwareClass | None) -> Papers:
    if row is None:
        return NOTHING
    told: dict[str, Any] = {name: getattr(row, name) for name in OWN}
    told |= {"vendor": kind.vendor, "model": kind.model} if kind is not None else {}
    return Papers(serial=row.serial or "", sim_iccid=row.sim_iccid or "", **told)


def revision_of(unit: str, papers: Papers) -> str:
    """Of this unit: what was typed for the box before is not written into the next one."""
    return revision(unit, *(str(value) for value in asdict(papers).values()))


def checked(told: Papers) -> Papers:
    """As it is kept. Raises Refused: "hardware.text" (name, most), "hardware.class", "hardware.day", "hardware.money",
    "hardware.sim", "hardware.quota", "choice.unknown"."""
    words: dict[str, Any] = {
        name: " ".join(getattr(told, name).split()) for name in (*LENGTHS, "vendor", "model", "serial")
    }
    for name, said in words.items():
        most = LENGTHS.get(name, LONGEST_SERIAL)
        if len(said) > most or not said.isprintable():
            raise Refused("hardware.text", name=name, most=most)
    if bool(words["vendor"]) != bool(words["model"]):
        raise Refused("hardware.class")
    for name, choices in (("funding", FUNDS), ("purpose", PURPOSES)):
        if getattr(told, name) not in choices:
            raise Refused("choice.unknown", name=name, value=getattr(told, name)[:20])
    for day in (told.purchased_on, told.warranty_until):
        if day is not None and day.year not in YEARS:
            raise Refused("hardware.day")
    if told.purchased_on and told.warranty_until and told.warranty_until < told.purchased_on:
        raise Refused("hardware.day")
    if told.cost_vnd is not None and not 0 <= told.cost_vnd <= MOST_VND:
        raise Refused("hardware.money")
    if told.sim_quota_mb is not None and not 0 < told.sim_quota_mb <= MOST_QUOTA_MB:
        raise Refused("hardware.quota")
    number, iccid = (re.sub(r"[\s.-]", "", each) for each in (told.sim_number, told.sim_iccid))
    if (number and not _NUMBER.match(number)) or (iccid and not _ICCID.match(iccid)):
        raise Refused("hardware.sim")
    return replace(told, sim_number=number, sim_iccid=iccid, **words)


@audit.decided("hardware.put")
def put(ctx: Context, actor: Actor, cluster_id: str, told: Papers, seen: str | None = None) -> None:
    """The papers of the unit that serves this cluster. `seen`: `revision_of` what was changed. Raises Refused:
    "no_right", "cluster.unknown", "hardware.no_unit", and as `checked`; Conflict: "hardware.changed",
    "hardware.serial_taken", "hardware.iccid_taken"."""
    actor, now, papers = actor.need(Right.PLACES), ctx.clock.now(), checked(told)
    with ctx.db.write() as session:
        cluster, station = there(session, actor, cluster_id)
        unit = serving(session, cluster.id)
        if unit is None:
            raise Refused("hardware.no_unit")
        before = of_unit(session, unit)
        if seen is not None and seen != revision_of(unit, before):
            raise Conflict("hardware.changed")
        changed = change(session, unit, before, papers, now)
        if changed:
            detail = {"unit": unit, "changed": changed}
            audit.record(session, now, actor.name, "hardware.put", cluster.id, detail, station.area_id)


def of_unit(session: Session, unit: str) -> Papers:
    row = session.get(Hardware, unit)
    return papers_of(row, session.get(HardwareClass, row.class_id) if row is not None and row.class_id else None)


def change(session: Session, unit: str, before: Papers, after: Papers, now: datetime) -> dict[str, list[str]]:
    """Within a transaction: [before, after] of what is another now. Raises Conflict: "hardware.serial_taken",
    "hardware.iccid_taken"."""
    was, will = asdict(before), asdict(after)
    changed = {name: [_said(was[name]), _said(will[name])] for name in will if was[name] != will[name]}
    if not changed:
        return {}
    for name, key in (("serial", "hardware.serial_taken"), ("sim_iccid", "hardware.iccid_taken")):
        if will[name] and (other := _holder(session, name, will[name])) not in (None, unit):
            raise Conflict(key, value=will[name], unit=other)
    row = session.get(Hardware, unit)
    if row is None:
        row = Hardware(unit_id=unit)
        session.add(row)
    for name in OWN:
        setattr(row, name, will[name])
    row.serial, row.sim_iccid, row.changed_at = after.serial or None, after.sim_iccid or None, now
    row.class_id = _class(session, after.vendor, after.model, now).id if after.vendor else None
    session.flush()
    return changed


def forget_names(session: Session, units: list[str]) -> None:
    """Before many are changed at once: two boxes may change their serials with each other."""
    for row in session.scalars(select(Hardware).where(Hardware.unit_id.in_(units))):
        row.serial = row.sim_iccid = None
    session.flush()


def _holder(session: Session, name: str, value: str) -> str | None:
    return session.scalar(select(Hardware.unit_id).where(getattr(Hardware, name) == value))


def _class(session: Session, vendor: str, model: str, now: datetime) -> HardwareClass:
    """The class of this name; one that is named for the first time is a receiver of a cluster, of which nothing else is
    known yet."""
    found = session.scalar(select(HardwareClass).where(HardwareClass.vendor == vendor, HardwareClass.model == model))
    if found is None:
        name = f"hc-{revision(vendor, model)}"
        found = HardwareClass(id=name, kind=KINDS[0], vendor=vendor, model=model, watts=None, changed_at=now)
        session.add(found)
        session.flush()
    return found


def _said(value: Any) -> str:
    return "" if value is None else str(value)


@dataclass(frozen=True)
class Class:
    """As somebody puts it. `watts`: what it gives to its horns; `inputs` and `codecs` in words of the maker."""

    kind: str
    vendor: str
    model: str
    watts: int | None = None
    inputs: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    power: str = ""


@audit.decided("hardware.class")
def put_class(ctx: Context, actor: Actor, told: Class) -> str:
    """A new one, or one that is known said anew; its id. Raises Refused: "no_right", "hardware.class",
    "hardware.watts", "choice.unknown", "hardware.text"."""
    actor, now = actor.need(Right.PLACES), ctx.clock.now()
    vendor, model = " ".join(told.vendor.split()), " ".join(told.model.split())
    if not vendor or not model:
        raise Refused("hardware.class")
    for name, said in (
        ("vendor", vendor),
        ("model", model),
        *(("inputs", one) for one in (*told.inputs, *told.codecs)),
    ):
        if len(said) > LONGEST_SERIAL or not said.isprintable():
            raise Refused("hardware.text", name=name, most=LONGEST_SERIAL)
    if told.kind not in KINDS or told.power not in POWERS:
        raise Refused("choice.unknown", name="kind", value=told.kind[:20])
    if told.watts is not None and not 0 < told.watts <= 5_000:
        raise Refused("hardware.watts")
    with ctx.db.write() as session:
        row = _class(session, vendor, model, now)
        row.kind, row.watts, row.power, row.changed_at = told.kind, told.watts, told.power, now
        row.inputs, row.codecs = list(told.inputs), list(told.codecs)
        detail = {"vendor": vendor, "model": model, "watts": told.watts}
        audit.record(session, now, actor.name, "hardware.class", row.id, detail)
        return row.id


def classes(session: Session) -> list[HardwareClass]:
    return list(session.scalars(select(HardwareClass).order_by(HardwareClass.vendor, HardwareClass.model)))


@dataclass(frozen=True)
class Concern:
    """A key of the catalogue below `hardware.warning`, with its numbers."""

    key: str
    told: tuple[tuple[str, Any], ...] = ()


def warnings(session: Session, cluster: Cluster, unit: str | None, today: date) -> list[Concern]:
    """What somebody should look at: watts of R-073, a box too weak or too strong for its horns, a warranty that is over
    or ends within a month, more central money than a station may get (R-141)."""
    found, load = [], cluster.horns * cluster.horn_watts
    if not LEAST_W <= load <= MOST_W:
        found.append(Concern("watts", (("watts", load), ("least", LEAST_W), ("most", MOST_W))))
    row = session.get(Hardware, unit) if unit is not None else None
    if row is None:
        return found
    kind = session.get(HardwareClass, row.class_id) if row.class_id else None
    if kind is not None and kind.watts is not None:
        if kind.watts < load:
            found.append(Concern("weak", (("watts", load), ("gives", kind.watts))))
        if not LEAST_W <= kind.watts <= MOST_W:
            found.append(Concern("class_watts", (("gives", kind.watts), ("least", LEAST_W), ("most", MOST_W))))
    if row.warranty_until is not None and (row.warranty_until - today).days < 30:
        key = "warranty_over" if row.warranty_until < today else "warranty_soon"
        found.append(Concern(key, (("day", f"{row.warranty_until:%d/%m/%Y}"),)))
    limit = LIMITS_VND.get(row.purpose)
    if row.funding == "central" and limit is not None:
        spent = _central(session, cluster.station_id, row.purpose)
        if spent > limit:
            found.append(Concern("money", (("spent", f"{spent:,}".replace(",", ".")),
                                           ("limit", f"{limit:,}".replace(",", ".")))))  # fmt: skip
    return found


def _central(session: Session, station_id: str, purpose: str) -> int:
    query = (
        select(func.coalesce(func.sum(Hardware.cost_vnd), 0))
        .join(Assignment, Assignment.unit_id == Hardware.unit_id)
        .join(Cluster, Assignment.cluster_id == Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(
            Assignment.until.is_(None), Station.id == station_id,
            Hardware.funding == "central", Hardware.purpose == purpose,
        )
    )  # fmt: skip
    return int(session.scalar(query) or 0)
