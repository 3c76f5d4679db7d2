"""An upgrade over data of an older version: a key that only the new one has is made, and a key that was lost is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from broadcasts.clock import unix_ms
from broadcasts.errors import Fault
from broadcasts.wire.codec import seal
from broadcasts.wire.jws import Typ
from broadcasts.wire.trust import Trust, TrustedKey, Use
from controller.bootstrap.service import opened
from controller.db import migrate
from controller.db.engine import Database
from controller.db.tables import Area, AuditEntry, ScopeDocument
from controller.services import trusting
from controller.services.context import Context
from controller.settings import Settings, from_environment


@pytest.fixture
def older(tmp_path: Path) -> Settings:
    """Data of a version that knew no key for firmware, with a trust document that is out there."""
    settings = from_environment({"LOA_DATA": str(tmp_path)})
    db = Database(settings.database_url)
    migrate.move(db, "head")
    db.close()
    with opened(settings) as ctx:
        now = ctx.clock.now()
        keys = [told(ctx, use) for use in Use if use is not Use.FIRMWARE]
        root = ctx.keys.root()
        assert root is not None
        document = seal(Trust(version=7, issued_at=unix_ms(now), keys=keys), Typ.TRUST, root)
        with ctx.db.write() as session:
            session.add(Area(id="p-1", kind="province", name="P", code="1", valid_from=date(2025, 7, 1)))
            row = {"scope": trusting.TRUST, "version": 7, "document": document, "issued_at": now, "void_before": 0}
            session.add(ScopeDocument(**row, published_at=None))
    (tmp_path / "keys" / "firmware.jwk").unlink()
    return settings


def told(ctx: Context, use: Use) -> TrustedKey:
    key, now = ctx.keys.signer(use).public, unix_ms(ctx.clock.now())
    return TrustedKey(kid=key.kid, use=use, x=key.x, not_before=now - 1, not_after=now + 800 * 86_400_000)


def test_a_key_that_came_with_this_version_is_made_told_and_written_down(
    older: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(older) as ctx:
        made = ctx.keys.signer(Use.FIRMWARE).public
        path = older.data / "keys" / "firmware.jwk"
        assert path.stat().st_mode & 0o777 == 0o600
        assert made.kid in caplog.text
        with ctx.db.read() as session:
            line = session.scalars(select(AuditEntry).where(AuditEntry.act == "key.make")).one()
        assert (line.actor, line.about, line.detail) == ("loa", "firmware", {"kid": made.kid})
        trusting.ensure_trust(ctx, ctx.clock.now())
        with ctx.db.read() as session:
            document = session.get_one(ScopeDocument, trusting.TRUST)
            assert document.version > 7
            assert "firmware" in trusting.told_uses(session, ctx.keys.root_public())
    with opened(older) as ctx:
        assert ctx.keys.signer(Use.FIRMWARE).public == made, "once"


def test_a_key_that_units_were_told_of_and_that_was_lost_is_never_replaced(older: Settings) -> None:
    with opened(older) as ctx:
        trusting.ensure_trust(ctx, ctx.clock.now())
    path = older.data / "keys" / "firmware.jwk"
    path.unlink()
    with pytest.raises(Fault) as failure, opened(older):
        pass
    assert failure.value.key == "keys.missing"
    assert not path.exists()


@pytest.mark.parametrize("lost", ["plan.jwk", "alert.jwk", "root.pub", "accounts.key"])
def test_beside_another_key_that_was_lost_none_is_made(older: Settings, lost: str) -> None:
    (older.data / "keys" / lost).unlink()
    with pytest.raises(Fault) as failure, opened(older):
        pass
    assert failure.value.key == "keys.missing"
    assert not {"firmware.jwk", lost} & {path.name for path in (older.data / "keys").iterdir()}
