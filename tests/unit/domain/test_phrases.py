"""The phrase bank: what is said, clip by clip, and what a language still lacks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.clips import MOST_NUMBER, SCRIPTS, date_clips, hour_clips, number_clips, weekday_clips
from broadcasts.domain.phrases import Bank, Gap, Phrase, Slot, Value, fill, missing, script
from broadcasts.domain.standard_phrases import PHRASES
from broadcasts.errors import Refused

KHMER = {
    0: "0", 1: "1", 5: "5", 6: "5 1", 9: "5 4", 10: "10", 11: "10 1", 16: "10 5 1", 20: "20", 27: "20 5 2", 34: "30 4",
    40: "40", 59: "50 5 4", 68: "60 5 3", 75: "70 5", 88: "80 5 3", 99: "90 5 4", 100: "1 100", 105: "1 100 5",
    110: "1 100 10", 250: "2 100 50", 600: "5 1 100", 999: "5 4 100 90 5 4", 1_000: "1 1000", 2_026: "2 1000 20 5 1",
    7_500: "5 2 1000 5 100", 10_000: "1 10000", 45_000: "4 10000 5 1000", 150_000: "1 100000 5 10000",
    1_500_000: "1 1000000 5 100000", 9_000_000: "5 4 1000000",
}  # fmt: skip
VIETNAMESE = {
    0: "0", 10: "10", 15: "10 five_after_ten", 21: "2 tens one_after_tens", 24: "2 tens four_after_tens",
    30: "3 tens", 105: "1 100 odd 5", 1_500_000: "1 1000000 5 100 1000",
}  # fmt: skip
EVERYTHING = frozenset(
    {clip for table in SCRIPTS.values() for clip in table}
    | {part for phrase in PHRASES.values() for part in phrase.parts if isinstance(part, str)}
    | {"place.ap-3", "place.bai-xau", "word.action.open", "word.action.close"}
)
KM = Bank("km", EVERYTHING - {f"number.{number}" for number in (6, 7, 8, 9)}, ("ap-3", "bai-xau"))
"""The Vietnamese count to nine; a Khmer bank would take those clips for whole numbers."""


def names(words: str) -> list[str]:
    return [f"number.{word}" for word in words.split()]


@pytest.mark.parametrize(("number", "words"), KHMER.items())
def test_khmer_counts_by_fives_and_has_a_word_for_every_power_of_ten(number: int, words: str) -> None:
    assert number_clips(number, "km") == names(words)


@pytest.mark.parametrize(("number", "words"), VIETNAMESE.items())
def test_vietnamese_numbers_are_said_word_by_word(number: int, words: str) -> None:
    assert number_clips(number, "vi") == names(words)


def test_a_number_that_was_recorded_whole_is_taken_before_a_composed_one() -> None:
    assert number_clips(17, "km", {"number.17"}) == names("17")
    assert number_clips(117, "km", {"number.17"}) == names("1 100 17")
    assert number_clips(37, "km", {"number.7"}) == names("30 7")
    assert number_clips(700, "km", {"number.7"}) == names("7 100")
    assert number_clips(7_000, "km", {"number.7"}) == names("7 1000")
    assert number_clips(17, "vi", {"number.17"}) == names("17")


@given(st.integers(0, MOST_NUMBER), st.integers(0, MOST_NUMBER), st.sampled_from(["km", "vi"]))
def test_two_numbers_have_the_same_clips_only_if_they_are_the_same(one: int, other: int, language: str) -> None:
    assert (number_clips(one, language) == number_clips(other, language)) == (one == other)
    assert set(number_clips(one, language)) <= SCRIPTS[language].keys()


@pytest.mark.parametrize("number", [-1, MOST_NUMBER + 1])
def test_other_numbers_are_a_mistake_of_the_caller(number: int) -> None:
    with pytest.raises(ValueError, match="no clips"):
        number_clips(number, "km")


@pytest.mark.parametrize(
    ("at", "language", "clips"),
    [
        (time(7), "km", "hour number.5 number.2"),
        (time(7, 30), "km", "hour number.5 number.2 number.30 minute"),
        (time(0, 5), "km", "hour number.0 number.5 minute"),
        (time(23, 59), "km", "hour number.20 number.3 number.50 number.5 number.4 minute"),
        (time(7, 30), "vi", "number.7 hour number.3 number.tens minute"),
        (time(19), "vi", "number.10 number.9 hour"),
    ],
)
def test_an_hour_is_said_in_the_order_of_the_language(at: time, language: str, clips: str) -> None:
    assert hour_clips(at, language) == clips.split()


def test_days_and_dates() -> None:
    day = date(2026, 11, 23)
    assert weekday_clips(day) == ["weekday.0"]
    assert date_clips(day, "km") == ["day", "number.20", "number.3", "month.11"]
    assert date_clips(day, "vi", with_year=True) == [
        "day", "number.2", "number.tens", "number.3", "month.11", "year",
        *names("2 1000 0 100 2 tens 6"),
    ]  # fmt: skip


def test_a_phrase_is_filled_in_its_order() -> None:
    values: dict[str, Value] = {"place": "ap-3", "from": time(7), "to": time(11, 30),
                                "weekday": date(2026, 12, 5), "date": date(2026, 12, 5)}  # fmt: skip
    wanted = (
        "power_cut.in place.ap-3 from hour number.5 number.2 to hour number.10 number.1 number.30 minute"
        " weekday.5 day number.5 month.12"
    )
    assert " ".join(fill(PHRASES["power_cut"], values, KM)) == wanted


def test_a_chosen_word_is_a_clip_of_its_slot() -> None:
    values: dict[str, Value] = {"place": "bai-xau", "action": "close", "from": time(6),
                                "weekday": date(2026, 12, 1), "date": date(2026, 12, 1)}  # fmt: skip
    assert fill(PHRASES["sluice"], values, KM)[:3] == ("sluice.name", "place.bai-xau", "word.action.close")


ODD = Phrase("odd", ("a", Slot("n", Gap.NUMBER, 1, 30), Slot("p", Gap.PLACE), Slot("h", Gap.HOUR)), {})


@pytest.mark.parametrize(
    ("change", "key", "fields"),
    [
        ({"n": None}, "phrase.missing", {"slots": "n"}),
        ({"x": 1}, "phrase.unknown", {"slots": "x"}),
        ({"n": 0}, "phrase.number", {"slot": "n", "least": 1, "most": 30}),
        ({"n": 31}, "phrase.number", {"slot": "n", "least": 1, "most": 30}),
        ({"n": True}, "phrase.value", {"slot": "n"}),
        ({"n": "5"}, "phrase.value", {"slot": "n"}),
        ({"p": "elsewhere"}, "phrase.value", {"slot": "p"}),
        ({"h": datetime(2026, 1, 1, tzinfo=UTC)}, "phrase.value", {"slot": "h"}),
        ({}, "phrase.not_recorded", {"count": 1, "clips": "a"}),
    ],
)
def test_values_that_do_not_fit_are_refused_by_the_name_of_their_slot(
    change: dict[str, Value | None], key: str, fields: dict[str, object]
) -> None:
    values = {"n": 5, "p": "ap-3", "h": time(7), **change}
    with pytest.raises(Refused) as refused:
        fill(ODD, {name: value for name, value in values.items() if value is not None}, KM)
    assert (refused.value.key, refused.value.fields) == (key, fields)


@pytest.mark.parametrize("bad", [(-1, 5), (6, 5), (0, MOST_NUMBER + 1)])
def test_a_slot_for_no_number_is_a_mistake_of_the_caller(bad: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no numbers"):
        Slot("n", Gap.NUMBER, *bad)


def test_an_empty_bank_lacks_twelve_clips_for_the_numbers_to_fifty_nine() -> None:
    phrase = Phrase("count", (Slot("n", Gap.NUMBER),), {})
    assert sorted(missing(Bank("km", frozenset()), phrase)) == sorted(names("0 1 2 3 4 5 10 20 30 40 50"))
    assert missing(Bank("km", frozenset(f"number.{number}" for number in range(60))), phrase) == ()


def test_a_bank_that_has_everything_lacks_nothing_and_the_script_says_what_to_read() -> None:
    for phrase in PHRASES.values():
        for bank in (KM, Bank("vi", EVERYTHING, KM.places)):
            assert missing(bank, phrase) == ()
    empty = Bank("vi", frozenset(), ("ap-3",))
    for phrase in PHRASES.values():
        told = script(empty, phrase, SCRIPTS["vi"])
        assert [clip for clip, text in told.items() if not text and not clip.startswith("place.")] == []
    khmer = script(Bank("km", frozenset()), PHRASES["salt"], SCRIPTS["km"])
    assert (khmer["number.5"], khmer["salt.advice"]) == ("ប្រាំ", "")


@given(st.sampled_from(sorted(PHRASES)), st.data())
def test_whatever_a_phrase_is_filled_with_the_bank_was_told_that_it_is_needed(name: str, data: st.DataObject) -> None:
    phrase, language = PHRASES[name], data.draw(st.sampled_from(["km", "vi"]))
    wanted = missing(Bank(language, frozenset(), KM.places), phrase)
    kinds: dict[Gap, st.SearchStrategy[Value]] = {
        Gap.HOUR: st.times(), Gap.WEEKDAY: st.dates(), Gap.DATE: st.dates(), Gap.PLACE: st.sampled_from(KM.places),
    }  # fmt: skip
    values: dict[str, Value] = {
        slot.name: data.draw(
            st.integers(slot.least, slot.most) if slot.gap is Gap.NUMBER
            else st.sampled_from(slot.choices) if slot.gap is Gap.WORD else kinds[slot.gap]
        )
        for slot in phrase.slots
    }  # fmt: skip
    assert set(fill(phrase, values, Bank(language, frozenset(wanted), KM.places))) <= set(wanted)


@given(st.integers(0, MOST_NUMBER), st.sampled_from(["km", "vi"]))
def test_a_wide_range_of_numbers_needs_what_any_of_them_needs(number: int, language: str) -> None:
    wide = Phrase("wide", (Slot("n", Gap.NUMBER, 0, MOST_NUMBER),), {})
    assert set(number_clips(number, language)) <= set(
        WIDE.setdefault(language, missing(Bank(language, frozenset()), wide))
    )


WIDE: dict[str, tuple[str, ...]] = {}
