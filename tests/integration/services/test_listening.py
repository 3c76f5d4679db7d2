"""A recording that somebody may not hear is for him one that is not there: not even its length is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from support.audio import recording
from support.services import HERE, THERE, House, Workshop, raises

from broadcasts.domain.content import Translation
from broadcasts.domain.programme import Part, PartKind
from broadcasts.errors import Refused
from controller.services import composing, recordings, rescheduling
from controller.services.library import add_recording
from controller.services.listening import heard_among, may_listen
from controller.services.rescheduling import Extent
from controller.services.seeding import PROVINCE
from controller.services.sounds import keep

NOBODYS = "f" * 64
THEIRS = {"areas": (f"c-{THERE}",)}


@pytest.fixture
def secret(house: House, workshop: Workshop) -> str:
    """A recording that the neighbour alone added."""
    path = recording(workshop.folder / "secret.wav", seconds=3.0)
    return add_recording(house.ctx, house.actor("neighbour"), path, "kin.wav").sha256


def ways(house: House, asset: str) -> dict[str, dict[str, Any]]:
    own = house.bulletin.sha256
    parts = (Part(PartKind.CHIME, "", asset), Part(PartKind.BULLETIN, "Tin", own))
    return {
        "alone": {"asset": asset},
        "in a programme": {"parts": parts},
        "in another language": {"more": (Translation("km", asset, "", ""),)},
    }


@pytest.mark.parametrize("way", ["alone", "in a programme", "in another language"])
def test_a_recording_of_others_is_refused_in_the_words_of_one_that_is_not_there(
    house: House, secret: str, way: str
) -> None:
    author = house.actor("author")
    hidden = composing.preview(house.ctx, author, house.draft(**ways(house, secret)[way]))
    unknown = composing.preview(house.ctx, author, house.draft(**ways(house, NOBODYS)[way]))
    assert hidden.problems
    said = [[(each.key, each.fields) for each in seen.problems] for seen in (hidden, unknown)]
    assert said[0] == said[1]
    assert (hidden.duration, hidden.first_end, len(hidden.programme)) == (
        unknown.duration,
        unknown.first_end,
        len(unknown.programme),
    )
    with raises(Refused, unknown.problems[0].key):
        composing.submit(house.ctx, author, house.draft(**ways(house, secret)[way]))


def test_who_added_it_hands_it_in_and_then_everybody_there_may(house: House, secret: str) -> None:
    told = {"asset": secret, **THEIRS}
    composing.submit(house.ctx, house.actor("neighbour"), house.draft(**told))
    with house.ctx.db.read() as session:
        assert may_listen(session, house.actor("stranger"), secret)
        assert not may_listen(session, house.actor("author"), secret)
    with raises(Refused, "asset.missing"):
        composing.submit(house.ctx, house.actor("author"), house.draft(asset=secret))


def test_naming_a_broadcast_elsewhere_as_the_one_that_is_edited_opens_nothing(house: House, secret: str) -> None:
    theirs = composing.submit(house.ctx, house.actor("neighbour"), house.draft(asset=secret, **THEIRS))
    seen = composing.preview(house.ctx, house.actor("author"), house.draft(asset=secret), theirs)
    assert "asset.missing" in [each.key for each in seen.problems]
    assert seen.duration.total_seconds() == 0


def test_an_edit_keeps_what_the_broadcast_names_and_takes_nothing_foreign(house: House, secret: str) -> None:
    mine = house.submit(asset=house.other.sha256)
    boss_may_approve = house.seen(mine)
    assert boss_may_approve
    with raises(Refused, "asset.missing"):
        composing.submit(house.ctx, house.actor("author"), house.draft(asset=secret), mine)
    draft = replace(house.draft(asset=house.other.sha256), title="Khác")
    assert rescheduling.change(house.ctx, house.actor("author"), mine, draft, Extent.ALL) == mine


def test_a_chime_that_is_kept_above_is_for_all_below(house: House, secret: str) -> None:
    composing.submit(house.ctx, house.actor("neighbour"), house.draft(asset=secret, **THEIRS))
    keep(house.ctx, house.actor("phatthanh"), "chime", "Nhạc hiệu", secret, PROVINCE[0])
    chime = Part(PartKind.CHIME, "", secret)
    parts = (chime, Part(PartKind.BULLETIN, "Tin", house.bulletin.sha256))
    assert not composing.preview(house.ctx, house.actor("author"), house.draft(parts=parts)).problems
    assert recordings.heard_by(house.ctx, house.actor("author"), secret).is_file()


def test_what_may_be_heard_is_one_question_to_the_database(house: House) -> None:
    asked: list[str] = []
    engine = house.ctx.db.engine
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(str(told[2])))
    names = {house.bulletin.sha256, house.other.sha256}
    author = house.actor("author")
    with house.ctx.db.read() as session:
        asked.clear()
        assert heard_among(session, author, names) == names
        assert len([each for each in asked if "SELECT" in each.upper()]) == 1
    assert f"c-{HERE}" in author.areas
