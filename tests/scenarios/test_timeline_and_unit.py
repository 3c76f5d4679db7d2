"""What the dry run says will sound, and what a villager below the unit hears: the same, for whole days of chance.

The rule is the planner's (`broadcasts.domain.timeline`), the unit is the simulator's own player, written from the
contract. Neither knows the other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rig import Rig
from support.signed import HOUR, MINUTE, SECOND, T0, Ceiling, Window, asset_of, item, opus, policy

from broadcasts.clock import VIETNAM, from_unix_ms, unix_ms
from broadcasts.domain import regulation as rules
from broadcasts.domain.model import Late, OnPreempt, Priority, Slot
from broadcasts.domain.timeline import Fate, Outcome, timeline
from broadcasts.ids import AssetId, BroadcastId, ClusterId, DeliveryId
from broadcasts.wire import plan as wire
from broadcasts.wire.journal import Ended, NotPlayed, Skipped
from device_sim import rules as unit_rules

LENGTHS = (700, 45 * SECOND, 4 * MINUTE, 11 * MINUTE + 300, 50 * MINUTE)
RECORDINGS = [opus(length, f"{length}") for length in LENGTHS]
ASSETS = [asset_of(data, length) for data, length in zip(RECORDINGS, LENGTHS, strict=True)]
HOURS = (((0, 1440),), ((420, 465), (480, 600)), ((440, 520), (520, 540)), ((0, 430), (432, 1440)), ())
CEILINGS = ((), ((0, 450, 40), (445, 1440, 55)), ((421, 422, 0), (430, 500, 30)))


@st.composite
def days(draw: st.DrawFn) -> dict[str, Any]:
    """Up to nine wishes within two hours, many of them at the same minute or a second apart."""
    wishes = []
    for number in range(draw(st.integers(1, 9))):
        start = T0 + draw(st.sampled_from((1, 5, 9, 20, 21, 60))) * MINUTE
        start += draw(st.sampled_from((0, 0, 0, 400, SECOND, 1_500, 46 * SECOND)))
        preempt = draw(st.sampled_from(wire.OnPreempt))
        not_after = start + draw(st.sampled_from((0, 30 * SECOND, 10 * MINUTE, HOUR)))
        wishes.append(
            {
                "name": f"d{number}",
                "which": draw(st.integers(0, len(ASSETS) - 1)),
                "start": start,
                "level": draw(st.sampled_from((2, 3, 3))),
                "rank": draw(st.sampled_from((0, 0, 1, 7))),
                "volume": draw(st.sampled_from((30, 60, 90))),
                "on_preempt": preempt,
                "late": draw(st.sampled_from(wire.Late)),
                "not_after": not_after,
                "deadline": not_after if preempt is wire.OnPreempt.NEXT_SLOT else None,
            }
        )
    hours, ceilings = draw(st.sampled_from(HOURS)), draw(st.sampled_from(CEILINGS))
    return {"wishes": wishes, "hours": hours, "ceilings": ceilings, "linked": draw(st.booleans())}


def the_unit(day: dict[str, Any]) -> Rig:
    """A unit that has lived through it."""
    rig = Rig()
    rig.hold(*zip(ASSETS, RECORDINGS, strict=True))
    items = [
        item(wish["name"], ASSETS[wish["which"]], **{k: v for k, v in wish.items() if k not in ("name", "which")})
        for wish in day["wishes"]
    ]
    windows = [Window(start=start, end=end) for start, end in day["hours"]]
    ceilings = [Ceiling(start=start, end=end, volume=volume) for start, end, volume in day["ceilings"]]
    rig.plan(items, ASSETS, policy=policy(hours=windows, ceilings=ceilings))
    if not day["linked"]:
        rig.run(T0 + 30 * SECOND)
        rig.link_down()
    rig.run(T0 + 5 * HOUR)
    return rig


def foretold(day: dict[str, Any]) -> list[Fate]:
    slots = [
        Slot(
            DeliveryId(wish["name"]),
            BroadcastId(wish["name"]),
            ClusterId("cl"),
            AssetId(str(wish["which"])),
            from_unix_ms(wish["start"]),
            timedelta(milliseconds=LENGTHS[wish["which"]]),
            Priority(wish["level"]),
            wish["rank"],
            OnPreempt(wish["on_preempt"]),
            Late(wish["late"]),
            from_unix_ms(wish["not_after"]),
            wish["volume"],
        )
        for wish in day["wishes"]
    ]
    rule = rules.Regulation(
        tuple(rules.Window(*each) for each in day["hours"]),
        tuple(rules.Ceiling(rules.Window(start, end), volume) for start, end, volume in day["ceilings"]),
    )
    return timeline(slots, rule, VIETNAM)


def stretches(fates: list[Fate]) -> list[tuple[str, int, int, int, int]]:
    return sorted(
        (
            str(fate.slot.delivery),
            unix_ms(piece.start) - T0,
            unix_ms(piece.end) - T0,
            round(piece.offset / timedelta(milliseconds=1)),
            piece.volume,
        )
        for fate in fates
        for piece in fate.sounds
    )


def told(rig: Rig, name: str) -> str:
    """What the unit's own journal says became of it."""
    last = [entry for entry in rig.journal(name) if isinstance(entry, Ended | Skipped)][-1]
    return str(last.outcome) if isinstance(last, Ended) else str(last.why)


JOURNAL = {
    Outcome.WHOLE: {"played"},
    Outcome.MOVED: {"played"},
    Outcome.RESUMED: {"played"},
    Outcome.CUT: {"preempted"},
    Outcome.DISPLACED: {str(NotPlayed.DISPLACED)},
    Outcome.QUIET: {str(NotPlayed.QUIET_HOURS), "preempted"},
    Outcome.LATE: {str(NotPlayed.LATE)},
}


@pytest.mark.requirement("R-018", "R-032")
@settings(max_examples=400, deadline=None)
@given(days())
def test_the_dry_run_foretells_every_stretch_of_sound_at_its_millisecond_and_volume(day: dict[str, Any]) -> None:
    rig, fates = the_unit(day), foretold(day)
    heard = sorted((s.item, s.from_ms - T0, s.to_ms - T0, s.offset_ms, s.volume) for s in rig.heard)
    assert stretches(fates) == heard
    for fate in fates:
        assert told(rig, str(fate.slot.delivery)) in JOURNAL[fate.outcome], fate


week = st.lists(st.sampled_from(((0, 300), (300, 700), (700, 1260), (1200, 1440), (0, 1440))), max_size=3)


@pytest.mark.requirement("R-051")
@settings(max_examples=600, deadline=None)
@given(week, st.none() | week, st.integers(0, 8 * 1440), st.sampled_from((1, 60, 400, 700)))
def test_planner_and_unit_agree_on_which_hours_of_which_day_are_allowed(
    hours: list[tuple[int, int]], weekend: list[tuple[int, int]] | None, minute: int, length: int
) -> None:
    rule = rules.Regulation(
        tuple(rules.Window(*each) for each in hours),
        weekend=None if weekend is None else tuple(rules.Window(*each) for each in weekend),
    )
    on_the_wire = policy(
        hours=[Window(start=a, end=b) for a, b in hours],
        weekend_hours=None if weekend is None else [Window(start=a, end=b) for a, b in weekend],
    )
    begin = T0 + minute * MINUTE
    ours = rule.allows(from_unix_ms(begin), timedelta(minutes=length), VIETNAM)
    assert ours is unit_rules.inside_hours(on_the_wire, begin, begin + length * MINUTE)
