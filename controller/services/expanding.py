"""Approved broadcasts become deliveries, as far ahead as plans reach."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError

from broadcasts.errors import Fault
from controller.db.tables import Broadcast
from controller.services import faults
from controller.services.context import HORIZON, Context
from controller.services.deliveries import expand
from controller.services.stations import units_of

BROKEN = "broadcast_broken"
"""The fault of the units that should play a broadcast of which no deliveries can be made."""
TOGETHER = 20
"""Broadcasts expanded in one transaction: nobody else can write meanwhile."""
_LOG = logging.getLogger("loa.compiling")


def step(ctx: Context, now: datetime) -> None:
    """Broadcasts whose deliveries do not reach past the horizon any more. One of which the tables say what no calendar
    knows leaves a fault at its units; all others go on."""
    not_over = {"reach": now + HORIZON, "day": (now - timedelta(days=2)).date()}
    with ctx.db.read() as session:
        rows = [row for query in _behind() for row in session.execute(query, not_over)]
        broken_before = faults.standing(session, BROKEN)
    names = [name for name, until, ahead in rows if _is_behind(until, ahead, now)]
    broken: dict[str, str] = {}
    for start in range(0, len(names), TOGETHER):
        some = names[start : start + TOGETHER]
        try:
            _expand(ctx, some, now)
        except (Fault, OperationalError, InterfaceError):
            raise  # nothing is wrong with the broadcasts: they are tried again
        except Exception:  # noqa: BLE001 - any nonsense in one row
            broken |= {name: why for name in some if (why := _why_not(ctx, name, now)) is not None}
    if broken or broken_before:
        _tell_broken(ctx, broken, broken_before, now)


@cache
def _behind() -> Sequence[Any]:
    """One after the other, because each has its own part of the index: what is long over is not looked at."""
    behind = or_(Broadcast.expanded_until.is_(None), Broadcast.expanded_until < bindparam("reach"))
    known = (Broadcast.id, Broadcast.expanded_until, Broadcast.ahead_minutes)
    query = select(*known).where(Broadcast.status == "approved", behind)
    return query.where(Broadcast.last_day.is_(None)), query.where(Broadcast.last_day >= bindparam("day"))


def _is_behind(until: datetime | None, ahead: int | None, now: datetime) -> bool:
    """`ahead` in minutes: of a warning, which is never as far ahead as the others."""
    return until is None or ahead is None or until < now + timedelta(minutes=ahead)


def _expand(ctx: Context, names: Sequence[str], now: datetime) -> None:
    with ctx.db.write() as session:
        for name in names:
            broadcast = session.get_one(Broadcast, name)
            if broadcast.status == "approved":
                expand(session, broadcast, now)


def _why_not(ctx: Context, name: str, now: datetime) -> str | None:
    """Expand this one alone; what kept it from that."""
    try:
        _expand(ctx, [name], now)
    except (Fault, OperationalError, InterfaceError):
        raise
    except Exception as failure:  # noqa: BLE001 - whatever it was, the next one has its turn
        return f"{name}: {' '.join(str(failure).split()) or type(failure).__name__}"
    return None


def _tell_broken(ctx: Context, broken: Mapping[str, str], before: Collection[str], now: datetime) -> None:
    with ctx.db.write() as session:
        found: dict[str, str] = {}
        for name, why in sorted(broken.items()):
            clusters = session.get_one(Broadcast, name).clusters
            for unit in units_of(session, clusters if isinstance(clusters, list) else []).values():
                found.setdefault(unit, why)
        news = faults.settle(session, BROKEN, found, [unit for unit in before if unit not in found], now)
    if news or not before:
        for why in broken.values():
            _LOG.error("a broadcast cannot be expanded: %s", why)
