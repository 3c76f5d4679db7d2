"""iCalendar out and in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from icalendar import Calendar
from support.schedules import schedules

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Pattern, Repeat, Schedule
from broadcasts.domain.recurrence import starts
from broadcasts.errors import Refused
from controller.services.ics import AHEAD, Entry, write
from controller.services.ics_reading import Found, read

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIVE = time(17, 0)
MINUTE = timedelta(minutes=1)


def out(schedule: Schedule) -> bytes:
    return write([Entry("lp-1", "Lịch tiêm chủng, đợt 2; thôn Đông", schedule, 3 * MINUTE)], NOW, "Đài xã")


def heard(*found: Schedule, until: datetime = NOW + AHEAD) -> list[datetime]:
    return sorted({each for schedule in found for each in starts(schedule, NOW, until, VIETNAM)})


def event(*lines: str) -> bytes:
    told = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1", "SUMMARY:Tin", *lines)
    return "\r\n".join((*told, "END:VEVENT", "END:VCALENDAR", "")).encode()


def only(*lines: str) -> Found:
    [found] = read(event(*lines))
    return found


@given(schedules())
def test_what_is_exported_and_imported_again_starts_at_the_same_times(schedule: Schedule) -> None:
    """Exported at the beginning of 2026, heard for a year."""
    if not heard(schedule):
        return
    found = read(out(schedule))
    assert [each.problem for each in found] == [None] * len(found)
    assert {each.title for each in found} == {"Lịch tiêm chủng, đợt 2; thôn Đông"}
    assert {each.duration for each in found} == {3 * MINUTE}
    assert heard(*(each.schedule for each in found if each.schedule is not None)) == heard(schedule)


def test_a_weekly_bulletin_is_one_event_with_a_rule_that_any_calendar_knows() -> None:
    pattern = Pattern(weekdays=(0, 3), skip_days=(date(2026, 3, 5),))
    told = out(Schedule(Repeat.WEEKLY, date(2026, 3, 2), FIVE, date(2026, 4, 30), pattern))
    [line] = Calendar.from_ical(told).walk("VEVENT")
    assert line["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=20260430T100000Z;INTERVAL=1;BYDAY=MO,TH;WKST=MO"
    assert line["DTSTART"].to_ical() == b"20260302T170000"
    assert line["DTSTART"].params["TZID"] == "Asia/Ho_Chi_Minh"
    assert [each.dt.isoformat() for each in line["EXDATE"].dts] == ["2026-03-05T17:00:00+07:00"]
    assert b"BEGIN:VTIMEZONE" in told


def test_what_goes_by_the_moon_is_written_as_dates_for_a_year() -> None:
    told = out(Schedule(Repeat.DAILY, date(2026, 3, 1), FIVE, None, Pattern(only_on=("lunar_first", "lunar_full"))))
    [line] = Calendar.from_ical(told).walk("VEVENT")
    assert "RRULE" not in line
    assert len(line["RDATE"].dts) in (23, 24)


KNOWN: list[tuple[tuple[str, ...], Repeat, dict[str, Any]]] = [
    (("DTSTART:20260302T100000Z",), Repeat.ONCE, {}),
    (("DTSTART:20260302T170000",), Repeat.ONCE, {}),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;COUNT=3"), Repeat.DAILY, {"count": 3}),
    (("DTSTART:20260302T170000", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"), Repeat.WEEKDAYS, {}),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;BYDAY=MO,SA"), Repeat.WEEKLY, {"weekdays": (0, 5)}),
    (("DTSTART:20260302T170000", "RRULE:FREQ=MONTHLY;BYDAY=-1FR"), Repeat.MONTHLY, {"nth_weekday": (-1, 4)}),
    (("DTSTART:20260902T170000", "RRULE:FREQ=YEARLY"), Repeat.MONTHLY, {"months": (9,), "month_days": (2,)}),
]


@pytest.mark.parametrize(("lines", "repeat", "pattern"), KNOWN)
def test_the_rules_that_calendars_write(lines: tuple[str, ...], repeat: Repeat, pattern: dict[str, Any]) -> None:
    found = only(*lines).schedule
    assert found is not None
    assert (found.repeat, found.at) == (repeat, FIVE)
    assert {name: getattr(found.pattern, name) for name in pattern} == pattern


def test_a_start_that_was_moved_in_a_calendar_leaves_its_old_place() -> None:
    series = event("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;COUNT=3").replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Tin\r\nRECURRENCE-ID:20260303T170000\r\nDTSTART:20260303T180000\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR",
    )
    found = [each.schedule for each in read(series) if each.schedule is not None]
    assert [f"{each.astimezone(VIETNAM):%d %H:%M}" for each in heard(*found)] == ["02 17:00", "03 18:00", "04 17:00"]


def test_the_first_start_counts_even_where_the_rule_does_not_come_to_it() -> None:
    """RFC 5545, 3.8.5.3: a Monday, then Fridays."""
    found = only("DTSTART:20260302T170000", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=3").schedule
    assert found is not None
    assert [each.astimezone(VIETNAM).day for each in heard(found)] == [2, 6, 13]


def test_a_count_of_one_is_the_first_start_and_no_other() -> None:
    found = only("DTSTART:20260302T170000", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=1").schedule
    assert found is not None
    assert [each.astimezone(VIETNAM).day for each in heard(found)] == [2]


def test_days_that_are_named_again_and_again_are_kept_once() -> None:
    many = ",".join(["2"] * 50_000)
    found = only("DTSTART:20260302T170000", f"RRULE:FREQ=MONTHLY;BYMONTHDAY={many}").schedule
    assert found is not None
    assert found.pattern.month_days == (2,)


def test_an_entry_with_two_titles_has_the_first_and_an_end_before_its_beginning_is_no_length() -> None:
    found = only("DTSTART:20260302T170000", "DTEND:20260302T160000", "SUMMARY:Tin khác")
    assert (found.title, found.duration) == ("Tin", None)


OVERRIDES = [
    ("RECURRENCE-ID;RANGE=THISANDFUTURE:20260303T170000", ["ics.rule", "ics.rule"]),
    ("RECURRENCE-ID:00010101T000000", [None, None]),
    ("RECURRENCE-ID:nonsense", [None, "ics.event"]),
]


@pytest.mark.parametrize(("override", "keys"), OVERRIDES)
def test_an_entry_that_changes_more_than_one_start_or_none_at_all_is_told_of(
    override: str, keys: list[str | None]
) -> None:
    """From the second day on at 05:00: taken for a single move it would leave the old hour standing for ever."""
    series = event("DTSTART:20260302T170000", "RRULE:FREQ=DAILY").replace(
        b"END:VCALENDAR",
        f"BEGIN:VEVENT\r\nUID:1\r\n{override}\r\nDTSTART:20260303T050000\r\nEND:VEVENT\r\nEND:VCALENDAR".encode(),
    )
    assert [each.problem and each.problem.key for each in read(series)] == keys


UNREADABLE: list[tuple[tuple[str, ...], str]] = [
    ((), "ics.no_start"),
    (("DTSTART;VALUE=DATE:20260302",), "ics.all_day"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=HOURLY"), "ics.rule"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1"), "ics.rule"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;BYHOUR=5,6"), "ics.rule"),
    (("DTSTART;TZID=America/New_York:20260302T170000", "RRULE:FREQ=DAILY"), "ics.zone"),
    (("DTSTART:20260302T100000Z", "RRULE:FREQ=DAILY"), "ics.zone"),
    (("DTSTART;TZID=Nowhere/At-All:20260302T170000",), "ics.zone"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY", "EXDATE;TZID=Nowhere/At-All:20260303T170000"), "ics.zone"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;COUNT=0"), "ics.rule"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;COUNT"), "ics.part"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;COUNT="), "ics.part"),
    (("DTSTART:20260302T170000", "RRULE:DAILY"), "ics.part"),
    (("DTSTART:20260302T170000", "RRULE:"), "ics.part"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY;UN\r\n TIL"), "ics.part"),
    (("DTSTART:20260302T170000", "RRULE:FREQ=DAILY", "EXDATE:nonsense"), "ics.event"),
    (("DTSTART:20260302T170000", "STATUS:CANCELLED"), "ics.cancelled"),
    (("DTSTART:18990302T170000",), "ics.event"),
    (("DTSTART:20260302T170000", "EXDATE:20260302T170000"), "schedule.impossible"),
]


@pytest.mark.parametrize(("lines", "key"), UNREADABLE)
def test_an_event_that_cannot_be_a_schedule_says_why(lines: tuple[str, ...], key: str) -> None:
    found = only(*lines)
    assert found.schedule is None
    assert found.problem is not None
    assert found.problem.key == key


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "ics.unreadable"),
        (b"\xff\xfe\x00", "ics.unreadable"),
        (b"%PDF-1.7 nothing of a calendar", "ics.unreadable"),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "ics.empty"),
        (b"BEGIN:VCALENDAR\r\n" + b"X" * 1_000_001, "ics.large"),
        (b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 501 + b"END:VCALENDAR\r\n", "ics.large"),
    ],
)
def test_a_file_that_is_no_calendar_is_refused(data: bytes, key: str) -> None:
    with pytest.raises(Refused) as refused:
        read(data)
    assert refused.value.key == key
