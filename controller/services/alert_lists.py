"""The list of each standing scope: complete, signed, versioned (design, decision 3).

What was decided is written first, in the transaction of the act, and signed afterwards: whoever dies in between, the
next step says it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.versions import next_version
from broadcasts.errors import Refused
from broadcasts.wire import alert as wire
from broadcasts.wire import codec, topics
from broadcasts.wire.jws import SigningKey, Typ
from broadcasts.wire.trust import Use
from controller.db.tables import ScopeDocument, StandingAlert, UnitStatus
from controller.services import library, other_codecs
from controller.services.context import Context
from controller.services.trusting import TRUST

_LOG = logging.getLogger("loa.alerting")
MOST_BYTES = topics.MANNERS[topics.ScopeTopic.ALERT].max_bytes * 3 // 4 - 1024
"""Of all entries of a list as JSON: base64 in the signature's envelope makes four bytes of three, head and signature
take the rest."""


def standing(session: Session, scope: str, now: datetime) -> Sequence[StandingAlert]:
    return in_lists(session, [scope], now).get(scope, [])


def in_lists(session: Session, scopes: Collection[str], now: datetime) -> Mapping[str, list[StandingAlert]]:
    """What stands in the lists of these scopes, in the order of issue."""
    rows = session.scalars(
        select(StandingAlert)
        .where(StandingAlert.scope.in_(scopes), StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
        .order_by(StandingAlert.issued_at, StandingAlert.id)
    )
    found: dict[str, list[StandingAlert]] = {}
    for row in rows:
        found.setdefault(row.scope, []).append(row)
    return found


def known(session: Session, scopes: Collection[str]) -> list[ScopeDocument]:
    """Their rows at one go: while they are held, `intend` asks for none of them."""
    return list(session.scalars(select(ScopeDocument).where(ScopeDocument.scope.in_(scopes))))


def intend(session: Session, scope: str, now: datetime, *, void_before: int = 0) -> None:
    """In the transaction of the act: from here on the list will be signed anew, if not by us then by the next step.
    `void_before`: all that was issued before it, here and in narrower scopes, is void."""
    stored = session.get(ScopeDocument, scope) or nothing_said(session, scope, now)
    stored.dirty += 1
    stored.void_before = max(stored.void_before, void_before)


def nothing_said(session: Session, scope: str, now: datetime) -> ScopeDocument:
    """The row of a scope that has no list yet."""
    made = ScopeDocument(scope=scope, version=0, document=b"", issued_at=now, void_before=0, seen_version=0, dirty=0)
    session.add(made)
    return made


def need_room(standing: Sequence[StandingAlert], entry: wire.Alert) -> None:
    """Raises Refused("alert.too_many"): a list that no unit takes would keep back what stands on it already."""
    entries = [*(alert.entry for alert in standing), entry.model_dump(mode="json", exclude_none=True)]
    size = len(json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode())
    if len(entries) > wire.MOST_ALERTS or size > MOST_BYTES:
        raise Refused("alert.too_many", most=wire.MOST_ALERTS)


def void_before(session: Session) -> int:
    """The latest instant before which some list voids everything, Unix ms."""
    return session.scalar(select(func.max(ScopeDocument.void_before))) or 0


def outrank(ctx: Context, scope: str, seen: int, now: datetime) -> None:
    """The broker holds a version of our list above ours: we were restored from a backup, and sign anew above it. A
    scope that had no list yet when the backup was made gets an empty one: what nobody here knows of must not sound on.
    """
    with ctx.db.write() as session:
        stored = session.get(ScopeDocument, scope) or nothing_said(session, scope, now)
        if seen <= max(stored.version, stored.seen_version):
            return
        stored.seen_version = seen
    issue(ctx, [scope], now)


_SIMPLE = select(UnitStatus.unit_id).where(UnitStatus.codecs.is_not(None)).limit(1)
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
            intend(session, scope, now)
    issue_pending(ctx, now)
    ctx.wake()


def issue_pending(ctx: Context, now: datetime) -> None:
    """Sign what was decided and is not said yet: whoever decided it may have died before he could."""
    with ctx.db.read() as session:
        scopes = session.scalars(_UNSIGNED).all()
    _sign(ctx, scopes, now)


def issue(ctx: Context, scopes: Sequence[str], now: datetime) -> None:
    """Sign the lists of these scopes as they stand, and have them published in this order. Nobody else is woken who
    would take the core from the publisher, but where a pole may need the sound in another codec."""
    if not scopes:
        return
    _sign(ctx, scopes, now)
    ctx.publish_soon()
    with ctx.db.read() as session:
        simple = session.scalar(_SIMPLE)
    if simple is not None:
        ctx.wake()


def _sign(ctx: Context, scopes: Sequence[str], now: datetime) -> None:
    """Whoever is overtaken meanwhile looks again; what is said already stays."""
    signer = ctx.keys.signer(Use.ALERT)
    left = list(dict.fromkeys(scopes))
    while left:
        left = _try_sign(ctx, left, now, signer)


def _try_sign(ctx: Context, scopes: Sequence[str], now: datetime, signer: SigningKey) -> list[str]:
    """The scopes whose lists somebody changed meanwhile. Versions rise in the order of `scopes`: they are published in
    that of their versions."""
    with ctx.db.read() as session:
        rows = {row.scope: row for row in session.scalars(select(ScopeDocument).where(ScopeDocument.scope.in_(scopes)))}
        lists = in_lists(session, scopes, now)
    sealed: dict[str, tuple[int, bytes]] = {}
    last = 0
    for scope in scopes:
        had = rows[scope]
        if not had.dirty and had.seen_version <= had.version:
            continue
        last = max(next_version(had.version, had.seen_version, unix_ms(now)), last + 1)
        try:
            document = wire.AlertDocument(
                scope=scope,
                version=last,
                issued_at=unix_ms(now),
                alerts=[wire.Alert.model_validate(alert.entry, strict=False) for alert in lists.get(scope, ())],
                void_before=had.void_before,
            )
        except ValueError:  # one list that cannot be written must not keep back the others, nor the plans
            _LOG.exception("the alert list of %s could not be issued", scope)
            continue
        sealed[scope] = last, codec.seal(document, Typ.ALERT, signer)
    if not sealed:
        return []
    overtaken = []
    with ctx.db.write() as session:
        stored = session.scalars(select(ScopeDocument).where(ScopeDocument.scope.in_(sealed)))
        for row in stored:
            had = rows[row.scope]
            if (row.version, row.dirty) != (had.version, had.dirty):
                overtaken.append(row.scope)
                continue
            row.version, row.document = sealed[row.scope]
            row.issued_at, row.dirty, row.published_at = now, 0, None
        _number(session, {scope: version for scope, (version, _) in sealed.items() if scope not in overtaken})
    return [scope for scope in scopes if scope in overtaken]


def _carried(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": part["data"]} if part.get("data") else {}


def _number(session: Session, versions: Mapping[str, int]) -> None:
    """From which list on an alert is said, and from which on not any more: a unit reports the version it follows.
    `versions` by scope."""
    rows = session.execute(_UNNUMBERED, {"scopes": list(versions)}).all()
    for gone in (False, True):
        told = [
            {"b_id": row.id, "b_scope": row.scope, "b_version": versions[row.scope]} for row in rows if row.gone is gone
        ]
        if told:
            session.connection().execute(_GONE if gone else _SAID, told)


_SILENCED = StandingAlert.silenced_at.is_not(None)
_UNNUMBERED = select(StandingAlert.id, StandingAlert.scope, _SILENCED.label("gone")).where(
    StandingAlert.scope.in_(bindparam("scopes", expanding=True)),
    (~_SILENCED & StandingAlert.version.is_(None)) | (_SILENCED & StandingAlert.gone_version.is_(None)),
)
_ROW = update(StandingAlert.__table__).where(  # type: ignore[arg-type]
    StandingAlert.id == bindparam("b_id"), StandingAlert.scope == bindparam("b_scope")
)
_SAID, _GONE = (_ROW.values({name: bindparam("b_version")}) for name in ("version", "gone_version"))


def also(session: Session, sha256: str, now: datetime) -> None:
    """A recording was written in another codec: the alerts that stand name it too, where their lists have room."""
    rows = session.scalars(
        select(StandingAlert).where(StandingAlert.silenced_at.is_(None), StandingAlert.hard_end > now)
    )
    for alert in rows:
        content = alert.entry.get("content", [])
        if all(each["asset"]["sha256"] != sha256 for each in content):
            continue
        asset = library.find(session, sha256)
        told = [
            each if each["asset"]["sha256"] != sha256
            else other_codecs.rendition(session, each["language"], asset).model_dump(mode="json") | _carried(each)
            for each in content
        ]  # fmt: skip
        entry = alert.entry | {"content": told}
        others = [each for each in standing(session, alert.scope, now) if each.id != alert.id]
        try:
            need_room(others, wire.Alert.model_validate(entry, strict=False))
        except Refused:
            _LOG.warning("no room in the list of %s for %s in another codec", alert.scope, sha256)
            continue
        alert.entry = entry
        intend(session, alert.scope, now)
