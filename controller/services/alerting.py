"""What stands in the lists: one act becomes an entry in each list that covers it, silence takes entries off.

`sound` and `silence` here act on one scope, whatever it holds; `services.emergencies` on any target, with its guards.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.errors import Refused
from broadcasts.wire import alert as wire
from controller.db.tables import Emergency, EmergencyReach, StandingAlert
from controller.services import alert_guards, alert_lists, alert_reach, audit, library, other_codecs
from controller.services.alert_calls import CANCELLED, ISSUED, LAPSED, SILENCED, WAITING
from controller.services.alert_guards import Exempt, Word
from controller.services.alert_lists import also, issue_pending, outrank, retire
from controller.services.alert_reach import Place, Reach
from controller.services.context import Context
from controller.services.rights import Actor, Right, below
from controller.services.stations import area_of_scope

__all__ = [
    "CANCELLED",
    "ISSUED",
    "LAPSED",
    "MAX_LENGTH",
    "SILENCED",
    "WAITING",
    "also",
    "issue_pending",
    "outrank",
    "retire",
    "silence",
    "sound",
]
MAX_LENGTH = timedelta(hours=24)
SHORTEST = timedelta(seconds=10)
LONGEST_REASON = 500
"""Characters: as documents carry it (broadcasts.wire.base.Text)."""
Recordings = Sequence[tuple[str, str]]
"""(language, asset) in the order of playing."""


@dataclass(frozen=True)
class Entry:
    """What one list says of an alert."""

    place: Place
    content: Recordings


@audit.decided("alert.sound")
def sound(
    ctx: Context,
    actor: Actor,
    scope: str,
    kind: wire.AlertKind,
    content: Recordings,
    reason: str,
    lasts: timedelta,
    *,
    units: Sequence[str] | None = None,
    repeat: wire.Repeat | None = None,
    volume: int = 100,
    confirmed: str = "",
    exempt: Exempt | None = None,
) -> str:
    """Add an alert to the scope's list at once and sign the list anew; the alert's id. One authorised person with a
    second factor acts (design, section 5).

    `content` is (language, asset) in the order of playing; `units` narrows the scope; `confirmed` as of a `Call`. It
    passes the guards of `services.alert_guards`, or says why it need not. Raises Refused, and then nothing was decided:
    "no_right", "second_factor.needed", "second_factor.again" (given too long ago), "not_yours" (a scope elsewhere or
    nowhere), "reason.missing", "alert.length" (not between 10 s and 24 h), "alert.confirm_reach", "alert.rate_person",
    "alert.rate_scope", "asset.unknown", "alert.too_many" (the list cannot say one more).
    """
    actor = actor.need(Right.ALERT)
    actor.freshly(ctx.wall.now(), ctx.people.fresh_code)
    check(reason, lasts)
    now = ctx.clock.now()
    with ctx.db.read() as session:
        reach = alert_reach.of_scope(session, actor, scope, units)
        area = area_of_scope(session, scope) or ""
        renditions(session, content)
    act = Emergency(
        id=ctx.ids.new("a"),
        kind=kind,
        target={"scope": scope} | ({} if units is None else {"units": list(units)}),
        places=[place.stored for place in reach.scopes],
        areas=sorted({area, *reach.areas}),
        content=[list(each) for each in content],
        reason=reason.strip(),
        repeat=None if repeat is None else repeat.model_dump(mode="json", exclude_none=True),
        volume=volume,
        lasts_s=int(lasts.total_seconds()),
        pressed_at=now,
        release_at=now,
        issued_at=now,
        hard_end=now + lasts,
        issued_by=actor.name,
        state=ISSUED,
    )
    with ctx.db.write() as session:
        word = exempt or alert_guards.check(ctx, session, actor, confirmed, reach, now)
        remember(session, act, reach, word)
        put_out(session, act, [Entry(reach.scopes[0], content)], now)
        told = {"scope": scope, "kind": kind, "reason": reason} | exemption(word)
        audit.record(session, now, actor.name, "alert.sound", act.id, told, area)
    alert_lists.issue(ctx, [scope], now)
    return act.id


def whose(act: Emergency, actor: Actor) -> bool:
    """Whether all that it concerns lies where these grants reach."""
    return bool(act.areas) and set(act.areas) <= actor.areas


def check(reason: str, lasts: timedelta) -> None:
    """Raises Refused: "reason.missing", "reason.long", "alert.length"."""
    check_reason(reason)
    if not SHORTEST <= lasts <= MAX_LENGTH:
        raise Refused("alert.length")


def check_reason(reason: str) -> None:
    """Raises Refused: "reason.missing", "reason.long"."""
    if not reason.strip():
        raise Refused("reason.missing")
    if len(reason.strip()) > LONGEST_REASON:
        raise Refused("reason.long", most=LONGEST_REASON)


def name_of(ctx: Context, prefix: str, actor: Actor, press: str) -> str:
    """A new id, or that of this very press: so the same form handed in twice names one act, whoever takes it in."""
    if not press:
        return ctx.ids.new(prefix)
    told = hashlib.sha256(f"{prefix}\n{actor.id}\n{press}".encode()).digest()[:10]
    return f"{prefix}-{base64.b32encode(told).decode().lower()}"


def renditions(session: Session, content: Recordings) -> list[wire.Rendition]:
    """Raises Refused("asset.unknown")."""
    return [other_codecs.rendition(session, language, library.find(session, sha256)) for language, sha256 in content]


def exemption(word: Word) -> dict[str, str]:
    """For the log."""
    return {"exempt": str(word)} if isinstance(word, Exempt) else {}


def remember(session: Session, act: Emergency, reach: Reach, word: Word) -> None:
    """The act and whom it is meant for, as it is now. `word`: that it passed the guards, or why it need not."""
    assert isinstance(word, Word)
    session.add(act)
    session.flush()
    if reach.poles:
        told: dict[str, str | None] = {"emergency_id": act.id, "skipped": ""}
        rows = [told | {"cluster_id": pole.cluster, "unit_id": pole.unit} for pole in reach.poles]
        # By the table, not by the class: a province has thousands, and somebody waits for the siren.
        session.connection().execute(insert(EmergencyReach.__table__), rows)  # type: ignore[arg-type]


def put_out(
    session: Session,
    act: Emergency,
    entries: Sequence[Entry],
    now: datetime,
    carried: Mapping[str, bytes] | None = None,
) -> None:
    """Into the lists of `entries`, which are signed later. `carried`: files that travel in the lists, by name, where
    there is room for them. Raises Refused: "alert.too_many", "asset.unknown"."""
    scopes = [entry.place.scope for entry in entries]
    # What voids everything before it must not void what comes after it in the same millisecond.
    issued = max(unix_ms(now), alert_lists.void_before(session))
    there, held = alert_lists.in_lists(session, scopes, now), alert_lists.known(session, scopes)
    said: dict[tuple[tuple[str, str], ...], list[wire.Rendition]] = {}
    for entry in entries:
        content = tuple(entry.content)
        if content not in said:
            said[content] = _carrying(renditions(session, content), carried or {})
        told = wire.Alert(
            id=act.id,
            kind=wire.AlertKind(act.kind),
            target="all" if entry.place.units is None else list(entry.place.units),
            content=said[content],
            repeat=None if act.repeat is None else wire.Repeat.model_validate(act.repeat),
            volume=act.volume,
            issued_at=issued,
            not_before=unix_ms(now),
            hard_end=unix_ms(act.hard_end),
            max_blind_s=min(600, act.lasts_s),
            reason=act.reason,
        )
        try:
            alert_lists.need_room(there.get(entry.place.scope, []), told)
        except Refused:
            told = told.model_copy(
                update={"content": [each.model_copy(update={"data": None}) for each in told.content]}
            )
            alert_lists.need_room(there.get(entry.place.scope, []), told)
        session.add(
            StandingAlert(
                id=act.id,
                scope=entry.place.scope,
                entry=told.model_dump(mode="json"),
                issued_at=from_unix_ms(issued),
                hard_end=act.hard_end,
                issued_by=act.issued_by,
            )
        )
        alert_lists.intend(session, entry.place.scope, now)
    del held


def _carrying(parts: Sequence[wire.Rendition], carried: Mapping[str, bytes]) -> list[wire.Rendition]:
    data = {name: base64.urlsafe_b64encode(held).decode().rstrip("=") for name, held in carried.items()}
    return [part.model_copy(update={"data": data.get(part.asset.sha256)}) for part in parts]


@audit.decided("alert.silence")
def silence(ctx: Context, actor: Actor, scope: str, alert_id: str | None = None) -> int:
    """Take one alert, or all, off the scope's list; how many alerts. All also voids what narrower scopes issued before,
    by the one list of this scope; theirs are cleaned up behind it.

    Silence wakes nobody and must come within seconds: no fresh code is asked for it. Raises Refused: "no_right",
    "second_factor.needed", "not_yours".
    """
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    with ctx.db.write() as session:
        area = area_of_scope(session, scope)
        if area is None or area not in actor.areas:
            raise Refused("not_yours")
        rows = select(StandingAlert).where(StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
        if alert_id is None:
            found = session.scalars(rows.where(StandingAlert.scope.in_(_narrower(session, scope)))).all()
        else:
            found = session.scalars(rows.where(StandingAlert.scope == scope, StandingAlert.id == alert_id)).all()
        count = len({row.id for row in found})
        told = {"scope": scope, "alerts": count}
        audit.record(session, now, actor.name, "alert.silence", alert_id or scope, told, area)
        # Also what was issued in this very millisecond, or by a clock that ran ahead.
        latest = max((unix_ms(row.issued_at) + 1 for row in found), default=0)
        void = max(unix_ms(now), latest) if alert_id is None else 0
        alert_lists.intend(session, scope, now, void_before=void)
        others = take_off(session, found, actor.name, now)
    alert_lists.issue(ctx, [scope], now)  # at once: the rest only cleans up
    alert_lists.issue(ctx, [each for each in others if each != scope], now)
    return count


def take_off(
    session: Session, rows: Sequence[StandingAlert], by: str, now: datetime, acts: Collection[str] = ()
) -> list[str]:
    """These entries leave their lists, which are signed later: whose they are. An emergency without any is over;
    `acts`: by id, whose emergency it is, also where its only box went and no list is left."""
    for row in rows:
        row.silenced_at, row.silenced_by = now, by
    session.flush()
    scopes = list(dict.fromkeys(row.scope for row in rows))
    held = alert_lists.known(session, scopes)
    for scope in scopes:
        alert_lists.intend(session, scope, now)
    del held
    ids = {*(row.id for row in rows), *acts}
    left = set(
        session.scalars(select(StandingAlert.id).where(StandingAlert.id.in_(ids), StandingAlert.silenced_at.is_(None)))
    )
    if over := ids - left:
        ended = {"state": SILENCED, "ended_at": now, "ended_by": by}
        session.execute(update(Emergency).where(Emergency.id.in_(over), Emergency.state == ISSUED).values(**ended))
        reached = update(EmergencyReach).where(EmergencyReach.silenced_at.is_(None))
        session.execute(reached.where(EmergencyReach.emergency_id.in_(over)).values(silenced_at=now))
    return scopes


def _narrower(session: Session, scope: str) -> set[str]:
    """This scope and all whose units follow it too."""
    area = area_of_scope(session, scope)
    if area is None:
        return {scope}
    everyone = alert_reach.poles_of(session, [area])
    inside = below(session, area) if scope == area else frozenset[str]()
    there = [pole for pole in everyone if scope in (pole.scope, pole.unit) or pole.area in inside]
    units = {pole.unit for pole in there if pole.unit is not None}
    return {scope, *units, *(pole.scope for pole in there if scope != pole.unit)}
