"""The form of an operating regulation: hours and ceilings as a person writes them, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from broadcasts.errors import Refused
from controller.services.regulating import Rules
from controller.web.upload import Posted

_WINDOW = re.compile(r"(\d{1,2})[:hg](\d{2})?\s*[-–]\s*(\d{1,2})[:hg](\d{2})?")
_CEILING = re.compile(_WINDOW.pattern + r"\s*[:=]\s*(\d{1,3})\s*%?")

NEVER = "-"
"""At no hour: what is left empty holds as usual."""


@dataclass(frozen=True)
class RegulationForm:
    """As typed. `sites`: (cluster, kind of site)."""

    number: str = ""
    date: str = ""
    hours: str = ""
    weekend: str = ""
    normal: str = ""
    ceilings: str = ""
    special: str = ""
    volume: str = ""
    emergency_volume: str = ""
    session: str = ""
    day: str = ""
    week: str = ""
    early: str = ""
    content: str = ""
    revision: str = "0"
    sites: tuple[tuple[str, str], ...] = ()

    def rules(self) -> Rules:
        """Raises Refused: "regulation.unread" with the field that cannot be read."""
        return Rules(
            number=self.number,
            date=_date(self.date),
            hours=_windows("hours", self.hours),
            weekend=_own_windows("weekend", self.weekend),
            normal=_own_windows("normal", self.normal),
            ceilings=_ceilings("ceilings", self.ceilings),
            special=_ceilings("special", self.special),
            volume=_number("volume", self.volume),
            emergency_volume=_number("emergency_volume", self.emergency_volume),
            session=_number("session", self.session) if self.session.strip() else None,
            day=_number("day", self.day) if self.day.strip() else None,
            week=_number("week", self.week) if self.week.strip() else None,
            early=self.early,
            content=self.content,
        )


def typed(posted: Posted) -> RegulationForm:
    names = [name for name in RegulationForm.__dataclass_fields__ if name != "sites"]
    sites = [tuple(told.split(" ", 1)) for told in posted.all("site")]
    return RegulationForm(
        **{name: posted.get(name) for name in names},
        sites=tuple((each[0], each[1]) for each in sites if len(each) == 2),
    )


def from_rules(rules: Rules, revision: int, sites: Sequence[tuple[str, str]]) -> RegulationForm:
    return RegulationForm(
        number=rules.number,
        date=rules.date.isoformat() if rules.date else "",
        hours=_told(rules.hours),
        weekend=_own_told(rules.weekend),
        normal=_own_told(rules.normal),
        ceilings=_loud(rules.ceilings),
        special=_loud(rules.special),
        volume=str(rules.volume),
        emergency_volume=str(rules.emergency_volume),
        session="" if rules.session is None else str(rules.session),
        day="" if rules.day is None else str(rules.day),
        week="" if rules.week is None else str(rules.week),
        early=rules.early,
        content=rules.content,
        revision=str(revision),
        sites=tuple(sites),
    )


def _told(windows: Sequence[tuple[int, int]]) -> str:
    return ", ".join(_span(start, end) for start, end in windows)


def _own_told(windows: Sequence[tuple[int, int]] | None) -> str:
    return "" if windows is None else _told(windows) or NEVER


def _loud(ceilings: Sequence[tuple[int, int, int]]) -> str:
    return ", ".join(f"{_span(start, end)} = {volume}" for start, end, volume in ceilings)


def _span(start: int, end: int) -> str:
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def _pieces(text: str) -> list[str]:
    return [piece.strip() for piece in re.split(r"[,;\n]", text) if piece.strip()]


def _windows(name: str, text: str) -> tuple[tuple[int, int], ...]:
    found = [(_WINDOW.fullmatch(piece), piece) for piece in _pieces(text)]
    for match, piece in found:
        if match is None:
            raise Refused("regulation.unread", name=name, told=piece[:40])
    return tuple(_minutes(match) for match, _ in found if match is not None)


def _own_windows(name: str, text: str) -> tuple[tuple[int, int], ...] | None:
    """Where nothing is typed, none of their own."""
    if not text.strip():
        return None
    return () if text.strip() == NEVER else _windows(name, text)


def _ceilings(name: str, text: str) -> tuple[tuple[int, int, int], ...]:
    found = [(_CEILING.fullmatch(piece), piece) for piece in _pieces(text)]
    for match, piece in found:
        if match is None:
            raise Refused("regulation.unread", name=name, told=piece[:40])
    return tuple((*_minutes(match), int(match[5])) for match, _ in found if match is not None)


def _minutes(match: re.Match[str]) -> tuple[int, int]:
    return int(match[1]) * 60 + int(match[2] or 0), int(match[3]) * 60 + int(match[4] or 0)


def _number(name: str, text: str) -> int:
    if not text.strip().isdecimal() or len(text) > 9:
        raise Refused("regulation.unread", name=name, told=text[:40])
    return int(text)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text.strip() else None
    except ValueError:
        raise Refused("regulation.unread", name="date", told=text[:40]) from None
