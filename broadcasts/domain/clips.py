"""Recorded words put together: numbers, hours, days and dates as lists of clip names, per language.

A clip's name is the same in every language that has the word: "number.5", "weekday.0" (Monday), "month.11". A whole
number that was recorded in one piece ("number.17") is taken before a composed one: it sounds better.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, time

from broadcasts.domain.reading.numerals import cardinal

KHMER, VIETNAMESE = "km", "vi"
LANGUAGES = (VIETNAMESE, KHMER)
MOST_NUMBER = 9_999_999
_KHMER_STEPS = (1_000_000, 100_000, 10_000, 1_000, 100)
_VIETNAMESE_WORDS = {
    "không": "0", "một": "1", "hai": "2", "ba": "3", "bốn": "4", "năm": "5", "sáu": "6", "bảy": "7", "tám": "8",
    "chín": "9", "mười": "10", "mươi": "tens", "mốt": "one_after_tens", "tư": "four_after_tens",
    "lăm": "five_after_ten", "lẻ": "odd", "trăm": "100", "ngàn": "1000", "triệu": "1000000",
}  # fmt: skip

_VIETNAMESE_SCRIPT = {
    **{f"number.{name}": word for word, name in _VIETNAMESE_WORDS.items()},
    "hour": "giờ", "minute": "phút", "day": "ngày", "year": "năm",
    **{f"month.{number}": f"tháng {'tư' if number == 4 else cardinal(number)}" for number in range(1, 13)},
    **{f"weekday.{number}": f"thứ {word}" for number, word in enumerate(("hai", "ba", "tư", "năm", "sáu", "bảy"))},
    "weekday.6": "Chủ nhật",
}  # fmt: skip
_KHMER_SCRIPT = {
    "number.0": "សូន្យ", "number.1": "មួយ", "number.2": "ពីរ", "number.3": "បី", "number.4": "បួន", "number.5": "ប្រាំ",
    "number.10": "ដប់", "number.20": "ម្ភៃ", "number.30": "សាមសិប", "number.40": "សែសិប", "number.50": "ហាសិប",
    "number.60": "ហុកសិប", "number.70": "ចិតសិប", "number.80": "ប៉ែតសិប", "number.90": "កៅសិប", "number.100": "រយ",
    "number.1000": "ពាន់", "number.10000": "ម៉ឺន", "number.100000": "សែន", "number.1000000": "លាន",
    "hour": "ម៉ោង", "minute": "នាទី", "day": "ថ្ងៃទី", "year": "ឆ្នាំ",
    "weekday.0": "ថ្ងៃចន្ទ", "weekday.1": "ថ្ងៃអង្គារ", "weekday.2": "ថ្ងៃពុធ", "weekday.3": "ថ្ងៃព្រហស្បតិ៍",
    "weekday.4": "ថ្ងៃសុក្រ", "weekday.5": "ថ្ងៃសៅរ៍", "weekday.6": "ថ្ងៃអាទិត្យ",
    "month.1": "ខែមករា", "month.2": "ខែកុម្ភៈ", "month.3": "ខែមីនា", "month.4": "ខែមេសា", "month.5": "ខែឧសភា",
    "month.6": "ខែមិថុនា", "month.7": "ខែកក្កដា", "month.8": "ខែសីហា", "month.9": "ខែកញ្ញា", "month.10": "ខែតុលា",
    "month.11": "ខែវិច្ឆិកា", "month.12": "ខែធ្នូ",
}  # fmt: skip
SCRIPTS = {VIETNAMESE: _VIETNAMESE_SCRIPT, KHMER: _KHMER_SCRIPT}
"""What the speaker reads for each clip. The Khmer words are those of the written language; the speaker of the place
says them as people there do. Not checked by a native speaker."""


def number_clips(number: int, language: str, recorded: Collection[str] = ()) -> list[str]:
    """0 to 9,999,999. Khmer counts 6 to 9 as five and one to four, and has words of their own for ten and a hundred
    thousand. Raises ValueError for other numbers and languages."""
    if not 0 <= number <= MOST_NUMBER:
        raise ValueError(f"no clips for {number}")
    if f"number.{number}" in recorded:
        return [f"number.{number}"]
    return _NUMBERS[language](number, recorded)


def _khmer(number: int, recorded: Collection[str]) -> list[str]:
    clips: list[str] = []
    for step in _KHMER_STEPS:
        count, number = divmod(number, step)
        if count:
            clips += [*number_clips(count, KHMER, recorded), f"number.{step}"]
    if number and f"number.{number}" in recorded:
        return [*clips, f"number.{number}"]
    if number >= 10:
        clips.append(f"number.{number // 10 * 10}")
        number %= 10
    if number and f"number.{number}" in recorded:
        return [*clips, f"number.{number}"]
    if number > 5:
        clips.append("number.5")
        number -= 5
    return [*clips, f"number.{number}"] if number or not clips else clips


def _vietnamese(number: int, _recorded: Collection[str]) -> list[str]:
    return [f"number.{_VIETNAMESE_WORDS[word]}" for word in cardinal(number).split()]


_NUMBERS: dict[str, Callable[[int, Collection[str]], list[str]]] = {KHMER: _khmer, VIETNAMESE: _vietnamese}


def hour_clips(at: time, language: str, recorded: Collection[str] = ()) -> list[str]:
    """Of 24 hours, so that no half of the day is mistaken; a full hour has no minutes."""
    hour = number_clips(at.hour, language, recorded)
    clips = ["hour", *hour] if language == KHMER else [*hour, "hour"]
    return [*clips, *number_clips(at.minute, language, recorded), "minute"] if at.minute else clips


def date_clips(day: date, language: str, recorded: Collection[str] = (), with_year: bool = False) -> list[str]:
    clips = ["day", *number_clips(day.day, language, recorded), f"month.{day.month}"]
    return [*clips, "year", *number_clips(day.year, language, recorded)] if with_year else clips


def weekday_clips(day: date) -> list[str]:
    return [f"weekday.{day.weekday()}"]
