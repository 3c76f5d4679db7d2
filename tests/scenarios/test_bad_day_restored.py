"""The bad day: the controller's disk is gone, and last night's backup is all there is."""

from __future__ import annotations

from sqlalchemy import select
from support.bad_day import MINUTE, BadDay, image_of, restore

from controller.db.tables import Broadcast, ScopeDocument, UnitPlan, UnitStatus
from device_sim.faults import Fault


def epoch(day: BadDay) -> int:
    """The lowest of all units."""
    with day.ctx.db.read() as session:
        return min(session.scalars(select(UnitStatus.journal_epoch)))


def plan_versions(day: BadDay) -> dict[str, int]:
    with day.ctx.db.read() as session:
        return {row.unit_id: row.version for row in session.scalars(select(UnitPlan))}


def go_back_to(day: BadDay, image: bytes) -> None:
    day.befall(Fault.CONTROLLER_KILL, lasts=MINUTE)
    restore(day.ctx.db, image)
    day.wait(180)


def test_a_restored_controller_outranks_its_past_and_is_told_the_journals_again(day: BadDay) -> None:
    news = day.air("news", "07:30")
    day.until("07:20")
    backup = image_of(day.ctx.db)
    assert day.pages(news) == {"ready: open"}
    day.until("07:33")
    assert day.pages(news) == {"played: heard"}
    song = day.air("song", "08:30")
    day.until("07:40")
    before, heard = plan_versions(day), {post.name: day.heard(post) for post in day.posts}
    go_back_to(day, backup)
    day.wait(5 * 60)
    assert min(plan_versions(day)[name] - version for name, version in before.items()) > 0
    assert day.pages(news) == {"played: heard"}, "acknowledged before, and told again all the same"
    assert epoch(day) > 0
    for post in day.posts:
        assert day.status(post).plan_version == plan_versions(day)[post.name]
        assert day.played(post, day.row(news, post).id) == ["started", "ended"]
    later = day.air("news", "08:20")
    day.until("08:40")
    with day.ctx.db.read() as session:
        assert session.get(Broadcast, song) is None
    for post in day.posts:
        assert day.heard(post) == [*heard[post.name], "news 08:20:00-08:20:20 at 70"], (
            "what no database knows to be approved does not sound"
        )
    assert day.pages(later) == {"played: heard"}


def test_a_restored_controller_outranks_the_alerts_of_its_past(day: BadDay) -> None:
    backup = image_of(day.ctx.db)
    day.alert()
    day.until("07:05")
    day.silence()
    day.until("07:10")
    with day.ctx.db.read() as session:
        silenced = session.get_one(ScopeDocument, "p-94").version
    day.until("07:20")
    go_back_to(day, backup)
    heard = [len(post.pole.heard) for post in day.posts]
    assert heard == [1] * 10
    day.alert()
    day.until("07:40")
    with day.ctx.db.read() as session:
        assert session.get_one(ScopeDocument, "p-94").version > silenced
    assert [len(post.pole.heard) for post in day.posts] == [2] * 10
