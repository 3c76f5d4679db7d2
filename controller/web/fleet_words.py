"""The fleet in words and as tables: overview, trends, the past of one pole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from broadcasts.clock import VIETNAM
from broadcasts.domain.day_strip import Stretch
from broadcasts.domain.fault_classes import Urgency
from controller.services.views.fleet import Line, Overview
from controller.services.views.past import Past
from controller.services.views.trends import Period
from controller.web.lanes import Bar, Span, Tick, bars, ticks
from controller.web.words import Words

Table = tuple[list[str], list[list[str]]]
"""Head and rows."""
COLUMNS = (
    *("place", "clusters", "connected", "reporting", "able", "day", "week", "heard"),
    *(f"faults.{each}" for each in Urgency),
    *("oldest", "data", "quota"),
)
TRENDS = ("period", "due", "sounded", "heard", "availability", "data", "faults", "repair", "which")
HISTORY = ("what", "begin", "end", "state", "about")


@dataclass(frozen=True)
class Lane:
    name: str
    bars: Sequence[Bar]


def percent(words: Words, part: int, whole: int) -> str:
    """To the tenth, cut and not rounded: 99.96 is not yet all."""
    if not whole:
        return "–"
    tenths = part * 1000 // whole
    point = "." if words.language == "en" else ","
    return f"{tenths // 10}%" if tenths % 10 == 0 else f"{tenths // 10}{point}{tenths % 10}%"


def overview(words: Words, found: Overview) -> Table:
    whole = [_line(words, line) for line in found.lines]
    return [words.t(f"fleet.column.{name}") for name in COLUMNS], [
        *whole,
        [words.t("fleet.all"), *_line(words, found.total)[1:]],
    ]


def _line(words: Words, line: Line) -> list[str]:
    return [
        line.name,
        *(str(count) for count in (line.clusters, line.connected, line.reporting, line.able)),
        percent(words, line.day.sounded, line.day.due),
        percent(words, line.week.sounded, line.week.due),
        percent(words, line.day.heard, line.day.due),
        *(str(line.faults[each]) for each in Urgency),
        stamp(line.oldest),
        str(line.data_mb) if line.quota_mb else "",
        str(line.quota_mb or ""),
    ]


def trends(words: Words, found: Sequence[Period]) -> Table:
    rows = [
        [
            period(words, each),
            str(each.due),
            percent(words, each.sounded, each.due),
            percent(words, each.heard, each.due),
            percent(words, each.there, each.known),
            str(each.data_mb),
            str(sum(each.faults.values())),
            words.duration(each.mean_repair) if each.mean_repair is not None else "–",
            which(words, each),
        ]
        for each in found
    ]
    return [words.t(f"fleet.trend.{name}") for name in TRENDS], rows


def which(words: Words, each: Period) -> str:
    return "; ".join(f"{words.maybe('trouble', code)}: {count}" for code, count in each.faults.most_common())


def period(words: Words, each: Period) -> str:
    if (each.after - each.first).days == 7:
        return words.t("fleet.week_of", day=f"{each.first:%d/%m/%Y}")
    return words.t("fleet.month", month=each.first.month, year=each.first.year)


def stamp(at: datetime | None) -> str:
    """For a table that a program reads: local time, sorted as text."""
    return at.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M") if at is not None else ""


def history(words: Words, it: Past) -> Table:
    """Every bar of the picture as a row, the oldest first."""
    rows = [
        (
            lane,
            span.begin,
            [words.t(f"lanes.{lane}"), stamp(span.begin), stamp(span.end), _kind(words, span), span.said],
        )
        for lane, spans in _spans(words, it)
        for span in spans
    ]
    order = sorted(rows, key=lambda row: (row[1], row[0]))
    return [words.t(f"lanes.column.{name}") for name in HISTORY], [row[2] for row in order]


def histories(words: Words, pasts: Sequence[Past]) -> Table:
    """Of several poles, pole after pole, with its name in front."""
    head = [words.t("lanes.column.cluster"), *(words.t(f"lanes.column.{name}") for name in HISTORY)]
    return head, [[it.cluster.name, *row] for it in pasts for row in history(words, it)[1]]


def _kind(words: Words, span: Span) -> str:
    return words.t(f"lanes.kind.{span.kind}")


def lanes(words: Words, it: Past) -> list[Lane]:
    found = []
    for name, spans in _spans(words, it):
        told = [Span(each.begin, each.end, each.kind, _title(words, each)) for each in spans]
        found.append(Lane(name, bars(told, it.begin, it.end)))
    return found


def _title(words: Words, span: Span) -> str:
    until = words.when(span.end) if span.end is not None else words.t("lanes.still")
    said = f": {span.said}" if span.said else ""
    return f"{_kind(words, span)}{said} ({words.when(span.begin)} – {until})"


def marks(words: Words, it: Past) -> list[tuple[Tick, str]]:
    short = (it.end - it.begin).days <= 1
    return [
        (each, f"{each.at:%H:%M}" if short and each.at.hour else f"{each.at:%d/%m}") for each in ticks(it.begin, it.end)
    ]


def _spans(words: Words, it: Past) -> Iterable[tuple[str, list[Span]]]:
    yield "power", _stretches(it.power, {"m": "mains", "b": "battery", "x": "lost"})
    yield "link", _stretches(it.link, {"1": "there", "~": "partly", "0": "away"})
    yield "plays", [Span(each.begin, each.end, each.verdict or "due", each.title) for each in it.plays]
    yield "faults", [Span(each.begin, each.end, "fault", words.maybe("trouble", each.code)) for each in it.troubles]
    yield "works", [Span(each.begin, each.end, "work", each.reason) for each in it.works]


def _stretches(found: Sequence[Stretch], kinds: dict[str, str]) -> list[Span]:
    return [Span(each.begin, each.end, kinds[each.mark], "") for each in found]
