"""The 03:15 story: a wrong hour on a form woke a commune. Here it is refused, or asked about twice, or taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time

import pytest
from sqlalchemy import select
from support.bad_day import DAY, BadDay, at

from broadcasts.errors import Refused
from controller.db.tables import Station
from controller.services import approving, composing, regulating
from controller.services.unusual import Unusual
from controller.services.views.dry_run import dry_run
from controller.web.airtime_words import unusual_times
from controller.web.words import Words

NIGHT = "03:15"
SILENCE: list[str] = []


@pytest.fixture
def night(open_day: Callable[..., BadDay]) -> BadDay:
    """Two o'clock; everybody sleeps."""
    return open_day("02:00")


def allow(day: BadDay, hours: tuple[tuple[int, int], ...]) -> list[regulating.Misfit]:
    """The stations' regulations from now on; what that takes off the plans."""
    found = []
    with day.ctx.db.read() as session:
        stations = session.scalars(select(Station)).all()
    for station in stations:
        rules = replace(regulating.rules_of(station), hours=hours, early="NQ 12/NQ-HĐND")
        found += regulating.change(day.ctx, day.approver, station.id, rules, station.regulation_revision)
    return found


def asked(day: BadDay) -> Unusual:
    """What the form asks before it takes 03:15."""
    sound = day.studio.sounds["news"]
    draft = composing.Draft("news", 1, "vi", sound, areas=("p-94",), first_day=DAY, at=time(3, 15))
    found = composing.preview(day.ctx, day.author, draft).air.unusual
    assert found is not None
    return found


def approve(day: BadDay, broadcast: str, unusual: str = "") -> None:
    seen = approving.look_at(day.ctx, day.approver, broadcast)[2]
    approving.approve(day.ctx, day.approver, broadcast, seen, unusual)


def awake(day: BadDay) -> set[str]:
    return {sound for post in day.posts for sound in day.heard(post)}


@pytest.mark.requirement("R-051", "R-053")
def test_a_wrong_hour_gets_no_further_than_the_form_where_the_regulation_has_a_night(night: BadDay) -> None:
    with pytest.raises(Refused) as refused:
        night.hand_in("news", NIGHT)
    assert refused.value.key == "time.quiet"
    night.until("04:00")
    assert all(night.heard(post) == SILENCE for post in night.posts)


@pytest.mark.requirement("R-053")
def test_a_station_around_the_clock_is_asked_in_words_and_its_approver_again(night: BadDay) -> None:
    allow(night, ((0, 1440),))
    with pytest.raises(Refused) as first:
        night.hand_in("news", NIGHT)
    assert first.value.key == "time.unusual"
    question = asked(night)
    assert unusual_times(Words("vi", night.ctx.clock.now()), question) == "3 giờ 15 sáng nay, thứ Ba"
    assert len(question.clusters) == len(night.posts)

    broadcast = night.hand_in("news", NIGHT, unusual=question.mark)
    with pytest.raises(Refused) as second:
        approve(night, broadcast)
    assert second.value.key == "time.unusual"
    night.until("03:10")
    assert awake(night) == set(), "nothing sounds that only its author confirmed"


@pytest.mark.requirement("R-053")
def test_what_two_people_meant_sounds_at_the_minute_that_the_dry_run_said(night: BadDay) -> None:
    allow(night, ((0, 1440),))
    mark = asked(night).mark
    approve(night, night.hand_in("news", NIGHT, unusual=mark), mark)
    with night.ctx.db.read() as session:
        (line,) = dry_run(session, night.author, night.ctx.clock.now()).lines
    assert (line.outcome, line.when, len(line.clusters)) == ("whole", at(NIGHT), len(night.posts))
    night.until("04:00")
    volumes = {sound.rsplit(" ", 1)[1] for sound in awake(night)}
    assert awake(night) == {f"news 03:15:00-03:15:20 at {volume}" for volume in volumes}


@pytest.mark.requirement("R-032", "R-051")
def test_a_regulation_that_gets_its_night_back_takes_the_night_off_the_poles(night: BadDay) -> None:
    allow(night, ((0, 1440),))
    mark = asked(night).mark
    broadcast = night.hand_in("news", NIGHT, unusual=mark)
    approve(night, broadcast, mark)
    night.until("02:30")
    taken = allow(night, ((300, 1260),))
    assert {(each.title, each.reason) for each in taken} == {("news", "quiet_hours")}
    assert sum(each.clusters for each in taken) == len(night.posts)
    night.until("05:00")
    assert awake(night) == set()
    assert night.page(broadcast, night.posts[0]) == "withdrawn: not_played (quiet_hours)"
    assert {night.row(broadcast, post).state for post in night.posts} == {"withdrawn"}
