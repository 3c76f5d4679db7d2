"""The oldest part of the audit log moves into a file, once it has been kept for its term (R-105), and the rest stays
provable.

What goes is always the beginning of the chain. The file holds it with its hashes, is written, synced and read again
before anything is deleted; then, in one transaction, the log says that it was archived, a checkpoint keeps the hash
that the rest follows from, and the lines go. The database takes no other way (`controller/db/append_only.py`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from broadcasts.errors import Conflict, Fault, Refused
from controller.db.append_only import APPEND_ONLY, ARCHIVED, FLOOR_DAYS
from controller.db.tables import AuditCheckpoint, AuditEntry
from controller.services import audit
from controller.services.context import Context


@dataclass(frozen=True)
class Archived:
    """`through`: the id of the last line in the file, `hash` what the log goes on from."""

    lines: int
    through: int
    hash: str
    sha256: str


def archive(ctx: Context, before: datetime, path: Path, by: str) -> Archived:
    """All lines from the beginning to the last one before the first that is from `before` or later.

    Raises Refused: "audit.too_young" (`before` lies within the term), "audit.nothing_old", "audit.file_there" (never
    over a file); Fault: "audit.broken" (a broken chain is looked into first), "audit.unwritten", "audit.file" (what
    lies there is not what was written), "audit.floor" (younger than the database lets go by its own clock), those of
    `Database.write`; Conflict("audit.archived") when somebody else archived meanwhile. Whatever is raised, nothing was
    deleted.
    """
    if before > ctx.wall.now() - ctx.audit_keep:
        raise Refused("audit.too_young", days=ctx.audit_keep.days)
    with ctx.db.read() as session:
        checked = audit.check(session)
        if checked.broken is not None:
            raise Fault("audit.broken", line=checked.broken)
        since = checked.archived.through_id if checked.archived else 0
        through = _through(session, before)
        if through is None:
            raise Refused("audit.nothing_old")
        _write(path, audit.exported(session, through))
    made = _read_again(path, through)
    with ctx.db.write() as session:
        mark = audit.last_checkpoint(session)
        if (mark.through_id if mark else 0) != since:
            raise Conflict("audit.archived")
        try:
            _let_go(ctx, session, made, by)
        except DBAPIError as failure:
            if APPEND_ONLY not in str(failure.orig):
                raise
            raise Fault("audit.floor", days=FLOOR_DAYS) from failure
    return made


def _through(session: Session, before: datetime) -> int | None:
    """The line before the first young one: what an odd clock dated back further on stays with its neighbours."""
    young = session.scalar(select(func.min(AuditEntry.id)).where(AuditEntry.at >= before))
    wanted = select(func.max(AuditEntry.id))
    return session.scalar(wanted if young is None else wanted.where(AuditEntry.id < young))


def _let_go(ctx: Context, session: Session, made: Archived, by: str) -> None:
    now = ctx.wall.now()
    told = {"through": made.through, "hash": made.hash, "lines": made.lines, "sha256": made.sha256}
    audit.record(session, now, by, ARCHIVED, "audit", told, area="")
    line = session.scalars(select(func.max(AuditEntry.id))).one()
    session.add(
        AuditCheckpoint(
            through_id=made.through,
            hash=made.hash,
            line_id=line,
            lines=made.lines,
            file_sha256=made.sha256,
            at=now,
            by=by,
        )
    )
    session.flush()
    session.execute(delete(AuditEntry).where(AuditEntry.id <= made.through))


def _write(path: Path, lines: Iterator[str]) -> None:
    """Readable by us only; half a file is not left behind.

    Raises Refused("audit.file_there"), Fault("audit.unwritten")."""
    try:
        _fill(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), path, lines)
    except FileExistsError:
        raise Refused("audit.file_there", path=str(path)) from None
    except OSError as failure:
        raise Fault("audit.unwritten", path=str(path), detail=str(failure)) from failure


def _fill(handle: int, path: Path, lines: Iterator[str]) -> None:
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for line in lines:
                file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _read_again(path: Path, through: int) -> Archived:
    """From the disk: what counts is what lies there. Raises Fault("audit.file")."""
    try:
        sha256 = hashlib.sha256()
        with path.open("rb") as again:
            while block := again.read(1 << 20):
                sha256.update(block)
        with path.open(encoding="utf-8") as text:
            count, last, digest = audit.chain_of(text)
    except (OSError, ValueError) as failure:
        raise Fault("audit.file", path=str(path), detail=str(failure)) from failure
    if last != through:
        raise Fault("audit.file", path=str(path), detail=f"line {last}")
    return Archived(count, last, digest, sha256.hexdigest())
