"""The oldest part of the audit log in a file, the rest proven; and all that the database refuses on the way."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from support.services import ENGINES, Workshop, raises

from broadcasts.clock import ManualClock
from broadcasts.errors import Conflict, Fault, LoaError, Refused
from controller.db import append_only, migrate
from controller.db.engine import Database
from controller.db.tables import AuditCheckpoint, AuditEntry
from controller.services import audit, audit_archive
from controller.services.context import Context

NOW = datetime(2024, 6, 1, tzinfo=UTC)
"""Long ago for the database's own clock too, which no test can set."""
OLD = NOW - timedelta(days=400)
KEPT = NOW - timedelta(days=365)


@pytest.fixture(params=ENGINES)
def ctx(request: pytest.FixtureRequest, workshop: Workshop, tmp_path: Path) -> Iterator[Context]:
    """A log of six lines: four old ones, a young one, and one that an odd clock dated back."""
    with workshop.empty(request.param, tmp_path) as url:
        db = Database(url)
        migrate.upgrade(db)
        found = workshop.context(db, ManualClock(NOW), lambda: None)
        with db.write() as session:
            for day in (0, 1, 2, 3, 390, 1):
                audit.record(session, OLD + timedelta(days=day), "ai", "test", str(day), {"n": day, "x": 0.5})
        yield found
        db.close()


def checked(ctx: Context) -> audit.Checked:
    with ctx.db.read() as session:
        return audit.check(session)


def held(ctx: Context) -> list[str]:
    with ctx.db.read() as session:
        return [line.about for line in audit.lines(session)]


def export(ctx: Context) -> list[str]:
    with ctx.db.read() as session:
        return list(audit.exported(session))


def differs(ctx: Context, lines: list[str]) -> int | None:
    with ctx.db.read() as session:
        return audit.differs(session, lines)


@pytest.mark.requirement("R-104", "R-105")
def test_what_was_kept_for_its_term_moves_into_a_file_and_the_rest_is_still_proven(
    ctx: Context, tmp_path: Path
) -> None:
    before, path = export(ctx), tmp_path / "one.jsonl"
    made = audit_archive.archive(ctx, KEPT, path, "terminal")
    assert path.read_text(encoding="utf-8").splitlines() == before[:4]
    assert path.stat().st_mode & 0o777 == 0o600
    assert (made.lines, made.hash) == (4, json.loads(before[3])["hash"])
    assert held(ctx) == ["390", "1", "audit"], "from the first young line on nothing goes"
    found = checked(ctx)
    assert (found.broken, found.lines) == (None, 3)
    assert found.archived is not None
    assert (found.archived.through_id, found.archived.file_sha256) == (made.through, made.sha256)
    assert differs(ctx, before) is None, "an export from before still fits"
    assert differs(ctx, before[:4]) is None, "and so does the file itself"


@pytest.mark.requirement("R-105")
def test_a_second_archive_goes_on_where_the_first_one_ended(ctx: Context, tmp_path: Path) -> None:
    first, second = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    audit_archive.archive(ctx, KEPT, first, "terminal")
    assert isinstance(ctx.wall, ManualClock)
    ctx.wall.advance(timedelta(days=380).total_seconds())
    with ctx.db.write() as session:
        audit.record(session, ctx.wall.now(), "ai", "test", "late")
    audit_archive.archive(ctx, NOW + timedelta(days=1), second, "terminal")
    assert held(ctx) == ["late", "audit"]
    assert checked(ctx).broken is None
    both = [*first.read_text().splitlines(), *second.read_text().splitlines()]
    assert differs(ctx, [*both, *export(ctx)]) is None
    with raises(Refused, "audit.nothing_old"):
        audit_archive.archive(ctx, NOW + timedelta(days=2), tmp_path / "three.jsonl", "terminal")


@pytest.mark.requirement("R-105")
def test_nothing_is_archived_or_deleted_where_something_is_not_right(ctx: Context, tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("")
    wrong: list[tuple[type[LoaError], str, datetime, Path]] = [
        (Refused, "audit.too_young", KEPT + timedelta(days=1), tmp_path / "a"),
        (Refused, "audit.nothing_old", OLD, tmp_path / "b"),
        (Refused, "audit.file_there", KEPT, there),
        (Fault, "audit.unwritten", KEPT, tmp_path / "no folder" / "c"),
    ]
    before = held(ctx)
    for family, key, day, path in wrong:
        with raises(family, key):
            audit_archive.archive(ctx, day, path, "terminal")
    owner(ctx, lambda session: session.execute(update(AuditEntry).where(AuditEntry.id == 2).values(actor="khác")))
    with raises(Fault, "audit.broken"):
        audit_archive.archive(ctx, KEPT, tmp_path / "d", "terminal")
    assert held(ctx) == before
    assert there.read_text() == ""


def test_a_disk_that_is_full_leaves_no_half_file_in_the_way(
    ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path, before = tmp_path / "a", held(ctx)
    with monkeypatch.context() as narrow:
        narrow.setattr(os, "fsync", full)
        with raises(Fault, "audit.unwritten"):
            audit_archive.archive(ctx, KEPT, path, "terminal")
    assert (path.exists(), held(ctx)) == (False, before)
    audit_archive.archive(ctx, KEPT, path, "terminal")


def test_what_else_the_database_refuses_is_not_called_too_young(ctx: Context, tmp_path: Path) -> None:
    mark(ctx)
    with ctx.db.write() as session:
        session.execute(text("CREATE UNIQUE INDEX odd ON audit (act) WHERE act = 'audit.archive'"))
    before = held(ctx)
    with pytest.raises(IntegrityError):
        audit_archive.archive(ctx, KEPT, tmp_path / "a", "terminal")
    assert held(ctx) == before


def test_two_who_archive_at_once_do_not_both(ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_again = audit_archive._read_again

    def slowly(path: Path, through: int) -> audit_archive.Archived:
        made = read_again(path, through)
        if path.name == "slow":
            audit_archive.archive(ctx, KEPT, tmp_path / "quick", "terminal")
        return made

    monkeypatch.setattr(audit_archive, "_read_again", slowly)
    with raises(Conflict, "audit.archived"):
        audit_archive.archive(ctx, KEPT, tmp_path / "slow", "terminal")
    assert checked(ctx).broken is None


def test_the_database_keeps_what_is_young_by_its_own_clock(ctx: Context, tmp_path: Path) -> None:
    """Whatever clock and settings say."""
    ahead = NOW + timedelta(days=36500)
    far = replace(ctx, wall=ManualClock(ahead), audit_keep=timedelta(days=1))
    with ctx.db.write() as session:
        audit.record(session, ahead - timedelta(days=10), "ai", "test", "young")
    with raises(Fault, "audit.floor"):
        audit_archive.archive(far, ahead - timedelta(days=2), tmp_path / "a", "terminal")
    assert held(ctx) == ["0", "1", "2", "3", "390", "1", "young"]
    assert checked(ctx).archived is None


def mark(ctx: Context, **changed: Any) -> dict[str, Any]:
    """The row of a checkpoint over the first two lines, with a line of the log that says so."""
    with ctx.db.write() as session:
        second = session.get_one(AuditEntry, 2)
        audit.record(session, NOW, "ai", append_only.ARCHIVED, "audit", {"through": 2, "hash": second.hash})
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last is not None
    told = {"through_id": 2, "hash": second.hash, "line_id": last.id, "lines": 2, "file_sha256": "0" * 64}
    return told | {"at": NOW, "by": "ai"} | changed


@pytest.mark.parametrize(
    "changed",
    [{"hash": "0" * 64}, {"through_id": 1}, {"line_id": 5}, {"line_id": 99}, {"through_id": 99}],
    ids=["a hash of no line", "the hash of another line", "a line of another act", "no line", "a line to come"],
)
@pytest.mark.requirement("R-104")
def test_no_checkpoint_is_taken_that_log_and_line_do_not_bear_out(ctx: Context, changed: dict[str, Any]) -> None:
    row = mark(ctx, **changed)
    with pytest.raises(DBAPIError), ctx.db.write() as session:
        session.execute(insert(AuditCheckpoint).values(row))
    with pytest.raises(DBAPIError), ctx.db.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id == 1))


@pytest.mark.requirement("R-104")
def test_a_checkpoint_lets_go_what_it_covers_and_stays_for_ever(ctx: Context) -> None:
    row = mark(ctx)
    with ctx.db.write() as session:
        session.execute(insert(AuditCheckpoint).values(row))
    acts: list[Callable[[Session], object]] = [
        lambda session: session.execute(delete(AuditEntry).where(AuditEntry.id == 3)),
        lambda session: session.execute(update(AuditEntry).where(AuditEntry.id == 1).values(actor="khác")),
        lambda session: session.execute(update(AuditCheckpoint).values(hash="1" * 64)),
        lambda session: session.execute(delete(AuditCheckpoint)),
        lambda session: session.execute(insert(AuditCheckpoint).values(row | {"through_id": 1})),
    ]
    for act in acts:
        with pytest.raises(DBAPIError), ctx.db.write() as session:
            act(session)
    assert checked(ctx).broken == 1, "archived, and still here"
    with ctx.db.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id <= 2))
    assert checked(ctx).broken is None


@pytest.mark.parametrize("own", ["audit", "audit_checkpoints"])
@pytest.mark.requirement("R-104")
def test_a_table_that_only_one_session_sees_vouches_for_nothing(ctx: Context, own: str) -> None:
    """Anybody may make one, and it hides ours from whoever asks without saying where."""
    row = mark(ctx, line_id=5)
    before = held(ctx)
    deeds: dict[str, tuple[str, Callable[[Session], object]]] = {
        "audit": (
            "SELECT id, at, hash, 'audit.archive' AS act FROM audit",
            lambda session: session.execute(insert(AuditCheckpoint).values(row)),
        ),
        "audit_checkpoints": (
            "SELECT 99 AS through_id",
            lambda session: session.execute(text(f"DELETE FROM {home(session)}.audit WHERE id = 1")),
        ),
    }

    def hide(session: Session) -> None:
        shown, deed = deeds[own]
        session.execute(text(f"CREATE TEMPORARY TABLE {own} AS {shown}"))
        deed(session)

    with pytest.raises(DBAPIError, match="append-only"), ctx.db.write() as session:
        hide(session)
    assert held(ctx) == before
    assert checked(ctx).archived is None


def home(session: Session) -> str:
    return "main" if session.get_bind().dialect.name == "sqlite" else "public"


def owner(ctx: Context, act: Callable[[Session], object]) -> None:
    """As whoever owns the database, who can take the triggers away."""
    with ctx.db.write() as session:
        append_only.lower_guard(session.get_bind().dialect.name, lambda told: session.execute(text(told)))
        act(session)


TAMPERED: dict[str, Callable[[Session], object]] = {
    "the first line that is left is gone": lambda session: session.execute(
        delete(AuditEntry).where(AuditEntry.about == "390")
    ),
    "the checkpoint says another hash": lambda session: session.execute(update(AuditCheckpoint).values(hash="1" * 64)),
    "the line that says so is gone": lambda session: session.execute(
        delete(AuditEntry).where(AuditEntry.act == append_only.ARCHIVED)
    ),
    "the checkpoint is gone": lambda session: session.execute(delete(AuditCheckpoint)),
}


@pytest.mark.parametrize("how", TAMPERED)
@pytest.mark.requirement("R-104")
def test_the_owner_of_the_database_hides_nothing_behind_an_archive(ctx: Context, tmp_path: Path, how: str) -> None:
    audit_archive.archive(ctx, KEPT, tmp_path / "one", "terminal")
    owner(ctx, TAMPERED[how])
    assert checked(ctx).broken is not None


@pytest.mark.requirement("R-104")
def test_an_archive_that_was_cut_off_proves_nothing(ctx: Context, tmp_path: Path) -> None:
    """Whoever may cut it off may write anew what is before the cut."""
    path, before = tmp_path / "one", export(ctx)
    audit_archive.archive(ctx, KEPT, path, "terminal")
    lines = path.read_text().splitlines()
    forged = AuditEntry(at=OLD, actor="khác", act="test", about="0", area="", detail={"n": 0, "x": 0.5})
    told = json.loads(lines[0]) | {"actor": "khác", "hash": audit._link("", forged)}
    for one in (lines[:3], lines[:1], [json.dumps(told)]):
        with raises(Fault, "audit.unproven"):
            differs(ctx, one)
    with pytest.raises(ValueError, match="0 lines"):
        differs(ctx, [])
    assert differs(ctx, before[3:]) is None
    assert differs(ctx, before[4:]) is None


@pytest.mark.parametrize("line", range(4))
def test_an_archive_that_was_changed_afterwards_says_where(ctx: Context, tmp_path: Path, line: int) -> None:
    path = tmp_path / "one"
    audit_archive.archive(ctx, KEPT, path, "terminal")
    lines = path.read_text().splitlines()
    lines[line] = lines[line].replace('"ai"', '"khác"')
    assert differs(ctx, lines) == line + 1
