"""A citizen's feedback (phản ánh): who took it, of what it speaks, how it was answered, and on air by which bulletin
(R-028).

The law's summary asks for the link from an answer to the feedback; all else here is our guess of what an office keeps.
The log, which nobody can take anything out of, names no citizen and quotes no word of his.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Refused
from controller.db.tables import Area, Broadcast, Bulletin, Cluster, Feedback, Station, User
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right

LONGEST = 2_000
"""Characters of what was said, and of the answer."""
LONGEST_CONTACT = 200
SHOWN = 300
OFFERED = 50
"""Bulletins that a form offers, the newest first."""


class Channel(StrEnum):
    PERSON = "person"
    PHONE = "phone"
    PAPER = "paper"
    ONLINE = "online"
    OTHER = "other"


@dataclass(frozen=True)
class Said:
    """As an officer takes it down. `area`: the commune; none where `cluster` or `broadcast` says it, or where he has
    one alone."""

    text: str
    channel: str = Channel.PERSON
    area: str = ""
    broadcast: str = ""
    cluster: str = ""
    contact: str = ""


@dataclass(frozen=True)
class Line:
    """One of them in words: `contact` only for who may answer it; `about`, `on_air`: titles of bulletins."""

    row: Feedback
    area: str
    about: str
    cluster: str
    on_air: str
    taken_by: str
    answered_by: str
    contact: str
    may_answer: bool


@dataclass(frozen=True)
class Offer:
    """Of what a form lets choose: (id, name)."""

    areas: Sequence[tuple[str, str]]
    clusters: Sequence[tuple[str, str]]
    broadcasts: Sequence[tuple[str, str]]


@audit.decided("feedback.take")
def take(ctx: Context, actor: Actor, said: Said) -> str:
    """Its id. Raises Refused: "no_right", "feedback.text", "feedback.long", "choice.unknown" (channel, area, cluster
    or broadcast; also one elsewhere)."""
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    text, contact = _clean(said.text), said.contact.strip()
    if len(contact) > LONGEST_CONTACT or "\x00" in contact:
        raise Refused("feedback.long", most=LONGEST_CONTACT)
    if said.channel not in set(Channel):
        raise Refused("choice.unknown", name="channel", value=said.channel[:20])
    with ctx.db.write() as session:
        area = _place(session, actor, said)
        row = Feedback(
            id=ctx.ids.new("fb"),
            area_id=area,
            broadcast_id=said.broadcast or None,
            cluster_id=said.cluster or None,
            channel=said.channel,
            text=text,
            contact=contact,
            received_at=now,
            taken_by=actor.name,
        )
        session.add(row)
        session.flush()
        told = {"channel": said.channel, "about": said.broadcast, "cluster": said.cluster, "characters": len(text)}
        audit.record(session, now, actor.name, "feedback.take", row.id, told, area)
        return row.id


@audit.decided("feedback.answer")
def answer(ctx: Context, actor: Actor, feedback_id: str, text: str, broadcast: str = "") -> None:
    """What he was told; `broadcast`: the bulletin that says so on air, which needs its own approval like any. Raises
    Refused: "no_right", "not_yours", "feedback.text", "feedback.long", "choice.unknown";
    Conflict("feedback.answered")."""
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    with ctx.db.write() as session:
        row = _mine(session, actor, feedback_id)
        text = _clean(text)
        if row.answered_at is not None:
            raise Conflict("feedback.answered")
        _bulletin(session, row, broadcast)
        row.answer, row.answered_at, row.answered_by = text, now, actor.name
        told = {"characters": len(text), "on_air": broadcast}
        audit.record(session, now, actor.name, "feedback.answer", row.id, told, row.area_id)


@audit.decided("feedback.link")
def link(ctx: Context, actor: Actor, feedback_id: str, broadcast: str) -> None:
    """Which bulletin answers it on air, where that is known only later, or is another one; "": none. Raises Refused:
    "no_right", "not_yours", "choice.unknown"; Conflict("feedback.open"): it was not answered yet."""
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    with ctx.db.write() as session:
        row = _mine(session, actor, feedback_id)
        if row.answered_at is None:
            raise Conflict("feedback.open")
        before = row.answer_broadcast_id or ""
        _bulletin(session, row, broadcast)
        told = {"before": before, "on_air": broadcast}
        audit.record(session, now, actor.name, "feedback.link", row.id, told, row.area_id)


@audit.decided("feedback.erase")
def erase_contact(ctx: Context, actor: Actor, feedback_id: str) -> None:
    """Who said it is forgotten; nothing keeps it. Twice is once. Raises Refused: "no_right", "not_yours"."""
    actor, now = actor.need(Right.COMPOSE), ctx.clock.now()
    with ctx.db.write() as session:
        row = _mine(session, actor, feedback_id)
        if not row.contact:
            return
        row.contact, row.contact_erased_at, row.contact_erased_by = "", now, actor.name
        audit.record(session, now, actor.name, "feedback.erase", row.id, {}, row.area_id)


def every(session: Session, actor: Actor, state: str = "", most: int | None = None) -> list[Line]:
    """The newest first. `state`: open, answered, or all of them. Raises Refused("no_right")."""
    reach = actor.need(Right.COMPOSE, Right.APPROVE)
    wanted = select(Feedback).where(Feedback.area_id.in_(reach.areas))
    if state in ("open", "answered"):
        wanted = wanted.where(Feedback.answered_at.is_(None) if state == "open" else Feedback.answered_at.is_not(None))
    rows = session.scalars(wanted.order_by(Feedback.received_at.desc(), Feedback.id).limit(most)).all()
    return _lines(session, reach, rows)


def one(session: Session, actor: Actor, feedback_id: str) -> Line:
    """Raises Refused: "no_right", "not_yours"."""
    reach = actor.need(Right.COMPOSE, Right.APPROVE)
    return _lines(session, reach, [_mine(session, reach, feedback_id)])[0]


def answered_by(session: Session, actor: Actor, broadcast_id: str) -> list[Line]:
    """What this bulletin answers, of what the actor may read; nothing for who may read none."""
    if not (actor.may(Right.COMPOSE) or actor.may(Right.APPROVE)):
        return []
    reach = actor.need(Right.COMPOSE, Right.APPROVE)
    wanted = select(Feedback).where(Feedback.answer_broadcast_id == broadcast_id, Feedback.area_id.in_(reach.areas))
    return _lines(session, reach, session.scalars(wanted.order_by(Feedback.received_at, Feedback.id)).all())


def offer(session: Session, actor: Actor, area: str = "") -> Offer:
    """What a form offers to who may write; `area`: of this commune alone. Raises Refused("no_right")."""
    inside = actor.need(Right.COMPOSE).areas
    inside = inside & {area} if area else inside
    areas = session.execute(
        select(Area.id, Area.name)
        .join(Station, Station.area_id == Area.id)
        .where(Area.id.in_(inside))
        .order_by(Area.name)
    )
    clusters = session.execute(
        select(Cluster.id, Cluster.name)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(inside), Cluster.removed_at.is_(None))
        .order_by(Cluster.name)
    )
    broadcasts = session.execute(
        select(Broadcast.id, Bulletin.title)
        .join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
        .join(Station, Broadcast.station_id == Station.id)
        .where(Station.area_id.in_(inside))
        .order_by(Broadcast.created_at.desc(), Broadcast.id)
        .limit(OFFERED)
    )
    return Offer(*([(row[0], row[1]) for row in found] for found in (areas, clusters, broadcasts)))


def _clean(text: str) -> str:
    told = text.strip()
    if not told or "\x00" in told:
        raise Refused("feedback.text")
    if len(told) > LONGEST:
        raise Refused("feedback.long", most=LONGEST)
    return told


def _place(session: Session, actor: Actor, said: Said) -> str:
    """The commune. Where several are named they have to be the same."""
    stations = {row.area_id for row in session.scalars(select(Station).where(Station.area_id.in_(actor.areas)))}
    named = {said.area} if said.area else set[str]()
    if said.area and said.area not in stations:
        raise Refused("choice.unknown", name="area", value=said.area[:40])
    for kind, name, model in (("broadcast", said.broadcast, Broadcast), ("cluster", said.cluster, Cluster)):
        if not name:
            continue
        found = session.scalar(
            select(Station.area_id).join(model, model.station_id == Station.id).where(model.id == name)
        )
        if found not in (named or stations):
            raise Refused("choice.unknown", name=kind, value=name[:40])
        named = {str(found)}
    named = named or stations
    if len(named) != 1:
        raise Refused("choice.unknown", name="area", value="")
    return named.pop()


def _bulletin(session: Session, row: Feedback, broadcast: str) -> None:
    """Of the same commune."""
    if broadcast:
        area = session.scalar(
            select(Station.area_id).join(Broadcast, Broadcast.station_id == Station.id).where(Broadcast.id == broadcast)
        )
        if area != row.area_id:
            raise Refused("choice.unknown", name="broadcast", value=broadcast[:40])
    row.answer_broadcast_id = broadcast or None


def _mine(session: Session, actor: Actor, feedback_id: str) -> Feedback:
    row = session.get(Feedback, feedback_id)
    if row is None or row.area_id not in actor.areas:
        raise Refused("not_yours")
    return row


def _lines(session: Session, actor: Actor, rows: Sequence[Feedback]) -> list[Line]:
    answers = actor.within(Right.COMPOSE)
    areas = _names(session, {row.area_id for row in rows})
    people = {row.taken_by for row in rows} | {row.answered_by for row in rows}
    named = select(User.name, User.full_name).where(User.name.in_(people))
    full = {row[0]: row[1] for row in session.execute(named)}
    wanted = {name for row in rows for name in (row.broadcast_id, row.answer_broadcast_id) if name}
    titled = select(Broadcast.id, Bulletin.title).join(Bulletin, Broadcast.bulletin_id == Bulletin.id)
    titles = {row[0]: row[1] for row in session.execute(titled.where(Broadcast.id.in_(wanted)))}
    poles = select(Cluster.id, Cluster.name).where(Cluster.id.in_({row.cluster_id for row in rows if row.cluster_id}))
    clusters = {row[0]: row[1] for row in session.execute(poles)}
    return [
        Line(
            row,
            areas[row.area_id],
            titles.get(row.broadcast_id or "", ""),
            clusters.get(row.cluster_id or "", ""),
            titles.get(row.answer_broadcast_id or "", ""),
            full.get(row.taken_by, row.taken_by),
            full.get(row.answered_by, row.answered_by),
            row.contact if row.area_id in answers else "",
            row.area_id in answers,
        )
        for row in rows
    ]


def _names(session: Session, areas: set[str]) -> dict[str, str]:
    return {row[0]: row[1] for row in session.execute(select(Area.id, Area.name).where(Area.id.in_(areas)))}
