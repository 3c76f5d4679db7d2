"""What nothing names any more goes, after a time in which somebody may think better of it.

Rows go first, in one transaction in which nothing names them; files go afterwards, and only those without a row. So a
kill in between leaves a file too many, never a row without a file. A file that was put lately stays whatever the rows
say: its row may be about to come, and `Store.remove` sees to it that a `put` at the same moment wins. One collector
at a time, among all controllers of one database: what it removes it does under a lease (`lease.py`).
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from broadcasts.audio.store import KINDS, Kind
from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.errors import Conflict
from controller.db.tables import Asset, Encoding, Kept, Unnamed
from controller.services import audit, naming
from controller.services.context import Context
from controller.services.lease import Lease, held

GRACE = timedelta(days=30)
EVERY = timedelta(days=1)
LATELY = timedelta(days=1)
"""A file that was put so lately is never an orphan: no preparation lasts that long."""
LOOK_AGAIN = timedelta(hours=1)
ROUNDS = 30
"""In so many days every named file is read and hashed once."""
KEPT = "collector"
"""The row of `Kept` with what the last run found."""
LEASE = "collector.lease"
_AT_ONCE = 200
_LOG = logging.getLogger("loa.collecting")


@dataclass
class Found:
    """What one look came to; names are SHA-256. Bytes and objects are of assets and originals together."""

    at: int
    objects: int = 0
    bytes: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    """Named by nothing, and since when (Unix ms): they go `GRACE` later."""
    removed: list[str] = field(default_factory=list)
    """Assets; each with its original, where no other one has it. In a dry run: what would go now."""
    freed: int = 0
    orphans: list[str] = field(default_factory=list)
    """Files without a row that went besides."""
    missing: list[str] = field(default_factory=list)
    """Rows without a file: somebody took it, or a backup was not whole."""
    damaged: list[str] = field(default_factory=list)
    """Files whose bytes are not what their name says, of those that were read this time."""


def step(ctx: Context, now: datetime, grace: timedelta) -> datetime:
    """Once a day of the wall's clock, whatever the sandbox's says. Returns when to look again, as `now` counts."""
    last = last_found(ctx)
    left = timedelta(0) if last is None else from_unix_ms(last.at) + EVERY - ctx.wall.now()
    if left > timedelta(0):
        return now + min(left, LOOK_AGAIN)
    try:
        found = collect(ctx, grace)
    except Conflict:
        # Another controller, or a hand at the command line; or one that was killed, whose lease ends by itself.
        return now + LOOK_AGAIN
    for name in (*found.missing, *found.damaged):
        _LOG.error("%s: the file is missing or damaged", name)
    return now + LOOK_AGAIN


def last_found(ctx: Context) -> Found | None:
    with ctx.db.read() as session:
        row = session.get(Kept, KEPT)
    return None if row is None else Found(**row.value)


def collect(ctx: Context, grace: timedelta = GRACE, *, dry: bool = False) -> Found:
    """Look at everything, mark what nothing names, remove what has been marked for `grace`. Raises Fault (the store is
    away, the disk is full), Conflict("collecting") while another one is at it, here or at another controller."""
    with held(ctx, LEASE, "collecting") as lease:
        ctx.audio.store.clear_marks()
        now = ctx.wall.now()
        found = Found(unix_ms(now))
        originals = _rows(ctx, lease, found, now, grace, dry=dry)
        _files(ctx, lease, found, now, grace, originals, dry=dry)
        if not dry:
            with ctx.db.write() as session:
                session.merge(Kept(name=KEPT, value=asdict(found)))
        return found


def unnamed(session: Session, names: set[str], *, again: bool = False) -> set[str]:
    """Those of these assets that nothing names, neither them nor another encoding of the same sound. `again`: as
    `naming.named`."""
    of = naming.family(session)
    heads = {of.get(name, name) for name in names}
    whole = heads | {name for name, head in of.items() if head in heads}
    kept = {of.get(name, name) for name in naming.named(session, whole, again=again)}
    return {name for name in names if of.get(name, name) not in kept}


def _rows(ctx: Context, lease: Lease, found: Found, now: datetime, grace: timedelta, *, dry: bool) -> set[str]:
    """The originals of what goes."""
    with ctx.db.read() as session:
        loose = unnamed(session, set(session.scalars(select(Asset.sha256))))
        marks = _marks(session)
    for name in loose:
        found.waiting[name] = unix_ms(marks.get(name, now))
    ripe = sorted(name for name in loose if name in marks and marks[name] <= now - grace)
    with ctx.db.read() as session:
        originals = dict.fromkeys(session.scalars(select(Asset.original_sha256).where(Asset.sha256.in_(ripe))))
    if dry:
        found.removed += ripe
        return set(originals)
    with ctx.db.write() as session:
        session.execute(delete(Unnamed).where(Unnamed.sha256.in_(sorted(marks.keys() - loose))))
        session.add_all(Unnamed(kind="asset", sha256=name, since=now) for name in sorted(loose - marks.keys()))
    for start in range(0, len(ripe), _AT_ONCE):
        lease.renew()
        with ctx.db.write() as session:
            # Nobody else writes now, and they wait: what is named by nothing here is named by nothing when its row
            # goes, and history is not read again.
            some = {name for name in ripe[start : start + _AT_ONCE] if _marks(session).get(name, now) <= now - grace}
            gone = sorted(unnamed(session, some, again=True))
            if gone:
                session.execute(
                    delete(Encoding).where(Encoding.asset_sha256.in_(gone) | Encoding.encoded_sha256.in_(gone))
                )
                session.execute(delete(Unnamed).where(Unnamed.sha256.in_(gone)))
                session.execute(delete(Asset).where(Asset.sha256.in_(gone)))
                # Short, so that the log does not name what is gone.
                told = {"files": [name[:12] for name in gone]}
                audit.record(session, now, "loa", "files.collect", "", told)
        for name in gone:
            found.waiting.pop(name, None)
            found.removed.append(name)
    return set(originals)


def _marks(session: Session) -> dict[str, datetime]:
    return {row.sha256: row.since for row in session.execute(select(Unnamed.sha256, Unnamed.since))}


def _files(
    ctx: Context, lease: Lease, found: Found, now: datetime, grace: timedelta, originals: set[str], *, dry: bool
) -> None:
    store = ctx.audio.store
    with ctx.db.read() as session:
        # Before the files: what comes while they are listed is not missing.
        had = set(session.scalars(select(Asset.sha256)))
    there = {kind: {each.sha256: each for each in store.listed(kind)} for kind in KINDS}
    with ctx.db.read() as session:
        rows = {row.sha256: row.original_sha256 for row in session.execute(select(Asset.sha256, Asset.original_sha256))}
        spared = naming.named(session, {name for each in there.values() for name in each} - rows.keys())
    leaving = set(found.removed)
    stay = {name: original for name, original in rows.items() if name not in leaving}
    named: dict[Kind, set[str]] = {"assets": set(stay), "originals": set(stay.values()) | spared}
    for kind in KINDS:
        for name, file in there[kind].items():
            # A file whose row went in this run has waited long enough. Another one without a row may belong to rows
            # that a restored backup has not got yet.
            waited = name in leaving or name in originals
            before = now - (LATELY if waited else max(grace, LATELY))
            lease.renew()
            if name in named[kind] or file.put_at >= before or not (dry or store.remove(kind, name, before)):
                found.objects, found.bytes = found.objects + 1, found.bytes + file.size
                continue
            found.freed += file.size
            if not waited:
                found.orphans.append(name)
    had &= rows.keys()
    found.missing += sorted(had - there["assets"].keys())
    found.missing += sorted({rows[name] for name in had if rows[name]} - there["originals"].keys())
    today = now.toordinal() % ROUNDS
    for name in rows:
        lease.renew()
        if not dry and name in there["assets"] and int(name[:8], 16) % ROUNDS == today and not _sound(ctx, name):
            found.damaged.append(name)


def _sound(ctx: Context, name: str) -> bool:
    with ctx.db.read() as session:
        gone = session.get(Asset, name) is None
    return gone or ctx.audio.store.sound("assets", name)
