"""The bad day: a technician asks a pole for something, from the order to the answer."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from support.bad_day import HOUR, MINUTE, BadDay, image_of, restore

from broadcasts.wire import topics
from broadcasts.wire.journal import CommandResult
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import AuditEntry, Command
from controller.services import accounts, commanding
from controller.services.views.commands import state_of
from device_sim.faults import Fault
from device_sim.post import Post


def ask(day: BadDay, post: Post, kind: str = "quiet_test", **told: object) -> str:
    with day.ctx.db.read() as session:
        technician = accounts.actor_by_name(session, "kythuat", day.ctx.clock.now())
    return commanding.issue(day.ctx, technician, post.name, kind, **told)  # type: ignore[arg-type]


def page(day: BadDay, name: str) -> tuple[str, str]:
    """State and detail, as the cluster's page has them."""
    found = row(day, name)
    return str(state_of(found, day.ctx.clock.now())), found.detail


def row(day: BadDay, name: str) -> Command:
    with day.ctx.db.read() as session:
        return session.get_one(Command, name)


def answers(post: Post) -> list[tuple[str, bool]]:
    """What the unit's own journal says it did."""
    assert post.unit is not None
    return [(each.command, each.done) for each in post.unit.journal._entries if isinstance(each, CommandResult)]


@pytest.mark.requirement("R-079")
def test_a_quiet_test_is_answered_within_seconds_and_finds_a_cut_wire(day: BadDay) -> None:
    good, cut = day.posts[0], day.posts[1]
    day.befall(Fault.WIRE_CUT, cut, lasts=HOUR)
    names = [ask(day, good), ask(day, cut)]
    assert {page(day, name)[0] for name in names} == {"asked"}, "asked is not sent, and sent is not done"
    day.wait(20)
    assert [page(day, name) for name in names] == [("done", "line closed"), ("done", "line open")]
    assert (day.faults(good), day.faults(cut)) == (set(), {"speaker_wire"})
    assert [row(day, name).sent for name in names] == [1, 1]
    assert all(not post.pole.heard for post in day.posts), "nobody below a pole heard anything"


def test_a_unit_that_was_away_is_told_when_it_returns(day: BadDay) -> None:
    post = day.posts[0]
    day.befall(Fault.LINK_DOWN, post, lasts=10 * MINUTE)
    day.wait(60)
    name = ask(day, post, "upload_log")
    day.wait(8 * 60)
    assert page(day, name) == ("sent", "")
    assert row(day, name).sent > 3
    assert answers(post) == []
    day.wait(2 * 60)
    assert page(day, name)[0] == "done"
    log = row(day, name).text.splitlines()
    assert any(line.endswith("link down") for line in log)
    assert log[-1].endswith("upload_log")


def test_a_unit_that_stays_away_is_given_up_and_does_nothing_when_it_returns(day: BadDay) -> None:
    post = day.posts[0]
    boot = post.disk.boot_id
    day.befall(Fault.LINK_DOWN, post, lasts=HOUR)
    day.wait(60)
    name = ask(day, post, "reboot", sure=True, lasts=commanding.LASTS)
    day.wait(20 * 60)
    assert page(day, name) == ("timed_out", ""), "nobody knows whether it arrived"
    day.wait(HOUR // 1000)
    assert (post.disk.boot_id, answers(post)) == (boot, [])
    with day.ctx.db.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.about == name).order_by(AuditEntry.id)).all()
    assert acts == ["command.issue", "command.expire"]


def test_what_arrives_twice_or_again_hours_later_is_done_once(day: BadDay) -> None:
    post = day.posts[0]
    boot = post.disk.boot_id
    day.befall(Fault.DUPLICATE, post, lasts=HOUR)
    name = ask(day, post, "reboot", sure=True)
    sent = commanding.document(row(day, name), day.ctx.keys.signer(Use.COMMAND))
    day.wait(3 * 60)
    assert page(day, name) == ("done", "rebooting")
    for _ in range(3):
        day.smuggle(post, topics.to_unit(post.name, In.COMMAND), sent)
        day.wait(20)
    day.wait(2 * HOUR // 1000)
    day.smuggle(post, topics.to_unit(post.name, In.COMMAND), sent)
    day.wait(20)
    assert post.disk.boot_id == boot + 1
    assert answers(post) == [(name, True)]


def test_a_controller_killed_between_the_order_and_its_publication_sends_it_when_it_is_back(day: BadDay) -> None:
    post = day.posts[0]
    name = ask(day, post, "capture", args={"seconds": "5"})
    day.befall(Fault.CONTROLLER_KILL, lasts=2 * MINUTE)
    assert row(day, name).sent == 0
    day.wait(60)
    assert page(day, name)[0] == "asked"
    day.wait(3 * 60)
    assert page(day, name) == ("done", "5 s")
    assert row(day, name).text == "0-5000 silence"


def test_an_answer_given_while_the_controller_was_away_settles_it_when_it_is_back(day: BadDay) -> None:
    post = day.posts[0]
    name = ask(day, post, "capture", lasts=commanding.SHORTEST)
    day.wait(4)
    assert page(day, name)[0] == "sent"
    day.befall(Fault.CONTROLLER_KILL, lasts=5 * MINUTE)
    day.wait(8 * 60)
    assert page(day, name) == ("done_late", "10 s"), "after its end, and it counts"


def test_a_reboot_in_the_middle_of_a_bulletin_waits_for_its_end_and_costs_nothing(day: BadDay) -> None:
    song, post = day.air("song", "07:30"), day.posts[0]
    day.until("07:30:10")
    boot = post.disk.boot_id
    name = ask(day, post, "reboot", sure=True)
    day.until("07:30:15")
    assert (page(day, name)[0], post.disk.boot_id) == ("accepted", boot)
    day.until("07:36")
    assert page(day, name) == ("done", "rebooting")
    assert post.disk.boot_id == boot + 1
    assert len(day.heard(post)) == 1
    assert {day.page(song, other) for other in day.posts} == {"played: heard"}


def test_a_restored_controller_commands_with_numbers_that_the_unit_has_not_seen(day: BadDay) -> None:
    post = day.posts[0]
    backup = image_of(day.ctx.db)
    lost = ask(day, post)
    day.wait(60)
    assert answers(post) == [(lost, True)]
    day.befall(Fault.CONTROLLER_KILL, lasts=MINUTE)
    restore(day.ctx.db, backup)
    day.wait(180)
    name = ask(day, post, "capture")
    day.wait(30)
    assert page(day, name) == ("done", "10 s")
