"""Times, durations and failures as a person says them, in the language of the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil

from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError
from controller.db.tables import Asset
from controller.web.catalogue import knows, say
from controller.web.mastering_words import mastered

PARTS_OF_DAY = (
    (1, "night"),
    (11, "morning"),
    (13, "noon"),
    (18, "afternoon"),
    (22, "evening"),
    (24, "night"),
)
"""The hour at which each ends, as people say it."""


def part_of_day(hour: int) -> str:
    return next(name for end, name in PARTS_OF_DAY if hour < end)


@dataclass(frozen=True)
class Words:
    """`now` is the time on air: what "today" means on the page."""

    language: str
    now: datetime

    def t(self, key: str, /, **fields: object) -> str:
        return say(self.language, key, **fields)

    def maybe(self, prefix: str, name: object, fallback: str = "other") -> str:
        """`prefix.name` where the catalogue has it, `prefix.fallback` otherwise: codes that others make up."""
        key = f"{prefix}.{name}"
        return self.t(key if knows(key) else f"{prefix}.{fallback}", name=name)

    def languages(self, codes: Sequence[str], then: str = "") -> str:
        """Their names, in order; one that the catalogue lacks by its code."""
        names = [self.t(f"spoken.{code}") if knows(f"spoken.{code}") else code for code in codes]
        return (f" {then} " if then else ", ").join(names)

    def voice(self, voice_id: str) -> str:
        """A voice's name as people say it; one that the catalogue lacks by its own."""
        key = f"voice.{voice_id}"
        return self.t(key) if knows(key) else voice_id.partition("/")[2] or voice_id

    def answer(self, told: str) -> str:
        """What a unit answers in a word or two; what the catalogue lacks as it was said."""
        key = f"command.answer.{told.replace(' ', '_')}"
        return self.t(key) if knows(key) else told

    def clock(self, instant: datetime | None) -> str:
        return instant.astimezone(VIETNAM).strftime("%H:%M") if instant else "–"

    def second(self, instant: datetime | None) -> str:
        return instant.astimezone(VIETNAM).strftime("%H:%M:%S") if instant else "–"

    def tenth(self, instant: datetime | None) -> str:
        """To the tenth of a second, cut and not rounded: nothing is said to have begun later than it did."""
        if instant is None:
            return "–"
        local = instant.astimezone(VIETNAM)
        point = "." if self.language == "en" else ","
        return f"{local:%H:%M:%S}{point}{local.microsecond // 100_000}"

    def local(self, instant: datetime) -> date:
        """The day it falls on in Viet Nam."""
        return instant.astimezone(VIETNAM).date()

    def day_title(self, day: date) -> str:
        """As `day`, with the date always said."""
        full = self.t("day.other", weekday=self.t(f"weekday.{day.weekday()}"), date=self.short_date(day))
        near = self.day(day)
        return full if near == full else f"{near}, {full}"

    def day(self, day: date) -> str:
        """Today, tomorrow, yesterday, or the weekday and date."""
        away = (day - self.now.astimezone(VIETNAM).date()).days
        near = {0: "day.today", 1: "day.tomorrow", -1: "day.yesterday"}.get(away)
        if near:
            return self.t(near)
        return self.t("day.other", weekday=self.t(f"weekday.{day.weekday()}"), date=self.short_date(day))

    def short_date(self, day: date) -> str:
        here = self.now.astimezone(VIETNAM).date()
        return f"{day:%d/%m}" if day.year == here.year else f"{day:%d/%m/%Y}"

    def when(self, instant: datetime | None) -> str:
        """ "17:00 hôm nay", "05:30 thứ Ba, 02/12"."""
        if instant is None:
            return "–"
        local = instant.astimezone(VIETNAM)
        time = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
        return self.t("when", time=time, day=self.day(local.date()))

    def until(self, instant: datetime | None) -> str:
        """As `when`, but a midnight is the end of the day before: "hết thứ Năm, 05/03"."""
        if instant is None or instant.astimezone(VIETNAM).time() != time():
            return self.when(instant)
        return self.t("when.end_of", day=self.day(self.local(instant) - timedelta(days=1)))

    def in_words(self, instant: datetime) -> str:
        """ "3 giờ 15 sáng mai, thứ Ba": so that nobody takes 03:15 for the afternoon (R-053)."""
        local = instant.astimezone(VIETNAM)
        hour = local.hour if local.hour <= 12 else local.hour - 12
        exact = "in_words.minute" if local.minute else "in_words.hour"
        told = {
            "time": self.t(exact, hour=hour, minute=f"{local.minute:02}"),
            "part": self.t(f"part_of_day.{part_of_day(local.hour)}"),
            "weekday": self.t(f"weekday.{local.weekday()}"),
        }
        away = (local.date() - self.now.astimezone(VIETNAM).date()).days
        if away in (0, 1):
            return self.t("in_words.tomorrow" if away else "in_words.today", **told)
        return self.t("in_words.other", date=self.short_date(local.date()), **told)

    def ago(self, instant: datetime | None) -> str:
        """Coarse on purpose: a live row must not change every second."""
        if instant is None:
            return self.t("ago.never")
        minutes = int((self.now - instant).total_seconds() // 60)
        if minutes < 1:
            return self.t("ago.now")
        if minutes < 60:
            return self.t("ago.minutes", n=minutes)
        if minutes < 48 * 60:
            return self.t("ago.hours", n=minutes // 60)
        return self.t("ago.days", n=minutes // 1440)

    def duration(self, length: timedelta | float) -> str:
        """Of a timedelta, or of milliseconds."""
        seconds = round(length.total_seconds() if isinstance(length, timedelta) else length / 1000)
        hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
        parts = [
            self.t(f"duration.{name}", n=count)
            for name, count in (("hours", hours), ("minutes", minutes), ("seconds", seconds))
            if count
        ]
        return " ".join(parts) or self.t("duration.seconds", n=0)

    def seconds(self, length: float) -> str:
        """To the tenth, rounded up: nothing is said to have been quicker than it was."""
        tenths = max(0, ceil(length * 10 - 1e-9))
        point = "." if self.language == "en" else ","
        return self.t("seconds", n=f"{tenths // 10}{point}{tenths % 10}")

    def mastered(self, asset: Asset) -> list[str]:
        """What was done to a recording: sentences."""
        comma = "." if self.language == "en" else ","
        return mastered(self.t, comma, asset.original_lufs, asset.loudness_lufs, asset.true_peak_dbtp, asset.mastering)

    def failure(self, error: LoaError) -> str:
        """What happened and what to do, never the key."""
        fields = {name: self._field(value) for name, value in error.fields.items()}
        key = f"errors.{error.key}"
        return self.t(key if knows(key) else "errors.unforeseen", **fields)

    def _field(self, value: object) -> object:
        if isinstance(value, datetime):
            return self.when(value)
        if isinstance(value, timedelta):
            return self.duration(value)
        if isinstance(value, LoaError):
            return self.failure(value)
        return f"{value:g}" if isinstance(value, float) else value
