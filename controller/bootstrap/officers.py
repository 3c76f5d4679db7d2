"""The people of the virtual world: they write, edit, reject, approve, withdraw, push, warn, and ask poles for things,
all from one seed."""

from __future__ import annotations

import heapq
import random
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import select

from broadcasts.clock import VIETNAM
from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.status import CommandKind
from controller.bootstrap.duty import Duty
from controller.db.tables import Area, Broadcast, Cluster
from controller.services import accounts, alerting, approving, commanding, composing, emergency_set
from controller.services.alert_guards import Exempt
from controller.services.composing import Draft
from controller.services.context import Context
from controller.services.library import add_recording
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE

CALM = timedelta(hours=30)
"""Nobody begins anything new so shortly before the end: what is under way must be able to settle."""
_RECORDINGS = ((12, 440), (20, 520), (30, 610), (8, 700), (3, 900))
"""(seconds, Hz) of the recordings; the fourth is the warning, the last one says that it is a drill."""


class Officers:
    def __init__(self, ctx: Context, seed: int, start: datetime, days: int, folder: Path) -> None:
        self._ctx = ctx
        self._chance = random.Random(seed)  # noqa: S311 - a story, not a secret
        self._end = start + timedelta(days=days) - CALM
        self._order = 0
        self._agenda: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        with ctx.db.read() as session:
            self._author = accounts.actor_by_name(session, "phatthanh", ctx.wall.now())
            self._approver = accounts.actor_by_name(session, "lanhdao", ctx.wall.now())
            self._communes = list(session.scalars(select(Area.id).where(Area.kind == "commune").order_by(Area.id)))
            self._technician = accounts.actor_by_name(session, "kythuat", ctx.wall.now())
            self._clusters = list(session.scalars(select(Cluster.id).order_by(Cluster.id)))
            province = accounts.actor_by_name(session, "tinh", ctx.wall.now())
        with ThreadPoolExecutor() as several:  # each is prepared by a process of its own
            self._assets = list(several.map(lambda one: self._record(folder, *one), _RECORDINGS))
        emergency_set.put(ctx, province, PROVINCE[0], AlertKind.STORM, "vi", folder / f"{_RECORDINGS[3][1]}.wav", "")
        self._plan(start, days)
        self._plan_visits(start, days, random.Random(f"{seed} poles"))  # noqa: S311 - of its own: the story stays
        chance = random.Random(f"{seed} duty")  # noqa: S311
        duty = Duty(ctx, chance, self._at, self._communes, self._clusters, self._assets[3])
        duty.keep_word(self._assets[4])
        duty.plan(start, days)

    def step(self, now: datetime) -> datetime:
        while self._agenda and self._agenda[0][0] <= now:
            _, _, act = heapq.heappop(self._agenda)
            act(now)
        return self._agenda[0][0] if self._agenda else now + timedelta(days=1)

    def _record(self, folder: Path, seconds: int, hertz: int) -> str:
        path = folder / f"{hertz}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            moments = np.arange(16_000 * seconds) / 16_000
            file.writeframes((9000 * np.sin(2 * np.pi * hertz * moments)).astype("<i2").tobytes())
        return add_recording(self._ctx, self._author, path, path.name).sha256

    def _plan(self, start: datetime, days: int) -> None:
        self._at(start + timedelta(minutes=1), self._daily(time(5, 30), 0, self._communes))
        self._at(start + timedelta(minutes=2), self._daily(time(17, 0), 1, self._communes))
        half = self._communes[: max(1, len(self._communes) // 2)]
        self._at(start + timedelta(minutes=3), self._daily(time(11, 0), 2, half, repeat="weekdays"))
        for day in range(days):
            morning = start + timedelta(days=day)
            for _ in range(self._chance.randint(1, 3)):
                self._at(morning + timedelta(minutes=self._chance.randint(5, 1300)), self._once)
            if self._chance.random() < 0.5:
                self._at(morning + timedelta(minutes=self._chance.randint(60, 1200)), self._warn)

    def _at(self, when: datetime, act: Callable[[datetime], None]) -> None:
        if when < self._end:
            self._order += 1
            heapq.heappush(self._agenda, (when, self._order, act))

    def _daily(self, at: time, asset: int, areas: list[str], repeat: str = "daily") -> Callable[[datetime], None]:
        def act(now: datetime) -> None:
            day = now.astimezone(VIETNAM).date()
            last = self._end.astimezone(VIETNAM).date()
            draft = Draft(
                title=f"{repeat} {at:%H:%M}",
                field=1,
                language="vi",
                asset=self._assets[asset],
                areas=tuple(areas),
                repeat=repeat,
                first_day=day,
                at=at,
                until_day=last,
                push_now=True,
            )
            self._submit(draft, now)

        return act

    def _once(self, now: datetime) -> None:
        """A bulletin of the day: sometimes refused, edited after approval, taken back, pushed, or urgent."""
        lead = timedelta(minutes=self._chance.choice([3, 12, 45, 240, 900]))
        when = (now + lead).astimezone(VIETNAM).replace(microsecond=0)
        several = self._chance.sample(self._communes, min(len(self._communes), self._chance.randint(1, 3)))
        draft = Draft(
            title=f"once {when:%d %H:%M}",
            field=self._chance.randint(1, 6),
            language=self._chance.choice(["vi", "km"]),
            asset=self._assets[self._chance.randrange(3)],
            areas=tuple(several),
            first_day=when.date(),
            at=when.time(),
            priority=self._chance.choice([2, 3, 3]),
            on_preempt=self._chance.choice(["resume", "restart", "drop", "next_slot"]),
            late=self._chance.choice(["drop", "shift", "play"]),
            push_now=lead < timedelta(minutes=10),
        )
        self._submit(draft, now)

    def _submit(self, draft: Draft, now: datetime) -> None:
        try:
            name = composing.submit(self._ctx, self._author, draft)
        except Refused:
            return  # quiet hours, or past: what the page would have said
        fate = self._chance.random()
        self._at(now + timedelta(seconds=40), lambda at: self._decide(name, at, reject=fate < 0.1))
        if 0.1 <= fate < 0.25:
            self._at(now + timedelta(minutes=4), lambda at: self._edit(name, at))
        elif 0.25 <= fate < 0.35:
            self._at(now + timedelta(minutes=6), lambda _: self._withdraw(name))

    def _decide(self, name: str, now: datetime, *, reject: bool) -> None:
        try:
            _, _, seen = approving.look_at(self._ctx, self._approver, name)
            if reject:
                approving.reject(self._ctx, self._approver, name, seen, "not today")
            else:
                approving.approve(self._ctx, self._approver, name, seen)
        except (Refused, Conflict):
            return

    def _edit(self, name: str, now: datetime) -> None:
        with self._ctx.db.read() as session:
            broadcast = session.get_one(Broadcast, name)
            draft = approving.draft_of(session, broadcast, frozen=False)
        changed = Draft(**{**draft.__dict__, "title": f"{draft.title} (edited)", "asset": self._assets[1]})
        try:
            composing.submit(self._ctx, self._author, changed, editing=name)
        except (Refused, Conflict):
            return
        self._at(now + timedelta(seconds=50), lambda at: self._decide(name, at, reject=False))

    def _withdraw(self, name: str) -> None:
        try:
            approving.withdraw(self._ctx, self._author, name)
        except (Refused, Conflict):
            return

    def _warn(self, now: datetime) -> None:
        """A warning in the whole province, of what its poles hold, or in one commune, of what they have to fetch;
        silenced by hand or left to end."""
        scope = self._chance.choice([PROVINCE[0], *self._communes[:3]])
        lasts = timedelta(minutes=self._chance.randint(2, 20))
        if scope == PROVINCE[0]:
            emergency_set.sound(
                self._ctx, self._on_duty(), scope, AlertKind.STORM, "storm", lasts, exempt=Exempt.SANDBOX
            )
        else:
            content = [("vi", self._assets[3])]
            alerting.sound(
                self._ctx, self._on_duty(), scope, AlertKind.STORM, content, "storm", lasts, exempt=Exempt.SANDBOX
            )
        if self._chance.random() < 0.5:
            self._at(now + lasts / 3, lambda _: self._silence(scope))

    def _plan_visits(self, start: datetime, days: int, chance: random.Random) -> None:
        """A technician asks some poles every day for something, whatever happens there at that moment."""
        for day in range(days):
            for _ in range(chance.randint(4, 12)):
                when = start + timedelta(days=day, minutes=chance.randint(5, 1400))
                self._at(when, self._ask(chance.choice(self._clusters), chance.choice(list(CommandKind))))

    def _ask(self, cluster: str, kind: CommandKind) -> Callable[[datetime], None]:
        def act(_: datetime) -> None:
            try:
                commanding.issue(self._ctx, self._technician, cluster, kind, sure=True)
            except (Refused, Conflict):
                return  # one of this kind is open there

        return act

    def _silence(self, scope: str) -> None:
        alerting.silence(self._ctx, self._on_duty(), scope)

    def _on_duty(self) -> Actor:
        with self._ctx.db.read() as session:
            return accounts.stand_in(session, "virtual", Role.EMERGENCY, PROVINCE[0], self._ctx.wall.now())
