"""The regulation is tightened in the very second in which something begins, and the controller's clock is set back
afterwards: plan, unit and verdict agree, nothing sounds twice, and no proof is lost.

A real unit of the simulator lives by the signed plans, with a clock of its own that is right.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from sqlalchemy import select
from support.one_pole import Office, OnePole
from support.services import HERE, House

from broadcasts.clock import VIETNAM, ManualClock, from_unix_ms, unix_ms
from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Verdict
from broadcasts.wire import topics
from broadcasts.wire.journal import JournalBatch
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import Delivery, ScopeDocument
from controller.services import regulating, trusting
from controller.services.regulating import Rules

STATION, UNIT, CLUSTER = f"s-{HERE}", f"u-{HERE}-1", f"cl-{HERE}-1"
BEGINS = datetime(2026, 3, 3, 15, 0, tzinfo=VIETNAM)
HOUR = timedelta(hours=1)
TIGHT = Rules("02/QC-UBND", date(2026, 3, 1), ((1000, 1260),), early="NQ 5/2026")
WIDE = replace(TIGHT, number="03/QC-UBND", hours=((300, 1260),))


class Unsteady(ManualClock):
    """That of a machine somebody sets back."""

    def set(self, instant: datetime) -> None:
        self._now = instant


class Story:
    """One pole, and a start at 15:00 that is in its plan."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.clock = Unsteady(house.now)
        house.ctx = replace(house.ctx, clock=house.clock, wall=house.clock)
        self.news = house.on_air(first_day=BEGINS.date(), at=time(15))
        trusting.ensure_trust(house.ctx, house.now)
        files = {each.sha256: house.ctx.audio.path(each.sha256).read_bytes() for each in (house.bulletin, house.other)}
        office = Office(house.keys.signer(Use.TIME), house.keys.signer(Use.COMMAND), files.__getitem__)
        told = next(each for each in house.enrolments if each["unit"] == UNIT)
        self.pole = OnePole(told, office, unix_ms(house.now))
        self.told = 0
        self.meet()

    def meet(self) -> None:
        """The unit takes its plan, and the controller what the unit wrote down since."""
        self.house.compile()
        with self.house.ctx.db.read() as session:
            trust = session.get_one(ScopeDocument, trusting.TRUST).document
        document = self.house.stored_plan(UNIT).document
        self.pole.meet({topics.TRUST: trust, topics.to_unit(UNIT, In.PLAN): document})
        if news := [entry for seq, entry in sorted(self.pole.entries.items()) if seq > self.told]:
            self.told = news[-1].seq
            batch = JournalBatch(unit=UNIT, journal_id="j", boot_id=1, entries=news)
            self.house.hear(batch, unit=UNIT, at=from_unix_ms(self.pole.now), signed=True)

    def run(self, instant: datetime) -> None:
        self.pole.run(unix_ms(instant))

    def regulate(self, rules: Rules) -> None:
        boss = self.house.actor("boss")
        revision = regulating.look(self.house.ctx, boss, STATION).station.regulation_revision
        regulating.change(self.house.ctx, boss, STATION, rules, revision)

    def tighten_as_it_begins(self, *, meets: bool) -> None:
        self.run(BEGINS + timedelta(milliseconds=500))
        self.house.clock.set(BEGINS)
        self.regulate(TIGHT)
        if meets:
            self.meet()

    def set_back(self, *, meets: bool) -> None:
        self.house.clock.set(BEGINS - HOUR)
        self.house.compile()
        if meets:
            self.meet()

    def named(self) -> bool:
        """Whether the plan of now names it."""
        self.house.compile()
        return self.row.id in {item.id for item in self.house.plan(UNIT).items}

    @property
    def row(self) -> Delivery:
        with self.house.ctx.db.read() as session:
            mine = (Delivery.broadcast_id == self.news, Delivery.cluster_id == CLUSTER)
            return session.scalars(select(Delivery).where(*mine)).one()

    @property
    def heard(self) -> list[tuple[int, int]]:
        """Milliseconds after the start, from and to."""
        begin = unix_ms(BEGINS)
        return [(each.from_ms - begin, each.to_ms - begin) for each in self.pole.heard]


@pytest.fixture
def story(house: House) -> Story:
    return Story(house)


def whole(story: Story) -> list[tuple[int, int]]:
    length = story.house.bulletin.duration_ms
    return [(0, length)]


@pytest.mark.requirement("R-032", "R-051")
def test_a_unit_that_hears_of_the_hours_stops_and_what_stopped_does_not_begin_anew(story: Story) -> None:
    story.tighten_as_it_begins(meets=True)
    assert story.heard == [(0, 500)]
    story.set_back(meets=True)
    story.run(BEGINS + HOUR)
    story.meet()
    assert story.heard == [(0, 500)]
    assert (story.row.state, story.row.verdict, story.row.reason) == (
        State.PREEMPTED,
        Verdict.NOT_PLAYED,
        "quiet_hours",
    )


@pytest.mark.requirement("R-032", "R-051")
def test_a_unit_that_was_away_sounds_it_once_by_the_plan_it_had_and_the_proof_stands(story: Story) -> None:
    story.tighten_as_it_begins(meets=False)
    story.set_back(meets=False)
    assert (story.row.state, story.row.reason) == (State.WITHDRAWN, "quiet_hours")
    story.run(BEGINS + timedelta(minutes=1))
    assert story.heard == whole(story)
    story.meet()
    assert (story.row.state, story.row.verdict) == (State.PLAYED, Verdict.HEARD)
    assert not story.named()


@pytest.mark.requirement("R-032", "R-051")
@pytest.mark.parametrize("meets", [True, False])
def test_looser_hours_bring_back_nothing_that_has_sounded(story: Story, meets: bool) -> None:
    """The controller's clock is an hour behind by then: it lives through the start a second time."""
    story.tighten_as_it_begins(meets=False)
    story.set_back(meets=False)
    story.run(BEGINS + timedelta(minutes=1))
    if meets:
        story.meet()
    story.regulate(WIDE)
    assert story.named() is not meets  # who has not heard of the proof names it again; who has played it plays nothing
    story.meet()
    for minutes in (30, 59, 60, 61, 90):
        story.house.clock.set(BEGINS - HOUR + timedelta(minutes=minutes))
        story.run(BEGINS + timedelta(minutes=minutes))
        story.meet()
    assert story.heard == whole(story)
    assert (story.row.state, story.row.verdict) == (State.PLAYED, Verdict.HEARD)


@pytest.mark.requirement("R-032")
def test_what_had_begun_by_a_clock_that_was_ahead_is_off_the_air_with_the_reason(story: Story) -> None:
    """The unit's clock is right, so nothing has sounded anywhere: the hours say no, and so do plan, page and unit."""
    story.house.clock.set(BEGINS)
    story.regulate(TIGHT)
    story.run(BEGINS - HOUR)
    story.set_back(meets=True)
    assert (story.row.state, story.row.reason) == (State.WITHDRAWN, "quiet_hours")
    story.run(BEGINS + HOUR)
    story.meet()
    assert story.heard == []
    assert (story.row.state, story.row.reason) == (State.WITHDRAWN, "quiet_hours")


def test_what_had_begun_by_a_clock_that_was_ahead_comes_back_with_looser_hours_and_sounds_once(story: Story) -> None:
    story.house.clock.set(BEGINS)
    story.regulate(TIGHT)
    story.run(BEGINS - HOUR)
    story.set_back(meets=True)
    story.regulate(WIDE)
    story.meet()
    story.run(BEGINS + HOUR)
    story.house.clock.set(BEGINS + HOUR)
    story.meet()
    assert story.heard == whole(story)
    assert (story.row.state, story.row.verdict) == (State.PLAYED, Verdict.HEARD)
