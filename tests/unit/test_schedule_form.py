"""The repeat part of the form: what is typed, what it means, and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from support.schedules import schedules

from broadcasts.domain.model import PLAIN, Pattern, Repeat, Schedule
from controller.web.schedule_form import PRESETS, RuleForm, meant, shown
from controller.web.schedule_words import told
from controller.web.words import Words

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
FIRST, FIVE = date(2026, 3, 2), time(17, 0)


def read(when: str, **typed: object) -> Pattern:
    repeat, pattern, bad = meant(when, RuleForm(**typed))  # type: ignore[arg-type]
    assert bad == []
    assert repeat == ("daily" if when == "lunar" else "once" if when == "soon" else when)
    return pattern


@pytest.mark.parametrize("when", [each for each in PRESETS if each not in ("lunar", "weekly")])
def test_a_preset_as_it_comes_is_plain(when: str) -> None:
    assert read(when) == PLAIN


def test_fields_that_the_preset_hides_say_nothing() -> None:
    typed = {"days": ("0",), "month_days": "31", "months": ("2",), "only_on": ("tet",)}
    assert read("daily", **typed) == PLAIN
    assert read("soon", **typed, gap="30", last="19:00", skip="30/04/2026") == PLAIN


def test_what_a_station_types() -> None:
    assert read("weekly", days=("3", "0")) == Pattern(weekdays=(0, 3))
    assert read("monthly", month_days="15, 1") == Pattern(month_days=(1, 15))
    assert read("monthly", month_by="nth", nth="-1", nth_day="4") == Pattern(nth_weekday=(-1, 4))
    assert read("lunar", only_on=("lunar_full", "lunar_first")) == Pattern(only_on=("lunar_first", "lunar_full"))
    assert read("daily", gap="30", last="7:00") == Pattern(minutes=30, last_at=time(7, 0))
    assert read("daily", skip="30/4/2026\n1-5-2026, 2026-09-02 17:00") == Pattern(
        skip_days=(date(2026, 4, 30), date(2026, 5, 1)), skip=(datetime(2026, 9, 2, 10, 0, tzinfo=UTC),)
    )
    assert read("once", extra="02/05/2026 06:00") == Pattern(extra=(datetime(2026, 5, 1, 23, 0, tzinfo=UTC),))


@pytest.mark.parametrize(
    ("when", "typed", "key"),
    [
        ("weekly", {}, "schedule.no_weekday"),
        ("lunar", {}, "schedule.no_lunar_day"),
        ("daily", {"skip": "31/02/2026"}, "schedule.typed"),
        ("daily", {"skip": "mai"}, "schedule.typed"),
        ("daily", {"skip": "01/01/9999"}, "schedule.typed"),
        ("daily", {"extra": "02/05/2026"}, "schedule.typed"),
        ("once", {"extra": "02/05/2026 25:00"}, "schedule.typed"),
        ("daily", {"last": "tối"}, "schedule.typed"),
        ("daily", {"before": "yesterday"}, "schedule.typed"),
        ("daily", {"every": "two"}, "schedule.number"),
        ("daily", {"gap": "½"}, "schedule.number"),
        ("daily", {"count": "∞"}, "schedule.number"),
        ("monthly", {"month_days": "first"}, "schedule.number"),
        ("weekly", {"days": ("Mon",)}, "schedule.number"),
    ],
)
def test_what_cannot_be_read_is_said_and_not_guessed(when: str, typed: dict[str, object], key: str) -> None:
    assert key in [each.key for each in meant(when, RuleForm(**typed))[2]]  # type: ignore[arg-type]


@given(schedules())
def test_a_pattern_that_is_shown_and_handed_in_again_is_the_same(schedule: Schedule) -> None:
    pattern = schedule.pattern
    if schedule.repeat is Repeat.ONCE:
        pattern = Pattern(skip_days=pattern.skip_days, skip=pattern.skip, extra=pattern.extra, before=pattern.before)
    elif schedule.repeat is not Repeat.MONTHLY:
        pattern = replace(pattern, month_days=(), nth_weekday=None, months=())
    if schedule.repeat is not Repeat.WEEKLY:
        pattern = replace(pattern, weekdays=())
    elif not pattern.weekdays:
        pattern = replace(pattern, weekdays=(schedule.first.weekday(),))
    when, form = shown(str(schedule.repeat), pattern)
    repeat, again, bad = meant(when, form)
    assert (repeat, bad) == (str(schedule.repeat), [])
    assert replace(again, only_on=tuple(sorted(again.only_on)), not_on=tuple(sorted(again.not_on))) == pattern


SAID = [
    (Schedule(Repeat.ONCE, date(2026, 3, 3), FIVE), "Một lần, lúc 17:00 hôm nay"),
    (Schedule(Repeat.DAILY, FIRST, FIVE), "Mỗi ngày lúc 17:00, từ 02/03, cho đến khi rút"),
    (
        Schedule(Repeat.WEEKLY, FIRST, FIVE, date(2026, 4, 30), Pattern(weekdays=(0, 3), not_on=("tet",))),
        "Thứ Hai, thứ Năm hằng tuần lúc 17:00, từ 02/03 đến hết 30/04, trừ Tết Nguyên đán",
    ),
    (
        Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(month_days=(-1, 15), count=10)),
        "Ngày 15, cuối tháng hằng tháng lúc 17:00, từ 02/03, 10 lượt",
    ),
    (
        Schedule(Repeat.MONTHLY, FIRST, FIVE, None, Pattern(nth_weekday=(2, 1))),
        "Thứ Ba tuần thứ 2 trong tháng lúc 17:00, từ 02/03, cho đến khi rút",
    ),
    (
        Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(minutes=30, last_at=time(19, 0))),
        "Mỗi ngày từ 17:00 đến 19:00, cứ 30 phút một lần, từ 02/03, cho đến khi rút",
    ),
    (
        Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(only_on=("lunar_first", "lunar_full"))),
        "Mỗi ngày, chỉ mùng một âm lịch, ngày rằm, lúc 17:00, từ 02/03, cho đến khi rút",
    ),
    (
        Schedule(Repeat.DAILY, FIRST, FIVE, None, Pattern(skip_days=tuple(date(2026, 4, day) for day in range(1, 9)))),
        "Mỗi ngày lúc 17:00, từ 02/03, cho đến khi rút, bỏ 01/04, 02/04, 03/04, 04/04, 05/04, 06/04 và 2 ngày nữa",
    ),
]


@pytest.mark.parametrize(("schedule", "sentence"), SAID)
def test_a_schedule_is_said_in_words(schedule: Schedule, sentence: str) -> None:
    assert told(Words("vi", NOON), schedule) == sentence


@given(schedules())
def test_every_schedule_can_be_said_in_both_languages(schedule: Schedule) -> None:
    for language in ("vi", "en"):
        said = told(Words(language, NOON), schedule)
        assert "rule." not in said
        assert "occasion." not in said
