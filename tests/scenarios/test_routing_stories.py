"""Priority bulletins that choose where they go, and are taken back while a cluster is cut off: what villagers hear, and
what the report says of who did not get it and who still holds it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.bad_day import MINUTE, BadDay, at

from broadcasts.domain.presence import Presence
from controller.services.views.holders import Holders, holders
from device_sim.faults import Fault
from device_sim.world import Post

NOTHING: list[str] = []
TAKEN_BACK = "withdrawn: not_played (withdrawn)"


def cluster(post: Post) -> str:
    return post.name.replace("u-", "cl-")


def held(day: BadDay, broadcast: str) -> Holders:
    """Who may still play what was taken back."""
    with day.ctx.db.read() as session:
        return holders(session, day.author, broadcast, day.ctx.clock.now())


def told(day: BadDay, broadcast: str, posts: Sequence[Post]) -> set[str]:
    return {day.page(broadcast, post) for post in posts}


@pytest.mark.requirement("R-056")
def test_what_goes_to_all_or_none_and_what_waits_in_line_are_taken_back_while_a_cluster_is_cut_off(
    day: BadDay,
) -> None:
    cut, *others = day.posts
    song = day.air("song", "07:50", clusters=(cluster(cut),), priority=2)
    news = day.air("news", "07:40", priority=2, routing="all_or_none")
    siren = day.air("siren", "07:50:10", priority=2, routing="stacked", stack_minutes=3)
    nowhere = day.air("news", "07:50:30", priority=2, routing="all_or_none")
    day.until("07:24")
    assert told(day, nowhere, [cut]) == {"withdrawn: not_played (busy)"}
    assert told(day, nowhere, others) == {"withdrawn: not_played (not_all)"}
    assert day.pages(news) == day.pages(siren) == {"ready: open"}

    day.befall(Fault.LINK_DOWN, cut, lasts=50 * MINUTE)
    day.until("07:35")
    day.withdraw(news)
    day.withdraw(siren)
    day.until("07:38")
    for broadcast, first in ((news, at("07:40")), (siren, at("07:50:10"))):
        assert told(day, broadcast, others) == {TAKEN_BACK}
        assert told(day, broadcast, [cut]) == {"withdrawn: open"}, "nobody says that it did not sound there"
        found = held(day, broadcast)
        assert found.all == len(day.posts)
        (holder,) = found.still
        assert (holder.unit, holder.certain, holder.times, holder.next) == (cut.name, True, 1, first)
        assert holder.presence is Presence.OFFLINE

    day.until("07:45")
    assert day.heard(cut) == ["news 07:40:00-07:40:20 at 70"], "it cannot know"
    assert held(day, news).still == [], "its time is over: nobody plays it any more"
    assert [each.unit for each in held(day, siren).still] == [cut.name]

    day.until("08:20")
    assert day.heard(cut) == [
        "news 07:40:00-07:40:20 at 70",
        "song 07:50:00-07:50:45 at 70",
        "siren 07:50:45-07:50:57 at 70",
    ]
    assert [day.heard(post) for post in others] == [NOTHING] * len(others)
    assert day.page(song, cut) == "played: heard"
    assert told(day, news, [cut]) == told(day, siren, [cut]) == {"played: heard"}, "what it did"
    assert told(day, news, others) == told(day, siren, others) == {TAKEN_BACK}
    assert told(day, nowhere, others) == {"withdrawn: not_played (not_all)"}, "the song kept the horn to the end"
    assert [held(day, each).still for each in (news, siren)] == [[], []]
