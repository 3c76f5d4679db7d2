"""Recordings for emergencies that every pole holds beforehand: an alert that names them needs no download.

A province and each of its communes keep a set: kind of alert and language to one recording, mastered for emergencies.
A unit holds its province's and its commune's; for a kind and language that both have, the commune's words are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.plan import MAX_EMERGENCY_SET
from controller.db.tables import Area, Asset, Assignment, Cluster, EmergencyRecording, Station
from controller.services import alerting, audit, library, uploads
from controller.services.alert_guards import Exempt
from controller.services.areas import standing_on
from controller.services.context import Context
from controller.services.deliveries import mark_dirty
from controller.services.plan_document import Preloaded
from controller.services.rights import Actor, Right, below
from controller.services.stations import area_of_scope, clusters_in, lines

MOST = 24
"""Recordings of one area. A unit's plan has room for two such sets beside a week of bulletins."""
LONGEST = timedelta(minutes=3)
LANGUAGE = re.compile(r"[a-z]{2,3}\Z")
LEVELS = ("province", "commune")
assert 2 * MOST <= MAX_EMERGENCY_SET


@dataclass(frozen=True)
class Entry:
    """One line of a set, as a page shows it."""

    area: Area
    kind: AlertKind
    language: str
    asset: Asset
    recording: EmergencyRecording


@audit.decided("emergency_set.put")
def put(ctx: Context, actor: Actor, area: str, kind: str, language: str, source: Path, name: str) -> Asset:
    """Master the file at `source` for emergencies, and keep it as what sounds for this kind in this language; it
    takes the place of the one before. `name` is only for the audit log.

    Raises Refused: "no_right", "choice.unknown" (area, kind or language), "emergency.full", "emergency.long", and the
    audio pipeline's reasons; Fault (disk full). Then nothing was changed.
    """
    actor = actor.need(Right.PRELOAD)
    with ctx.db.read() as session:
        _check(session, actor, area, kind, language)
    prepared = ctx.audio.prepare(source, emergency=True)
    _check_length(prepared.duration_ms)
    with ctx.db.write() as session:
        _check(session, actor, area, kind, language)
        asset = library.remember(ctx, session, prepared)
        _name(ctx, session, actor, area, kind, language, asset.sha256, name)
    ctx.wake()
    return asset


@audit.decided("emergency_set.put")
def put_prepared(ctx: Context, actor: Actor, area: str, kind: str, language: str, sha256: str) -> None:
    """The same for a recording that this person sent for emergencies before, in pieces: it is loud enough already.

    Raises Refused: as `put`, and "asset.unknown" for one that was sent for anything else, or by somebody else.
    """
    actor = actor.need(Right.PRELOAD)
    with ctx.db.write() as session:
        _check(session, actor, area, kind, language)
        if not uploads.prepared(session, actor, sha256, uploads.Use.EMERGENCY):
            raise Refused("asset.unknown", asset=sha256[:80])
        _check_length(library.find(session, sha256).duration_ms)
        _name(ctx, session, actor, area, kind, language, sha256, "")
    ctx.wake()


def _check_length(duration_ms: int) -> None:
    if duration_ms > LONGEST.total_seconds() * 1000:
        raise Refused("emergency.long", most_minutes=int(LONGEST.total_seconds() // 60))


def _name(
    ctx: Context, session: Session, actor: Actor, area: str, kind: str, language: str, sha256: str, name: str
) -> None:
    """From now on this one. Raises Refused("emergency.full")."""
    now = ctx.clock.now()
    row = session.get(EmergencyRecording, (area, kind, language))
    before = None if row is None else row.asset_sha256
    if row is None:
        kept = select(func.count()).select_from(EmergencyRecording).where(EmergencyRecording.area_id == area)
        if (session.scalar(kept) or 0) >= MOST:
            raise Refused("emergency.full", most=MOST)
        row = EmergencyRecording(area_id=area, kind=kind, language=language)
        session.add(row)
    row.asset_sha256, row.set_at, row.set_by = sha256, now, actor.name
    told = {"kind": kind, "language": language, "asset": sha256, "before": before, "name": name[:120]}
    audit.record(session, now, actor.name, "emergency_set.put", area, told)
    _tell_units(ctx, session, area)


@audit.decided("emergency_set.remove")
def remove(ctx: Context, actor: Actor, area: str, kind: str, language: str) -> None:
    """Raises Refused: "no_right", "choice.unknown" (area, kind or language, or there is no such entry)."""
    actor = actor.need(Right.PRELOAD)
    now = ctx.clock.now()
    with ctx.db.write() as session:
        _check(session, actor, area, kind, language)
        row = session.get(EmergencyRecording, (area, kind, language))
        if row is None:
            raise Refused("choice.unknown", name="kind", value=kind)
        told = {"kind": kind, "language": language, "before": row.asset_sha256}
        session.delete(row)
        audit.record(session, now, actor.name, "emergency_set.remove", area, told)
        _tell_units(ctx, session, area)
    ctx.wake()


def entries(session: Session, actor: Actor) -> list[Entry]:
    """All sets of the actor's areas, the province's first. Raises Refused("no_right")."""
    actor = actor.need(Right.PRELOAD)
    rows = session.execute(
        select(EmergencyRecording, Area, Asset)
        .join(Area, EmergencyRecording.area_id == Area.id)
        .join(Asset, EmergencyRecording.asset_sha256 == Asset.sha256)
        .where(Area.id.in_(actor.areas))
    )
    found = [Entry(area, AlertKind(row.kind), row.language, asset, row) for row, area, asset in rows]
    return sorted(found, key=lambda one: (one.area.kind != "province", one.area.name, one.kind, one.language))


def places(session: Session, actor: Actor, today: date) -> list[Area]:
    """Whose sets this person may change, of what stands today, the province first."""
    found = session.scalars(select(Area).where(Area.id.in_(actor.areas), Area.kind.in_(LEVELS), standing_on(today)))
    return sorted(found, key=lambda area: (area.kind != "province", area.name))


def sound(
    ctx: Context,
    actor: Actor,
    scope: str,
    kind: AlertKind,
    reason: str,
    lasts: timedelta,
    *,
    volume: int = 100,
    confirmed: str = "",
    exempt: Exempt | None = None,
) -> str:
    """`alerting.sound` with the recordings of the scope's own set. Raises Refused("emergency.none") where it has
    none of this kind, and all that `alerting.sound` raises."""
    may = actor.need(Right.ALERT)
    with ctx.db.read() as session:
        if area_of_scope(session, scope) not in may.areas:
            raise Refused("not_yours")
        content = content_for(session, scope, kind)
    if not content:
        raise Refused("emergency.none", kind=kind)
    return alerting.sound(
        ctx, actor, scope, kind, content, reason, lasts, volume=volume, confirmed=confirmed, exempt=exempt
    )


def content_for(session: Session, scope: str, kind: AlertKind) -> list[tuple[str, str]]:
    """(language, asset) of what every unit of the scope holds for this kind, Vietnamese first."""
    areas = _areas_of_scope(session, scope)
    rows = session.scalars(
        select(EmergencyRecording).where(EmergencyRecording.area_id.in_(areas), EmergencyRecording.kind == kind)
    )
    found: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: areas.index(row.area_id)):
        found.setdefault(row.language, row.asset_sha256)
    return sorted(found.items(), key=lambda told: (told[0] != "vi", told[0]))


def held_below(session: Session, station_areas: Iterable[str]) -> Mapping[str, Preloaded]:
    """What the units of the stations in these areas hold, by the station's area: the province's set and their own. A
    kind and language that both name is the commune's."""
    above_all = lines(session, station_areas)
    rows = session.execute(
        select(EmergencyRecording, Asset)
        .join(Asset, EmergencyRecording.asset_sha256 == Asset.sha256)
        .where(EmergencyRecording.area_id.in_({each for above in above_all.values() for each in above}))
        .order_by(EmergencyRecording.kind, EmergencyRecording.language)
    ).all()
    if not rows:
        return {}
    found = {}
    for area, above in above_all.items():
        mine = [(row, asset) for row, asset in rows if row.area_id in above]
        assets = list({asset.sha256: asset for _, asset in mine}.values())
        place = {asset.sha256: n for n, asset in enumerate(assets)}
        # `above` goes from narrow to wide: the narrowest is said last, and stands.
        said = sorted(mine, key=lambda each: above.index(each[0].area_id), reverse=True)
        names = {f"{row.kind}/{row.language}": place[asset.sha256] for row, asset in said}
        found[area] = Preloaded(assets, dict(sorted(names.items())))
    return found


def named_for(session: Session, unit: str, sha256: str) -> bool:
    """Whether this unit's set names the file: then it may fetch it, at any time."""
    own = select(Station.area_id).join(Cluster, Cluster.station_id == Station.id)
    area = session.scalar(
        own.join(Assignment, Assignment.cluster_id == Cluster.id).where(
            Assignment.unit_id == unit, Assignment.until.is_(None)
        )
    )
    if area is None:
        return False
    names = set(session.scalars(select(EmergencyRecording.area_id).where(EmergencyRecording.asset_sha256 == sha256)))
    return bool(names) and bool(names & set(_line(session, area)))


def _check(session: Session, actor: Actor, area: str, kind: str, language: str) -> None:
    place = session.get(Area, area) if area in actor.areas else None
    if place is None or place.kind not in LEVELS:
        raise Refused("choice.unknown", name="area", value=area[:40])
    if kind not in {str(each) for each in AlertKind}:
        raise Refused("choice.unknown", name="kind", value=kind[:40])
    if not LANGUAGE.match(language):
        raise Refused("choice.unknown", name="language", value=language[:20])


def _tell_units(ctx: Context, session: Session, area: str) -> None:
    clusters = [cluster.id for cluster in clusters_in(session, below(session, area))]
    mark_dirty(session, clusters, ctx.clock.now())


def _areas_of_scope(session: Session, scope: str) -> list[str]:
    """From narrow to wide; what a set of one of them names, every unit of the scope holds."""
    named = area_of_scope(session, scope)
    return [] if named is None else _line(session, named)


def _line(session: Session, area: str) -> list[str]:
    """The area and all above it."""
    return lines(session, [area])[area]
