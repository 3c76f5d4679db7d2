"""The lines of a dry run as page, paper and terminal say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from broadcasts.clock import VIETNAM
from controller.services.views.dry_run import DryRun, Line
from controller.web.words import Words


@dataclass(frozen=True)
class Whole:
    """Lines that one reads as one: the languages and parts of one playing, or a warning that goes on all day."""

    lines: Sequence[Line]

    @property
    def first(self) -> Line:
        return self.lines[0]

    @property
    def folded(self) -> bool:
        """Told as one line, with the others behind it."""
        return len(self.lines) > 1

    @property
    def goes_on(self) -> bool:
        return self.first.goes_on

    @property
    def clusters(self) -> frozenset[str]:
        return frozenset().union(*(line.clusters for line in self.lines))

    @property
    def times(self) -> int:
        """How often it sounds."""
        return len({line.begin for line in self.lines})

    @property
    def until(self) -> datetime:
        return max((line.sounds[-1].end for line in self.lines if line.sounds), default=self.first.start)

    @property
    def troubled(self) -> Sequence[Line]:
        """Those that do not sound whole and in time."""
        return [line for line in self.lines if line.outcome != "whole"]


@dataclass(frozen=True)
class Day:
    day: date
    lines: Sequence[Line]

    @property
    def wholes(self) -> list[Whole]:
        """In order of the first of each. What is one thing and sounds alike at some clusters only stays apart."""
        groups: dict[object, list[Line]] = {}
        for number, line in enumerate(self.lines):
            pieces = line.part is not None or line.language not in ("", "vi")
            key: object = (line.broadcast, line.begin, line.waiting) if pieces or self._spoken(line) else number
            groups.setdefault((line.broadcast, "goes on") if line.goes_on else key, []).append(line)
        return [Whole(lines) for lines in groups.values()]

    def _spoken(self, line: Line) -> bool:
        """It is one of several languages."""
        same = {each.language for each in self.lines if (each.broadcast, each.begin) == (line.broadcast, line.begin)}
        return len(same) > 1


def days_of(run: DryRun) -> list[Day]:
    """Every day of the run, also one on which nothing sounds. What is moved past the last one stands there."""
    first, last = (each.astimezone(VIETNAM).date() for each in (run.since, run.until - timedelta(seconds=1)))
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return [
        Day(day, [line for line in run.lines if min(max(line.when, run.since).astimezone(VIETNAM).date(), last) == day])
        for day in days
    ]


def spans(line: Line) -> list[tuple[datetime, datetime]]:
    """When it sounds, without a cut where only the volume changes."""
    found: list[tuple[datetime, datetime]] = []
    for piece in line.sounds:
        if found and found[-1][1] == piece.start:
            found[-1] = (found[-1][0], piece.end)
        else:
            found.append((piece.start, piece.end))
    return found


def spans_told(words: Words, line: Line) -> str:
    """ "08:00:00–08:03:00, 08:05:00–08:10:00"."""
    return ", ".join(f"{words.second(start)}–{words.second(end)}" for start, end in spans(line))


def part_told(words: Words, line: Line) -> str:
    """ "Bản tin: Lịch tiêm chủng", "Tiếng Khmer", or nothing where it is alone."""
    said = [words.t(f"part.{line.part.kind}")] if line.part else []
    said += [line.part.title] if line.part and line.part.title else []
    return ": ".join(said) + (f" ({words.languages([line.language])})" if line.language and line.part else "") or (
        words.languages([line.language]) if line.language else ""
    )


def goes_on_told(words: Words, whole: Whole) -> str:
    """ "18 lần, đến khi có lệnh hủy"."""
    return words.t("ahead.goes_on", n=whole.times)


def fate_told(words: Words, line: Line) -> str:
    """What becomes of it, and who took the horn."""
    said = words.t(f"ahead.outcome.{line.outcome}")
    return f"{said} {words.t('ahead.by', titles=', '.join(line.by))}" if line.by else said
