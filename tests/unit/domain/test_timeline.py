"""Who sounds when at one horn, as a person reads it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from broadcasts.clock import VIETNAM
from broadcasts.domain.model import Late, OnPreempt, Priority, Slot
from broadcasts.domain.regulation import Ceiling, Regulation, Window
from broadcasts.domain.timeline import timeline
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId

DAY = datetime(2026, 3, 3, tzinfo=VIETNAM)
ALWAYS = Regulation((Window(0, 1440),))
BY_DAY = Regulation((Window(300, 1260),), (Ceiling(Window(300, 360), 50),))


def slot(name: str, at: str, minutes: float, priority: Priority = Priority.ORDINARY, **how: object) -> Slot:
    start = datetime.combine(DAY.date(), time.fromisoformat(at), tzinfo=VIETNAM).astimezone(UTC)
    given = {"not_after": start + timedelta(minutes=minutes)} | how
    length = timedelta(minutes=minutes)
    return Slot(DeliveryId(name), BroadcastId(name), ClusterId("cl"), AssetId("a"), start, length, priority, **given)  # type: ignore[arg-type]


def told(*slots: Slot, rule: Regulation = ALWAYS) -> list[str]:
    lines = []
    for fate in timeline(slots, rule, VIETNAM):
        pieces = [
            f"{piece.start.astimezone(VIETNAM):%H:%M:%S}-{piece.end.astimezone(VIETNAM):%H:%M:%S} at {piece.volume}"
            for piece in fate.sounds
        ]
        lines.append(" ".join([fate.slot.delivery, fate.outcome, *pieces, *(f"by {name}" for name in fate.by)]))
    return lines


def test_nothing_planned_is_nothing_foretold() -> None:
    assert timeline([], ALWAYS, VIETNAM) == []


def test_what_gives_way_goes_on_where_the_clock_demands() -> None:
    urgent = slot("urgent", "07:03:00", 2, Priority.PRIORITY)
    assert told(slot("news", "07:00:00", 10), urgent) == [
        "news resumed 07:00:00-07:03:00 at 70 07:05:00-07:10:00 at 70 by urgent",
        "urgent whole 07:03:00-07:05:00 at 70",
    ]


@pytest.mark.parametrize(
    ("how", "line"),
    [
        (OnPreempt.RESTART, "news moved 07:00:00-07:03:00 at 70 07:05:00-07:15:00 at 70 by urgent"),
        (OnPreempt.NEXT_SLOT, "news moved 07:00:00-07:03:00 at 70 07:05:00-07:15:00 at 70 by urgent"),
        (OnPreempt.DROP, "news cut 07:00:00-07:03:00 at 70 by urgent"),
    ],
)
def test_what_gives_way_does_as_its_author_chose(how: OnPreempt, line: str) -> None:
    urgent = slot("urgent", "07:03:00", 2, Priority.PRIORITY)
    assert told(slot("news", "07:00:00", 10, on_preempt=how), urgent)[0] == line


def test_what_never_gets_the_horn_is_displaced_by_name() -> None:
    urgent = slot("urgent", "07:00:00", 20, Priority.PRIORITY)
    assert told(slot("news", "07:05:00", 5), urgent)[1] == "news displaced by urgent"


def test_what_would_sound_on_after_the_hours_does_not_begin_again() -> None:
    urgent = slot("urgent", "20:50:00", 5, Priority.PRIORITY)
    late = slot("news", "20:48:00", 8, on_preempt=OnPreempt.RESTART, late=Late.SHIFT)
    assert told(late, urgent, rule=BY_DAY)[0] == "news quiet 20:48:00-20:50:00 at 70 by urgent"


def test_a_ceiling_that_ends_while_it_sounds_is_told_as_two_stretches() -> None:
    assert told(slot("news", "05:55:00", 10), rule=BY_DAY) == [
        "news whole 05:55:00-06:00:00 at 50 06:00:00-06:05:00 at 70"
    ]
