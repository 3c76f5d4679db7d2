"""The bad day: documents that nobody should obey, and hours at which nothing may sound."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.bad_day import HOUR, MINUTE, BadDay

from broadcasts.wire import codec, topics
from broadcasts.wire.jws import SigningKey, Typ, verify
from broadcasts.wire.plan import Plan
from broadcasts.wire.topics import In
from broadcasts.wire.trust import Use
from controller.db.tables import UnitPlan
from device_sim.faults import Fault
from device_sim.post import Post

ON_TIME = ["news 07:30:00-07:30:20 at 70"]
NOTHING: list[str] = []
DAY_MS = 24 * HOUR


def plan_of(day: BadDay, post: Post) -> tuple[bytes, Plan]:
    """The newest plan of the unit as it travelled."""
    with day.ctx.db.read() as session:
        document = session.get_one(UnitPlan, post.name).document
    key = day.ctx.keys.signer(Use.PLAN).public
    return document, Plan.model_validate_json(verify(document, Typ.PLAN, lambda kid: key if kid == key.kid else None))


def show(day: BadDay, post: Post, document: bytes) -> None:
    """What a hostile broker could put before the unit."""
    day.smuggle(post, topics.to_unit(post.name, In.PLAN), document)


def at_once(day: BadDay, plan: Plan, **fields: object) -> Plan:
    """The same plan, newer, with its items to sound in two seconds."""
    now = day.world.now
    items = [
        item.model_copy(update={"id": f"wrong-{n}", "start": now + 2_000, "not_after": now + MINUTE})
        for n, item in enumerate(plan.items)
    ]
    return plan.model_copy(update={"version": now, "issued_at": now, "items": items, **fields})


def refusal(day: BadDay, post: Post) -> tuple[str, str] | None:
    """Document and reason of the last refusal, as the health page has it."""
    told = day.status(post).reported.get("refused")
    return (told["document"], told["reason"]) if told else None


@pytest.mark.requirement("R-134")
def test_forged_documents_do_not_sound_and_are_reported(day: BadDay) -> None:
    news, post = day.air("news", "07:30"), day.posts[0]
    day.until("07:20")
    _, plan = plan_of(day, post)
    thief = SigningKey.generate(day.ctx.keys.signer(Use.PLAN).public.kid)
    show(day, post, codec.seal(at_once(day, plan), Typ.PLAN, thief))
    day.wait(10)
    assert refusal(day, post) == ("plan", "bad_signature")
    day.befall(Fault.FORGE, post)
    day.until("07:29")
    assert day.heard(post) == NOTHING
    day.until("07:35")
    assert day.heard(post) == ON_TIME
    assert day.page(news, post) == "played: heard"


@pytest.mark.requirement("R-134")
def test_a_plan_signed_with_a_key_for_something_else_does_not_sound(day: BadDay) -> None:
    day.air("news", "07:30")
    post = day.posts[0]
    day.until("07:20")
    _, plan = plan_of(day, post)
    show(day, post, codec.seal(at_once(day, plan), Typ.PLAN, day.ctx.keys.signer(Use.COMMAND)))
    day.wait(10)
    assert refusal(day, post) == ("plan", "key_not_trusted")
    day.until("07:29")
    assert day.heard(post) == NOTHING


@pytest.mark.requirement("R-134")
def test_replayed_documents_do_not_bring_back_what_was_withdrawn(day: BadDay) -> None:
    news, post = day.air("news", "07:30"), day.posts[0]
    day.until("07:10")
    older, _ = plan_of(day, post)
    day.withdraw(news)
    day.until("07:20")
    show(day, post, older)
    day.wait(10)
    assert refusal(day, post) == ("plan", "older")
    day.befall(Fault.REPLAY, post)
    day.until("07:40")
    assert day.heard(post) == NOTHING
    assert day.page(news, post) == "withdrawn: not_played (withdrawn)"


@pytest.mark.requirement("R-134")
def test_a_replayed_plan_after_the_sound_does_not_sound_again(day: BadDay) -> None:
    news, post = day.air("news", "07:30", late="play"), day.posts[0]
    day.until("07:29")
    same, plan = plan_of(day, post)
    day.until("07:31")
    again = plan.model_copy(update={"version": day.world.now, "issued_at": day.world.now})
    show(day, post, same)
    show(day, post, codec.seal(again, Typ.PLAN, day.ctx.keys.signer(Use.PLAN)))
    day.until("07:50")
    assert day.heard(post) == ON_TIME
    assert day.page(news, post) == "played: heard"


@pytest.mark.requirement("R-134")
@pytest.mark.parametrize("field", ["version", "issued_at"])
def test_a_plan_from_the_far_future_does_not_sound_and_locks_nobody_out(day: BadDay, field: str) -> None:
    """Signed with the right key: accepted, it would outrank every plan that is still to come."""
    news, post = day.air("news", "07:30"), day.posts[0]
    day.until("07:20")
    _, plan = plan_of(day, post)
    ahead = at_once(day, plan, **{field: day.world.now + DAY_MS + HOUR})
    show(day, post, codec.seal(ahead, Typ.PLAN, day.ctx.keys.signer(Use.PLAN)))
    day.wait(10)
    assert refusal(day, post) == ("plan", "far_future")
    assert day.heard(post) == NOTHING
    song = day.air("song", "07:31")
    day.until("07:35")
    assert day.heard(post) == [*ON_TIME, "song 07:31:00-07:31:45 at 70"]
    assert day.pages(news) == day.pages(song) == {"played: heard"}


@pytest.mark.requirement("R-051")
def test_nothing_sounds_at_0315_even_when_a_signed_plan_demands_it(open_day: Callable[..., BadDay]) -> None:
    day = open_day("03:00")
    morning, post = day.air("news", "05:30"), day.posts[0]
    day.until("03:14:55")
    day.befall(Fault.CONTROLLER_KILL, lasts=HOUR)
    _, plan = plan_of(day, post)
    wrong = at_once(day, plan, items=[plan.items[0].model_copy(update={"id": "wrong", "start": day.moment("03:15")})])
    show(day, post, codec.seal(wrong, Typ.PLAN, day.ctx.keys.signer(Use.PLAN)))
    day.until("04:10")
    assert day.heard(post) == NOTHING
    assert post.unit is not None
    assert post.unit.disk.documents.plan is not None
    assert [item.id for item in post.unit.disk.documents.plan.items] == ["wrong"]
    day.until("05:40")
    assert [entry.entry.get("why") for entry in day.journal(post, "wrong")] == ["quiet_hours"]
    assert day.heard(post) == ["news 05:30:00-05:30:20 at 50"]
    assert day.pages(morning) == {"played: heard"}


def test_a_plan_that_says_less_than_what_is_held_is_found_out_and_outranked(day: BadDay) -> None:
    """A thief of the plan key silences a pole; the controller sees a version that is not its own and outranks it."""
    news, post = day.air("news", "07:30"), day.posts[0]
    day.until("07:20")
    _, plan = plan_of(day, post)
    empty = plan.model_copy(update={"items": [], "assets": [], "version": day.world.now, "issued_at": day.world.now})
    show(day, post, codec.seal(empty, Typ.PLAN, day.ctx.keys.signer(Use.PLAN)))
    day.until("07:35")
    assert day.heard(post) == ON_TIME
    assert day.page(news, post) == "played: heard"
