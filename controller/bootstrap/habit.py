"""Officers of the virtual world who do the same every day: for looking at the poles, not at the people."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.domain.fault_classes import CLASSES, Code
from controller.db.tables import Area, FaultCase, Hardware, Unit
from controller.services import accounts, approving, composing
from controller.services.composing import Draft
from controller.services.context import Context
from controller.services.library import add_recording

TIMES = (time(5, 30), time(6, 30), time(11, 0), time(17, 0), time(18, 0))
SECONDS = 20
RATE = 16_000
QUOTA_MB = 500
"""Of each SIM."""


class Habit:
    """Hands in once, has it approved, and goes home."""

    def __init__(self, ctx: Context, folder: Path) -> None:
        self._ctx, self._folder, self._done = ctx, folder, False

    def step(self, now: datetime) -> datetime:
        if not self._done:
            self._done = True
            self._begin(now)
        return now + timedelta(days=1)

    def _begin(self, now: datetime) -> None:
        ctx = self._ctx
        with ctx.db.write() as session:
            known = {row.unit_id: row for row in session.scalars(select(Hardware))}
            for unit in session.scalars(select(Unit.id)):
                if unit not in known:
                    session.add(Hardware(unit_id=unit, sim_quota_mb=QUOTA_MB, changed_at=now))
                else:
                    known[unit].sim_quota_mb = QUOTA_MB
        with ctx.db.read() as session:
            author = accounts.actor_by_name(session, "phatthanh", ctx.wall.now())
            approver = accounts.actor_by_name(session, "lanhdao", ctx.wall.now())
            communes = list(session.scalars(select(Area.id).where(Area.kind == "commune").order_by(Area.id)))
        path = self._folder / "habit.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(_babble().astype("<i2").tobytes())
        asset = add_recording(ctx, author, path, path.name).sha256
        for clock in TIMES:
            draft = Draft(
                title=f"{clock:%H:%M}", field=1, language="vi", asset=asset, areas=tuple(communes),
                first_day=now.astimezone(VIETNAM).date(), at=clock, repeat="daily", push_now=True,
            )  # fmt: skip
            name = composing.submit(ctx, author, draft)
            _, _, seen = approving.look_at(ctx, approver, name)
            approving.approve(ctx, approver, name, seen)


def _babble() -> NDArray[np.float64]:
    """Something with syllables and pauses: an ear cannot tell one steady tone from another."""
    chance = np.random.default_rng(7)
    moments = np.arange(RATE // 5) / RATE
    parts = []
    for _ in range(SECONDS * 5):
        tones = sum(np.sin(2 * np.pi * hertz * moments) for hertz in chance.uniform(300, 3_000, 4))
        parts.append(tones * np.hanning(moments.size) * chance.choice([0.0, 0.3, 1.0, 1.0]) * 3_000)
    return np.concatenate(parts)


def fault_accounts(session: Session) -> Sequence[dict[str, Any]]:
    """`Counterpart.faults`."""
    rows = session.scalars(select(FaultCase).where(FaultCase.cluster_id.is_not(None)).order_by(FaultCase.raised_at))
    return [
        {
            "cluster": row.cluster_id,
            "unit": row.unit_id or "",
            "code": row.code,
            "since": unix_ms(row.since),
            "raised": unix_ms(row.raised_at),
            "gone": None if row.gone_at is None else unix_ms(row.gone_at),
            "within_ms": round(CLASSES[Code(row.code)].within.total_seconds() * 1000),
            "shows": CLASSES[Code(row.code)].shows,
            "grouped": row.group_id is not None,
        }
        for row in rows
    ]
