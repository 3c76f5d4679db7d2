"""What holds for whatever is put in: nothing is lost, nothing crashes, nothing takes longer than its length."""

from __future__ import annotations

import sys
import unicodedata
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.reading.numerals import cardinal
from broadcasts.domain.reading.reader import MOST_LETTERS, read
from broadcasts.domain.reading.tokens import Category, Reading
from broadcasts.errors import Refused

PIECES = [
    "7h30", "19h–20h", "5/12", "12/4", "20/11/2026", "15-20%", "1.500.000đ", "1,500", "2tr5", "4‰", "g/l", "m³/s",
    "UBND", "TP.HCM", "P.5", "QL1A", "ĐT.934", "quý IV", "thứ", "ngày", "tháng", "số nhà", "gọi", "115",
    "0912 345 678", "+84",
    "15/TB-UBND", "a@b.vn", "https://example.vn/d?e=1", "- ", "\n", " ", ",", "/", "(", ")", "XYZ", "Ơi", "bà con",
    "សួស្តី", "😀", "\u200b", "\x00", "\ud800", "'", "-", "+", "°C", "24/24",
    "31/02/2026", "3", "0", "00", "999", "H5N1", "ß", "İ", "ǅ", "²",
]  # fmt: skip
bulletins = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
texts = st.text(max_size=60) | bulletins | st.text(alphabet="0123456789.,/-: hgđkmVIX%", max_size=30)


def check(reading: Reading) -> None:
    at = 0
    for token in reading.tokens:
        assert token.start == at
        assert token.end > at
        assert token.written == reading.text[token.start : token.end]
        assert bool(token.alternatives) <= token.doubtful
        if token.left_out:
            assert token.spoken == ""
        elif any(unicodedata.category(character)[0] in "LN" for character in token.written):
            assert token.spoken.strip(), f"{token.written!r} is swallowed"
        at = token.end
    assert at == len(reading.text)


@given(texts)
def test_the_tokens_cover_any_text_in_order_and_no_letter_is_swallowed(text: str) -> None:
    reading = read(text)
    assert reading.text == unicodedata.normalize("NFC", text)
    check(reading)


@given(texts)
def test_what_goes_to_the_voice_can_be_written_down_and_holds_no_figure(text: str) -> None:
    spoken = read(text).spoken
    spoken.encode()
    assert not any(character.isascii() and character.isdigit() for character in spoken)
    assert not any(unicodedata.category(character)[0] == "C" for character in spoken if character != "\n")


@given(texts)
def test_the_same_text_is_read_the_same_way(text: str) -> None:
    assert read(text) == read(text)


@given(st.integers(0, 10**15 - 1))
def test_a_number_with_dots_says_what_the_same_number_without_says(number: int) -> None:
    dotted = f"{number:,}".replace(",", ".")
    assert read(f"{dotted} đồng").spoken == f"{cardinal(number)} đồng"
    assert read(f"{number} đồng").spoken == f"{cardinal(number)} đồng"


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_two_numbers_never_sound_alike(one: int, other: int) -> None:
    assert (cardinal(one) == cardinal(other)) == (one == other)


@given(st.integers(0, 23), st.integers(0, 59))
def test_an_hour_is_said_alike_however_it_is_written(hour: int, minute: int) -> None:
    wanted = f"lúc {cardinal(hour)} giờ" + (f" {cardinal(minute)} phút" if minute else "")
    for written in ("{}h{:02}", "{}g{:02}", "{:02}:{:02}", "{} giờ {:02} phút", "{:02}h{:02}'"):
        reading = read("lúc " + written.format(hour, minute))
        assert reading.spoken == wanted
        assert reading.doubtful == ()


@given(st.dates())
def test_a_full_date_is_never_in_doubt(day: object) -> None:
    year, month, of = str(day).split("-")
    if not 1900 <= int(year) <= 2099:
        return
    readings = [read(f"{of}{sign}{month}{sign}{year}") for sign in "/-."]
    assert len({reading.spoken for reading in readings}) == 1
    assert readings[0].tokens[0].category is Category.DATE
    assert all(reading.doubtful == () for reading in readings)


def calls(text: str) -> int:
    """How many functions are called to read `text`: work, without a clock."""
    count = 0

    def one_more(_frame: FrameType, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(one_more)
    try:
        read(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "piece",
    ["bà con chú ý ", "1", "1.000.", "7h30-", "12/4/", "a", "A", "1-", "IV, ", "0912 ", "a.", "a@", "/", "+", "\u0301",
     "😀", "ស", "BÃO ", "tháng 3, ", "(", "\n- ", "5kg/", "UBND-", "3/TB-"],
)  # fmt: skip
def test_twice_the_text_is_at_most_twice_the_work(piece: str) -> None:
    size = 1_500
    text = (piece * size)[:size]
    read(text)  # what is remembered from the first time on is not counted
    once, twice = calls(text), calls((piece * size)[: 2 * size])
    assert twice <= 2.1 * once + 2_000
    assert once < 200 * size


def test_a_text_of_the_greatest_length_is_read_and_a_longer_one_refused_with_both_numbers() -> None:
    text = ("Từ 7h30 ngày 5/12, UBND xã chi 1.500.000đ/hộ. " * 1000)[:MOST_LETTERS]
    check(read(text))
    with pytest.raises(Refused) as refused:
        read("a" * (MOST_LETTERS + 1))
    assert refused.value.key == "reading.too_long"
    assert refused.value.fields == {"letters": MOST_LETTERS + 1, "limit": MOST_LETTERS}


@pytest.mark.parametrize("nothing", ["", " ", "\n\n", "…", "😀"])
def test_a_text_without_words_says_nothing(nothing: str) -> None:
    assert not any(character.isalnum() for character in read(nothing).spoken)


@given(bulletins)
def test_lines_of_a_form_are_read_like_lines_of_a_file(text: str) -> None:
    assert read(text.replace("\n", "\r\n")).spoken == read(text).spoken


@given(bulletins, bulletins)
def test_what_stands_on_another_line_changes_nothing(one: str, other: str) -> None:
    together = read(f"{one}\n{other}").spoken
    apart = [read(part).spoken for part in (one, other)]
    assert together == "\n".join(part for part in apart if part)
