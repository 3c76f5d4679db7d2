"""What we sounded, as CAP 1.2 for others: the warning, what took its place, and its end.

Of words only those that sounded are said: the reason of an act names who gave the order, and is nobody's outside.
Nothing is stored for it: a message follows from the emergency, so that it is there the moment something sounds and
cannot differ from it. What waits to be released, was cancelled in time or lapsed was never said to anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain.cap import (
    Category,
    Certainty,
    Circle,
    Info,
    Message,
    MsgType,
    Place,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from broadcasts.wire.alert import AlertKind
from controller.db.tables import (
    Area,
    CapMessage,
    CapMessageAlert,
    Cluster,
    Drill,
    DrillReach,
    Emergency,
    EmergencyReach,
    StandingAlert,
    Station,
)
from controller.services import cap_writing, speaking
from controller.services.alerting import ISSUED, SILENCED

LOOK_BACK = timedelta(days=30)
MOST = 100
GEOCODE = "VN-GSO"
"""The official codes of administrative units, of the General Statistics Office (R-010)."""
MOST_CIRCLES = 200
AROUND_KM = 1.0
"""About as far as the horns of a pole are heard."""
CANCELLED = "-x"
"""Behind the name of an emergency: the message that ends it."""
ATOM = "http://www.w3.org/2005/Atom"
COUNTRY = {"vi": "vi-VN", "km": "km-KH", "en": "en-US"}
EVENTS: dict[AlertKind, tuple[Category, str, str]] = {
    AlertKind.STORM: (Category.MET, "Bão", "Storm"),
    AlertKind.FLOOD: (Category.MET, "Ngập lụt", "Flood"),
    AlertKind.SURGE: (Category.MET, "Triều cường, nước dâng", "Tide surge"),
    AlertKind.SALT: (Category.ENV, "Xâm nhập mặn", "Salt intrusion"),
    AlertKind.TSUNAMI: (Category.GEO, "Sóng thần", "Tsunami"),
    AlertKind.FIRE: (Category.FIRE, "Cháy", "Fire"),
    AlertKind.EPIDEMIC: (Category.HEALTH, "Dịch bệnh", "Epidemic"),
    AlertKind.MISSING: (Category.RESCUE, "Tìm người mất tích", "Missing person"),
    AlertKind.ALL_CLEAR: (Category.SAFETY, "Báo an toàn", "All clear"),
    AlertKind.OTHER: (Category.OTHER, "Tình huống khẩn cấp", "Emergency"),
}
"""In the two languages that everybody who reads it has; the words that sounded stand in the description."""


@dataclass(frozen=True)
class Voice:
    """Who speaks: `sender` as CAP wants it (no blank, no comma), `name` for people."""

    sender: str
    name: str


@dataclass(frozen=True)
class _Said:
    """An emergency or a drill, as far as anybody outside heard of it. `ended_at`: before its time."""

    id: str
    kind: AlertKind
    status: Status
    places: Sequence[Sequence[Any]]
    polygon: Sequence[Any]
    issued_at: datetime
    hard_end: datetime
    ended_at: datetime | None
    ends: tuple[str, ...]
    heard: dict[str, str]
    """(language, recording)"""
    clusters: tuple[str, ...]


def _emergency(session: Session, act: Emergency | None) -> _Said | None:
    if act is None or act.state not in (ISSUED, SILENCED):
        return None
    entries = session.scalars(select(StandingAlert).where(StandingAlert.id == act.id)).all()
    reach = select(EmergencyReach.cluster_id).where(EmergencyReach.emergency_id == act.id)
    return _Said(
        act.id,
        AlertKind(act.kind),
        Status.ACTUAL,
        act.places,
        act.target.get("polygon", []),
        act.issued_at,
        act.hard_end,
        act.ended_at if act.state == SILENCED else None,
        tuple(act.ends),
        {each["language"]: each["asset"]["sha256"] for entry in entries for each in entry.entry["content"]},
        tuple(session.scalars(reach)),
    )


def _drill(session: Session, act: Drill | None) -> _Said | None:
    if act is None or act.issued_at is None:
        return None
    reach = select(DrillReach.cluster_id).where(DrillReach.drill_id == act.id)
    return _Said(
        act.id,
        AlertKind(act.kind),
        Status.EXERCISE,
        act.places,
        act.target.get("polygon", []),
        max(act.issued_at, act.starts_at),
        act.hard_end,
        act.ended_at,
        (),
        {each[0]: each[1] for each in act.content},
        tuple(session.scalars(reach)),
    )


def one(session: Session, voice: Voice, name: str, now: datetime) -> bytes | None:
    """The message of this name as a document; none where nothing of this name was ever said."""
    plain = name.removesuffix(CANCELLED)[:32]
    act = _emergency(session, session.get(Emergency, plain)) or _drill(session, session.get(Drill, plain))
    if act is None or not now - LOOK_BACK < act.issued_at <= now:
        return None
    found = {message.identifier: message for message in _messages(session, voice, act)}
    return cap_writing.write(found[name]) if name in found else None


def newest(session: Session, voice: Voice, now: datetime) -> list[Message]:
    """Of the last 30 days, the newest first."""
    acts = session.scalars(
        select(Emergency)
        .where(Emergency.issued_at > now - LOOK_BACK, Emergency.state.in_((ISSUED, SILENCED)))
        .order_by(Emergency.issued_at.desc(), Emergency.id)
        .limit(MOST)
    ).all()
    drills = session.scalars(
        select(Drill)
        .where(Drill.issued_at > now - LOOK_BACK, Drill.starts_at <= now)
        .order_by(Drill.issued_at.desc(), Drill.id)
        .limit(MOST)
    ).all()
    told = [*(_emergency(session, act) for act in acts), *(_drill(session, act) for act in drills)]
    found = [message for act in told if act is not None for message in _messages(session, voice, act)]
    return sorted(found, key=lambda message: (message.sent, message.identifier), reverse=True)[:MOST]


def feed(messages: Sequence[Message], voice: Voice, address: str, now: datetime) -> bytes:
    """As an Atom feed (RFC 4287). `address`: of /cap, without a slash at its end."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]
    mark = hashlib.sha256(voice.sender.encode()).hexdigest()[:16]
    _put(root, "id", f"urn:loa:cap:{mark}")
    _put(root, "title", voice.name)
    _put(root, "updated", cap_writing.time(max((one.sent for one in messages), default=now)))
    _put(etree.SubElement(root, f"{{{ATOM}}}author"), "name", voice.name)
    _put(root, "link", rel="self", href=f"{address}/feed.xml")
    for message in messages:
        entry = etree.SubElement(root, f"{{{ATOM}}}entry")
        _put(entry, "id", f"urn:loa:cap:{mark}:{message.identifier}")
        _put(entry, "title", f"{message.msg_type}: {message.infos[0].headline}")
        _put(entry, "updated", cap_writing.time(message.sent))
        _put(entry, "link", rel="alternate", type="application/cap+xml", href=f"{address}/{message.identifier}.xml")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _put(node: etree._Element, name: str, text: str = "", **told: str) -> None:
    made = etree.SubElement(node, f"{{{ATOM}}}{name}", told)
    if text:
        made.text = "".join(one if one.isprintable() else " " for one in text)


def _messages(session: Session, voice: Voice, act: _Said) -> Iterable[Message]:
    """The warning; and its end, where it was silenced and no other took its place (that one names it)."""
    infos = _infos(session, voice, act)
    named = (_emergency(session, session.get(Emergency, name)) for name in act.ends)
    older = [each for each in named if each is not None]
    first = Message(
        identifier=act.id,
        sender=voice.sender,
        sent=act.issued_at.replace(microsecond=0),
        status=act.status,
        msg_type=MsgType.UPDATE if older else MsgType.ALERT,
        scope=Scope.PUBLIC,
        infos=infos,
        references=tuple(_reference(voice, each) for each in older),
        source=_source(session, act),
    )
    yield first
    if act.ended_at is not None and act.ended_at < act.hard_end and not _followed(session, act):
        yield Message(
            identifier=f"{act.id}{CANCELLED}",
            sender=voice.sender,
            sent=max(act.ended_at, act.issued_at).replace(microsecond=0),
            status=act.status,
            msg_type=MsgType.CANCEL,
            scope=Scope.PUBLIC,
            infos=infos,
            references=(first.name,),
        )


def _reference(voice: Voice, act: _Said) -> Reference:
    return Reference(voice.sender, act.id, act.issued_at.replace(microsecond=0))


def _followed(session: Session, act: _Said) -> bool:
    """Whether a later one that was said says in its references that this one is over."""
    later = session.scalars(select(Emergency).where(Emergency.issued_at == act.ended_at, Emergency.id != act.id))
    return any(act.id in each.ends and each.state in (ISSUED, SILENCED) for each in later)


def _source(session: Session, act: _Said) -> str:
    row = session.scalar(
        select(CapMessage)
        .join(CapMessageAlert, CapMessageAlert.message_id == CapMessage.id)
        .where(CapMessageAlert.alert_id == act.id)
    )
    return f"{row.sender},{row.identifier}" if row else ""


def _infos(session: Session, voice: Voice, act: _Said) -> tuple[Info, ...]:
    """One for each language that sounds, Vietnamese always and first."""
    kind, heard = act.kind, act.heard
    category, vietnamese, english = EVENTS[kind]
    clear = kind is AlertKind.ALL_CLEAR
    places = _places(session, act)
    found = []
    for language in ["vi", *sorted(heard.keys() - {"vi"})]:
        row = speaking.of_asset(session, heard[language]) if language in heard else None
        words = row.written if row else ""
        event = vietnamese if language == "vi" else english
        found.append(
            Info(
                event=event,
                urgency=Urgency.PAST if clear else Urgency.IMMEDIATE,
                severity=Severity.MINOR if clear else Severity.SEVERE,
                certainty=Certainty.OBSERVED,
                categories=(category,),
                language=COUNTRY.get(language, language),
                response_types=(ResponseType.ALL_CLEAR,) if clear else (ResponseType.MONITOR,),
                event_codes=(("loa", str(kind)),),
                effective=act.issued_at.replace(microsecond=0),
                expires=act.hard_end.replace(microsecond=0),
                sender_name=voice.name,
                headline=event,
                description=" ".join(words.split()),
                areas=places,
            )
        )
    return tuple(found)


def _places(session: Session, act: _Said) -> tuple[Place, ...]:
    """By code where all of an area is meant; else the poles, each with a circle round it; and the shape that was drawn,
    where one was."""
    whole, some = [], []
    for scope, units in act.places:
        area = session.get(Area, scope) or session.scalar(
            select(Area).join(Station, Station.area_id == Area.id).where(Station.scope == scope)
        )
        if area is not None and units is None:
            whole.append(Place(area.name, geocodes=((GEOCODE, area.code),)))
        else:
            some.append(scope)
    if not some and whole:
        return tuple(dict.fromkeys(whole))
    drawn = tuple(tuple((x, y) for x, y in ring) for ring in act.polygon)
    return (*dict.fromkeys(whole), *_poles(session, act, {place.geocodes[0][1] for place in whole}, drawn))


def _poles(
    session: Session, act: _Said, whole: set[str], drawn: tuple[tuple[tuple[float, float], ...], ...]
) -> Iterable[Place]:
    rows = session.execute(
        select(Cluster.latitude, Cluster.longitude, Area.name, Area.code)
        .join(Station, Cluster.station_id == Station.id)
        .join(Area, Station.area_id == Area.id)
        .where(Cluster.id.in_(act.clusters))
        .order_by(Cluster.id)
    ).all()
    rest = [row for row in rows if row.code not in whole]
    circles = [Circle(row.latitude, row.longitude, AROUND_KM) for row in rest if row.latitude is not None]
    names = ", ".join(dict.fromkeys(row.name for row in rest)) or act.id
    if drawn:
        return [Place(names, polygons=drawn)]
    if len(circles) == len(rest) <= MOST_CIRCLES and circles:
        return [Place(names, circles=tuple(circles))]
    return [Place(row.name, geocodes=((GEOCODE, row.code),)) for row in {row.code: row for row in rest}.values()]
