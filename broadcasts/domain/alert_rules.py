"""How warnings repeat, as the law writes it, and what a warning of each kind begins with.

The law binds national and provincial broadcasters; for a commune's horns it is a template (circular39.md, area F), and
what the committee of its level or the issuing body orders goes before all of it (R-059, R-063). Numbers that no rule
names are guesses of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

NOW = timedelta(0)
HOUR = timedelta(hours=1)


class Rule(StrEnum):
    ONCE = "once"
    TWICE = "twice"
    COMMAND = "command"
    COMMAND_SEVERE = "command_severe"
    NEWS = "news"
    NEWS_URGENT = "news_urgent"
    TSUNAMI = "tsunami"
    TSUNAMI_SEVERE = "tsunami_severe"
    ORDERED = "ordered"


@dataclass(frozen=True)
class Repetition:
    """Soundings at `opening` after the issue (each no earlier than the one before is over), then every `every` after
    the last of these, `times` in all; without `every` no more than the opening."""

    opening: tuple[timedelta, ...] = (NOW,)
    every: timedelta | None = None
    times: int | None = None


@dataclass(frozen=True)
class Way:
    """`requirement`: which rule says so; "" for a guess. `on_the_hour`: what follows the opening falls on full hours
    of Viet Nam that `every` divides the day into."""

    requirement: str
    opening: tuple[timedelta, ...] = (NOW,)
    every: timedelta | None = None
    on_the_hour: bool = False


WAYS: dict[Rule, Way] = {
    Rule.ONCE: Way(""),
    Rule.TWICE: Way("R-064", (NOW, NOW)),
    Rule.COMMAND: Way("R-058", every=3 * HOUR),
    Rule.COMMAND_SEVERE: Way("R-058", every=HOUR),
    Rule.NEWS: Way("R-060", every=2 * HOUR, on_the_hour=True),
    Rule.NEWS_URGENT: Way("R-060", (NOW, NOW), HOUR, on_the_hour=True),
    Rule.TSUNAMI: Way("R-062", (NOW, timedelta(minutes=5), timedelta(minutes=10)), timedelta(minutes=30)),
    Rule.TSUNAMI_SEVERE: Way("R-062", (NOW, timedelta(minutes=5), timedelta(minutes=10)), timedelta(minutes=20)),
    Rule.ORDERED: Way("R-059, R-063"),
}
"""`ORDERED`: at once, then as the committee of that level or the issuing body asks, which the caller says."""


@dataclass(frozen=True)
class Template:
    """What a warning of one kind begins with; all of it can be said otherwise. `level`: of the disaster risk, where the
    rule asks for one. `every`: with `Rule.ORDERED`, until somebody orders otherwise (a guess)."""

    kind: str
    requirement: str
    rule: Rule
    lasts: timedelta
    volume: int = 100
    level: int | None = None
    every: timedelta | None = None
    times: int | None = None


TEMPLATES: dict[str, Template] = {
    each.kind: each
    for each in (
        Template("storm", "R-060", Rule.NEWS_URGENT, 12 * HOUR, level=3),
        Template("flood", "R-060", Rule.NEWS_URGENT, 12 * HOUR, level=3),
        Template("surge", "R-063", Rule.ORDERED, 6 * HOUR, level=2, every=HOUR),
        Template("salt", "R-063", Rule.ORDERED, 12 * HOUR, volume=80, level=2, every=3 * HOUR),
        Template("tsunami", "R-062", Rule.TSUNAMI_SEVERE, 6 * HOUR, level=3),
        Template("fire", "R-063", Rule.ORDERED, HOUR, every=timedelta(minutes=5)),
        Template("epidemic", "R-063", Rule.ORDERED, 12 * HOUR, volume=80, every=3 * HOUR),
        Template("missing", "R-063", Rule.ORDERED, 2 * HOUR, volume=80, every=timedelta(minutes=30), times=4),
        Template("all_clear", "R-064", Rule.TWICE, timedelta(minutes=30), volume=80),
        Template("other", "R-059", Rule.ORDERED, 2 * HOUR, every=timedelta(minutes=30)),
    )
}


def rule_at(rule: Rule, level: int | None) -> Rule:
    """The same rule at another level of the disaster risk, 1 to 5: above 3 command documents come hourly (R-058), a
    tsunami of level 3 every 20 minutes (R-062)."""
    if level is None:
        return rule
    if rule in (Rule.COMMAND, Rule.COMMAND_SEVERE):
        return Rule.COMMAND_SEVERE if level > 3 else Rule.COMMAND
    if rule in (Rule.TSUNAMI, Rule.TSUNAMI_SEVERE):
        return Rule.TSUNAMI_SEVERE if level >= 3 else Rule.TSUNAMI
    return rule


def repetition(
    rule: Rule, issued_at: datetime, zone: tzinfo, every: timedelta | None = None, times: int | None = None
) -> Repetition:
    """When an alert of this rule sounds that is issued at `issued_at`. `every` and `times`: as ordered
    (`Rule.ORDERED`). `zone`: of the full hours."""
    way = WAYS[rule]
    step = every if rule is Rule.ORDERED else way.every
    if step is None or not way.on_the_hour:
        return Repetition(way.opening, step, times)
    return Repetition((*way.opening, _full_hour(issued_at, step, zone) - issued_at), step, times)


def _full_hour(after: datetime, step: timedelta, zone: tzinfo) -> datetime:
    """The first of the day's full hours, `step` apart from midnight in `zone`, after this instant."""
    local = after.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + ((local - midnight) // step + 1) * step).astimezone(after.tzinfo)
