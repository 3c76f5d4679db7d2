"""Cut for the voice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.reading.reader import read
from broadcasts.domain.reading.sentences import PARAGRAPH_MS, PART_MS, SENTENCE_MS, Sentence, split


def test_a_pause_follows_a_sentence_and_a_longer_one_a_paragraph() -> None:
    assert split("Kính thưa bà con! Mai cúp điện.\nXin cảm ơn.") == (
        Sentence("Kính thưa bà con!", SENTENCE_MS),
        Sentence("Mai cúp điện.", PARAGRAPH_MS),
        Sentence("Xin cảm ơn.", 0),
    )
    assert SENTENCE_MS == 250


def test_a_long_sentence_is_cut_at_a_comma_or_between_words() -> None:
    assert split("một hai, ba bốn, năm sáu", most=18) == (Sentence("một hai, ba bốn,", PART_MS), Sentence("năm sáu", 0))
    assert split("một hai ba", most=8) == (Sentence("một hai", PART_MS), Sentence("ba", 0))
    assert [piece.text for piece in split("aaaaaaa", most=3)] == ["aaa", "aaa", "a"]


def test_what_says_nothing_is_no_sentence() -> None:
    assert split("") == split("\n ...\n") == ()
    assert split("Dạ. ... Hết.") == (Sentence("Dạ.", SENTENCE_MS), Sentence("Hết.", 0))


@given(st.text(alphabet="ab c,.!?\n;:đ", max_size=200), st.integers(1, 40))
def test_no_letter_is_lost_and_no_piece_is_too_long(text: str, most: int) -> None:
    pieces = split(text, most)
    kept = "".join(piece.text for piece in pieces)
    assert [each for each in kept if each.isalnum()] == [each for each in text if each.isalnum()]
    assert all(0 < len(piece.text) <= most for piece in pieces)


def test_a_bulletin_becomes_its_sentences() -> None:
    spoken = read("1. Thời gian: 7h30 ngày 5/12.\n2. Địa điểm: UBND xã").spoken
    assert [piece.text for piece in split(spoken)] == [
        "một.", "Thời gian: bảy giờ ba mươi phút ngày năm tháng mười hai.", "hai.", "Địa điểm: Ủy ban nhân dân xã",
    ]  # fmt: skip
