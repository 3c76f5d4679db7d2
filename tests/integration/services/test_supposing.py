"""What the dry run says of a week as if everything that waits had been approved is what is planned once it is, also
where a station's limits and a choice of routing meet."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.audio import recording
from support.services import HERE, House, Workshop, added_by, furnished

from broadcasts.audio.pipeline import Prepared
from broadcasts.clock import VIETNAM
from broadcasts.errors import LoaError
from controller.db.tables import Broadcast, Cluster, Station
from controller.services import approving
from controller.services.views.dry_run import Line, lines

WEDNESDAY = date(2026, 3, 4)
EIGHT = time(8)
STATION = f"s-{HERE}"
MADE: dict[Path, Prepared] = {}
Wish = dict[str, Any]

wishes = st.fixed_dictionaries(
    {
        "clusters": st.sets(st.integers(1, 5), min_size=1, max_size=5),
        "second": st.sampled_from((0, 0, 5, 20, 45)),
        "long": st.booleans(),
        "days": st.sampled_from((0, 0, 2)),
        "priority": st.sampled_from((2, 2, 2, 3)),
        "routing": st.sampled_from(("", "partial", "all_or_none", "stacked", "stacked")),
        "volume": st.sampled_from((None, 35)),
    }
)
"""Beside each other in the minute from eight o'clock on, for two seconds or for seventy."""
LIMITS: tuple[dict[str, float], ...] = ({}, {"session": 0.5}, {"day": 1}, {"day": 2.2}, {"week": 3})


def wish(**told: Any) -> Wish:
    usual = {"clusters": {1, 2}, "second": 0, "long": False, "days": 0, "priority": 2, "routing": "", "volume": None}
    return usual | told


LONG = wish(long=True)
"""Has the horns for more than a minute."""
BEHIND = wish(second=20, routing="stacked")


def long_one(house: House) -> Prepared:
    """Of seventy seconds, which the author has added."""
    path = Path(house.ctx.audio.path(house.bulletin.sha256)).with_name("seventy.wav")
    if path not in MADE:
        MADE[path] = house.ctx.audio.prepare(recording(path, seconds=70))
    with house.ctx.db.write() as session:
        added_by(house.ctx, session, "author", MADE[path])
    return MADE[path]


def hand_in(house: House, wanted: Wish, number: int) -> str:
    house.clock.advance(1)  # the order of hand-ins is the order of approvals
    stacked = wanted["routing"] == "stacked" and wanted["priority"] == 2
    return house.submit(
        title=f"Tin {number}",
        areas=(),
        clusters=tuple(f"cl-{HERE}-{each}" for each in sorted(wanted["clusters"])),
        first_day=WEDNESDAY,
        at=EIGHT.replace(second=wanted["second"]),
        repeat="daily" if wanted["days"] else "once",
        until_day=WEDNESDAY + timedelta(days=wanted["days"]) if wanted["days"] else None,
        asset=(long_one(house) if wanted["long"] else house.bulletin).sha256,
        priority=wanted["priority"],
        routing=wanted["routing"] if wanted["priority"] == 2 else "",
        stack_minutes=1 if stacked else None,
        on_preempt="drop",
        volume=wanted["volume"],
    )


def week(house: House, *, waiting: bool) -> list[Line]:
    """The station's whole week, without who waits for an approval."""
    with house.ctx.db.read() as session:
        clusters = session.scalars(select(Cluster).where(Cluster.station_id == STATION).order_by(Cluster.id)).all()
        found = lines(session, clusters, house.now, house.now + timedelta(days=7), waiting=waiting)
        assert not session.new
        assert not session.dirty
    return [replace(line, waiting=False) for line in found]


def limit(house: House, limits: dict[str, float]) -> None:
    """After the hand-ins, which would be refused otherwise; as a regulation that was changed since does."""
    with house.ctx.db.write() as session:
        session.get_one(Station, STATION).rules = limits


def told(found: list[Line]) -> list[str]:
    """`04 08:00:20 Tin 2 moved at 2 by Tin 1`."""
    return [
        f"{line.start.astimezone(VIETNAM):%d %H:%M:%S} {line.title} {line.outcome} at {len(line.clusters)}"
        + "".join(f" by {title}" for title in line.by)
        for line in found
    ]


def approve_as_it_is(house: House, name: str) -> None:
    """By the service, where it does not refuse; a limit that would refuse the approval is no matter here: what is
    asked is what an approval that came before the limit would have made."""
    try:
        house.approve(name)
    except LoaError:
        with house.ctx.db.write() as session:
            broadcast = session.get_one(Broadcast, name)
            broadcast.status = "approved"
            approving.expand(session, broadcast, house.now, first=house.now + timedelta(seconds=10))


@pytest.mark.requirement("R-052")
def test_as_if_all_that_waits_were_approved_is_as_it_is_once_all_is(workshop: Workshop, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=12, phases=(Phase.explicit, Phase.generate))
    @given(st.lists(wishes, min_size=1, max_size=3), st.lists(wishes, min_size=1, max_size=4), st.sampled_from(LIMITS))
    @example([], [LONG, BEHIND], {})
    @example([BEHIND], [LONG], {})
    @example([BEHIND], [LONG], {"day": 1})
    @example([BEHIND, wish(second=45, long=True)], [LONG], {"day": 2.2})
    @example([wish(second=5, routing="all_or_none", clusters={2, 3})], [LONG, BEHIND], {"week": 3})
    @example([wish(long=True, days=2)], [BEHIND | {"days": 2}, LONG], {"session": 0.5})
    @example([], [LONG, BEHIND | {"second": 5}], {})
    @example([], [LONG | {"days": 2}], {"week": 3})
    def tried(before: list[Wish], after: list[Wish], limits: dict[str, float]) -> None:
        with furnished(workshop, "sqlite", tmp_path) as house:
            for number, wanted in enumerate(before):
                approve_as_it_is(house, hand_in(house, wanted, number))
            house.compile()
            waiting = [hand_in(house, wanted, 10 + number) for number, wanted in enumerate(after)]
            limit(house, limits)
            said = week(house, waiting=True)
            for name in waiting:
                approve_as_it_is(house, name)
            house.compile()
            now = week(house, waiting=False)
            assert told(said) == told(now)
            assert said == now
            seen.update(line.outcome for line in now)

    tried()
    wanted = {"whole", "moved", "busy", "busy_too_long", "not_all", "limit_session", "limit_day", "limit_week"}
    assert wanted <= seen.keys(), "not everything happened that may"


def test_what_waits_in_line_is_said_to_begin_when_the_horn_is_free(house: House) -> None:
    for number, wanted in enumerate([LONG, wish(second=20, routing="stacked", clusters={1, 3})]):
        hand_in(house, wanted, number)
    found = [line for line in week(house, waiting=True) if line.title == "Tin 1"]
    assert [(line.outcome, len(line.clusters)) for line in found] == [("whole", 1), ("moved", 1)]


def test_what_waits_over_the_limit_is_said_to_stay_off_with_the_limit(house: House) -> None:
    for number, wanted in enumerate([LONG, LONG | {"second": 45}]):
        hand_in(house, wanted, number)
    limit(house, {"day": 2})
    assert told(week(house, waiting=True))[-1].endswith("Tin 1 limit_day at 2")


def test_what_waits_takes_the_line_from_what_is_on_the_air(house: House) -> None:
    """The approved one is said to be kept off as it will be, before anybody approves the other."""
    approve_as_it_is(house, hand_in(house, wish(second=20, routing="partial"), 0))
    house.compile()
    assert [line.outcome for line in week(house, waiting=False)] == ["whole"]
    hand_in(house, LONG, 1)
    assert "04 08:00:20 Tin 0 busy at 2" in told(week(house, waiting=True))
    assert [line.outcome for line in week(house, waiting=False)] == ["whole"]


def test_what_waits_elsewhere_takes_the_horn_from_what_goes_everywhere_or_nowhere(house: House) -> None:
    approve_as_it_is(house, hand_in(house, wish(second=20, routing="all_or_none", clusters={1, 2}), 0))
    house.compile()
    waits = hand_in(house, wish(long=True, clusters={2}), 1)
    with house.ctx.db.read() as session:
        one = [session.get_one(Cluster, f"cl-{HERE}-1")]
        said = told(lines(session, one, house.now, house.now + timedelta(days=7), waiting=True))
    approve_as_it_is(house, waits)
    house.compile()
    with house.ctx.db.read() as session:
        assert said == told(lines(session, one, house.now, house.now + timedelta(days=7)))
    assert said == ["04 08:00:20 Tin 0 not_all at 1"]
