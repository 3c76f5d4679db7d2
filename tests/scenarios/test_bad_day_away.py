"""The bad day: links, power, broker and controller go away and come back; what is heard, what the page says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support.bad_day import DAY, HOUR, MINUTE, BadDay

from controller.db.tables import DeliveryMove
from device_sim.disk import Disk
from device_sim.faults import Fault

ON_TIME = ["news 07:30:00-07:30:20 at 70"]
NOTHING: list[str] = []


def test_a_unit_that_was_offline_when_the_plan_was_published_plays_if_it_comes_back_in_time(day: BadDay) -> None:
    early, never, *others = day.posts
    day.befall(Fault.LINK_DOWN, early, lasts=20 * MINUTE)
    day.befall(Fault.LINK_DOWN, never, lasts=HOUR)
    day.wait(10)
    news = day.air("news", "07:30")
    day.until("07:50")
    assert day.heard(early) == ON_TIME
    assert day.page(news, early) == "played: heard"
    assert day.heard(never) == NOTHING
    assert day.page(news, never) == "published: unknown"
    assert {day.page(news, post) for post in others} == {"played: heard"}
    day.until("08:10")
    assert day.heard(never) == NOTHING
    assert day.page(news, never) == "missed: not_played (plan_not_received)"


@pytest.mark.requirement("R-048")
def test_a_unit_that_is_offline_when_it_is_time_plays_from_its_cache_and_proves_it_later(day: BadDay) -> None:
    news, cut = day.air("news", "07:30"), day.posts[0]
    day.until("07:29")
    assert day.pages(news) == {"ready: open"}
    day.befall(Fault.LINK_DOWN, cut, lasts=40 * MINUTE)
    day.until("07:40")
    assert day.heard(cut) == ON_TIME
    assert day.page(news, cut) == "ready: open"
    assert day.pages(news) == {"ready: open", "played: heard"}
    day.until("07:50")
    assert day.page(news, cut) == "ready: unknown"
    day.until("08:11")
    assert day.pages(news) == {"played: heard"}
    assert abs(day.row(news, cut).late_ms or 0) < 300


@pytest.mark.requirement("R-049")
def test_a_unit_that_reboots_in_the_middle_joins_at_the_right_place(day: BadDay) -> None:
    song, post = day.air("song", "07:30"), day.posts[0]
    day.until("07:30:10")
    day.befall(Fault.REBOOT, post, lasts=8_000)
    day.until("07:33")
    assert day.heard(post) == ["song 07:30:00-07:30:10 at 70", "song 07:30:18-07:30:45 at 70"]
    assert [round(sound.offset_ms, -3) for sound in post.pole.heard] == [0, 18_000]
    assert day.page(song, post) == "played: heard"


def test_a_broker_that_restarts_while_a_bulletin_sounds_is_not_heard_by_anybody(day: BadDay) -> None:
    news = day.air("news", "07:30")
    day.until("07:29:55")
    day.befall(Fault.BROKER_RESTART, lasts=2 * MINUTE)
    day.until("07:35")
    assert [day.heard(post) for post in day.posts] == [ON_TIME] * 10
    assert day.pages(news) == {"played: heard"}
    after = day.air("song", "07:40")
    day.until("07:42")
    assert day.pages(after) == {"played: heard"}


def test_a_broker_that_lost_its_store_is_told_everything_again(day: BadDay) -> None:
    """Every unit loses its disk as well: what they play can come from nowhere but the second telling."""
    news = day.air("news", "07:30")
    day.until("07:10")
    assert day.pages(news) == {"ready: open"}
    day.befall(Fault.BROKER_WIPE, lasts=5_000)
    for post in day.posts:
        day.befall(Fault.POWER_CUT, post, lasts=60_000)
        post.disk = Disk()
    day.until("07:35")
    assert [day.heard(post) for post in day.posts] == [ON_TIME] * 10
    assert day.pages(news) == {"played: heard"}


def test_a_controller_killed_between_approval_and_publication_publishes_after_its_restart(day: BadDay) -> None:
    news = day.air("news", "07:30")
    day.befall(Fault.CONTROLLER_KILL, lasts=10 * MINUTE)
    day.until("07:09")
    assert day.pages(news) == {"planned: open"}
    assert {post.unit.disk.documents.plan.items == [] for post in day.posts if post.unit} == {True}
    day.until("07:12")
    assert day.pages(news) == {"ready: open"}
    day.until("07:35")
    assert [day.heard(post) for post in day.posts] == [ON_TIME] * 10
    assert day.pages(news) == {"played: heard"}


def test_every_message_twice_is_heard_once_and_judged_once(day: BadDay) -> None:
    for post in day.posts:
        day.befall(Fault.DUPLICATE, post, lasts=2 * HOUR)
    news = day.air("news", "07:30")
    day.until("07:35")
    assert [day.heard(post) for post in day.posts] == [ON_TIME] * 10
    assert day.pages(news) == {"played: heard"}
    for post in day.posts:
        delivery = day.row(news, post).id
        assert day.played(post, delivery) == ["started", "ended"]
        with day.ctx.db.read() as session:
            moves = session.scalars(
                select(DeliveryMove.after).where(DeliveryMove.delivery_id == delivery).order_by(DeliveryMove.id)
            ).all()
        assert len(moves) == len(set(moves))


@pytest.mark.requirement("R-137")
def test_a_day_without_the_controller_stops_no_scheduled_programme(day: BadDay) -> None:
    news = day.air("news", "07:30", repeat="daily")
    day.until("07:10")
    day.befall(Fault.CONTROLLER_KILL, lasts=25 * HOUR)
    day.until("07:40", day=1)
    # 50 ppm of drift: what a day alone costs the clock of a pole.
    for post in day.posts:
        first, second = post.pole.heard
        assert second.asset == first.asset
        assert abs(second.from_ms - first.from_ms - 24 * HOUR) < 24 * HOUR * 50e-6 + 300
        assert second.to_ms - second.from_ms == pytest.approx(20_000, abs=300)
    day.until("09:00", day=1)
    told = {(row.start.date(), row.verdict) for post in day.posts for row in day.rows(news, post)[:2]}
    assert told == {(DAY, "heard"), (DAY + timedelta(days=1), "heard")}
