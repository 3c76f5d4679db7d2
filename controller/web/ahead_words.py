"""The lines of a dry run as page, paper and terminal say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from broadcasts.clock import VIETNAM
from controller.services.views.dry_run import DryRun, Line
from controller.web.words import Words


@dataclass(frozen=True)
class Day:
    day: date
    lines: Sequence[Line]


def days_of(run: DryRun) -> list[Day]:
    """Every day of the run, also one on which nothing sounds."""
    first, last = (each.astimezone(VIETNAM).date() for each in (run.since, run.until - timedelta(seconds=1)))
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return [
        Day(day, [line for line in run.lines if max(line.when, run.since).astimezone(VIETNAM).date() == day])
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


def fate_told(words: Words, line: Line) -> str:
    """What becomes of it, and who took the horn."""
    said = words.t(f"ahead.outcome.{line.outcome}")
    return f"{said} {words.t('ahead.by', titles=', '.join(line.by))}" if line.by else said
