"""Alerts as state: one complete, signed, versioned list for each standing scope (design, decision 3)."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.versions import next_version
from broadcasts.errors import Refused
from broadcasts.wire import alert as wire
from broadcasts.wire import codec, topics
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.trust import Use
from controller.db.tables import ScopeDocument, StandingAlert
from controller.services import audit, library, other_codecs
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.stations import area_of_scope
from controller.services.trusting import TRUST

_LOG = logging.getLogger("loa.alerting")
MAX_LENGTH = timedelta(hours=24)
MOST_BYTES = topics.MANNERS[topics.ScopeTopic.ALERT].max_bytes * 3 // 4 - 1024
"""Of all entries of a list as JSON: base64 in the signature's envelope makes four bytes of three, head and signature
take the rest."""


@audit.decided("alert.sound")
def sound(
    ctx: Context,
    actor: Actor,
    scope: str,
    kind: wire.AlertKind,
    content: Sequence[tuple[str, str]],
    reason: str,
    lasts: timedelta,
    *,
    units: Sequence[str] | None = None,
    repeat: wire.Repeat | None = None,
    volume: int = 100,
) -> str:
    """Add an alert to the scope's list and sign the list anew; the alert's id. One authorised person with a second
    factor acts (design, section 5).

    `content` is (language, asset) in the order of playing; `units` narrows the scope. Raises Refused, and then nothing
    was decided: "no_right", "second_factor.needed", "second_factor.again" (given too long ago), "not_yours" (a scope
    elsewhere or nowhere), "reason.missing", "alert.length" (not between 10 s and 24 h), "asset.unknown",
    "alert.too_many" (the list cannot say one more).
    """
    actor = actor.need(Right.ALERT)
    actor.freshly(ctx.wall.now(), ctx.people.fresh_code)
    if not reason.strip():
        raise Refused("reason.missing")
    if not timedelta(seconds=10) <= lasts <= MAX_LENGTH:
        raise Refused("alert.length")
    now, name = ctx.clock.now(), ctx.ids.new("a")
    with ctx.db.read() as session:
        _check_place(session, actor, scope)
        renditions = [
            other_codecs.rendition(session, language, library.find(session, sha256)) for language, sha256 in content
        ]
    entry = wire.Alert(
        id=name,
        kind=kind,
        target=list(units) if units is not None else "all",
        content=renditions,
        repeat=repeat,
        volume=volume,
        issued_at=unix_ms(now),
        not_before=unix_ms(now),
        hard_end=unix_ms(now + lasts),
        max_blind_s=min(600, int(lasts.total_seconds())),
        reason=reason.strip(),
    )
    with ctx.db.write() as session:
        _need_room(_standing(session, scope, now), entry)
        session.add(
            StandingAlert(
                id=name,
                scope=scope,
                entry=entry.model_dump(mode="json"),
                issued_at=now,
                hard_end=now + lasts,
                issued_by=actor.name,
            )
        )
        told = {"scope": scope, "kind": kind, "reason": reason}
        audit.record(session, now, actor.name, "alert.sound", name, told, area_of_scope(session, scope))
        _intend(session, scope, now)
    _issue(ctx, scope, now)
    return name


@audit.decided("alert.silence")
def silence(ctx: Context, actor: Actor, scope: str, alert_id: str | None = None) -> int:
    """Take one alert, or all, off the scope's list; how many. All also voids what narrower scopes issued before.

    Silence wakes nobody and must come within seconds: no fresh code is asked for it. Raises Refused: "no_right",
    "second_factor.needed", "not_yours".
    """
    actor, now = actor.need(Right.ALERT), ctx.clock.now()
    with ctx.db.write() as session:
        _check_place(session, actor, scope)
        standing = [alert for alert in _standing(session, scope, now) if alert_id is None or alert.id == alert_id]
        for alert in standing:
            alert.silenced_at, alert.silenced_by = now, actor.name
        told, area = {"scope": scope, "alerts": len(standing)}, area_of_scope(session, scope)
        audit.record(session, now, actor.name, "alert.silence", alert_id or scope, told, area)
        _intend(session, scope, now, void=alert_id is None)
    _issue(ctx, scope, now)
    return len(standing)


def outrank(ctx: Context, scope: str, seen: int, now: datetime) -> None:
    """The broker holds a version of our list above ours: we were restored from a backup, and sign anew above it. A
    scope that had no list yet when the backup was made gets an empty one: what nobody here knows of must not sound on.
    """
    with ctx.db.write() as session:
        stored = session.get(ScopeDocument, scope) or _nothing_said(session, scope, now)
        if seen <= max(stored.version, stored.seen_version):
            return
        stored.seen_version = seen
    _issue(ctx, scope, now)


_ENDED = (
    select(StandingAlert.scope)
    .join(ScopeDocument, ScopeDocument.scope == StandingAlert.scope)
    .where(
        StandingAlert.silenced_at.is_(None),
        StandingAlert.hard_end <= bindparam("now"),
        StandingAlert.hard_end > ScopeDocument.issued_at,
    )
    .distinct()
    .order_by(StandingAlert.scope)
)
_UNSIGNED = (
    select(ScopeDocument.scope)
    .where(
        or_(ScopeDocument.dirty > 0, ScopeDocument.seen_version > ScopeDocument.version),
        ScopeDocument.scope != TRUST,
    )
    .order_by(ScopeDocument.scope)
)


def retire(ctx: Context, now: datetime) -> None:
    """Sign anew, without them, the lists that still name alerts whose hard end has passed: a unit that boots without
    trusted time cannot know that they are over."""
    with ctx.db.read() as session:
        scopes = session.scalars(_ENDED, {"now": now}).all()
    if not scopes:
        return
    with ctx.db.write() as session:
        for scope in scopes:
            _intend(session, scope, now)
    issue_pending(ctx, now)
    ctx.wake()


def issue_pending(ctx: Context, now: datetime) -> None:
    """Sign what was decided and is not said yet: whoever decided it may have died before he could."""
    with ctx.db.read() as session:
        scopes = session.scalars(_UNSIGNED).all()
    for scope in scopes:
        try:
            _sign(ctx, scope, now)
        except ValueError:  # one list that cannot be written must not keep back the others, nor the plans
            _LOG.exception("the alert list of %s could not be issued", scope)


def also(session: Session, sha256: str, now: datetime) -> None:
    """A recording was written in another codec: the alerts that stand name it too, where their lists have room."""
    standing = session.scalars(
        select(StandingAlert).where(StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
    )
    for alert in standing:
        content = alert.entry.get("content", [])
        if all(each["asset"]["sha256"] != sha256 for each in content):
            continue
        asset = library.find(session, sha256)
        told = [
            each if each["asset"]["sha256"] != sha256
            else other_codecs.rendition(session, each["language"], asset).model_dump(mode="json")
            for each in content
        ]  # fmt: skip
        entry = alert.entry | {"content": told}
        others = [each for each in _standing(session, alert.scope, now) if each.id != alert.id]
        try:
            _need_room(others, wire.Alert.model_validate(entry, strict=False))
        except Refused:
            _LOG.warning("no room in the list of %s for %s in another codec", alert.scope, sha256)
            continue
        alert.entry = entry
        _intend(session, alert.scope, now)


def _check_place(session: Session, actor: Actor, scope: str) -> None:
    """Raises Refused("not_yours")."""
    if area_of_scope(session, scope) not in actor.areas:
        raise Refused("not_yours")


def _intend(session: Session, scope: str, now: datetime, *, void: bool = False) -> None:
    """In the transaction of the act: from here on the list will be signed anew, if not by us then by the next step."""
    stored = session.get(ScopeDocument, scope) or _nothing_said(session, scope, now)
    stored.dirty += 1
    if void:
        stored.void_before = max(stored.void_before, unix_ms(now))


def _nothing_said(session: Session, scope: str, now: datetime) -> ScopeDocument:
    """The row of a scope that has no list yet."""
    made = ScopeDocument(scope=scope, version=0, document=b"", issued_at=now, void_before=0, seen_version=0, dirty=0)
    session.add(made)
    return made


def _need_room(standing: Sequence[StandingAlert], entry: wire.Alert) -> None:
    """Raises Refused("alert.too_many"): a list that no unit takes would keep back what stands on it already."""
    entries = [*(alert.entry for alert in standing), entry.model_dump(mode="json", exclude_none=True)]
    size = len(json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode())
    if len(entries) > wire.MOST_ALERTS or size > MOST_BYTES:
        raise Refused("alert.too_many", most=wire.MOST_ALERTS)


def _standing(session: Session, scope: str, now: datetime) -> Sequence[StandingAlert]:
    return session.scalars(
        select(StandingAlert)
        .where(StandingAlert.scope == scope, StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
        .order_by(StandingAlert.issued_at, StandingAlert.id)
    ).all()


def _issue(ctx: Context, scope: str, now: datetime) -> None:
    _sign(ctx, scope, now)
    ctx.wake()


def _sign(ctx: Context, scope: str, now: datetime) -> None:
    """Sign the scope's list as it stands. Who is overtaken meanwhile looks again; what is said already stays."""
    signer = ctx.keys.signer(Use.ALERT)
    while not _try_sign(ctx, scope, now, signer):
        pass


def _try_sign(ctx: Context, scope: str, now: datetime, signer: SigningKey) -> bool:
    with ctx.db.read() as session:
        had = session.get_one(ScopeDocument, scope)
        standing = _standing(session, scope, now)
    if not had.dirty and had.seen_version <= had.version:
        return True
    version = next_version(had.version, had.seen_version, unix_ms(now))
    document = wire.AlertDocument(
        scope=scope,
        version=version,
        issued_at=unix_ms(now),
        alerts=[wire.Alert.model_validate(alert.entry, strict=False) for alert in standing],
        void_before=had.void_before,
    )
    sealed = codec.seal(document, Typ.ALERT, signer)
    with ctx.db.write() as session:
        stored = session.get_one(ScopeDocument, scope)
        if (stored.version, stored.dirty) != (had.version, had.dirty):
            return False
        stored.version, stored.document, stored.issued_at = version, sealed, now
        stored.dirty, stored.published_at = 0, None
    return True
