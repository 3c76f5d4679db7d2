"""What citizens say is taken down, answered, linked to the bulletin that answers it on air, and forgotten on demand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from support.services import HERE, THERE, House, raises

from broadcasts.errors import Conflict, Refused
from controller.db.tables import AuditEntry, Feedback
from controller.services import accounts, feedback
from controller.services.feedback import LONGEST, Line, Said
from controller.services.rights import Role

COMMUNE = f"c-{HERE}"
CLUSTER, ELSEWHERE = f"cl-{HERE}-1", f"cl-{THERE}-1"
WHO = "Ông Sáu, 0909 123 456"


def take(house: House, words: str = "Loa kêu to quá lúc năm giờ sáng", **told: str) -> str:
    return feedback.take(house.ctx, house.actor("author"), Said(words, **told))


def line(house: House, name: str, who: str = "author") -> Line:
    with house.ctx.db.read() as session:
        return feedback.one(session, house.actor(who), name)


@pytest.mark.requirement("R-028")
def test_an_answer_on_air_is_linked_to_the_feedback_that_it_answers(house: House) -> None:
    about, answers = house.on_air(), house.on_air()
    name = take(house, broadcast=about, cluster=CLUSTER, channel="phone", contact=WHO)
    house.clock.advance(60)
    told = line(house, name)
    assert (told.row.broadcast_id, told.row.cluster_id, told.row.area_id) == (about, CLUSTER, COMMUNE)
    assert (told.row.taken_by, told.contact, told.row.answered_at) == ("author", WHO, None)
    feedback.answer(house.ctx, house.actor("author"), name, "Đã giảm âm lượng buổi sáng.", answers)
    told = line(house, name)
    assert (told.row.answered_at, told.row.answered_by, told.on_air) == (house.now, "author", told.about)
    with house.ctx.db.read() as session:
        assert [each.row.id for each in feedback.answered_by(session, house.actor("boss"), answers)] == [name]
        assert feedback.answered_by(session, house.actor("kythuat"), answers) == []
    with raises(Conflict, "feedback.answered"):
        feedback.answer(house.ctx, house.actor("author"), name, "Lần hai")
    feedback.link(house.ctx, house.actor("author"), name, "")
    assert line(house, name).row.answer_broadcast_id is None


def test_who_said_it_is_optional_seen_by_who_answers_alone_and_erased_for_good(house: House) -> None:
    assert line(house, take(house)).contact == ""
    name = take(house, contact=WHO)
    assert line(house, name, "boss").contact == "", "who approves bulletins has no need of it"
    feedback.erase_contact(house.ctx, house.actor("author"), name)
    feedback.erase_contact(house.ctx, house.actor("author"), name)
    told = line(house, name)
    assert (told.contact, told.row.contact_erased_at, told.row.contact_erased_by) == ("", house.now, "author")
    with house.ctx.db.read() as session:
        said = session.execute(select(AuditEntry.act, AuditEntry.detail).where(AuditEntry.about == name)).all()
        everything = str(session.execute(text("SELECT * FROM feedback")).all())
    assert [act for act, _ in said] == ["feedback.take", "feedback.erase"]
    assert "0909" not in everything
    assert not any("0909" in str(detail) or "năm giờ sáng" in str(detail) for _, detail in said), (
        "a log forgets nothing"
    )


def test_what_is_missing_too_long_or_elsewhere_is_refused_and_nothing_is_kept(house: House) -> None:
    for words, key in (("  ", "feedback.text"), ("x\x00", "feedback.text"), ("x" * (LONGEST + 1), "feedback.long")):
        with raises(Refused, key):
            take(house, words)
    wrong = (
        {"cluster": ELSEWHERE},
        {"cluster": "nowhere"},
        {"area": f"c-{THERE}"},
        {"broadcast": "x"},
        {"channel": "x"},
    )
    for told in wrong:
        with raises(Refused, "choice.unknown"):
            take(house, **told)
    for who in ("kythuat", "boss"):
        with raises(Refused, "no_right"):
            feedback.take(house.ctx, house.actor(who), Said("x"))
    with house.ctx.db.read() as session:
        assert session.scalars(select(Feedback)).all() == []


def test_feedback_of_another_commune_is_as_unknown_as_one_that_never_was(house: House) -> None:
    name = take(house)
    first = accounts.FirstPassword.make()
    with house.ctx.db.write() as session:
        there = (Role.BROADCASTER, f"c-{THERE}", "test")
        accounts.create_user(house.ctx, session, first, "ban", "Phát thanh xã bạn", *there)
    stranger = house.actor("ban")
    acts = (
        lambda each: line(house, each, "ban"),
        lambda each: feedback.answer(house.ctx, stranger, each, "x"),
        lambda each: feedback.link(house.ctx, stranger, each, ""),
        lambda each: feedback.erase_contact(house.ctx, stranger, each),
    )
    for act in acts:
        for each in (name, "never-was"):
            with raises(Refused, "not_yours"):
                act(each)
    with house.ctx.db.read() as session:
        assert feedback.every(session, stranger) == []
        assert feedback.offer(session, stranger, COMMUNE).clusters == []


def test_the_newest_stands_first_and_what_is_open_can_be_asked_for(house: House) -> None:
    first = take(house)
    house.clock.advance(timedelta(days=1).total_seconds())
    second = take(house)
    with raises(Conflict, "feedback.open"):
        feedback.link(house.ctx, house.actor("author"), first, "")
    feedback.answer(house.ctx, house.actor("author"), first, "Cảm ơn.")
    with house.ctx.db.read() as session:
        shown = {
            state: [each.row.id for each in feedback.every(session, house.actor("boss"), state)]
            for state in ("", "open", "answered")
        }
    assert shown == {"": [second, first], "open": [second], "answered": [first]}
