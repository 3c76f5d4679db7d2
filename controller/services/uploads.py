"""Recordings that come in pieces: a connection that breaks, a closed page or a restart of ours loses nothing that was
acknowledged.

The way of tus 1.0.0 (tus.io), said here without HTTP. What was received is on the disk, synced, before the database
says so; what lies behind that mark is written over by the next piece.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from broadcasts.audio.digest import digest
from broadcasts.audio.store import told_as_faults
from broadcasts.errors import Conflict, Fault, Refused
from broadcasts.ids import SHA256
from controller.db.tables import Upload
from controller.services.context import Context
from controller.services.library import find
from controller.services.listening import may_listen
from controller.services.rights import Actor, Right

MOST = 20
"""Recordings of one person that are not finished."""
MOST_TIMES = 3
"""Their bytes together, in largest recordings."""
GOOD_FOR = timedelta(days=1)
"""After its last piece."""
REMEMBERED = timedelta(days=7)
"""What became of it, after it was finished."""
STRAY = timedelta(hours=1)
SPARE_BYTES = 256 << 20
"""Of the disk, that no upload may take: poles' files are made there too."""
CHECKSUMS = ("sha256", "sha1")
"""sha1 because the protocol wants it; it guards against broken lines, not against people."""


class State(StrEnum):
    OPEN = "open"
    QUEUED = "queued"
    WORKING = "working"
    HELD = "held"
    """Whole, and tried often enough: it waits for its sender's word (`trying_again`)."""
    DONE = "done"
    REFUSED = "refused"


UNFINISHED = (State.OPEN, State.QUEUED, State.WORKING, State.HELD)


class Use(StrEnum):
    """What it is for decides who may send it and how loud it becomes."""

    RECORDING = "recording"
    EMERGENCY = "emergency"


RIGHTS = {Use.RECORDING: Right.COMPOSE, Use.EMERGENCY: Right.PRELOAD}


@dataclass(frozen=True)
class Shelf:
    """Where pieces lie, on the disk that keeps the assets, and how large a recording may be."""

    folder: Path
    max_bytes: int

    def place(self, upload: str) -> Path:
        return self.folder / f"{upload}.part"


def use_of(told: str) -> Use:
    """Raises Refused("choice.unknown")."""
    if told not in set(Use):
        raise Refused("choice.unknown", name="use", value=told[:20])
    return Use(told)


def begin(ctx: Context, shelf: Shelf, actor: Actor, size: int, name: str, use: str, sha256: str = "") -> Upload:
    """A place for `size` bytes. `sha256`: what all of them will be.

    Raises Refused: "no_right", "second_factor.needed", "choice.unknown", "audio.empty", "audio.too_large",
    "upload.metadata", "upload.too_many", "upload.too_much"; Fault("storage.full").
    """
    actor = actor.need(RIGHTS[use_of(use)])
    if size <= 0:
        raise Refused("audio.empty")
    if size > shelf.max_bytes:
        mega = round(shelf.max_bytes / 1_000_000, 1)
        raise Refused("audio.too_large", size_mb=-(-size // 1_000_000), limit_mb=mega)
    if sha256 and not SHA256.fullmatch(sha256):
        raise Refused("upload.metadata", name="sha256")
    with told_as_faults():
        shelf.folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(shelf.folder).free < size + SPARE_BYTES:
            raise Fault("storage.full")
    upload = _row(ctx, actor, Use(use), name, size)
    upload.sha256 = sha256
    with ctx.db.write() as session:
        _check_quota(session, shelf, actor, size)
        session.add(upload)
        session.flush()
        with told_as_faults():
            os.close(os.open(shelf.place(upload.id), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        session.expunge(upload)
    return upload


def begin_cut(ctx: Context, actor: Actor, whole: str, since_ms: int, until_ms: int, use: str) -> Upload:
    """What lies between two points of a recording, on its own time line; the recording itself stays as it is.

    Raises Refused: "no_right", "choice.unknown", "asset.unknown", "upload.cut", "upload.too_many".
    """
    actor = actor.need(RIGHTS[use_of(use)])
    upload = _row(ctx, actor, Use(use), "", 0)
    with ctx.db.write() as session:
        if not may_listen(session, actor, whole):
            raise Refused("asset.unknown", asset=whole[:80])
        asset = find(session, whole)
        if not 0 <= since_ms < until_ms or since_ms >= asset.duration_ms:
            raise Refused("upload.cut")
        _check_quota(session, None, actor, 0)
        upload.cut_of, upload.cut_from_ms, upload.cut_to_ms = whole, since_ms, min(until_ms, asset.duration_ms)
        upload.state = State.QUEUED
        session.add(upload)
        session.flush()
        session.expunge(upload)
    return upload


def one(session: Session, actor: Actor, upload: str) -> Upload:
    """Raises Refused("upload.unknown"), also for what others send."""
    found = session.get(Upload, upload[:40])
    if found is None or found.user_id != actor.id:
        raise Refused("upload.unknown")
    return found


def expires(upload: Upload) -> datetime:
    return upload.changed_at + GOOD_FOR


def prepared(session: Session, actor: Actor, sha256: str, use: Use) -> bool:
    """Whether this person sent it for this use, and it was prepared."""
    query = select(Upload.id).where(
        Upload.user_id == actor.id, Upload.asset_sha256 == sha256, Upload.use == use, Upload.state == State.DONE
    )
    return session.scalar(query.limit(1)) is not None


@dataclass
class Piece:
    """Some bytes on their way, by one sender: nobody else writes until `end` or `drop`."""

    ctx: Context
    shelf: Shelf
    upload: Upload
    file: BinaryIO
    checksum: tuple[str, bytes] | None
    came: int = 0

    def __post_init__(self) -> None:
        self._digest = hashlib.new(self.checksum[0]) if self.checksum else None

    def write(self, data: bytes) -> None:
        """Raises Refused("upload.beyond"), Fault (disk full): then `drop`."""
        if self.upload.received + self.came + len(data) > self.upload.size:
            raise Refused("upload.beyond")
        with told_as_faults():
            # Others were promised room as well, and what waits for the store stays: the spare is nobody's.
            if shutil.disk_usage(self.shelf.folder).free < len(data) + SPARE_BYTES:
                raise Fault("storage.full")
            self.file.write(data)
        if self._digest:
            self._digest.update(data)
        self.came += len(data)

    def end(self) -> int:
        """How much is safe now. The last piece hands the whole over to be prepared.

        Raises Refused("upload.checksum"), Fault (disk full); then as much is safe as before.
        """
        try:
            if self.checksum and self._digest and not hmac.compare_digest(self._digest.digest(), self.checksum[1]):
                raise Refused("upload.checksum")
            return self._keep()
        finally:
            self._close()

    def drop(self) -> int:
        """The connection broke: what came is kept, unless it was promised to be something. How much is safe."""
        try:
            return self.upload.received if self.checksum else self._keep()
        finally:
            self._close()

    def _keep(self) -> int:
        with told_as_faults():
            self.file.flush()
            os.fsync(self.file.fileno())
        received, whole = self.upload.received + self.came, True
        if received == self.upload.size and self.upload.sha256:
            whole = digest(self.shelf.place(self.upload.id)).sha256 == self.upload.sha256
        with self.ctx.db.write() as session:
            row = session.get(Upload, self.upload.id)
            if row is None:
                raise Refused("upload.unknown")
            # What is not what was promised is sent once more from the beginning: which byte is wrong nobody knows.
            row.received, row.changed_at = received if whole else 0, self.ctx.wall.now()
            if whole and received == row.size:
                row.state = State.QUEUED
        if not whole:
            raise Refused("upload.checksum")
        self.upload.received = received
        return received

    def _close(self) -> None:
        # With it goes the lock. A full disk may say so once more: nothing of that counts.
        with suppress(OSError):
            self.file.close()


def piece(
    ctx: Context, shelf: Shelf, actor: Actor, upload: str, offset: int, checksum: tuple[str, bytes] | None = None
) -> Piece:
    """The bytes from `offset` on. Raises Refused: "upload.unknown", "upload.busy" (another tab sends it), "upload.kind"
    (of checksum), and what `begin` raises for rights; Conflict("upload.offset") with what is there."""
    if checksum and checksum[0] not in CHECKSUMS:
        raise Refused("upload.kind", known=", ".join(CHECKSUMS))
    with ctx.db.read() as session:
        found = one(session, actor, upload)
    actor.need(RIGHTS[Use(found.use)])
    if found.state != State.OPEN:
        raise Conflict("upload.offset", received=found.received)
    try:
        with told_as_faults():
            file = shelf.place(found.id).open("r+b")
    except Fault as failure:
        raise Refused("upload.unknown") from failure
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with ctx.db.read() as session:
            # Once more, now that nobody else writes.
            found = one(session, actor, upload)
            session.expunge(found)
        if found.received != offset or found.state != State.OPEN:
            raise Conflict("upload.offset", received=found.received)
        file.truncate(offset)
        file.seek(offset)
    except BlockingIOError as busy:
        file.close()
        raise Refused("upload.busy") from busy
    except BaseException:
        file.close()
        raise
    return Piece(ctx, shelf, found, file, checksum)


def forget(ctx: Context, shelf: Shelf, actor: Actor, upload: str) -> None:
    """Given up by its sender. What is being prepared already goes on. Raises Refused("upload.unknown")."""
    with ctx.db.write() as session:
        found = one(session, actor, upload)
        if found.state != State.WORKING:
            session.delete(found)
            shelf.place(found.id).unlink(missing_ok=True)


def sweep(ctx: Context, shelf: Shelf) -> int:
    """Away with what nobody went on with, and with files that nothing names. How many rows went."""
    now = ctx.wall.now()
    with ctx.db.write() as session:
        left = (Upload.state == State.OPEN) & (Upload.changed_at < now - GOOD_FOR)
        left |= (Upload.state == State.HELD) & (Upload.changed_at < now - REMEMBERED)
        old = list(session.scalars(select(Upload).where(left)))
        for each in old:
            session.delete(each)
        session.execute(
            delete(Upload).where(Upload.state.in_([State.DONE, State.REFUSED]), Upload.changed_at < now - REMEMBERED)
        )
        session.flush()
        known = set(session.scalars(select(Upload.id).where(Upload.state.in_(UNFINISHED))))
    dropped = {each.id for each in old}
    for path in shelf.folder.glob("*.part"):
        try:
            aged = now.timestamp() - path.stat().st_mtime > STRAY.total_seconds()
        except FileNotFoundError:
            # Whoever prepared or forgot it was quicker.
            continue
        if path.stem not in known and (aged or path.stem in dropped):
            path.unlink(missing_ok=True)
    return len(old)


def _row(ctx: Context, actor: Actor, use: Use, name: str, size: int) -> Upload:
    now = ctx.wall.now()
    # Only shown and logged; PostgreSQL takes no NUL.
    shown = "".join(letter for letter in name if letter.isprintable())[:120]
    return Upload(
        id=ctx.ids.new("up"),
        user_id=actor.id,
        name=shown,
        use=use,
        size=size,
        received=0,
        sha256="",
        state=State.OPEN,
        stage="",
        opened_at=now,
        changed_at=now,
    )


def _check_quota(session: Session, shelf: Shelf | None, actor: Actor, size: int) -> None:
    count, held = session.execute(
        select(func.count(), func.coalesce(func.sum(Upload.size), 0)).where(
            Upload.user_id == actor.id, Upload.state.in_(UNFINISHED)
        )
    ).one()
    if count >= MOST:
        raise Refused("upload.too_many", most=MOST)
    if shelf is not None and held + size > MOST_TIMES * shelf.max_bytes:
        raise Refused("upload.too_much", most_mb=MOST_TIMES * shelf.max_bytes // 1_000_000)
