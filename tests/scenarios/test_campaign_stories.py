"""Two stories of series: a storm warning that was cancelled at night, three consecutive days with a cluster down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from support.bad_day import DAY, HOUR, MINUTE, BadDay, at

from broadcasts.clock import VIETNAM
from broadcasts.domain.campaign import Gap, Status
from broadcasts.domain.series import Wish
from controller.db.tables import Cluster, Station
from controller.services import campaigns
from controller.services.campaigns import Proposal
from controller.services.composing import Draft
from controller.services.deliveries import mark_dirty
from controller.services.views.campaigns import Hamlet, Report, report
from device_sim.faults import Fault
from device_sim.world import Post

FULL, MAYBE, NOT = Status.FULFILLED, Status.POSSIBLE, Status.NOT_FULFILLED


def begin(day: BadDay, template: str, sound: str, first: datetime, **wish: Any) -> str:
    """Handed in for all poles of the first commune, and approved."""
    commune = day.posts[0].name.split("-")[1]
    asked = Proposal(
        template,
        Draft(sound, 1, "vi", day.studio.sounds[sound], areas=(f"c-{commune}",), priority=2, push_now=True),
        Wish(first, issued_at=day.ctx.clock.now(), **wish),
        spoken=True,
    )
    campaign = campaigns.create(day.ctx, day.author, asked)
    with day.ctx.db.read() as session:
        broadcast = campaigns.broadcasts_of(session, campaign)[0].id
    day.approve(broadcast)
    return campaign


def told(day: BadDay, campaign: str) -> Report:
    with day.ctx.db.read() as session:
        return report(session, day.author, campaign, day.ctx.clock.now())


def hamlet(day: BadDay, campaign: str, post: Post) -> Hamlet:
    cluster = post.name.replace("u-", "cl-")
    return next(
        each for each in told(day, campaign).hamlets if any(place.cluster.id == cluster for place in each.places)
    )


def gaps(day: BadDay, campaign: str, post: Post) -> list[Gap]:
    return [gap for place in hamlet(day, campaign, post).places for gap in place.found.gaps]


def open_day_and_night(day: BadDay) -> None:
    """The regulation of a storm: all hours, none of them unusual."""
    with day.ctx.db.write() as session:
        for station in session.scalars(select(Station)):
            station.hours, station.ceilings, station.rules = [[0, 1440]], [], {"normal": [[0, 1440]]}
        mark_dirty(session, list(session.scalars(select(Cluster.id))), day.ctx.clock.now())


def clocks(day: BadDay, post: Post) -> list[str]:
    """When the warning began there: `21:42:00`."""
    return [line.split()[1].split("-")[0] for line in day.heard(post) if line.startswith("siren")]


@pytest.mark.requirement("R-060", "R-064", "R-056")
def test_a_storm_warning_sounds_twice_at_once_then_hourly_until_a_cancel_at_night_that_a_cut_off_cluster_missed(
    open_day: Callable[..., BadDay],
) -> None:
    day = open_day("21:30")
    open_day_and_night(day)
    day.until("21:40")
    storm = begin(day, "storm_urgent", "siren", at("21:42"), ends_at=at("12:00", 1))
    here, elsewhere = day.posts[:5], day.posts[5:]
    cut, dark, *others = here

    day.until("22:10")
    urgent = ["21:42:00", "21:42:14", "22:00:00"]
    assert [clocks(day, post) for post in here] == [urgent] * 5

    day.befall(Fault.LINK_DOWN, cut, lasts=6 * HOUR + 20 * MINUTE)
    day.befall(Fault.POWER_CUT, dark, lasts=7 * HOUR + 49 * MINUTE)
    day.until("23:20")
    assert [clocks(day, post) for post in others] == [[*urgent, "23:00:00"]] * 3

    campaigns.end(day.ctx, day.approver, storm, "cancel", "Bão đã đổi hướng")
    day.until("04:00", 1)
    assert [clocks(day, post) for post in others] == [[*urgent, "23:00:00"]] * 3
    # Cut off, it cannot know: but the plan it has names only the next hours, and so it fell silent by itself.
    assert clocks(day, cut) == [*urgent, "23:00:00", "00:00:00"]

    day.until("07:30", 1)
    assert clocks(day, cut) == [*urgent, "23:00:00", "00:00:00"], "back at 04:30: nothing old"
    assert clocks(day, dark) == urgent, "back at 05:59: nothing old"
    assert [clocks(day, post) for post in elsewhere] == [[]] * 5

    assert {hamlet(day, storm, post).status for post in (cut, *others)} == {FULL}
    assert hamlet(day, storm, dark).status is NOT
    assert [(gap.at, gap.cause) for gap in gaps(day, storm, dark)] == [(at("23:00"), "power_off")]
    late = {post: [each.start for each in hamlet(day, storm, post).places[0].after_end] for post in here}
    assert late == {cut: [at("00:00", 1)]} | {post: [] for post in (dark, *others)}


@pytest.mark.requirement("R-037", "R-043")
def test_three_consecutive_days_are_not_fulfilled_where_a_cluster_was_down_on_the_second(day: BadDay) -> None:
    series = begin(day, "democracy", "news", at("17:00"))
    here = day.posts[:5]
    down = here[2]
    day.until("18:30")
    assert {hamlet(day, series, post).status for post in here} == {MAYBE}
    assert [gaps(day, series, post) for post in here] == [[]] * 5

    day.until("16:50", 1)
    day.befall(Fault.POWER_CUT, down, lasts=15 * HOUR)
    day.until("18:30", 1)
    assert hamlet(day, series, down).status is MAYBE, "nobody knows yet what it played"
    (gap,) = gaps(day, series, down)
    assert (gap.day, gap.cause, gap.final) == (2, "unknown", False)
    assert gap.since is not None
    assert timedelta(0) <= gap.since - at("16:50", 1) < timedelta(minutes=10)  # when the broker missed it

    day.until("18:30", 2)
    others = [post for post in here if post is not down]
    assert {hamlet(day, series, post).status for post in others} == {FULL}
    assert hamlet(day, series, down).status is NOT
    (gap,) = gaps(day, series, down)
    assert (gap.day, gap.at, gap.cause, gap.final) == (2, at("17:00", 1), "power_off", True)
    assert gap.since is not None
    assert f"{gap.since.astimezone(VIETNAM):%H}" == "16"
    assert told(day, series).status is NOT
    playings = hamlet(day, series, down).places[0].playings
    assert [playing.verdict for playing in playings] == ["heard", "not_played", "heard"]
    assert [playing.start.astimezone(VIETNAM).date() - DAY for playing in playings] == [
        timedelta(days=0),
        timedelta(days=1),
        timedelta(days=2),
    ]
