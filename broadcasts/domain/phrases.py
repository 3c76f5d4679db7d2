"""The phrase bank: sentences of fixed recorded pieces with gaps for numbers, hours, days, places and chosen words.

For languages without a voice (Khmer): recorded once by a speaker, put together for each bulletin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from broadcasts.domain.clips import MOST_NUMBER, date_clips, hour_clips, number_clips, weekday_clips
from broadcasts.errors import Refused

Value = int | str | time | date


class Gap(StrEnum):
    NUMBER = "number"
    HOUR = "hour"
    WEEKDAY = "weekday"
    """Filled with a date."""
    DATE = "date"
    """Day and month."""
    FULL_DATE = "full_date"
    """With the year."""
    PLACE = "place"
    WORD = "word"


@dataclass(frozen=True)
class Slot:
    """`least`, `most`: of a number, both included. `choices`: of a word; of a place what the bank knows."""

    name: str
    gap: Gap
    least: int = 0
    most: int = 59
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= MOST_NUMBER:
            raise ValueError(f"no numbers from {self.least} to {self.most}")
        if (self.gap is Gap.WORD) != bool(self.choices):
            raise ValueError(f"choices belong to a word: {self.name}")


@dataclass(frozen=True)
class Phrase:
    """`parts`: names of fixed clips, and slots, in the order they are said. `texts`: the fixed clips and the words to
    choose, written out per language, for the one who records them: language -> clip -> words."""

    name: str
    parts: tuple[str | Slot, ...]
    texts: Mapping[str, Mapping[str, str]]

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(part for part in self.parts if isinstance(part, Slot))


@dataclass(frozen=True)
class Bank:
    """What one language of one station has: clip names that are recorded, and the places it wants to name."""

    language: str
    recorded: frozenset[str]
    places: tuple[str, ...] = ()


def fill(phrase: Phrase, values: Mapping[str, Value], bank: Bank) -> tuple[str, ...]:
    """The clips in order. A place's clip is "place.<its id>", a word's "word.<slot>.<choice>".

    Raises Refused: phrase.missing(slots) and phrase.unknown(slots) where the values are not those of the slots,
    phrase.number(slot, least, most), phrase.value(slot) for another kind of value, an unknown place or word,
    phrase.not_recorded(count, clips).
    """
    names = {slot.name for slot in phrase.slots}
    if lacking := names - values.keys():
        raise Refused("phrase.missing", slots=", ".join(sorted(lacking)))
    if odd := values.keys() - names:
        raise Refused("phrase.unknown", slots=", ".join(sorted(odd)))
    clips: list[str] = []
    for part in phrase.parts:
        clips += [part] if isinstance(part, str) else _fill(part, values[part.name], bank)
    if absent := [clip for clip in dict.fromkeys(clips) if clip not in bank.recorded]:
        raise Refused("phrase.not_recorded", count=len(absent), clips=", ".join(absent))
    return tuple(clips)


def _fill(slot: Slot, value: Value, bank: Bank) -> list[str]:
    gap, language, recorded = slot.gap, bank.language, bank.recorded
    if gap is Gap.NUMBER and isinstance(value, int) and not isinstance(value, bool):
        if not slot.least <= value <= slot.most:
            raise Refused("phrase.number", slot=slot.name, least=slot.least, most=slot.most)
        return number_clips(value, language, recorded)
    if gap is Gap.HOUR and isinstance(value, time):
        return hour_clips(value, language, recorded)
    if isinstance(value, date) and not isinstance(value, datetime):
        if gap is Gap.WEEKDAY:
            return weekday_clips(value)
        if gap in (Gap.DATE, Gap.FULL_DATE):
            return date_clips(value, language, recorded, with_year=gap is Gap.FULL_DATE)
    if gap is Gap.PLACE and isinstance(value, str) and value in bank.places:
        return [f"place.{value}"]
    if gap is Gap.WORD and isinstance(value, str) and value in slot.choices:
        return [f"word.{slot.name}.{value}"]
    raise Refused("phrase.value", slot=slot.name)


def missing(bank: Bank, phrase: Phrase) -> tuple[str, ...]:
    """The clips that some filling of the phrase needs and the bank does not have, in the order they are met."""
    wanted = dict.fromkeys(clip for part in phrase.parts for clip in _wanted(part, bank))
    return tuple(clip for clip in wanted if clip not in bank.recorded)


def _wanted(part: str | Slot, bank: Bank) -> Iterator[str]:
    if isinstance(part, str):
        yield part
        return
    language, recorded = bank.language, bank.recorded
    match part.gap:
        case Gap.NUMBER:
            for number in _samples(part.least, part.most):
                yield from number_clips(number, language, recorded)
        case Gap.HOUR:
            for hour in range(24):
                yield from hour_clips(time(hour), language, recorded)
            for minute in range(1, 60):
                yield from hour_clips(time(0, minute), language, recorded)
        case Gap.WEEKDAY:
            yield from (f"weekday.{number}" for number in range(7))
        case Gap.DATE | Gap.FULL_DATE:
            for number in range(1, 32):
                yield from date_clips(date(2026, 1, number), language, recorded)
            yield from (f"month.{number}" for number in range(1, 13))
            if part.gap is Gap.FULL_DATE:
                for year in range(2026, 2040):
                    yield from date_clips(date(year, 1, 1), language, recorded, with_year=True)
        case Gap.PLACE:
            yield from (f"place.{place}" for place in bank.places)
        case Gap.WORD:
            yield from (f"word.{part.name}.{choice}" for choice in part.choices)


def _samples(least: int, most: int) -> Collection[int]:
    """Numbers of the range in which every clip occurs that any of the range needs: all of a small one."""
    if most - least <= 2_000:
        return range(least, most + 1)
    steps = [count * 10**power for power in range(2, 7) for count in range(1, 10)]
    small = [base + rest for base in (0, *steps) for rest in (*range(100), 101, 115, 121)]
    return [number for number in dict.fromkeys((least, most, *small)) if least <= number <= most]


def script(bank: Bank, phrase: Phrase, shared: Mapping[str, str]) -> dict[str, str]:
    """What the speaker has to read for each clip that is missing; "" where nobody has written it down yet.
    `shared`: the words of numbers, hours and days (`clips.SCRIPTS`)."""
    own = phrase.texts.get(bank.language, {})
    return {clip: own.get(clip) or shared.get(clip, "") for clip in missing(bank, phrase)}
