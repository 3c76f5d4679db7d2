"""The part of the form that says when it repeats: as typed, and what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import PLAIN, Pattern, Repeat
from broadcasts.domain.occasions import OCCASIONS
from broadcasts.errors import LoaError, Refused
from controller.web.upload import Posted

PRESETS = ("soon", "once", "daily", "weekdays", "weekly", "monthly", "lunar")
"""What the form offers; `lunar` is daily on the days of the moon that are ticked."""
LUNAR = ("lunar_first", "lunar_full")
NAMED = tuple(name for name in OCCASIONS if name not in LUNAR)
_T = TypeVar("_T")
YEARS = range(2000, 2101)
"""What a date may be; beyond it, it is a typing mistake."""
_DAY = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\Z")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?\Z")


@dataclass(frozen=True)
class RuleForm:
    """All as typed. `days`, `months`: numbers; `only_on`, `not_on`: names of occasions."""

    every: str = "1"
    days: tuple[str, ...] = ()
    month_by: str = "day"
    month_days: str = ""
    nth: str = "1"
    nth_day: str = "0"
    months: tuple[str, ...] = ()
    gap: str = ""
    last: str = ""
    count: str = ""
    only_on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()
    skip: str = ""
    extra: str = ""
    before: str = ""
    kept: str = ""
    """Occasions of a rule that only a program can make (weekly, but only on holidays): an edit does not lose them."""

    @property
    def is_plain(self) -> bool:
        """Nothing of what the page folds away is filled in."""
        shown = (self.gap, self.last, self.count, self.skip, self.extra, "".join(self.months), "".join(self.not_on))
        return not any(shown) and self.every in ("", "1")


EMPTY = RuleForm()


def typed(posted: Posted) -> RuleForm:
    told: dict[str, Any] = {
        name: posted.get(name, default) if isinstance(default, str) else tuple(posted.all(name))
        for name, default in vars(EMPTY).items()
    }
    return RuleForm(**told)


def meant(when: str, form: RuleForm) -> tuple[str, Pattern, list[LoaError]]:
    """(repeat, pattern, what cannot be read): a field that is hidden for this preset says nothing."""
    bad: list[LoaError] = []
    if when in ("soon", "once"):
        if when == "soon" or not (form.extra.strip() or form.skip.strip() or form.before):
            return "once", PLAIN, []
        # A list of single dates, as a copied week is one.
        days, moments = _mixed(form.skip, bad)
        extra, before = _instants(form.extra, "extra", bad), _one(_iso, form.before, "before", bad)
        return "once", Pattern(skip_days=days, skip=moments, extra=extra, before=before), bad
    repeat = "daily" if when == "lunar" else when
    only_on = tuple(name for name in OCCASIONS if name in form.only_on) if when == "lunar" else _kept(form.kept, bad)
    if when == "lunar" and not only_on:
        bad.append(Refused("schedule.no_lunar_day"))
    if repeat == Repeat.WEEKLY and not form.days:
        bad.append(Refused("schedule.no_weekday"))
    monthly = repeat == Repeat.MONTHLY
    by_nth = monthly and form.month_by == "nth"
    skip_days, skip = _mixed(form.skip, bad)
    last = _one(_clock, form.last, "last", bad)
    before = _one(_iso, form.before, "before", bad)
    nth = (_number(form.nth, "nth", bad) or 0, _number(form.nth_day, "nth_day", bad) or 0)
    every = _number(form.every or "1", "every", bad)
    pattern = Pattern(
        every=1 if every is None else every,
        weekdays=_numbers(form.days, "days", bad) if repeat == Repeat.WEEKLY else (),
        month_days=_numbers(_words(form.month_days), "month_days", bad) if monthly and not by_nth else (),
        nth_weekday=nth if by_nth else None,
        months=_numbers(form.months, "months", bad) if monthly else (),
        minutes=_number(form.gap, "gap", bad) if form.gap.strip() else None,
        last_at=last,
        count=_number(form.count, "count", bad) if form.count.strip() else None,
        only_on=only_on,
        not_on=tuple(name for name in OCCASIONS if name in form.not_on),
        skip_days=skip_days,
        skip=skip,
        extra=_instants(form.extra, "extra", bad),
        before=before,
    )
    return repeat, pattern, bad


def shown(repeat: str, pattern: Pattern) -> tuple[str, RuleForm]:
    """(preset, form) that mean this again."""
    when = "lunar" if repeat == "daily" and pattern.only_on else repeat
    nth, nth_day = pattern.nth_weekday or (1, 0)
    gone = [*(f"{day:%d/%m/%Y}" for day in pattern.skip_days), *_said(pattern.skip)]
    return when, RuleForm(
        every=str(pattern.every),
        days=tuple(str(day) for day in pattern.weekdays),
        month_by="nth" if pattern.nth_weekday else "day",
        month_days=", ".join(str(day) for day in pattern.month_days),
        nth=str(nth),
        nth_day=str(nth_day),
        months=tuple(str(month) for month in pattern.months),
        gap=str(pattern.minutes or ""),
        last=pattern.last_at.isoformat() if pattern.last_at else "",
        count=str(pattern.count or ""),
        only_on=pattern.only_on if when == "lunar" else (),
        kept="" if when == "lunar" else " ".join(pattern.only_on),
        not_on=pattern.not_on,
        skip="\n".join(gone),
        extra="\n".join(_said(pattern.extra)),
        before=pattern.before.isoformat() if pattern.before else "",
    )


def _kept(text: str, bad: list[LoaError]) -> tuple[str, ...]:
    unknown = [name for name in text.split() if name not in OCCASIONS]
    bad += [Refused("schedule.occasion", name=name[:40]) for name in unknown]
    return tuple(name for name in text.split() if name in OCCASIONS)


def _said(instants: Iterable[datetime]) -> list[str]:
    return [f"{each.astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}" for each in instants]


def _words(text: str) -> list[str]:
    return [each for each in re.split(r"[\s,;]+", text) if each]


def _lines(text: str) -> list[str]:
    return [" ".join(each.split()) for each in re.split(r"[\n,;]+", text) if each.strip()]


def _number(text: str, name: str, bad: list[LoaError]) -> int | None:
    try:
        return int(text)
    except ValueError:
        bad.append(Refused("schedule.number", name=name))
        return None


def _numbers(texts: Iterable[str], name: str, bad: list[LoaError]) -> tuple[int, ...]:
    found = {_number(each, name, bad) for each in texts}
    return tuple(sorted(each for each in found if each is not None))


def _one(read: Callable[[str], _T], text: str, name: str, bad: list[LoaError]) -> _T | None:
    if not text.strip():
        return None
    try:
        return read(text.strip())
    except ValueError:
        bad.append(Refused("schedule.typed", text=text[:40], name=name))
        return None


def _day(text: str) -> date:
    told = _DAY.match(text)
    found = date(int(told[3]), int(told[2]), int(told[1])) if told else date.fromisoformat(text)
    if found.year not in YEARS:
        raise ValueError(text)
    return found


def _clock(text: str) -> time:
    if not _CLOCK.match(text):
        raise ValueError(text)
    return time.fromisoformat(text.zfill(5) if text.count(":") == 1 else text.zfill(8))


def _moment(text: str) -> datetime:
    day, _, clock = text.replace("T", " ").partition(" ")
    return datetime.combine(_day(day), _clock(clock), tzinfo=VIETNAM).astimezone(UTC)


def _iso(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or found.year not in YEARS:
        raise ValueError(text)
    return found.astimezone(UTC)


def _instants(text: str, name: str, bad: list[LoaError]) -> tuple[datetime, ...]:
    found = {_one(_moment, each, name, bad) for each in _lines(text)}
    return tuple(sorted(each for each in found if each is not None))


def _mixed(text: str, bad: list[LoaError]) -> tuple[tuple[date, ...], tuple[datetime, ...]]:
    """Days, or starts where an hour stands beside the day."""
    lines = _lines(text)
    days = {_one(_day, each, "skip", bad) for each in lines if ":" not in each}
    moments = {_one(_moment, each, "skip", bad) for each in lines if ":" in each}
    return tuple(sorted(day for day in days if day)), tuple(sorted(each for each in moments if each))
