"""No sequence of hand-ins, edits, decisions, withdrawals, lent rights, exceptions, roles that end, accounts that go
off, ends, regulations made tighter and looser, choices of routing and clocks set forward and back puts on the air what
nobody but its authors approved, or what lies outside the regulation that stands. What is right is reckoned here from
the acts alone, not from the rows of the services."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.hindsight import ceiling, inside
from support.services import HERE, NOON, House, Workshop, furnished
from support.weeks import Rule

from broadcasts.clock import ManualClock, unix_ms
from broadcasts.errors import LoaError
from controller.db.tables import Delivery, RoleGrant, User
from controller.services import accounts, approving, composing, delegating, own_exceptions, regulating
from controller.services.deliveries import mark_dirty
from controller.services.regulating import Rules
from controller.services.rights import Role

COMMUNE, STATION, UNIT = f"c-{HERE}", f"s-{HERE}", f"u-{HERE}-1"
WRITERS = ("author", "boss", "second")
APPROVERS = ("boss", "deputy", "second")
"""`boss` writes and approves, `second` writes and approves only by what is lent."""
ALWAYS, NEVER = datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
"""Of what was given and taken back for good: whatever the clock says afterwards."""
SEEDED = Rule(ceilings=((300, 360, 50), (360, 1260, 80)))
RULES = (
    *(
        SEEDED,
        Rule(),
        Rule(((0, 1440),)),
        Rule(((300, 480), (990, 1200))),
        Rule(((300, 900),), ceilings=((0, 1440, 40),)),
    ),
    *(Rule(weekend=()), Rule(((0, 1440),), weekend=((480, 660),)), Rule(((1320, 1440), (0, 60)))),
)
TIGHT, SOFT = 3, 4
"""The one has neither noon nor afternoon; by the other nothing is louder than 40."""
ROUTINGS = (("", None), ("partial", None), ("all_or_none", None), ("stacked", 5))
MINUTES = (120, 121, 24 * 60, -60, -180, -24 * 60 - 1, -49 * 60)
"""By how much the clock is wrong, or right again."""


class Unsteady(ManualClock):
    """That of a machine somebody sets, forward and back."""

    def set(self, instant: datetime) -> None:
        self._now = instant


@dataclass
class Truth:
    """What was done, and what it allows."""

    wrote: dict[str, set[str]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    said: dict[tuple[str, int], datetime | None] = field(default_factory=dict)
    """Revisions with a right approval, and when it ends."""
    lent: list[tuple[str, str, str, datetime, datetime]] = field(default_factory=list)
    """Id, from, to, since, until."""
    exceptions: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    holds: set[str] = field(default_factory=lambda: {"boss", "deputy"})
    """Who has the role of an approver."""
    off: set[str] = field(default_factory=set)
    """Whose account is off: nobody approves in their name."""
    rule: Rule = SEEDED
    """The regulation that stands."""

    def may(self, who: str, broadcast: str, now: datetime) -> bool:
        wrote = self.wrote[broadcast]
        if who in self.holds:
            alone = any(since <= now < until for since, until in self.exceptions.values())
            return who not in wrote or alone
        lenders = {a for _, a, to, since, until in self.lent if to == who and since <= now < until}
        return who not in wrote and bool((lenders & self.holds) - self.off - wrote)


class World:
    def __init__(self, house: House) -> None:
        self.house, self.truth, self.made = house, Truth(), list[str]()
        self.did = Counter[str]()
        """What came of it, so that nobody takes an empty run for a proof."""
        house.clock = Unsteady(NOON)
        house.ctx = replace(house.ctx, clock=house.clock, wall=house.clock)
        with house.ctx.db.write() as session:
            for name, role, area in (
                ("second", Role.BROADCASTER, COMMUNE),
                ("quantri", Role.ADMINISTRATOR, "p-94"),
            ):
                accounts.create_user(house.ctx, session, accounts.FirstPassword("x", "x"), name, name, role, area, "t")
            told: dict[str, Any] = {"area_id": COMMUNE, "since": house.now, "until": None, "granted_by": "t"}
            session.add(RoleGrant(user_id=house.actor("boss").id, role=Role.BROADCASTER, **told))

    def submit(self, who: int, _: int) -> None:
        by = WRITERS[who % 3]
        name = self.house.submit(by, repeat="daily")
        self.made.append(name)
        self.truth.wrote[name], self.truth.newest[name] = {by}, 1

    def edit(self, who: int, which: int) -> None:
        by, name = WRITERS[who % 3], self.made[which % len(self.made)]
        draft = self.house.draft(title=f"Bản {which}", repeat="daily", volume=which * 7 % 100)
        composing.submit(self.house.ctx, self.house.actor(by), draft, name)
        self.truth.wrote[name].add(by)
        self.truth.newest[name] += 1

    def approve(self, who: int, which: int) -> None:
        by, name = APPROVERS[who % 3], self.made[which % len(self.made)]
        until = self.house.now + timedelta(days=3) if which % 4 == 0 else None
        actor = self.house.actor(by)
        allowed = self.truth.may(by, name, self.house.now)
        approving.approve(self.house.ctx, actor, name, approving.look_at(self.house.ctx, actor, name)[2], until=until)
        assert allowed, f"{by} approved {name}, written by {self.truth.wrote[name]}"
        self.truth.said[name, self.truth.newest[name]] = until
        self.did["borrowed"] += by == "second"

    def reject(self, who: int, which: int) -> None:
        name, actor = self.made[which % len(self.made)], self.house.actor(APPROVERS[who % 3])
        seen = approving.look_at(self.house.ctx, actor, name)[2]
        approving.reject(self.house.ctx, actor, name, seen, "Không")

    def lend(self, who: int, which: int) -> None:
        by, until = APPROVERS[who % 3], self.house.now + timedelta(hours=1 + which * 5)
        made = delegating.lend(self.house.ctx, self.house.actor(by), "second", COMMUNE, None, until, "Đi họp")
        assert by in self.truth.holds
        self.truth.lent.append((made, by, "second", self.house.now, until))

    def take_back(self, _: int, which: int) -> None:
        told = self.truth.lent[which % len(self.truth.lent)]
        delegating.take_back(self.house.ctx, self.house.actor(told[1]), told[0])
        self.truth.lent[which % len(self.truth.lent)] = (*told[:4], NEVER)

    def exception(self, _: int, which: int) -> None:
        until = self.house.now + timedelta(hours=1 + which * 5)
        made = own_exceptions.give(self.house.ctx, self.house.actor("quantri"), STATION, "7", "Một người", until)
        self.truth.exceptions[made] = (ALWAYS, until)

    def end_exception(self, _: int, which: int) -> None:
        name = sorted(self.truth.exceptions)[which % len(self.truth.exceptions)]
        own_exceptions.take_back(self.house.ctx, self.house.actor("quantri"), name)
        self.truth.exceptions[name] = (ALWAYS, NEVER)

    def withdraw(self, who: int, which: int) -> None:
        by, name = APPROVERS[who % 3], self.made[which % len(self.made)]
        approving.withdraw(self.house.ctx, self.house.actor(by), name)
        self.truth.said.pop((name, self.truth.newest[name]), None)

    def end_or_give_role(self, who: int, _: int) -> None:
        """The role of an approver, which the boss and the deputy have at first."""
        name = ("boss", "deputy")[who % 2]
        ends = name in self.truth.holds
        with self.house.ctx.db.write() as session:
            wanted = select(RoleGrant).where(RoleGrant.user_id == self.house.actor(name).id)
            for row in session.scalars(wanted.where(RoleGrant.role == Role.APPROVER)):
                row.until = row.since if ends else None
        self.truth.holds ^= {name}

    def turn_off_or_on(self, who: int, _: int) -> None:
        name = ("boss", "deputy")[who % 2]
        with self.house.ctx.db.write() as session:
            user = session.get_one(User, self.house.actor(name).id)
            user.disabled_at = None if name in self.truth.off else self.house.now
        self.truth.off ^= {name}

    def pass_time(self, _: int, which: int) -> None:
        self.house.clock.advance(which * 3 * 3600)

    def look_anew(self) -> int:
        """The same of a plan that was made by the clock as it is."""
        with self.house.ctx.db.write() as session:
            mark_dirty(session, [f"cl-{HERE}-1"], self.house.now)
        return self.look(anew=True)

    def set_clock(self, _: int, which: int) -> None:
        minutes = MINUTES[which % len(MINUTES)]
        self.house.clock.advance(minutes * 60)
        self.did["set back"] += minutes < 0

    def regulate(self, who: int, which: int) -> None:
        """Tighter or looser."""
        actor, rule = self.house.actor(("boss", "deputy")[who % 2]), RULES[which % len(RULES)]
        revision = regulating.look(self.house.ctx, actor, STATION).station.regulation_revision
        told = Rules(
            *("12/QC-UBND", NOON.date(), rule.hours, rule.weekend), ceilings=rule.ceilings, early="NQ 12/NQ-HĐND"
        )
        self.did["taken off"] += len(regulating.change(self.house.ctx, actor, STATION, told, revision))
        self.truth.rule = rule

    def route(self, who: int, which: int) -> None:
        """Where it goes when another has the horn."""
        by, name = WRITERS[who % 3], self.made[which % len(self.made)]
        routing, minutes = ROUTINGS[which % len(ROUTINGS)]
        draft = self.house.draft(repeat="daily", priority=2, routing=routing, stack_minutes=minutes)
        composing.submit(self.house.ctx, self.house.actor(by), draft, name)
        self.truth.wrote[name].add(by)
        self.truth.newest[name] += 1
        self.did["routed"] += bool(routing)

    def look(self, *, anew: bool = False) -> int:
        """Every item of the plan that a unit would hold now; how many. What had begun when the plan was made stays in
        it, and a clock set back afterwards changes nothing: the hours beside it decide, which are those that stand."""
        self.house.compile()
        plan = self.house.plan(UNIT)
        items, rule = plan.items, self.truth.rule
        assert tuple((each.start, each.end) for each in plan.policy.hours) == rule.hours
        with self.house.ctx.db.read() as session:
            for item in items:
                row = session.get_one(Delivery, item.id)
                whole = (row.broadcast_id, row.revision)
                assert row.revision == self.truth.newest[row.broadcast_id], "an older revision"
                assert whole in self.truth.said, "nobody approved it"
                until = self.truth.said[whole]
                assert until is None or row.end <= until, "its approval is over by then"
                begin, end = unix_ms(row.start), unix_ms(row.end)
                if begin > (unix_ms(self.house.now) if anew else plan.issued_at):
                    assert inside(rule, begin, end), f"{row.start} is outside {rule}"
                    assert item.volume <= ceiling(rule, "ordinary", begin, end), f"too loud for {rule}"
        return len(items)


ACTS: tuple[Callable[[World, int, int], None], ...] = (
    *(World.submit, World.edit, World.approve, World.approve, World.approve, World.reject),
    *(World.lend, World.lend, World.take_back, World.exception, World.end_exception, World.pass_time),
    *(World.withdraw, World.end_or_give_role, World.turn_off_or_on),
    *(World.regulate, World.regulate, World.set_clock, World.set_clock, World.route),
)
Step = tuple[Callable[[World, int, int], None], int, int]
LENT: list[Step] = [(World.lend, 0, 4), (World.approve, 2, 1)]
ANOTHER: list[Step] = [(World.submit, 0, 0), (World.approve, 2, 1)]
"""What was lent reaches no further than the lender's own right, nor longer."""
BEGUN: list[Step] = [(World.approve, 0, 1), (World.set_clock, 0, 0), (World.regulate, 0, TIGHT)]
"""The hours end in the second in which something begins."""
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 2), st.integers(0, 11)), min_size=4, max_size=16)


@pytest.mark.requirement("R-029", "R-031", "R-032", "R-051")
def test_no_sequence_of_acts_puts_on_the_air_what_nobody_else_approved_or_no_regulation_allows(
    workshop: Workshop, tmp_path: Path
) -> None:
    heard, did = 0, Counter[str]()

    @settings(max_examples=30)
    @given(STEPS)
    @example([*LENT, (World.turn_off_or_on, 0, 0), *ANOTHER])
    @example([*LENT, (World.end_or_give_role, 0, 0), *ANOTHER])
    @example([*LENT, (World.pass_time, 0, 8), *ANOTHER])
    @example([(World.approve, 0, 1), (World.regulate, 0, TIGHT), (World.regulate, 0, 0)])
    @example([(World.approve, 0, 1), (World.regulate, 0, SOFT)])
    @example([*BEGUN, (World.set_clock, 0, 3)])
    @example([*BEGUN, (World.set_clock, 0, 3), (World.set_clock, 0, 0), (World.regulate, 1, 0)])
    @example([(World.approve, 0, 0), (World.set_clock, 0, 1), (World.withdraw, 0, 0)])
    @example([(World.route, 0, 2), (World.approve, 0, 1), (World.regulate, 0, TIGHT), (World.set_clock, 0, 4)])
    def tried(steps: list[Step]) -> None:
        nonlocal heard
        with furnished(workshop, "sqlite", tmp_path) as house:
            world = World(house)
            world.submit(0, 0)
            for act, who, which in steps:
                with suppress(LoaError, IndexError, ZeroDivisionError):
                    act(world, who, which)
                heard += world.look()
            heard += world.look_anew()
            did.update(world.did)

    tried()
    assert heard > 0, "nothing was ever on the air: the test proves nothing"
    assert did["borrowed"] >= 3, "nothing was approved by a lent right"
    assert did["taken off"] > 0, "no regulation ever took anything off"
    assert did["set back"] > 0
    assert did["routed"] > 0
