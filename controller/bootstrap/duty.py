"""Whoever is on duty in the virtual world: emergencies of every width with a cancel interval, taken back in time, or
silenced, or left to end; and drills beside them, silent ones and loud ones that a second person approved."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from broadcasts.errors import Conflict, Refused
from broadcasts.wire.alert import AlertKind, Repeat
from controller.db.tables import KeptSound
from controller.services import accounts, drilling, emergencies
from controller.services.alert_calls import Call, Content
from controller.services.context import Context
from controller.services.drilling import Exercise
from controller.services.rights import Actor, Role
from controller.services.seeding import PROVINCE
from controller.services.sound_library import DRILL_NAMES
from controller.services.standard_texts import BEFORE_DRILL
from controller.services.targets import Target

At = Callable[[datetime, Callable[[datetime], None]], None]
CANCEL = timedelta(milliseconds=7_300)
"""Ends between two seconds, and between two steps of whatever looks once a second."""
_REPEATS = (None, None, Repeat(every_s=60, times=2), Repeat(every_s=120))


class Duty:
    """`at(when, act)`: put into the agenda. `warning`: the recording that sounds, `word`: the spoken "diễn tập"."""

    def __init__(
        self,
        ctx: Context,
        chance: random.Random,
        at: At,
        communes: Sequence[str],
        clusters: Sequence[str],
        warning: str,
    ) -> None:
        rules = replace(ctx.emergencies, cancel=CANCEL, wide_clusters=1_000_000, wide_share=1.0)
        self._ctx = replace(ctx, emergencies=replace(rules, per_person=1_000, per_scope=1_000))
        self._chance, self._at = chance, at
        self._communes, self._clusters, self._warning = communes, clusters, warning

    def keep_word(self, word: str) -> None:
        """The sound library of the province has the words that make a loud drill known as one."""
        now = self._ctx.clock.now()
        with self._ctx.db.write() as session:
            told = {"kind": "intro", "name": DRILL_NAMES[BEFORE_DRILL], "asset_sha256": word, "added_at": now}
            session.add(KeptSound(id="s-drill", area_id=PROVINCE[0], **told))

    def plan(self, start: datetime, days: int) -> None:
        for day in range(days):
            morning = start + timedelta(days=day)
            for often, act in ((0.7, self._warn), (0.7, self._drill)):
                if day == 0 or self._chance.random() < often:
                    self._at(morning + timedelta(seconds=self._chance.randint(3_600, 64_000)), act)

    def _target(self) -> Target:
        width = self._chance.random()
        if width < 0.1:
            return Target(areas=(PROVINCE[0],))
        if width < 0.4:
            return Target(areas=(self._chance.choice(self._communes),))
        return Target(clusters=tuple(self._chance.sample(self._clusters, min(len(self._clusters), 3))))

    def _warn(self, now: datetime) -> None:
        lasts = timedelta(minutes=self._chance.randint(2, 12))
        content = Content(recordings=(("vi", self._warning),))
        repeat, fate = self._chance.choice(_REPEATS), self._chance.random()
        rule = "once" if repeat is None else ""
        call = Call(AlertKind.FLOOD, self._target(), content, "flood", lasts, repeat, rule=rule)
        try:
            name = emergencies.sound(self._ctx, self._on_duty(), call)
        except (Refused, Conflict):
            return
        if fate < 0.2:
            self._at(now + CANCEL / 2, lambda _: self._try(emergencies.cancel, name))
        elif fate < 0.6:
            self._at(now + lasts / 3, lambda _: self._try(emergencies.silence, name))
        elif fate < 0.7:
            self._at(now + lasts / 3, lambda _: self._try(emergencies.silence_all))

    def _drill(self, now: datetime) -> None:
        loud = self._chance.random() < 0.5
        lasts, wait = timedelta(minutes=20), timedelta(minutes=self._chance.randint(0, 30))
        content = (("vi", self._warning),)
        told = Exercise(AlertKind.STORM, self._target(), "drill", not loud, content, now + wait, lasts)
        try:
            name = drilling.ask(self._ctx, self._on_duty(), told)
        except (Refused, Conflict):
            return  # outside the hours
        if loud:
            self._at(now + timedelta(seconds=30), lambda _: self._try(drilling.approve, name, other=True))
        if self._chance.random() < 0.3:
            self._at(now + wait + timedelta(seconds=10), lambda _: self._try(drilling.end, name))

    def _try(self, act: Callable[..., object], *told: str, other: bool = False) -> None:
        try:
            act(self._ctx, self._on_duty("other" if other else "duty"), *told)
        except (Refused, Conflict):
            return  # it is over already

    def _on_duty(self, name: str = "duty") -> Actor:
        with self._ctx.db.read() as session:
            return accounts.stand_in(session, name, Role.EMERGENCY, PROVINCE[0], self._ctx.wall.now())
