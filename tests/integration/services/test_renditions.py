"""One bulletin in several languages: each cluster hears its own, in its own order, each with a proof of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from support.services import HERE, House, raises

from broadcasts.domain.content import Category, Origin, Translation
from broadcasts.domain.delivery import State
from broadcasts.domain.programme import Part, PartKind
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Cluster
from controller.services import approving, composing, facts, rescheduling
from controller.services.rescheduling import Extent


def khmer(house: House) -> tuple[Translation, ...]:
    return (Translation("km", house.other.sha256, "កាលវិភាគចាក់ថ្នាំបង្ការ", "ជម្រាបជូន"),)


def speaks(house: House, number: int, *languages: str) -> None:
    with house.ctx.db.write() as session:
        session.get_one(Cluster, f"cl-{HERE}-{number}").languages = list(languages)


def heard(house: House, broadcast: str, number: int) -> list[tuple[float, str, str]]:
    """Seconds after the first start, language and recording of what may still sound at a cluster."""
    every = [each for each in house.deliveries(broadcast) if each.state != State.WITHDRAWN]
    first = min(each.start for each in every)
    here = [each for each in every if each.cluster_id == f"cl-{HERE}-{number}"]
    return [((each.start - first).total_seconds(), each.language, each.asset_sha256) for each in here]


@pytest.mark.requirement("R-027")
def test_each_cluster_hears_its_own_languages_in_its_own_order(house: House) -> None:
    speaks(house, 1, "km", "vi")
    speaks(house, 2, "km")
    broadcast = house.on_air(more=khmer(house))
    vietnamese, other = house.bulletin.sha256, house.other.sha256
    assert heard(house, broadcast, 1) == [(0, "km", other), (2, "vi", vietnamese)]
    assert heard(house, broadcast, 2) == [(0, "km", other)]
    assert heard(house, broadcast, 3) == [(0, "vi", vietnamese)]
    house.compile()
    assert [item.asset for item in house.plan(f"u-{HERE}-1").items] == [other, vietnamese]


def test_in_place_of_a_language_that_is_not_there_comes_vietnamese_and_the_preview_says_so(house: House) -> None:
    speaks(house, 1, "km", "vi")
    speaks(house, 2, "km")
    seen = composing.preview(house.ctx, house.actor("author"), house.draft())
    told = {(each.layout.choice.languages, each.layout.choice.missing): len(each.clusters) for each in seen.hearing}
    assert told == {(("vi",), ("km",)): 2, (("vi",), ()): 3}
    assert [each.key for each in seen.problems] == []
    assert heard(house, house.on_air(), 2) == [(0, "vi", house.bulletin.sha256)]


def test_the_end_is_that_of_the_cluster_that_hears_most(house: House) -> None:
    speaks(house, 1, "vi", "km")
    seen = composing.preview(house.ctx, house.actor("author"), house.draft(more=khmer(house)))
    assert timedelta(seconds=4) < seen.duration < timedelta(seconds=5)
    late = house.draft(more=khmer(house), at=time(20, 59, 57))
    author = house.actor("author")
    assert [each.key for each in composing.preview(house.ctx, author, late).problems] == ["time.quiet"]
    assert [each.key for each in composing.preview(house.ctx, author, replace(late, more=())).problems] == []


def test_only_where_both_languages_sound_do_they_displace_what_comes_after(house: House) -> None:
    speaks(house, 1, "vi", "km")
    house.on_air(priority=2)
    draft = house.draft(more=khmer(house))
    assert draft.at is not None
    local = datetime.combine(draft.first_day or house.now.date(), draft.at) - timedelta(seconds=3)
    seen = composing.preview(house.ctx, house.actor("author"), replace(draft, at=local.time()))
    assert {clash.loser.cluster for clash in seen.clashes} == {f"cl-{HERE}-1"}


def test_all_languages_are_what_is_approved(house: House) -> None:
    broadcast = house.submit(more=khmer(house))
    before = house.seen(broadcast)
    other = (replace(khmer(house)[0], text="ផ្សេង"),)
    composing.submit(house.ctx, house.actor("author"), house.draft(more=other), broadcast)
    assert house.seen(broadcast) != before
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast)
        assert approving.draft_of(session, row).more == other
        assert [each[0] for each in facts.facts_of(session, row)["renditions"]] == ["km"]


@pytest.mark.requirement("R-013", "R-025", "R-026")
def test_a_bulletin_keeps_who_issued_it_when_and_what_it_is_about_and_they_are_approved(house: House) -> None:
    issued = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    told = {"origin": Origin.PROVINCIAL, "source": "Sở Y tế", "category": Category.DISASTER, "issued_at": issued}
    broadcast = house.submit(**told)
    with house.ctx.db.read() as session:
        row = session.get_one(Broadcast, broadcast)
        draft = approving.draft_of(session, row)
        assert {name: getattr(draft, name) for name in told} == told
        told = facts.facts_of(session, row)
    assert (told["source"], told["origin"], told["category"]) == ("Sở Y tế", "provincial", "disaster")


def test_in_a_programme_the_languages_stand_where_the_bulletin_does(house: House) -> None:
    speaks(house, 1, "km", "vi")
    chime = house.bulletin.sha256
    parts = (
        Part(PartKind.CHIME, "", chime),
        Part(PartKind.BULLETIN, "", house.other.sha256),
        Part(PartKind.OUTRO, "", chime),
    )
    more = (Translation("vi", house.bulletin.sha256),)
    broadcast = house.on_air(asset=house.other.sha256, language="km", more=more, parts=parts)
    assert [language for _, language, _ in heard(house, broadcast, 1)] == ["", "km", "vi", ""]
    assert [language for _, language, _ in heard(house, broadcast, 2)] == ["", "vi", ""]


def test_one_start_is_left_out_in_all_its_languages(house: House) -> None:
    speaks(house, 1, "km", "vi")
    broadcast = house.on_air(more=khmer(house), repeat="daily")
    first = house.deliveries(broadcast)[0].start
    stopped = rescheduling.leave_out(house.ctx, house.actor("author"), broadcast, Extent.ONE, first, False)
    assert stopped == 6


def test_languages_that_cannot_be_are_refused(house: House) -> None:
    asset = house.other.sha256
    for more, key in (
        ((Translation("vi", asset),), "rendition.twice"),
        ((Translation("km", asset), Translation("km", asset)), "rendition.twice"),
        ((Translation("km", "0" * 64),), "rendition.asset"),
        ((Translation("Khmer", asset),), "choice.unknown"),
        (tuple(Translation(code, asset) for code in ("km", "en", "cjm", "lo", "fr")), "rendition.many"),
        ((Translation("km", asset, "x" * 201),), "title.long"),
        ((Translation("km", asset, "", "x" * 20_001),), "text.long"),
        ((Translation("km", asset, "\x00"),), "choice.unknown"),
    ):
        with raises(Refused, key):
            house.submit(more=more)


def test_what_is_not_ones_own_names_its_source(house: House) -> None:
    with raises(Refused, "origin.source"):
        house.submit(origin="above")
    for wrong in ({"origin": "moon"}, {"category": "moon"}, {"source": "x" * 201}):
        with raises(Refused, "choice.unknown"):
            house.submit(**wrong)
