"""Small fleets and what their officers do in a week, drawn by chance: plain data, so that a failure shrinks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Any

from hypothesis import strategies as st

PLACES = 4
"""Two communes of two clusters each."""
SOUNDS = ("blink", "short", "minute", "long", "longest")
"""Names of the recordings (`support.lived.LENGTHS`)."""
Windows = tuple[tuple[int, int], ...]

WIDE: tuple[Windows, ...] = (((300, 1260),), ((0, 1440),), ((1380, 1440), (0, 30), (330, 1200)))
"""Where most of what is wished for has room: so that there is something to take off the air later."""
HOURS: tuple[Windows, ...] = (*WIDE, ((300, 480), (990, 1200)), ((360, 364), (1019, 1200)), ((420, 422),))
WEEKENDS: tuple[Windows | None, ...] = (None, None, None, None, (), ((480, 1100),), ((0, 1440),))
CEILINGS: tuple[tuple[tuple[int, int, int], ...], ...] = ((), ((300, 361, 50), (361, 1260, 80)), ((0, 1440, 65),))
LIMITS: tuple[dict[str, int], ...] = ({}, {}, {}, {}, {}, {"session": 6}, {"day": 9}, {"session": 14, "week": 40})
SITES = ("ordinary", "ordinary", "school", "hospital")
LANGUAGES = (("vi",), ("vi",), ("km",), ("km", "vi"), ("vi", "km"))
CLOCKS = (
    *(time(6), time(6), time(6, 0, 10), time(6, 0, 10), time(6, 1), time(6, 3, 20), time(6, 12)),
    *(time(17), time(17), time(17, 0, 5), time(17, 2), time(17, 16), time(19, 59), time(23, 58, 30)),
)
"""Few, and near each other: so that they meet."""


@dataclass(frozen=True)
class Rule:
    """A station's regulation."""

    hours: Windows = ((300, 1260),)
    weekend: Windows | None = None
    ceilings: tuple[tuple[int, int, int], ...] = ()
    special: tuple[tuple[int, int, int], ...] = ()
    limits: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class When:
    """`days` counts from the first day of the week."""

    repeat: str
    day: int
    clock: time
    weekdays: tuple[int, ...] = ()
    every: int = 1
    minutes: int | None = None
    """Again every so many minutes, for two hours."""
    count: int | None = None
    until: int | None = None
    skip_days: tuple[int, ...] = ()
    extra: tuple[tuple[int, time], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """One bulletin. `word`: what the approver says."""

    clusters: tuple[int, ...]
    sound: str
    khmer: str | None
    parts: tuple[str, ...]
    """Before and after the bulletin itself."""
    when: When
    priority: int
    on_preempt: str
    late: str
    routing: str
    stack_minutes: int | None
    volume: int | None
    word: str
    valid_days: int | None


@dataclass(frozen=True)
class Warned:
    """A warning that goes on until it is ended (R-064): from `clock` on `day` for so many hours."""

    clusters: tuple[int, ...]
    sound: str
    day: int
    clock: time
    hours: int
    every_minutes: int


@dataclass(frozen=True)
class Act:
    """Something that somebody does on `day` at `clock`; `kind` names a method of `support.lived.Office`."""

    day: int
    clock: time
    kind: str
    which: int
    other: int
    new: Wanted
    rule: Rule


@dataclass(frozen=True)
class Week:
    """`begins`: 0 is a Monday. What the fleet is like, what is handed in before it begins, what is done in it."""

    begins: int
    clusters: int
    languages: tuple[tuple[str, ...], ...]
    sites: tuple[str, ...]
    rules: tuple[Rule, ...]
    wanted: tuple[Wanted, ...]
    warned: tuple[Warned, ...]
    acts: tuple[Act, ...]


ACTS = (
    *("withdraw", "leave_out", "edit", "edit_part", "regulate", "regulate", "regulate_back"),
    *("decide", "decide", "add", "approve", "reject", "end_warning"),
)

clocks = st.sampled_from(CLOCKS)
days = st.integers(0, 6)


@st.composite
def rules(draw: st.DrawFn, hours: tuple[Windows, ...] = HOURS, weekends: tuple[Windows | None, ...] = WEEKENDS) -> Rule:
    return Rule(
        draw(st.sampled_from(hours)),
        draw(st.sampled_from(weekends)),
        draw(st.sampled_from(CEILINGS)),
        draw(st.sampled_from(((), ((0, 1440, 40),)))),
        tuple(sorted(draw(st.sampled_from(LIMITS)).items())),
    )


@st.composite
def whens(draw: st.DrawFn) -> When:
    repeat = draw(st.sampled_from(("once", "daily", "daily", "daily", "weekdays", "weekly")))
    told: dict[str, Any] = {}
    first = draw(st.sampled_from((0, 0, 0, 1, 1, 2, 3, 4, 5, 6)))
    if repeat != "once":
        told["until"] = draw(st.none() | st.integers(first, 8))
        told["count"] = draw(st.none() | st.none() | st.integers(1, 9))
        told["skip_days"] = tuple(draw(st.lists(days, max_size=2, unique=True)))
        told["minutes"] = draw(st.sampled_from((None, None, None, 20, 45)))
    if repeat == "daily":
        told["every"] = draw(st.integers(1, 2))
    if repeat == "weekly":
        told["weekdays"] = tuple(sorted(draw(st.lists(days, max_size=3, unique=True))))
    told["extra"] = tuple(draw(st.lists(st.tuples(days, clocks), max_size=1)))
    return When(repeat, first, draw(clocks), **told)


def _some(places: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, places - 1), min_size=1, max_size=places, unique=True).map(
        lambda found: tuple(sorted(found))
    )


def _so_many(each: st.SearchStrategy[Any], sizes: tuple[int, ...]) -> st.SearchStrategy[list[Any]]:
    """Lists of few are drawn far too often otherwise."""
    return st.sampled_from(sizes).flatmap(lambda size: st.lists(each, min_size=size, max_size=size))


@st.composite
def wanteds(draw: st.DrawFn, places: int) -> Wanted:
    priority = draw(st.sampled_from((2, 3, 3)))
    routing = draw(st.sampled_from(("", "", "partial", "all_or_none", "stacked"))) if priority == 2 else ""
    return Wanted(
        clusters=draw(_some(places)),
        sound=draw(st.sampled_from(SOUNDS)),
        khmer=draw(st.none() | st.sampled_from(SOUNDS[:3])),
        parts=draw(st.sampled_from(((), (), (), ("blink",), ("short", "blink")))),
        when=draw(whens()),
        priority=priority,
        on_preempt=draw(st.sampled_from(("resume", "restart", "drop", "next_slot"))),
        late=draw(st.sampled_from(("drop", "shift", "play"))),
        routing=routing,
        stack_minutes=draw(st.sampled_from((1, 5, 30))) if routing == "stacked" else None,
        volume=draw(st.none() | st.sampled_from((0, 35, 90))),
        word=draw(st.sampled_from(("yes", "yes", "yes", "yes", "nothing", "no"))),
        valid_days=draw(st.sampled_from((*9 * (None,), 2, 5))),
    )


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    places = draw(st.integers(1, PLACES))
    warned = st.builds(
        Warned,
        clusters=_some(places),
        sound=st.sampled_from(SOUNDS[:3]),
        day=days,
        clock=clocks,
        hours=st.integers(1, 3),
        every_minutes=st.sampled_from((20, 30, 60)),
    )
    acts = st.builds(
        Act,
        day=days,
        clock=st.sampled_from((time(0, 30), time(5, 55), time(6, 0, 5), time(12), time(16, 30), time(17, 3))),
        kind=st.sampled_from(ACTS),
        which=st.integers(0, 7),
        other=st.integers(0, 7),
        new=wanteds(places),
        rule=rules(),
    )
    return Week(
        begins=draw(st.integers(0, 6)),
        clusters=places,
        languages=tuple(draw(st.lists(st.sampled_from(LANGUAGES), min_size=places, max_size=places))),
        sites=tuple(draw(st.lists(st.sampled_from(SITES), min_size=places, max_size=places))),
        rules=(draw(rules(WIDE, (None, None, ((330, 1200),)))), draw(rules(WIDE))),
        wanted=tuple(draw(_so_many(wanteds(places), (1, 4, 5, 6, 7)))),
        warned=tuple(draw(_so_many(warned, (0, 0, 0, 1)))),
        acts=tuple(draw(_so_many(acts, (0, 1, 2, 3, 4)))),
    )
