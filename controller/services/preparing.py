"""Recordings that came whole wait for a core, one person not longer than another; the pages look on meanwhile."""

from __future__ import annotations

import logging
from collections import Counter, deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Event
from typing import Any

from sqlalchemy import func, null, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from broadcasts.audio.pipeline import Cut, Prepared
from broadcasts.errors import Fault, LoaError, Refused
from controller.db.tables import Asset, Upload, User
from controller.services import audit, trying_again
from controller.services.accounts import actor_by_name
from controller.services.context import Context
from controller.services.library import remember
from controller.services.uploads import RIGHTS, Shelf, State, Use

log = logging.getLogger(__name__)
_NEVER = datetime.min.replace(tzinfo=UTC)
IDLE_S = 5.0
"""How often one looks without having been called."""
AGAIN_S = 1.0
_AGAIN = ("audio.busy", "database_busy", "database_full")
"""Troubles of ours that pass: the recording goes back into the line and keeps its place."""


class Stopped(Exception):
    """The server ends: the recording waits for its next start."""


class Workshop:
    """`run` once in each of as many threads as there are cores, and `run_urgent` in one more; `wake` when something
    came."""

    def __init__(self, ctx: Context, shelf: Shelf, closing: Event) -> None:
        self._ctx, self._shelf, self._closing = ctx, shelf, closing
        self._bell = Condition()
        self._dropped: deque[str] = deque()

    def wake(self) -> None:
        with self._bell:
            self._bell.notify_all()

    def run(self) -> None:
        self._run(urgent=False)

    def run_urgent(self) -> None:
        """What is for emergencies alone, so that it waits for no ordinary recording that is at work."""
        self._run(urgent=True)

    def _run(self, *, urgent: bool) -> None:
        while not self._closing.is_set():
            try:
                found = self.work_one(urgent=urgent)
            except Exception:
                log.exception("recordings could not be looked for")
                found = False
            if not found and not self._closing.is_set():
                with self._bell:
                    self._bell.wait(IDLE_S)

    def work_one(self, *, urgent: bool = False) -> bool:
        """Whether there was something to prepare; `urgent`: for emergencies."""
        self._pick_up()
        upload = _take(self._ctx, urgent)
        if upload is None:
            return False
        try:
            self._prepare(upload)
        except BaseException:
            self._dropped.append(upload.id)
            raise
        return True

    def _pick_up(self) -> None:
        """What could not be put back when the database was away."""
        while self._dropped:
            name = self._dropped[0]
            with self._ctx.db.write() as session:
                session.execute(
                    update(Upload)
                    .where(Upload.id == name, Upload.state == State.WORKING)
                    .values(state=State.QUEUED, stage="")
                )
            with suppress(ValueError):
                self._dropped.remove(name)

    def _prepare(self, upload: Upload) -> None:
        ctx = self._ctx
        try:
            prepared, user = self._prepared(upload)
            with ctx.db.write() as session:
                asset = remember(ctx, session, prepared)
                _log(ctx, session, user, upload, asset)
                done = {"state": State.DONE, "asset_sha256": asset.sha256, "changed_at": ctx.wall.now()}
                _move(session, upload, stage="", error=null(), **done)
        except Stopped:
            self._back(upload)
            return
        except LoaError as error:
            if error.key in _AGAIN:
                self._back(upload)
                self._closing.wait(AGAIN_S)
                return
            if trying_again.ours(error) and self._there(upload):
                with ctx.db.write() as session:
                    _move(session, upload, **trying_again.postponed(upload, error, ctx.wall.now()))
                return
            self._refuse(upload, error)
        except (OperationalError, InterfaceError):
            log.exception("upload %s waits for the database", upload.id)
            self._back(upload)
            self._closing.wait(AGAIN_S)
            return
        except Exception:
            log.exception("upload %s could not be prepared", upload.id)
            self._refuse(upload, Fault("unforeseen"))
        self._shelf.place(upload.id).unlink(missing_ok=True)

    def _prepared(self, upload: Upload) -> tuple[Prepared, str]:
        """Raises Refused, Fault, Stopped."""
        ctx = self._ctx
        with ctx.db.read() as session:
            user = session.get_one(User, upload.user_id)
            if user.disabled_at is not None:
                raise Refused("no_right", right=RIGHTS[Use(upload.use)])
            # It may have waited while a right was taken away.
            actor_by_name(session, user.name, ctx.wall.now()).need(RIGHTS[Use(upload.use)])
            source = self._source(session, upload)
            cut = _cut(session, upload)
        emergency = upload.use == Use.EMERGENCY
        told = lambda stage: self._tell(upload, stage)  # noqa: E731
        return ctx.audio.prepare(source, emergency=emergency, cut=cut, progress=told), user.name

    def _source(self, session: Session, upload: Upload) -> Path:
        if upload.cut_of is None:
            return self._shelf.place(upload.id)
        return self._ctx.audio.original(session.get_one(Asset, upload.cut_of).original_sha256)

    def _there(self, upload: Upload) -> bool:
        """What was sent lies here; of a cut nothing was sent."""
        return upload.cut_of is not None or self._shelf.place(upload.id).is_file()

    def _tell(self, upload: Upload, stage: str) -> None:
        if self._closing.is_set():
            raise Stopped
        # Words for a page: where they cannot be written the work goes on.
        with suppress(Fault, OperationalError, InterfaceError), self._ctx.db.write() as session:
            _move(session, upload, stage=stage)

    def _back(self, upload: Upload) -> None:
        with self._ctx.db.write() as session:
            _move(session, upload, state=State.QUEUED, stage="")

    def _refuse(self, upload: Upload, error: LoaError) -> None:
        told = {"key": error.key, "fields": error.fields, "ours": isinstance(error, Fault)}
        with self._ctx.db.write() as session:
            _move(session, upload, state=State.REFUSED, stage="", error=told, changed_at=self._ctx.wall.now())


def take_up(ctx: Context) -> None:
    """At the start: what was at work when the server ended waits again."""
    with ctx.db.write() as session:
        session.execute(update(Upload).where(Upload.state == State.WORKING).values(state=State.QUEUED, stage=""))


def failure(upload: Upload) -> LoaError | None:
    """Why it was refused, or why it waits to be tried again; as it was raised."""
    if upload.error is None:
        return None
    fields = {str(name): value for name, value in upload.error["fields"].items()}
    return (Fault if upload.error["ours"] else Refused)(str(upload.error["key"]), **fields)


def before(session: Session, upload: Upload) -> int:
    """How many stand before it in the line."""
    order = _order(session)
    return order.index(upload.id) if upload.id in order else 0


def _take(ctx: Context, urgent: bool) -> Upload | None:
    now = ctx.wall.now()
    with ctx.db.write() as session:
        for name in _order(session, urgent):
            if not trying_again.due(session.get_one(Upload, name), now):
                continue
            taken = session.execute(
                update(Upload).where(Upload.id == name, Upload.state == State.QUEUED).values(state=State.WORKING)
            )
            if taken.rowcount:  # type: ignore[attr-defined]
                found = session.get_one(Upload, name)
                session.refresh(found)
                session.expunge(found)
                return found
    return None


def _order(session: Session, urgent: bool = False) -> list[str]:
    """The line: what is for emergencies (alone, where `urgent`), then everybody's first before anybody's second, what
    is at work counts as had; then who was served longest ago."""
    had = Counter(session.scalars(select(Upload.user_id).where(Upload.state == State.WORKING)))
    waiting = session.execute(
        select(Upload.id, Upload.user_id, Upload.changed_at, Upload.use)
        .where(Upload.state == State.QUEUED, Upload.use.in_([Use.EMERGENCY] if urgent else list(Use)))
        .order_by(Upload.changed_at, Upload.id)
    ).all()
    done = select(Upload.user_id, func.max(Upload.changed_at)).where(
        Upload.state.in_([State.DONE, State.REFUSED]), Upload.user_id.in_({user for _, user, _, _ in waiting})
    )
    served = {row[0]: row[1] for row in session.execute(done.group_by(Upload.user_id))}
    places = []
    for name, user, since, use in waiting:
        places.append((use != Use.EMERGENCY, had[user], served.get(user, _NEVER), since, name))
        had[user] += 1
    return [place[-1] for place in sorted(places)]


def _cut(session: Session, upload: Upload) -> Cut | None:
    """On the original's time line: what is cut begins where its own silence ended, or where it was cut out before."""
    if upload.cut_of is None or upload.cut_from_ms is None or upload.cut_to_ms is None:
        return None
    start = int(session.get_one(Asset, upload.cut_of).mastering.get("trimmed_start_ms", 0))
    return start + upload.cut_from_ms, start + upload.cut_to_ms


def _move(session: Session, upload: Upload, **values: Any) -> None:
    session.execute(update(Upload).where(Upload.id == upload.id).values(**values))


def _log(ctx: Context, session: Session, user: str, upload: Upload, asset: Asset) -> None:
    told: dict[str, Any] = {"name": upload.name}
    if upload.cut_of is not None:
        told |= {"cut_of": upload.cut_of, "from_ms": upload.cut_from_ms, "to_ms": upload.cut_to_ms}
    audit.record(session, ctx.clock.now(), user, "recording.add", asset.sha256, told)
