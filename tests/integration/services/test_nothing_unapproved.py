"""No sequence of hand-ins, edits, decisions, withdrawals, lent rights, exceptions, roles that end, accounts that go
off, ends and clock moves puts on the air what nobody but its authors approved. What is right is reckoned here from the
acts alone, not from the rows of the services."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.services import HERE, House, Workshop, furnished

from broadcasts.errors import LoaError
from controller.db.tables import Delivery, RoleGrant, User
from controller.services import accounts, approving, composing, delegating, own_exceptions
from controller.services.rights import Role

COMMUNE, STATION, UNIT = f"c-{HERE}", f"s-{HERE}", f"u-{HERE}-1"
WRITERS = ("author", "boss", "second")
APPROVERS = ("boss", "deputy", "second")
"""`boss` writes and approves, `second` writes and approves only by what is lent."""


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
        self.borrowed = 0
        """Approvals by a lent right."""
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
        self.borrowed += by == "second"

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
        self.truth.lent[which % len(self.truth.lent)] = (*told[:4], self.house.now)

    def exception(self, _: int, which: int) -> None:
        until = self.house.now + timedelta(hours=1 + which * 5)
        made = own_exceptions.give(self.house.ctx, self.house.actor("quantri"), STATION, "7", "Một người", until)
        self.truth.exceptions[made] = (self.house.now, until)

    def end_exception(self, _: int, which: int) -> None:
        name = sorted(self.truth.exceptions)[which % len(self.truth.exceptions)]
        own_exceptions.take_back(self.house.ctx, self.house.actor("quantri"), name)
        self.truth.exceptions[name] = (self.truth.exceptions[name][0], self.house.now)

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
                row.until = self.house.now if ends else None
        self.truth.holds ^= {name}

    def turn_off_or_on(self, who: int, _: int) -> None:
        name = ("boss", "deputy")[who % 2]
        with self.house.ctx.db.write() as session:
            user = session.get_one(User, self.house.actor(name).id)
            user.disabled_at = None if name in self.truth.off else self.house.now
        self.truth.off ^= {name}

    def pass_time(self, _: int, which: int) -> None:
        self.house.clock.advance(which * 3 * 3600)

    def look(self) -> int:
        """Every item of the plan that a unit would hold now; how many."""
        self.house.compile()
        items = self.house.plan(UNIT).items
        with self.house.ctx.db.read() as session:
            for item in items:
                row = session.get_one(Delivery, item.id)
                whole = (row.broadcast_id, row.revision)
                assert row.revision == self.truth.newest[row.broadcast_id], "an older revision"
                assert whole in self.truth.said, "nobody approved it"
                until = self.truth.said[whole]
                assert until is None or row.end <= until, "its approval is over by then"
        return len(items)


ACTS: tuple[Callable[[World, int, int], None], ...] = (
    *(World.submit, World.edit, World.approve, World.approve, World.approve, World.reject),
    *(World.lend, World.lend, World.take_back, World.exception, World.end_exception, World.pass_time),
    *(World.withdraw, World.end_or_give_role, World.turn_off_or_on),
)
Step = tuple[Callable[[World, int, int], None], int, int]
LENT: list[Step] = [(World.lend, 0, 4), (World.approve, 2, 1)]
ANOTHER: list[Step] = [(World.submit, 0, 0), (World.approve, 2, 1)]
"""What was lent reaches no further than the lender's own right, nor longer."""
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 2), st.integers(0, 11)), min_size=4, max_size=16)


@pytest.mark.requirement("R-029", "R-031")
def test_no_sequence_of_acts_puts_on_the_air_what_nobody_else_approved(workshop: Workshop, tmp_path: Path) -> None:
    heard = borrowed = 0

    @settings(max_examples=30)
    @given(STEPS)
    @example([*LENT, (World.turn_off_or_on, 0, 0), *ANOTHER])
    @example([*LENT, (World.end_or_give_role, 0, 0), *ANOTHER])
    @example([*LENT, (World.pass_time, 0, 8), *ANOTHER])
    def tried(steps: list[Step]) -> None:
        nonlocal heard, borrowed
        with furnished(workshop, "sqlite", tmp_path) as house:
            world = World(house)
            world.submit(0, 0)
            for act, who, which in steps:
                with suppress(LoaError, IndexError, ZeroDivisionError):
                    act(world, who, which)
                heard += world.look()
            borrowed += world.borrowed

    tried()
    assert heard > 0, "nothing was ever on the air: the test proves nothing"
    assert borrowed >= 3, "nothing was approved by a lent right"
