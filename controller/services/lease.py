"""One at a time among all controllers of one database, for work that takes longer than a transaction may."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from broadcasts.clock import unix_ms
from broadcasts.errors import Conflict
from controller.db.tables import Kept
from controller.services.context import Context

LASTS = timedelta(minutes=10)
"""After a kill somebody else may begin then. Longer than any one step between two renewals, and than two machines'
clocks may differ."""
EVERY = timedelta(minutes=1)


class Lease:
    """Ours until it is not renewed for `LASTS`; the time is that of this process, which no sandbox turns."""

    def __init__(self, ctx: Context, name: str, refusal: str) -> None:
        self._ctx, self._name, self._refusal = ctx, name, refusal
        self._mark, self._at = secrets.token_hex(8), float("-inf")

    def renew(self) -> None:
        """Between any two steps. Raises Conflict(refusal) when somebody else has it: nothing more may be done."""
        if self._ctx.wall.monotonic() - self._at < EVERY.total_seconds():
            return
        now = unix_ms(self._ctx.wall.now())
        with self._ctx.db.write() as session:
            row = session.get(Kept, self._name)
            # Until a time far away somebody's clock was wrong, and not the lease long.
            theirs = row is not None and row.value["by"] != self._mark
            if theirs and row is not None and now < row.value["until"] <= now + 2 * LASTS // timedelta(milliseconds=1):
                raise Conflict(self._refusal)
            until = now + LASTS // timedelta(milliseconds=1)
            session.merge(Kept(name=self._name, value={"by": self._mark, "until": until}))
        self._at = self._ctx.wall.monotonic()

    def give_back(self) -> None:
        with self._ctx.db.write() as session:
            row = session.get(Kept, self._name)
            if row is not None and row.value["by"] == self._mark:
                session.delete(row)


@contextmanager
def held(ctx: Context, name: str, refusal: str) -> Iterator[Lease]:
    """Raises Conflict(refusal) while another one has it."""
    lease = Lease(ctx, name, refusal)
    lease.renew()
    try:
        yield lease
    finally:
        lease.give_back()
