"""Feeds are fetched: when, from where, and what to do when a server does not answer.

HTTP is a port (`Web`): it keeps to a total deadline, a size, and to addresses out in the open; here is what follows
from an answer. A list is fetched under the conditions of last time (ETag, Last-Modified), and of it only what did not
come before.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import or_, select

from broadcasts.errors import Fault, LoaError, Refused
from controller.db.tables import CapFeed, CapMessage
from controller.services import cap_taking
from controller.services.cap_listing import Item, listed
from controller.services.context import Context

_LOG = logging.getLogger("loa.cap")
LONGEST_WAIT = timedelta(minutes=15)
"""Between two tries at a server that does not answer."""
MOST_AT_ONCE = 20
"""Messages of one list that are fetched in one go; the rest follow at once."""
MOST_FAILURES = 3
"""In one go: a server that answers nothing must not keep the other feeds waiting."""
LONGEST_PATIENCE = timedelta(hours=1)
"""Until a message that could not be fetched is asked for again."""
MOST_REMEMBERED = 2_000
IDLE = timedelta(seconds=30)


@dataclass(frozen=True)
class Answer:
    """`status`: 200, or 304 without a body. `url`: where it came from in the end."""

    status: int
    body: bytes = b""
    etag: str = ""
    modified: str = ""
    url: str = ""


class Web(Protocol):
    def get(self, url: str, etag: str = "", modified: str = "") -> Answer:
        """Raises Fault: "cap.web" (no answer, a broken one, another status), "cap.web_slow", "cap.web_large",
        "cap.web_inside" (an address that is nobody's business out there), "cap.web_redirects"."""
        ...


class Poller:
    def __init__(self, ctx: Context, web: Web) -> None:
        self._ctx, self._web = ctx, web
        self._failed: dict[str, tuple[int, datetime]] = {}
        """Messages of lists that could not be fetched: how often, and when to try again."""

    def step(self, now: datetime) -> datetime:
        """Fetch what is due; when to come again."""
        with self._ctx.db.read() as session:
            due = select(CapFeed).where(
                CapFeed.url != "",
                CapFeed.retired_at.is_(None),
                or_(CapFeed.next_at.is_(None), CapFeed.next_at <= now),
            )
            feed = session.scalars(due.order_by(CapFeed.next_at.nulls_first(), CapFeed.id).limit(1)).first()
        if feed is None:
            return self._next(now)
        self._fetch(feed, now)
        return now  # perhaps another one is due: each has a run of its own, so that stopping waits for one at most

    def _next(self, now: datetime) -> datetime:
        with self._ctx.db.read() as session:
            wanted = select(CapFeed.next_at).where(CapFeed.url != "", CapFeed.retired_at.is_(None))
            soonest = [at for at in session.scalars(wanted) if at is not None]
        return min([*soonest, now + IDLE])

    def _fetch(self, feed: CapFeed, now: datetime) -> None:
        more, trouble, lost, answer = False, "", "", None
        try:
            answer = self._web.get(feed.url, feed.etag, feed.modified)
            more, lost = self._take(feed, answer, now) if answer.status == 200 else (False, "")
        except (Fault, Refused) as error:
            trouble = error.key
            _LOG.warning("feed %s: %s", feed.id, error)
        same = answer is not None and answer.status == 304
        self._ctx.measures.cap_fetched("failed" if trouble else "same" if same else "new")
        self._remember(feed, now, answer, trouble, lost, more=more)

    def _take(self, feed: CapFeed, answer: Answer, now: datetime) -> tuple[bool, str]:
        """Whether the list has more than was fetched in one go; the first trouble with one of them."""
        found = listed(answer.body, answer.url or feed.url)
        lost = ""
        open_ones = [item for item in found.items if not item.url.startswith("https:")]
        if open_ones and feed.url.startswith("https:") and not feed.signed:
            _LOG.warning("feed %s: %d messages lie where anybody could change them", feed.id, len(open_ones))
            found = replace(found, items=tuple(item for item in found.items if item not in open_ones))
            lost = "cap.web"
        if found.message:
            cap_taking.take(self._ctx, feed.id, answer.body)
            return False, ""
        for document in found.inside:
            cap_taking.take(self._ctx, feed.id, document)
        new = self._new(feed, found.items)
        due = [item for item in new if self._failed.get(item.key, (0, now))[1] <= now]
        lost = "cap.web" if len(due) < len(new) else lost
        failures = 0
        for item in due[:MOST_AT_ONCE]:  # the newest first: what becomes of them does not depend on the order
            try:
                cap_taking.take(self._ctx, feed.id, self._web.get(item.url).body, item.key)
                self._failed.pop(item.key, None)
            except LoaError as error:
                _LOG.warning("feed %s, %s: %s", feed.id, item.url, error)
                lost, failures = error.key, failures + 1
                self._give_time(item.key, now)
                if failures == MOST_FAILURES:
                    break
        return len(due) > MOST_AT_ONCE or failures == MOST_FAILURES, lost

    def _give_time(self, key: str, now: datetime) -> None:
        if len(self._failed) >= MOST_REMEMBERED:
            self._failed.clear()
        times = self._failed.get(key, (0, now))[0] + 1
        self._failed[key] = (times, now + min(LONGEST_PATIENCE, timedelta(minutes=1) * 2 ** min(times - 1, 10)))

    def _new(self, feed: CapFeed, items: tuple[Item, ...]) -> list[Item]:
        with self._ctx.db.read() as session:
            keys = [item.key for item in items]
            known = set(
                session.scalars(select(CapMessage.link).where(CapMessage.feed_id == feed.id, CapMessage.link.in_(keys)))
            )
        return [item for item in items if item.key not in known]

    def _remember(
        self, feed: CapFeed, now: datetime, answer: Answer | None, trouble: str, lost: str, *, more: bool
    ) -> None:
        """`trouble` with the list makes us ask less and less; `lost` of its messages is only told: the list may say
        something new any minute."""
        with self._ctx.db.write() as session:
            row = session.get_one(CapFeed, feed.id)
            if row.url != feed.url:
                return  # somebody changed it meanwhile, and it is due anew
            if answer is not None:
                row.heard_at = now
            # What did not all arrive is asked for again without conditions: "nothing new" would hide the rest.
            if answer is not None and answer.status == 200:
                whole = not trouble and not lost and not more
                row.etag, row.modified = (answer.etag[:300], answer.modified[:100]) if whole else ("", "")
            row.failures = row.failures + 1 if trouble else 0
            row.trouble = (trouble or lost)[:60]
            wait = timedelta(seconds=row.every_s)
            if trouble:
                wait = min(max(LONGEST_WAIT, wait), wait * 2 ** min(row.failures, 10))
            row.next_at = now if more else now + wait
