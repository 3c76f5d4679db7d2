"""The station's own words."""

from __future__ import annotations

import pytest

from broadcasts.domain.reading.abbreviations import built_in
from broadcasts.domain.reading.glossary import MOST_ENTRIES, Entry, Glossary, Layer, check_entry
from broadcasts.domain.reading.reader import read
from broadcasts.domain.reading.tokens import Category
from broadcasts.errors import Refused


def glossary(station: list[Entry], province: list[Entry] | None = None) -> Glossary:
    return Glossary({Layer.STATION: station, Layer.BUILT_IN: built_in(), Layer.PROVINCE: province or []})


def test_the_station_wins_over_the_province_and_both_over_what_comes_along() -> None:
    province = [Entry("BCH", "Ban Chỉ huy"), Entry("TT", "trung tâm")]
    station = [Entry("BCH", "Ban Chấp hành Chi hội", "hội nông dân")]
    reading = read("BCH họp tại TT xã", glossary(station, province))
    assert reading.spoken == "Ban Chấp hành Chi hội họp tại trung tâm xã"
    assert reading.doubtful == ()
    first = reading.tokens[0]
    assert (first.category, first.note) == (Category.GLOSSARY, "hội nông dân")


def test_the_longest_entry_is_taken() -> None:
    words = glossary(
        [Entry("NM", "nhà máy"), Entry("NM nước", "trạm cấp nước"), Entry("NM nước đá", "nhà máy nước đá")]
    )
    assert read("NM nước đá, NM nước sạch, NM gạo", words).spoken == "nhà máy nước đá, trạm cấp nước sạch, nhà máy gạo"


def test_an_entry_with_a_capital_is_met_in_that_form_only_and_one_without_in_any() -> None:
    words = glossary([Entry("Sta", "ét-ta"), Entry("vinaphone", "vi-na-phôn")])
    assert read("Sta sta VinaPhone VINAPHONE", words).spoken == "ét-ta sta vi-na-phôn vi-na-phôn"


def test_an_entry_is_met_as_a_whole_word_only() -> None:
    assert read("an ban toán", glossary([Entry("an", "AN"), Entry("to", "TO")])).spoken == "AN ban toán"


def test_an_entry_beats_every_rule() -> None:
    words = glossary([Entry("30/4", "ba mươi tháng tư"), Entry("7h", "bảy giờ sáng"), Entry("P.5", "phòng số năm")])
    assert read("Đội 30/4 họp 7h ở P.5", words).spoken == "Đội ba mươi tháng tư họp bảy giờ sáng ở phòng số năm"


def test_an_entry_also_names_the_issuer_of_a_paper() -> None:
    reading = read("Thông báo 5/TB-HTN", glossary([Entry("HTN", "Hợp tác xã Thuận Nông")]))
    assert reading.spoken == "Thông báo năm của Hợp tác xã Thuận Nông"
    assert reading.doubtful == ()


def test_an_entry_with_several_readings_is_doubtful_wherever_it_stands() -> None:
    reading = read("TTX họp", glossary([Entry("TTX", "trung tâm xã", "", ("thường trực xã",))]))
    assert [(token.spoken, token.alternatives) for token in reading.doubtful] == [("trung tâm xã", ("thường trực xã",))]


def test_a_decision_of_the_operator_replaces_the_words_and_ends_the_doubt() -> None:
    reading = read("BCH họp ngày 5/12 tại Khu 12/4")
    chosen = {token.start: token.alternatives[0] for token in reading.doubtful}
    decided = reading.decided({**chosen, 999: "nowhere"})
    assert decided.spoken == "Ban Chỉ huy họp ngày năm tháng mười hai tại Khu mười hai trên bốn"
    assert decided.doubtful == ()


@pytest.mark.parametrize(
    ("written", "spoken", "note", "key", "fields"),
    [
        ("", "gì đó", "", "glossary.empty", {}),
        ("ABC", " ", "", "glossary.empty", {}),
        ("A" * 61, "a", "", "glossary.too_long", {"name": "written", "limit": 60}),
        ("ABC", "a" * 201, "", "glossary.too_long", {"name": "spoken", "limit": 200}),
        ("ABC", "a", "n" * 201, "glossary.too_long", {"name": "note", "limit": 200}),
        ("A\nC", "a", "", "glossary.characters", {"name": "written"}),
        ("ABC", "a\u200bb", "", "glossary.characters", {"name": "spoken"}),
        ("ABC", "a", "\x00n", "glossary.characters", {"name": "note"}),
        ("--", "gạch", "", "glossary.no_letter", {}),
        ("a", "á", "", "glossary.one_letter", {}),
        ("5", "năm", "", "glossary.one_letter", {}),
        ("ABC", "bản 19/5", "", "glossary.spoken_words", {"found": "19/5"}),
        ("ABC", "--", "", "glossary.spoken_words", {"found": ""}),
    ],
)
def test_a_bad_entry_is_refused_with_what_is_wrong(
    written: str, spoken: str, note: str, key: str, fields: dict[str, object]
) -> None:
    with pytest.raises(Refused) as refused:
        check_entry(written, spoken, note)
    assert (refused.value.key, refused.value.fields) == (key, fields)


def test_a_good_entry_is_kept_composed_and_with_single_spaces() -> None:
    assert check_entry(" A  B ", "u\u031by ban", " x  y ", ["", " uỷ  ban "]) == Entry(
        "A B", "ưy ban", "x y", ("uỷ ban",)
    )


def test_a_reading_of_an_entry_must_be_words_too() -> None:
    with pytest.raises(Refused, match="spoken_words"):
        check_entry("ABC", "a", "", ["số 5"])


def test_a_table_has_an_end() -> None:
    with pytest.raises(Refused, match="too_many"):
        glossary([Entry(f"X{number}", "x") for number in range(MOST_ENTRIES + 1)])


def test_everything_that_comes_along_keeps_its_own_rules_and_is_there_once() -> None:
    written = [entry.written for entry in built_in()]
    assert len(written) == len(set(written)) > 250
    for entry in built_in():
        assert (
            check_entry(entry.written, entry.spoken.rstrip(":"), entry.note, entry.alternatives).written
            == entry.written
        )
        assert entry.spoken not in entry.alternatives
        assert read(entry.spoken).changed == (), entry
