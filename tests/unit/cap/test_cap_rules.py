"""What becomes of CAP messages: only Actual reaches a horn, and the order in which they come changes nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cap import SENDER, SENT

from broadcasts.domain import cap
from broadcasts.domain.cap import Certainty, Info, Message, MsgType, Place, Reference, Scope, Severity, Status, Urgency
from broadcasts.domain.cap_rules import Come, Fate, Judged, Threshold, Why, judge

NOW = SENT + timedelta(minutes=5)
INFO = Info(
    "Bão",
    Urgency.IMMEDIATE,
    Severity.EXTREME,
    Certainty.OBSERVED,
    (cap.Category.MET,),
    "vi-VN",
    expires=SENT + timedelta(hours=6),
    headline="Bão số 5",
    areas=(Place("Ven biển"),),
)
ALERT = Message("a", SENDER, SENT, Status.ACTUAL, MsgType.ALERT, Scope.PUBLIC, (INFO,))


def _after(message: Message, kind: MsgType, name: str, minutes: int = 1, **changed: object) -> Message:
    told: dict[str, object] = {
        "identifier": name,
        "sent": SENT + timedelta(minutes=minutes),
        "msg_type": kind,
        "references": (message.name,),
    }
    return replace(message, **(told | changed))  # type: ignore[arg-type]


def _judge(*messages: Message) -> list[Judged]:
    come = [Come(f"m{place}", message, NOW) for place, message in enumerate(messages)]
    found = judge(come, NOW)
    return [found[one.id] for one in come]


def test_an_actual_alert_waits_to_be_confirmed() -> None:
    assert _judge(ALERT) == [Judged(Fate.DRAFT)]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.ACTUAL])
def test_nothing_but_actual_ever_becomes_an_alert(status: Status) -> None:
    (found,) = _judge(replace(ALERT, status=status))
    assert found.fate is (Fate.EXERCISE if status is Status.EXERCISE else Fate.KEPT)


@pytest.mark.requirement("R-064")
def test_an_update_and_a_cancel_take_back_what_they_name() -> None:
    update = _after(ALERT, MsgType.UPDATE, "u")
    cancel = _after(update, MsgType.CANCEL, "c", 2, infos=())
    first, second = _judge(ALERT, update)
    assert (first, second) == (Judged(Fate.KEPT, Why.SUPERSEDED, "m1"), Judged(Fate.DRAFT, over=("m0",)))
    first, second, third = _judge(ALERT, update, cancel)
    assert first == Judged(Fate.KEPT, Why.CANCELLED, "m2"), "the end of the newest is the end of what it replaced"
    assert second == Judged(Fate.KEPT, Why.CANCELLED, "m2", ("m0",))
    assert third == Judged(Fate.CANCEL, over=("m1",))
    beside = _after(ALERT, MsgType.UPDATE, "v")
    assert _judge(ALERT, update, beside, cancel)[0].why is Why.SUPERSEDED, "another one still stands for it"


ALONE: dict[str, tuple[Message, Why]] = {
    "an acknowledgement": (replace(ALERT, msg_type=MsgType.ACK), Why.KIND),
    "an error": (replace(ALERT, msg_type=MsgType.ERROR), Why.KIND),
    "for some": (replace(ALERT, scope=Scope.RESTRICTED, restriction="x"), Why.SCOPE),
    "to one": (replace(ALERT, scope=Scope.PRIVATE, addresses="x"), Why.SCOPE),
    "over": (replace(ALERT, infos=(replace(INFO, expires=NOW),)), Why.EXPIRED),
    "of the day before yesterday": (
        replace(ALERT, sent=NOW - timedelta(hours=30), infos=(replace(INFO, expires=NOW + timedelta(days=3)),)),
        Why.OLD,
    ),
    "of tomorrow": (replace(ALERT, sent=NOW + timedelta(minutes=11)), Why.FUTURE),
    "without a word": (replace(ALERT, infos=()), Why.EMPTY),
    "an update of nothing": (_after(ALERT, MsgType.UPDATE, "u", references=()), Why.NO_REFERENCE),
    "a cancel of what never came": (_after(ALERT, MsgType.CANCEL, "c"), Why.UNKNOWN_REFERENCE),
}


@pytest.mark.parametrize("case", ALONE)
def test_what_is_only_kept_says_why(case: str) -> None:
    message, why = ALONE[case]
    assert _judge(message) == [Judged(Fate.KEPT, why)]


def test_an_update_of_what_never_came_here_waits_as_a_warning_of_its_own() -> None:
    """We were down when the first one came; the list names only the newest."""
    assert _judge(_after(ALERT, MsgType.UPDATE, "u")) == [Judged(Fate.DRAFT)]
    assert _judge(_after(ALERT, MsgType.UPDATE, "u", status=Status.TEST))[0].why is Why.STATUS


@pytest.mark.parametrize("kind", [MsgType.UPDATE, MsgType.CANCEL])
def test_what_is_signed_is_not_taken_back_by_what_is_not(kind: MsgType) -> None:
    newer = _after(ALERT, kind, "n")
    unsigned = judge([Come("a", ALERT, NOW, signed=True), Come("n", newer, NOW)], NOW)
    assert unsigned["a"] == Judged(Fate.DRAFT)
    both = judge([Come("a", ALERT, NOW, signed=True), Come("n", newer, NOW, signed=True)], NOW)
    assert both["a"].by == "n"


BESIDE: dict[str, tuple[Message, Why]] = {
    "of another sender": (_after(ALERT, MsgType.CANCEL, "c", sender="khac@thu.vn"), Why.FOREIGN_REFERENCE),
    "an exercise": (_after(ALERT, MsgType.CANCEL, "c", status=Status.EXERCISE), Why.UNKNOWN_REFERENCE),
    "a test": (_after(ALERT, MsgType.CANCEL, "c", status=Status.TEST), Why.STATUS),
    "of earlier": (_after(ALERT, MsgType.CANCEL, "c", -1), Why.EARLIER_REFERENCE),
    "of itself": (
        _after(ALERT, MsgType.CANCEL, "c", 0, references=(Reference(SENDER, "c", SENT),)),
        Why.UNKNOWN_REFERENCE,
    ),
    "of another time": (
        _after(ALERT, MsgType.CANCEL, "c", references=(replace(ALERT.name, sent=SENT - timedelta(seconds=1)),)),
        Why.UNKNOWN_REFERENCE,
    ),
    "of the future": (_after(ALERT, MsgType.CANCEL, "c", 60), Why.FUTURE),
}


@pytest.mark.parametrize("case", BESIDE)
def test_what_has_no_say_over_an_alert_takes_nothing_back(case: str) -> None:
    message, why = BESIDE[case]
    assert _judge(ALERT, message) == [Judged(Fate.DRAFT), Judged(Fate.KEPT, why)]


def test_what_the_feed_itself_refuses_takes_nothing_back() -> None:
    cancel = _after(ALERT, MsgType.CANCEL, "c")
    found = judge([Come("m0", ALERT, NOW), Come("m1", cancel, NOW, Why.SIGNATURE)], NOW)
    assert found == {"m0": Judged(Fate.DRAFT), "m1": Judged(Fate.KEPT, Why.SIGNATURE)}


def test_a_name_that_was_used_says_nothing_new() -> None:
    assert _judge(ALERT, ALERT)[1] == Judged(Fate.KEPT, Why.DUPLICATE)
    other = replace(ALERT, infos=(replace(INFO, headline="Không có bão"),))
    assert _judge(ALERT, other) == [Judged(Fate.DRAFT), Judged(Fate.KEPT, Why.REUSED)]
    later = replace(ALERT, sent=SENT + timedelta(minutes=1))
    assert _judge(ALERT, later)[1].why is Why.REUSED


@st.composite
def chains(draw: st.DrawFn) -> list[Message]:
    """Messages of two senders and two statuses that name each other at random, each with a name of its own."""
    found: list[Message] = []
    for place in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from([MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL]))
        named = draw(st.lists(st.sampled_from(found), max_size=2)) if found else []
        found.append(
            replace(
                ALERT,
                identifier=f"n{place}",
                sender=draw(st.sampled_from([SENDER, "khac@thu.vn"])),
                sent=SENT + timedelta(seconds=draw(st.integers(0, 200))),
                status=draw(st.sampled_from([Status.ACTUAL, Status.ACTUAL, Status.EXERCISE])),
                msg_type=kind,
                references=tuple(one.name for one in named) if kind is not MsgType.ALERT else (),
            )
        )
    return found


def _by_name(come: Sequence[Message]) -> dict[str, tuple[Fate, Why | None]]:
    found = judge([Come(one.identifier, one, NOW) for one in come], NOW)
    return {name: (one.fate, one.why) for name, one in found.items()}


@given(chains(), st.randoms(use_true_random=False))
def test_the_order_in_which_they_come_changes_nothing(come: list[Message], chance: object) -> None:
    other = list(come)
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert _by_name(come) == _by_name(other)


@given(chains())
def test_arriving_again_changes_nothing(come: list[Message]) -> None:
    once = judge([Come(one.identifier, one, NOW) for one in come], NOW)
    twice = judge([Come(one.identifier + again, one, NOW) for again in ("", "'") for one in come], NOW)
    assert {name: twice[name] for name in once} == once
    assert all(twice[f"{name}'"] == Judged(Fate.KEPT, Why.DUPLICATE) for name in once)


@given(chains())
def test_what_waits_is_actual_and_nobody_of_its_own_took_it_back(come: list[Message]) -> None:
    found = judge([Come(one.identifier, one, NOW) for one in come], NOW)
    by_name = {one.identifier: one for one in come}
    for name, judged in found.items():
        if judged.fate is Fate.DRAFT:
            assert by_name[name].status is Status.ACTUAL
        for taken in judged.over:
            assert by_name[taken].sender == by_name[name].sender
            assert found[taken].fate in (Fate.KEPT, Fate.CANCEL)


def test_a_threshold_is_reached_by_one_part_in_all_that_is_asked() -> None:
    asked = Threshold(frozenset({"bão"}), Severity.SEVERE, Urgency.EXPECTED, Certainty.LIKELY)
    assert asked.reached([INFO], NOW) == (INFO,)
    assert asked.reached([replace(INFO, event="Storm", event_codes=(("x", "BÃO"),))], NOW)
    assert asked.reached([replace(INFO, event=unicodedata.normalize("NFD", " Bão\n"))], NOW)
    assert asked.reached(
        [replace(INFO, severity=Severity.SEVERE, urgency=Urgency.EXPECTED, certainty=Certainty.LIKELY)],
        NOW,
    )
    for lesser in (
        replace(INFO, event="Lũ"),
        replace(INFO, severity=Severity.MODERATE),
        replace(INFO, severity=Severity.UNKNOWN),
        replace(INFO, urgency=Urgency.PAST),
        replace(INFO, certainty=Certainty.POSSIBLE),
        replace(INFO, effective=NOW + timedelta(hours=1)),
        replace(INFO, response_types=(cap.ResponseType.ALL_CLEAR,)),
    ):
        assert not asked.reached([lesser], NOW)
        assert asked.reached([lesser, INFO], NOW) == (INFO,)
    half = [replace(INFO, severity=Severity.MINOR), replace(INFO, certainty=Certainty.UNLIKELY)]
    assert not asked.reached(half, NOW)


def test_what_a_voice_reads_is_by_language_and_names_places_only_where_they_differ() -> None:
    khmer = replace(INFO, language="km", headline="ព្យុះ", description="", instruction="")
    assert cap.spoken([replace(INFO, instruction="Vào nhà!"), khmer]) == {"vi": "Bão số 5.\nVào nhà!", "km": "ព្យុះ."}
    long = replace(INFO, description="x" * 50, instruction="Vào nhà")
    assert cap.spoken([long], 100)["vi"].count("x") == 50
    assert cap.spoken([long], 40) == {"vi": "Bão số 5.\nVào nhà."}
    assert cap.spoken([long], 10) == {"vi": "Bão số 5."}
    assert cap.spoken([long], 5) == {}
    other = replace(INFO, headline="Lũ quét", areas=(Place("Miền núi"),))
    assert cap.spoken([INFO, other])["vi"] == "Ven biển.\nBão số 5.\nMiền núi.\nLũ quét."
