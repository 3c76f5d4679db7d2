"""The trust document: which of our keys the units may believe, signed by the root key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from broadcasts.clock import unix_ms
from broadcasts.domain.versions import next_version
from broadcasts.wire import codec
from broadcasts.wire.jws import PublicKey, Typ
from broadcasts.wire.trust import Trust, TrustedKey, Use
from controller.db.tables import ScopeDocument
from controller.services.context import Context

TRUST = "trust"
VALID = timedelta(days=730)
RENEW = VALID / 2
"""So long before the keys' end a new document is issued."""
EARLIER = timedelta(days=1)


def ensure_trust(ctx: Context, now: datetime) -> None:
    """Issue a trust document when there is none, or when it does not list exactly our keys for long enough.

    Without the root key at hand (it is kept offline) an outdated document stays as it is.
    """
    keys = {use: ctx.keys.signer(use).public for use in Use}
    with ctx.db.read() as session:
        stored = session.get(ScopeDocument, TRUST)
    root = ctx.keys.root()
    if root is None or (stored is not None and _lists(stored.document, ctx, keys, now)):
        return
    version = next_version(stored.version if stored else 0, stored.seen_version if stored else 0, unix_ms(now))
    trust = Trust(
        version=version,
        issued_at=unix_ms(now),
        keys=[
            TrustedKey(kid=key.kid, use=use, x=key.x, not_before=unix_ms(now - EARLIER), not_after=unix_ms(now + VALID))
            for use, key in keys.items()
        ],
    )
    document = codec.seal(trust, Typ.TRUST, root)
    with ctx.db.write() as session:
        session.merge(
            ScopeDocument(
                scope=TRUST, version=version, document=document, issued_at=now, void_before=0, published_at=None
            )
        )


def told_uses(session: Session, root: PublicKey) -> frozenset[str]:
    """For what the stored document names a key: of these any unit may have heard. Raises ContractViolation where it is
    not of this root."""
    stored = session.get(ScopeDocument, TRUST)
    return frozenset() if stored is None else frozenset(str(key.use) for key in _read(stored.document, root).keys)


def _read(document: bytes, root: PublicKey) -> Trust:
    return codec.unseal(Trust, document, Typ.TRUST, lambda kid: root if kid == root.kid else None)


def _lists(document: bytes, ctx: Context, ours: Mapping[Use, PublicKey], now: datetime) -> bool:
    trust = _read(document, ctx.keys.root_public())
    listed = {(key.use, key.kid, key.x) for key in trust.keys if key.not_after > unix_ms(now + RENEW)}
    return listed == {(use, key.kid, key.x) for use, key in ours.items()}
