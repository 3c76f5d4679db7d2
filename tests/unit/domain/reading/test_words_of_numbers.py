"""Numbers in words, south and north."""

from __future__ import annotations

import pytest

from broadcasts.domain.reading.numerals import NORTH, SOUTH, cardinal, digits, month, ordinal
from broadcasts.domain.reading.reader import read


@pytest.mark.parametrize(
    ("number", "south", "north"),
    [
        (0, "không", "không"),
        (15, "mười lăm", "mười lăm"),
        (21, "hai mươi mốt", "hai mươi mốt"),
        (24, "hai mươi tư", "hai mươi tư"),
        (105, "một trăm lẻ năm", "một trăm linh năm"),
        (1_000, "một ngàn", "một nghìn"),
        (1_005, "một ngàn không trăm lẻ năm", "một nghìn không trăm linh năm"),
        (1_500_000, "một triệu năm trăm ngàn", "một triệu năm trăm nghìn"),
        (10**9 + 50, "một tỷ không trăm năm mươi", "một tỷ không trăm năm mươi"),
        (3 * 10**12, "ba ngàn tỷ", "ba nghìn tỷ"),
        (10**15, "một" + " không" * 15, "một" + " không" * 15),
    ],
)
def test_a_number_is_said_as_in_the_region(number: int, south: str, north: str) -> None:
    assert cardinal(number, SOUTH) == south
    assert cardinal(number, NORTH) == north


def test_the_region_is_a_choice_of_the_reader() -> None:
    assert (
        read("1.005 hộ, 500k, 4‰", style=NORTH).spoken
        == "một nghìn không trăm linh năm hộ, năm trăm nghìn, bốn phần nghìn"
    )


def test_a_number_below_nought_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="sign"):
        cardinal(-1)


def test_ranks_months_and_single_digits() -> None:
    assert [ordinal(number) for number in (1, 2, 4, 14, 24)] == ["nhất", "hai", "tư", "mười bốn", "hai mươi tư"]
    assert [month(number) for number in (1, 4, 12)] == ["một", "tư", "mười hai"]
    assert [month(number, lunar=True) for number in (1, 4, 12)] == ["giêng", "tư", "chạp"]
    assert digits("0299-x") == "không hai chín chín"
