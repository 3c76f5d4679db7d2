"""The table of what was played, in words and as a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable

from broadcasts.domain.tally import Mark, Why
from controller.services.csv_table import sheet, sheet_lines
from controller.services.views.playing import Kind, Playing
from controller.web.catalogue import knows
from controller.web.series_words import dated
from controller.web.tallying import STATES
from controller.web.words import Words

COLUMNS = (
    *(
        "planned",
        "started",
        "length",
        "title",
        "kind",
        "type",
        "field",
        "priority",
        "language",
        "origin",
        "source",
        "author",
    ),
    *("approver", "relay", "commune", "hamlet", "cluster", "volume", "watts", "coverage", "result"),
)
TALLIED = (Kind.ALERT, Kind.DRILL, Kind.SILENT_DRILL)


def title(words: Words, line: Playing) -> str:
    """Of an emergency and a drill what it warned of, too."""
    if not line.alert_kind:
        return line.title
    kind = words.t(f"alert_kind.{line.alert_kind}")
    return f"{kind}: {line.title}" if line.title else kind


def result(words: Words, line: Playing) -> str:
    if line.verdict is None:
        return words.t("playings.open")
    told = words.t(_verdict(line, line.verdict))
    return f"{told}: {_reason(words, line, line.reason).rstrip('.')}" if line.reason else told


def _verdict(line: Playing, verdict: str) -> str:
    match line.kind:
        case Kind.BROADCAST:
            return f"verdict.{verdict}"
        case Kind.LIVE:
            return f"voice.pole.{verdict}"
        case Kind.ALERT:
            return f"tally.{STATES[Mark(verdict)]}"
        case Kind.DRILL | Kind.SILENT_DRILL:
            return f"drill.tally.{STATES[Mark(verdict)]}"


def _reason(words: Words, line: Playing, reason: str) -> str:
    """Of emergencies and drills the tally's own, but for those that say how long ago."""
    own = f"tally.why.{reason}"
    told = line.kind in TALLIED and reason != Why.OFFLINE and knows(own)
    return words.t(own) if told else words.maybe("reason", reason)


def cells(words: Words, line: Playing) -> list[str]:
    """In the order of COLUMNS."""
    return [
        dated(line.planned),
        f"{words.second(line.started)} {words.short_date(words.local(line.started))}" if line.started else "",
        "" if line.length is None else f"{round(line.length.total_seconds())}",
        title(words, line),
        words.t(f"playings.kind.{line.kind}"),
        f"{int(line.type)}",
        words.t(f"field.{line.field}") if line.field else "",
        words.t(f"priority.{line.priority}") if line.priority else "",
        words.languages(line.language.split(",")) if line.language else "",
        words.t(f"origin.{line.origin}"),
        line.source,
        line.author,
        line.approver,
        line.relay,
        line.commune,
        line.hamlet,
        line.cluster,
        "" if line.volume is None else f"{line.volume}",
        f"{line.watts}",
        "" if line.coverage is None else f"{round(line.coverage * 100)}",
        result(words, line),
    ]


def more_csv(words: Words, lines: Iterable[Playing]) -> bytes:
    """What follows in the same file."""
    return sheet_lines(cells(words, line) for line in lines)


def as_csv(words: Words, lines: Iterable[Playing]) -> bytes:
    return sheet([words.t(f"playings.{name}") for name in COLUMNS], (cells(words, line) for line in lines))
