"""The acts of a drawn week (`support.weeks`), done through the controller's services, and what they allow to sound.

What is allowed is noted here from the acts alone, never read from the rows of the services.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from support.weeks import Act, Rule, Wanted, Warned, Week

from broadcasts.clock import VIETNAM, ManualClock
from broadcasts.domain.content import Translation
from broadcasts.domain.model import Pattern
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.recurrence import starts
from broadcasts.domain.series import Wish
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Broadcast, Cluster
from controller.services import accounts, approving, campaigns, composing, precedence, regulating, rescheduling
from controller.services.campaigns import Proposal
from controller.services.composing import Draft
from controller.services.context import Context
from controller.services.regulating import Rules
from controller.services.rescheduling import Extent
from controller.services.schedules import schedule_of

TWO_HOURS = timedelta(hours=2)
Whole = tuple[str, int]
"""A broadcast and its revision."""


@dataclass
class Truth:
    """`wanted` and `said`: what was handed in, and since when and until when it is approved; `gone`: when it was taken
    back; `touched`: single starts of it were moved or left out. `rules`: by station, what held since when."""

    wanted: dict[Whole, Wanted | Warned] = field(default_factory=dict)
    said: dict[Whole, tuple[datetime, datetime | None]] = field(default_factory=dict)
    gone: dict[Whole, datetime] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    rules: dict[str, list[tuple[datetime, Rule]]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)


class Officers:
    def __init__(self, ctx: Context, sounds: dict[str, str], week: Week, first: date) -> None:
        """`first`: the day that counts as 0."""
        self.ctx, self._sounds, self._week, self._first = ctx, sounds, week, first
        self.truth = Truth()
        self._made: list[str] = []
        self._campaigns: list[str] = []
        with ctx.db.read() as session:
            self._author = accounts.actor_by_name(session, "phatthanh", ctx.wall.now())
            self._approver = accounts.actor_by_name(session, "lanhdao", ctx.wall.now())
            rows = session.query(Cluster).order_by(Cluster.id).all()
            # One of each commune in turn: two clusters are two communes.
            self.stations = sorted({row.station_id for row in rows})
            by_station = [[row.id for row in rows if row.station_id == station] for station in self.stations]
            self.clusters = [each for pair in zip(*by_station, strict=True) for each in pair][: week.clusters]

    @property
    def now(self) -> datetime:
        return self.ctx.clock.now()

    def at(self, day: int, clock: time) -> datetime:
        return datetime.combine(self._first + timedelta(days=day), clock, VIETNAM).astimezone(UTC)

    # --- before the week

    def move_in(self) -> None:
        with self.ctx.db.write() as session:
            for name, languages in zip(self.clusters, self._week.languages, strict=True):
                session.get_one(Cluster, name).languages = list(languages)
        for number, rule in enumerate(self._week.rules):
            self._regulate(number, rule)
        for wanted in self._week.wanted:
            self._try("add", self._add, wanted)

    # --- acts

    def do(self, act: Act) -> None:
        self._try(act.kind, getattr(self, f"_{act.kind}_by_act"), act)

    def warn(self, warned: Warned) -> None:
        self._try("warn", self._warn, warned)

    def _try(self, name: str, what: Any, *args: Any) -> None:
        try:
            what(*args)
        except LoaError as refused:
            self.truth.done[f"{name}: {refused.key}"] += 1
        except IndexError:
            self.truth.done[f"{name}: nothing there"] += 1
        else:
            self.truth.done[name] += 1

    def _withdraw_by_act(self, act: Act) -> None:
        name = self._one(act)
        approving.withdraw(self.ctx, self._author, name)
        self._gone(name)

    def _leave_out_by_act(self, act: Act) -> None:
        name = self._one(act)
        extent = Extent.ONE if act.other % 2 else Extent.FOLLOWING
        self.truth.touched.add(name)
        before = self.truth.wanted[name, self._revision(name)]
        rescheduling.leave_out(self.ctx, self._author, name, extent, self._start(name, act.other // 2), push_now=True)
        self.truth.wanted[name, self._revision(name)] = before  # of one that waits it makes a new revision

    def _edit_by_act(self, act: Act) -> None:
        name, new = self._one(act), self._ahead(act.new)
        self._hand_in(self._draft(new), editing=name)
        self._gone(name)
        self.truth.wanted[name, self._revision(name)] = new
        self._decide(name, new)

    def _ahead(self, wanted: Wanted) -> Wanted:
        """From tomorrow on: chance would choose a day that is over nearly always, and no edit would be tried."""
        when = wanted.when
        first = max(when.day, (self.now.astimezone(VIETNAM).date() - self._first).days + 1)
        until = when.until if when.until is None else max(when.until, first)
        extra = tuple(each for each in when.extra if each[0] >= first)
        return replace(wanted, when=replace(when, day=first, until=until, extra=extra))

    def _edit_part_by_act(self, act: Act) -> None:
        name = self._one(act)
        extent = Extent.ONE if act.other % 2 else Extent.FOLLOWING
        start = self._start(name, act.other // 2)
        with self.ctx.db.read() as session:
            draft = rescheduling.draft_for(session, self._author, name, extent, start, self.now)
        wanted = self.truth.wanted[name, self._revision(name)]
        if isinstance(wanted, Warned):
            return
        draft = replace(draft, at=act.new.when.clock, push_now=True)
        before = self._revision(name)
        made = self._unusual_too(
            draft, lambda told: rescheduling.change(self.ctx, self._author, name, told, extent, start)
        )
        self.truth.touched |= {name, made}
        self.truth.wanted[name, self._revision(name)] = wanted
        if made == name:
            self.truth.gone[name, before] = self.now
        else:
            self._made.append(made)
        self.truth.wanted[made, self._revision(made)] = wanted
        self._decide(made, act.new)

    def _regulate_by_act(self, act: Act) -> None:
        self._regulate(act.which % 2, act.rule)

    def _regulate_back_by_act(self, act: Act) -> None:
        self._regulate(act.which % 2, self._week.rules[act.which % 2])

    def _decide_by_act(self, act: Act) -> None:
        found = precedence.priority_clashes(self.ctx, self._approver)
        clash = found[act.which % len(found)] if found else found[0]
        pair = (clash.winner.broadcast, clash.loser.broadcast)
        first, second = pair if act.other % 3 == 0 else pair[::-1]
        precedence.decide(self.ctx, self._approver, clash.station, first, second, "Bão đang vào", push_now=True)

    def _add_by_act(self, act: Act) -> None:
        self._add(act.new)

    def _approve_by_act(self, act: Act) -> None:
        self._decide(self._one(act), replace(act.new, word="yes"))

    def _reject_by_act(self, act: Act) -> None:
        self._decide(self._one(act), replace(act.new, word="no"))

    def _end_warning_by_act(self, act: Act) -> None:
        name = self._campaigns[act.which % len(self._campaigns)] if self._campaigns else self._campaigns[0]
        campaigns.end(self.ctx, self._author, name, "cancel", "Bão đã tan")
        with self.ctx.db.read() as session:
            ended = [each.id for each in campaigns.broadcasts_of(session, name)]
        for each in ended:
            self._gone(each)

    # --- what they are made of

    def _one(self, act: Act) -> str:
        return self._made[act.which % len(self._made)] if self._made else self._made[0]

    def _revision(self, name: str) -> int:
        with self.ctx.db.read() as session:
            return session.get_one(Broadcast, name).revision

    def _gone(self, name: str) -> None:
        for whole in self.truth.wanted:
            if whole[0] == name:
                self.truth.gone.setdefault(whole, self.now)

    def _start(self, name: str, number: int) -> datetime:
        with self.ctx.db.read() as session:
            schedule = schedule_of(session.get_one(Broadcast, name))
        return list(starts(schedule, self.now, self.now + timedelta(days=8), VIETNAM))[number]

    def _regulate(self, number: int, rule: Rule) -> None:
        station = self.stations[number]
        told = regulating.look(self.ctx, self._approver, station)
        sites = dict(zip(self.clusters, self._week.sites, strict=True)) if told.station.regulation_revision == 0 else {}
        mine = {cluster.id for cluster in told.clusters}
        rules = Rules(
            "12/QC-UBND",
            self._first,
            rule.hours,
            rule.weekend,
            ceilings=rule.ceilings,
            special=rule.special,
            early="NQ 12/NQ-HĐND",
            **dict(rule.limits),
        )
        here = {name: site for name, site in sites.items() if name in mine}
        regulating.change(self.ctx, self._approver, station, rules, told.station.regulation_revision, here)
        self.truth.rules.setdefault(station, []).append((self.now, rule))

    def _add(self, wanted: Wanted) -> None:
        name = self._hand_in(self._draft(wanted))
        self._made.append(name)
        self.truth.wanted[name, 1] = wanted
        self._decide(name, wanted)

    def _hand_in(self, draft: Draft, editing: str | None = None) -> str:
        return self._unusual_too(draft, lambda told: composing.submit(self.ctx, self._author, told, editing=editing))

    def _unusual_too(self, draft: Draft, hand_in: Any) -> str:
        """Said yes to, where the form asks."""
        try:
            return str(hand_in(draft))
        except Refused as asked:
            if asked.key != "time.unusual":
                raise
        strange = composing.preview(self.ctx, self._author, draft).air.unusual
        assert strange is not None
        return str(hand_in(replace(draft, unusual=strange.mark)))

    def _decide(self, name: str, wanted: Wanted | Warned) -> None:
        word = wanted.word if isinstance(wanted, Wanted) else "yes"
        if word == "nothing":
            return
        _, ahead, seen = approving.look_at(self.ctx, self._approver, name)
        if word == "no":
            approving.reject(self.ctx, self._approver, name, seen, "Chưa rõ")
            return
        valid = wanted.valid_days if isinstance(wanted, Wanted) else None
        until = self.now + timedelta(days=valid) if valid else None
        mark = ahead.air.unusual.mark if ahead.air.unusual is not None else ""
        approving.approve(self.ctx, self._approver, name, seen, mark, until)
        self.truth.said[name, self._revision(name)] = (self.now, until)

    def _draft(self, wanted: Wanted) -> Draft:
        when, sha = wanted.when, self._sounds
        main = Part(PartKind.BULLETIN, "Bản tin", sha[wanted.sound])
        around = [Part(PartKind.CHIME, "Nhạc", sha[each]) for each in wanted.parts if each != wanted.sound]
        parts = (*around[:1], main, *around[1:]) if around else ()
        last_at = (datetime.combine(self._first, when.clock) + TWO_HOURS).time() if when.minutes else None
        pattern = Pattern(
            every=when.every,
            weekdays=when.weekdays,
            minutes=when.minutes,
            last_at=last_at,
            count=when.count,
            skip_days=tuple(self._first + timedelta(days=day) for day in when.skip_days),
            extra=tuple(self.at(*each) for each in when.extra),
        )
        more = (Translation("km", sha[wanted.khmer]),) if wanted.khmer else ()
        return Draft(
            title=wanted.sound,
            field=1,
            language="vi",
            asset=sha[wanted.sound],
            clusters=tuple(self.clusters[each] for each in wanted.clusters),
            repeat=when.repeat,
            first_day=self._first + timedelta(days=when.day),
            at=when.clock,
            until_day=None if when.until is None else self._first + timedelta(days=when.until),
            priority=wanted.priority,
            on_preempt=wanted.on_preempt,
            late=wanted.late,
            routing=wanted.routing,
            stack_minutes=wanted.stack_minutes,
            volume=wanted.volume,
            push_now=True,
            pattern=pattern,
            parts=parts,
            more=more,
        )

    def _warn(self, warned: Warned) -> None:
        first = self.at(warned.day, warned.clock)
        draft = Draft(
            title="Cảnh báo",
            field=2,
            language="vi",
            asset=self._sounds[warned.sound],
            clusters=tuple(self.clusters[each] for each in warned.clusters),
            priority=2,
            push_now=True,
        )
        ends = first + timedelta(hours=warned.hours)
        wish = Wish(first, issued_at=self.now, every_minutes=warned.every_minutes, ends_at=ends, within_hours=True)

        def create(told: Draft) -> str:
            return campaigns.create(self.ctx, self._author, Proposal("station_order", told, wish, spoken=True))

        try:
            campaign = create(draft)
        except Refused as asked:
            if asked.key != "time.unusual":
                raise
            ahead = campaigns.preview_series(
                self.ctx, self._author, Proposal("station_order", draft, wish, spoken=True)
            )
            assert ahead.preview.air.unusual is not None
            campaign = create(replace(draft, unusual=ahead.preview.air.unusual.mark))
        self._campaigns.append(campaign)
        with self.ctx.db.read() as session:
            name = campaigns.broadcasts_of(session, campaign)[0].id
        self._made.append(name)
        self.truth.wanted[name, 1] = warned
        self._decide(name, warned)


def move(ctx: Context, to: datetime) -> None:
    assert isinstance(ctx.clock, ManualClock)
    ctx.clock.set(to)
