"""The next certificate of a unit, before the old one ends: it asks by itself, signed by the key that it joined with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from broadcasts.clock import unix_ms
from broadcasts.errors import Conflict, ContractViolation, Refused
from broadcasts.wire import codec, jws
from broadcasts.wire.enrol import CODE_LETTERS, MAX_BYTES, EnrolAnswer, EnrolState, RenewRequest
from controller.db.tables import Unit
from controller.services import audit
from controller.services.context import Context
from controller.services.unit_enrolling import joined, keep_certificate, newest_certificate
from controller.services.unit_terms import POLL_S

NEAR = timedelta(hours=24)
"""How far a unit's clock may be from ours, and how old a request that was held up on its way."""
NOT_SOONER = timedelta(minutes=10)
"""A unit that asks in a circle gets the same certificate again."""


def renew(ctx: Context, document: bytes) -> EnrolAnswer:
    """Raises Refused: "enrolment.off", "enrolment.broken" (reason), "unit.unknown" (nobody's signature, or revoked),
    "enrolment.request"; Conflict("enrolment.old": a request that was used, or is a day off)."""
    authority, now = ctx.units.authority, ctx.wall.now()
    with ctx.db.read() as session:
        told = _read(document, lambda name: _key(session.get(Unit, name)))
    if authority is None:
        raise Refused("enrolment.off")
    made = authority.certify(told.request, told.unit, now, ctx.units.lasts)
    with ctx.db.write() as session:
        unit = session.get_one(Unit, told.unit)
        if unit.revoked_at is not None:
            raise Refused("unit.unknown")
        held = newest_certificate(session, told.unit)
        if abs(told.at - unix_ms(now)) > NEAR.total_seconds() * 1000:
            raise Conflict("enrolment.old")
        if held is not None and held.renewed_at_ms is not None and told.at < held.renewed_at_ms:
            raise Conflict("enrolment.old")
        again = held is not None and (held.renewed_at_ms == told.at or now - held.issued_at < NOT_SOONER)
        if not again:
            keep_certificate(session, told.unit, made, now, told.at)
            if told.secret_sha256 is not None:
                unit.secret_hashes = {**unit.secret_hashes, "sha256": told.secret_sha256}
            audit.record(session, now, told.unit, "unit.renew", told.unit, {"certificate": made.serial})
        answer = EnrolAnswer(
            id=f"renewed-{told.unit}",
            state=EnrolState.ACCEPTED,
            code="-" * CODE_LETTERS,
            poll_after_s=POLL_S,
            expires_at=unix_ms(made.until),
        )
        return joined(ctx, session, told.unit, answer)


def _read(document: bytes, key_of: Callable[[str], jws.PublicKey | None]) -> RenewRequest:
    try:
        told = codec.unseal(RenewRequest, document, jws.Typ.RENEW, key_of, MAX_BYTES)
        named = jws.key_name(document, jws.Typ.RENEW)
    except ContractViolation as failure:
        if failure.reason in ("key_not_trusted", "bad_signature"):
            raise Refused("unit.unknown") from None
        raise Refused("enrolment.broken", reason=failure.reason) from None
    if told.unit != named:
        raise Refused("unit.unknown")
    return told


def _key(unit: Unit | None) -> jws.PublicKey | None:
    if unit is None or unit.revoked_at is not None or unit.password_only:
        return None
    return jws.PublicKey(unit.id, unit.key_x)
