"""How a unit becomes one of ours: it asks with keys that it made itself, and a person who reads its code off the box,
or a factory's list, says yes (R-084). Whoever is not accepted has nothing: no name, no certificate, no file.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.errors import Conflict, ContractViolation, Fault, Refused
from broadcasts.ids import NAME
from broadcasts.wire import enrol
from broadcasts.wire.enrol import EnrolAnswer, EnrolRequest, EnrolState
from controller.db.tables import Enrolment, FactoryEntry, Unit, UnitCertificate
from controller.services import audit
from controller.services.context import Context
from controller.services.rights import Actor, Right
from controller.services.unit_authority import Certified, UnitAuthority, key_of_request
from controller.services.unit_terms import POLL_S

WAITING, ACCEPTED, REFUSED = (str(state) for state in EnrolState)
RESERVED = frozenset({"controller", "loa-check"})
"""Names at the broker that no unit may have (controller/mqtt/broker_users.py)."""
FACTORY = "factory list"


def ask(ctx: Context, document: bytes, source: str) -> EnrolAnswer:
    """What a unit's request came to, the first time and each time that it is said again.

    Raises Refused: "enrolment.off", "enrolment.broken" (reason), "enrolment.request", "enrolment.too_many".
    """
    try:
        told = enrol.read_request(document)
        fingerprint = enrol.fingerprint_of(told.key_x)
    except (ContractViolation, ValueError) as failure:
        raise Refused("enrolment.broken", reason=getattr(failure, "reason", "malformed")) from None
    _authority(ctx)
    key_of_request(told.request)
    now = ctx.wall.now()
    with ctx.db.write() as session:
        row = _standing(session, fingerprint)
        if row is None and _out(session, told.key_x):
            return _never(fingerprint, now)
        listed = session.get(FactoryEntry, told.serial)
        known = listed is not None and listed.fingerprint == fingerprint
        if not known and (row is None or (row.state == WAITING and row.expires_at <= now)):
            _room(session, ctx, source, now)  # whom the maker listed, no crowd of strangers keeps out
        if row is None:
            row = _waits(ctx, session, told, fingerprint, source, now)
        elif row.state == WAITING:
            # The same key says it: what it says last counts, and one that was over waits again.
            row.serial, row.vendor, row.model, row.firmware = told.serial, told.vendor, told.model, told.firmware
            row.request, row.secret_sha256 = told.request, told.secret_sha256
            row.expires_at = now + ctx.units.waits
        if known and row.state == WAITING and holder(session, told.serial) is None:
            let_in(ctx, session, row, "", FACTORY, now)
        return _answer(ctx, session, row, now)


def answer(ctx: Context, enrolment_id: str) -> EnrolAnswer:
    """As `ask`, by the id that it gave. Raises Refused("unit.unknown": it is nobody's)."""
    with ctx.db.read() as session:
        row = session.get(Enrolment, enrolment_id[:40])
        if row is None:
            raise Refused("unit.unknown")
        return _answer(ctx, session, row, ctx.wall.now())


@audit.decided("unit.accept")
def accept(ctx: Context, actor: Actor, told: str, unit: str = "") -> str:
    """The id of the new unit. `told`: the code as typed, or the text of the QR code; `unit`: the id that it gets, by
    default one that follows from its serial number.

    Raises Refused: "no_right", "enrolment.code" (nobody waits under it), "enrolment.expired", "enrolment.name",
    "enrolment.not_as_listed"; Conflict: "enrolment.code_twice" (two keys, one code: only the QR code tells them apart),
    "enrolment.serial_taken" (by unit), "enrolment.name_taken".
    """
    actor = actor.need(Right.ENROL)
    with ctx.db.write() as session:
        return accept_now(ctx, session, told, unit, actor.name)


def accept_now(ctx: Context, session: Session, told: str, unit: str, by: str) -> str:
    """As `accept`, for whoever sits at the machine itself."""
    now, code, fingerprint = ctx.wall.now(), enrol.read_code(told), enrol.fingerprint_told(told)
    rows = select(Enrolment).where(Enrolment.code == code, Enrolment.state == WAITING).order_by(Enrolment.asked_at)
    if fingerprint:  # all 256 bits of it: a key with the same ten letters can be searched for
        rows = rows.where(Enrolment.fingerprint == fingerprint)
    found = list(session.scalars(rows)) if code else []
    if not found:
        raise Refused("enrolment.code")
    live = [row for row in found if row.expires_at > now]
    if not live:
        raise Refused("enrolment.expired", serial=found[-1].serial)
    if len(live) > 1:
        raise Conflict("enrolment.code_twice")
    row = live[-1]
    taken = holder(session, row.serial)
    if taken is not None:
        raise Conflict("enrolment.serial_taken", serial=row.serial, unit=taken)
    listed = session.get(FactoryEntry, row.serial)
    if listed is not None and listed.fingerprint != row.fingerprint:
        raise Refused("enrolment.not_as_listed", serial=row.serial)
    return let_in(ctx, session, row, unit.strip().lower(), by, now)


@audit.decided("unit.turn_away")
def turn_away(ctx: Context, actor: Actor, enrolment_id: str, reason: str) -> None:
    """Raises Refused: "no_right", "reason.missing", "enrolment.unknown"; Conflict("enrolment.decided")."""
    actor = actor.need(Right.ENROL)
    now = ctx.wall.now()
    with ctx.db.write() as session:
        row = session.get(Enrolment, enrolment_id[:40])
        if row is None:
            raise Refused("enrolment.unknown")
        if not reason.strip():
            raise Refused("reason.missing")
        if row.state != WAITING:
            raise Conflict("enrolment.decided", state=row.state)
        row.state, row.decided_at, row.decided_by, row.reason = REFUSED, now, actor.name, reason.strip()[:300]
        told = {"serial": row.serial, "fingerprint": row.fingerprint, "reason": row.reason}
        audit.record(session, now, actor.name, "unit.turn_away", row.id, told)


def holder(session: Session, serial: str) -> str | None:
    """The unit that has this serial number and is not revoked."""
    query = (
        select(Unit.id)
        .join(Enrolment, Enrolment.unit_id == Unit.id)
        .where(Enrolment.serial == serial, Unit.revoked_at.is_(None))
    )
    return session.scalar(query.limit(1))


def newest_certificate(session: Session, unit: str) -> UnitCertificate | None:
    rows = select(UnitCertificate).where(UnitCertificate.unit_id == unit)
    return session.scalars(rows.order_by(UnitCertificate.issued_at.desc(), UnitCertificate.serial)).first()


def keep_certificate(session: Session, unit: str, made: Certified, now: datetime, at_ms: int | None = None) -> None:
    session.add(
        UnitCertificate(
            serial=made.serial, unit_id=unit, pem=made.pem, issued_at=now, expires_at=made.until, renewed_at_ms=at_ms
        )
    )
    session.flush()


def _authority(ctx: Context) -> UnitAuthority:
    if ctx.units.authority is None:
        raise Refused("enrolment.off")
    return ctx.units.authority


def _standing(session: Session, fingerprint: str) -> Enrolment | None:
    """What this key asked before, waiting or decided, under whichever serial number: a key that was revoked or turned
    away never comes back, and no key is two units."""
    rows = select(Enrolment).where(Enrolment.fingerprint == fingerprint)
    return session.scalars(rows.order_by(Enrolment.asked_at.desc(), Enrolment.id)).first()


def _out(session: Session, key_x: str) -> bool:
    """Of a unit that was set up by hand, and revoked."""
    return session.scalar(select(Unit.id).where(Unit.key_x == key_x, Unit.revoked_at.is_not(None)).limit(1)) is not None


def _never(fingerprint: str, now: datetime) -> EnrolAnswer:
    return EnrolAnswer(
        id=f"out-{fingerprint[:16]}",
        state=EnrolState.REFUSED,
        code=enrol.code_of(fingerprint),
        poll_after_s=POLL_S,
        expires_at=unix_ms(now),
        reason="revoked",
    )


def _room(session: Session, ctx: Context, source: str, now: datetime) -> None:
    waiting = (Enrolment.state == WAITING, Enrolment.expires_at > now)
    all_of_them = session.scalar(select(func.count()).select_from(Enrolment).where(*waiting)) or 0
    his = session.scalar(select(func.count()).select_from(Enrolment).where(*waiting, Enrolment.source == source)) or 0
    if all_of_them >= ctx.units.most_waiting or his >= ctx.units.most_from_one:
        raise Refused("enrolment.too_many")


def _waits(
    ctx: Context, session: Session, told: EnrolRequest, fingerprint: str, source: str, now: datetime
) -> Enrolment:
    row = Enrolment(
        id=ctx.ids.new("e"),
        serial=told.serial,
        vendor=told.vendor,
        model=told.model,
        firmware=told.firmware,
        fingerprint=fingerprint,
        code=enrol.code_of(fingerprint),
        key_x=told.key_x,
        secret_sha256=told.secret_sha256,
        request=told.request,
        state=WAITING,
        source=source[:45],
        asked_at=now,
        expires_at=now + ctx.units.waits,
    )
    session.add(row)
    session.flush()
    return row


def let_in(ctx: Context, session: Session, row: Enrolment, unit: str, by: str, now: datetime) -> str:
    name = _name(session, row.serial, unit)
    made = _authority(ctx).certify(row.request, name, now, ctx.units.lasts)
    session.add(
        Unit(
            id=name,
            vendor=row.vendor,
            key_x=row.key_x,
            password_only=False,
            secret_hashes={"sha256": row.secret_sha256},
            enrolled_at=now,
        )
    )
    session.flush()
    row.state, row.unit_id, row.decided_at, row.decided_by = ACCEPTED, name, now, by
    keep_certificate(session, name, made, now)
    told = {"serial": row.serial, "fingerprint": row.fingerprint, "vendor": row.vendor, "certificate": made.serial}
    audit.record(session, now, by, "unit.accept", name, told)
    return name


def _name(session: Session, serial: str, wanted: str) -> str:
    """Names are never given twice: what is said about a unit stays true."""
    if wanted:
        if not NAME.fullmatch(wanted) or wanted in RESERVED:
            raise Refused("enrolment.name", name=wanted[:40])
        if session.get(Unit, wanted) is not None:
            raise Conflict("enrolment.name_taken", name=wanted)
        return wanted
    plain = "u-" + re.sub(r"[^a-z0-9]+", "-", serial.lower()).strip("-")[:26].strip("-")
    for number in range(1, 1000):
        name = plain if number == 1 else f"{plain}-{number}"
        if session.get(Unit, name) is None:
            return name
    raise Fault("unforeseen")


def _answer(ctx: Context, session: Session, row: Enrolment, now: datetime) -> EnrolAnswer:
    gone = row.unit_id is not None and session.get_one(Unit, row.unit_id).revoked_at is not None
    state = REFUSED if gone or (row.state == WAITING and row.expires_at <= now) else row.state
    reason = "revoked" if gone else "expired" if state != row.state else row.reason
    told = EnrolAnswer(
        id=row.id,
        state=EnrolState(state),
        code=row.code,
        poll_after_s=POLL_S,
        expires_at=unix_ms(row.expires_at),
        reason=reason or None,
    )
    if state != ACCEPTED or row.unit_id is None:
        return told
    return joined(ctx, session, row.unit_id, told)


def joined(ctx: Context, session: Session, unit: str, told: EnrolAnswer) -> EnrolAnswer:
    """With all that the unit has to know."""
    held = newest_certificate(session, unit)
    root, terms = ctx.keys.root_public(), ctx.units
    if held is None:
        return told
    return told.model_copy(
        update={
            "unit": unit,
            "certificate": held.pem + _authority(ctx).pem,
            "trust": terms.trust or None,
            "broker": terms.broker or None,
            "files": terms.files or None,
            "root_kid": root.kid,
            "root_x": root.x,
            "renew_after": unix_ms(max(held.expires_at - terms.renew_before, held.issued_at + timedelta(hours=1))),
        }
    )
