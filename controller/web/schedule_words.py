"""A schedule as a person says it: on which days, when, from when to when, and what is left out or added."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Pattern, Repeat, Schedule
from controller.web.words import Words

SHOWN = 6
"""Single dates that are named; of more, how many more."""


def told(words: Words, schedule: Schedule) -> str:
    """ "Thứ Hai, thứ Năm hằng tuần lúc 17:00, từ 02/12 đến hết 30/12, trừ Tết"."""
    pattern, t = schedule.pattern, words.t
    if schedule.repeat is Repeat.ONCE:
        parts = [t("rule.once", time=_clock(schedule.at), day=words.day(schedule.first))]
    else:
        parts = [f"{_days(words, schedule)} {_hours(words, schedule)}", _range(words, schedule)]
        if pattern.not_on:
            parts.append(t("rule.not_on", occasions=_occasions(words, pattern.not_on)))
    if pattern.before is not None:
        parts.append(t("rule.before", when=words.when(pattern.before)))
    gone = [*(words.short_date(day) for day in pattern.skip_days), *_instants(words, pattern.skip)]
    if gone:
        parts.append(t("rule.skip", dates=_some(words, gone)))
    if pattern.extra:
        parts.append(t("rule.extra", dates=_some(words, _instants(words, pattern.extra))))
    return ", ".join(parts)


def _days(words: Words, schedule: Schedule) -> str:
    pattern, t = schedule.pattern, words.t
    match schedule.repeat:
        case Repeat.WEEKDAYS:
            said = t("rule.weekdays")
        case Repeat.WEEKLY:
            names = [t(f"weekday.{day}") for day in pattern.weekdays or (schedule.first.weekday(),)]
            said = t("rule.weekly", days=", ".join(names))
        case Repeat.MONTHLY:
            said = _monthly(words, pattern, schedule.first)
        case _:
            said = t("rule.daily") if pattern.every == 1 else t("rule.daily_every", n=pattern.every)
    if pattern.every > 1 and schedule.repeat in (Repeat.WEEKDAYS, Repeat.WEEKLY):
        said += t("rule.weeks", n=pattern.every)
    if pattern.every > 1 and schedule.repeat is Repeat.MONTHLY:
        said += t("rule.months_every", n=pattern.every)
    if pattern.months and schedule.repeat is Repeat.MONTHLY:
        said += t("rule.months", months=", ".join(str(month) for month in pattern.months))
    if pattern.only_on:
        said += t("rule.only_on", occasions=_occasions(words, pattern.only_on))
    return said[0].upper() + said[1:]


def _monthly(words: Words, pattern: Pattern, first: date) -> str:
    t = words.t
    if pattern.nth_weekday is not None:
        nth, weekday = pattern.nth_weekday
        name = t(f"weekday.{weekday}")
        return t("rule.last_weekday", weekday=name) if nth == -1 else t("rule.nth_weekday", weekday=name, n=nth)
    days = sorted(pattern.month_days or (first.day,), key=lambda day: day % 32)
    return t("rule.monthly", days=", ".join(t("rule.last_day") if day == -1 else str(day) for day in days))


def _hours(words: Words, schedule: Schedule) -> str:
    pattern = schedule.pattern
    if pattern.minutes and pattern.last_at is not None:
        return words.t("rule.hours", time=_clock(schedule.at), last=_clock(pattern.last_at), n=pattern.minutes)
    return words.t("rule.at", time=_clock(schedule.at))


def _range(words: Words, schedule: Schedule) -> str:
    t, first, count = words.t, words.short_date(schedule.first), schedule.pattern.count
    if schedule.until is not None:
        said = t("rule.until", first=first, until=words.short_date(schedule.until))
        return said if count is None else f"{said}, {t('rule.count', n=count)}"
    if count is not None:
        return f"{t('rule.from', first=first)}, {t('rule.count', n=count)}"
    return t("rule.open", first=first)


def _occasions(words: Words, names: Iterable[str]) -> str:
    return ", ".join(words.t(f"occasion.{name}") for name in names)


def _instants(words: Words, instants: Iterable[datetime]) -> list[str]:
    local = [each.astimezone(VIETNAM) for each in instants]
    return [f"{_clock(each.time())} {words.short_date(each.date())}" for each in local]


def _some(words: Words, dates: list[str]) -> str:
    said = ", ".join(dates[:SHOWN])
    return said if len(dates) <= SHOWN else f"{said} {words.t('rule.more', n=len(dates) - SHOWN)}"


def _clock(at: time) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
