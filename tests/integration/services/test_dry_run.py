"""The week ahead: who sounds when, who gives way, what is new, what is not compiled and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, select
from support.services import HERE, THERE, House, raises

from broadcasts.clock import VIETNAM
from broadcasts.domain.content import Translation
from broadcasts.domain.programme import Part, PartKind
from broadcasts.errors import Refused
from controller.db.tables import Broadcast, Cluster, Delivery, Station
from controller.services import approving
from controller.services.views.dry_run import DryRun, dry_run
from controller.services.views.week import GoesOn
from controller.services.views.week import week as calendar
from controller.web.ahead_words import days_of

TOMORROW = datetime(2026, 3, 4, tzinfo=VIETNAM)
EIGHT: dict[str, Any] = {"first_day": TOMORROW.date(), "at": time(8)}


def week(house: House, by: str = "author", **asked: Any) -> DryRun:
    with house.ctx.db.read() as session:
        return dry_run(session, house.actor(by), house.now, **asked)


def told(run: DryRun) -> list[str]:
    return [
        f"{line.start.astimezone(VIETNAM):%d %H:%M:%S} {line.title} {line.outcome} at {len(line.clusters)}"
        + "".join(f" by {title}" for title in line.by)
        + (" first" if line.first else "")
        + (" waiting" if line.waiting else "")
        for line in run.lines
    ]


def test_an_empty_week_is_said_as_one(house: House) -> None:
    run = week(house)
    assert (run.name, len(run.clusters), run.lines) == ("Thị trấn Cù Lao Dung, Huyện Cù Lao Dung", 5, [])


def test_the_week_of_a_commune_folds_clusters_that_sound_alike_and_marks_what_is_new(house: House) -> None:
    house.on_air(**EIGHT, repeat="daily", until_day=TOMORROW.date() + timedelta(days=1), title="Tin sáng")
    assert told(week(house)) == ["04 08:00:00 Tin sáng whole at 5 first", "05 08:00:00 Tin sáng whole at 5"]


def test_it_says_who_wins_and_what_becomes_of_the_loser(house: House) -> None:
    house.on_air(**EIGHT, title="Tin sáng")
    urgent = {"priority": 2, "areas": (), "clusters": (f"cl-{HERE}-1",), "asset": house.other.sha256}
    house.on_air(**EIGHT, **urgent, title="Tin gấp")
    assert told(week(house)) == [
        "04 08:00:00 Tin gấp whole at 1 first",
        "04 08:00:00 Tin sáng whole at 4 first",
        "04 08:00:00 Tin sáng resumed at 1 by Tin gấp first",
    ]
    assert told(week(house, cluster=f"cl-{HERE}-2")) == ["04 08:00:00 Tin sáng whole at 1 first"]


def test_what_waits_for_approval_is_there_when_asked_for_and_marked(house: House) -> None:
    house.submit(**EIGHT, title="Tin sáng")
    assert told(week(house)) == []
    assert told(week(house, waiting=True)) == ["04 08:00:00 Tin sáng whole at 5 first waiting"]


def test_what_the_regulation_closed_is_listed_with_its_reason(house: House) -> None:
    broadcast = house.submit(**EIGHT, title="Tin sáng", repeat="daily")
    house.approve(broadcast)
    with house.ctx.db.write() as session:
        session.get_one(Station, f"s-{HERE}").rules = {"day": 0.001}
    house.clock.set(house.now + timedelta(days=2))
    house.compile()
    assert told(week(house))[-1] == "12 08:00:00 Tin sáng limit_day at 5"


def test_a_stranger_sees_nothing_of_it(house: House) -> None:
    house.on_air(**EIGHT)
    assert told(week(house, "neighbour")) == []
    with raises(Refused, "cluster.unknown"):
        week(house, "neighbour", cluster=f"cl-{HERE}-1")
    with raises(Refused, "area.unknown"):
        week(house, "neighbour", area=f"c-{HERE}")
    assert week(house, "neighbour").clusters[0].station_id == f"s-{THERE}"


def test_the_parts_of_a_programme_are_lines_that_say_what_they_are_part_of(house: House) -> None:
    parts = (
        Part(PartKind.CHIME, "", house.other.sha256),
        Part(PartKind.BULLETIN, "Tin chính", house.bulletin.sha256),
    )
    broadcast = house.submit(**EIGHT, parts=parts)
    for told_waiting in (True, False):
        if not told_waiting:
            house.approve(broadcast)
        found = week(house, waiting=told_waiting).lines
        assert [line.part for line in found] == list(parts)
        assert {line.begin for line in found} == {TOMORROW.replace(hour=8)}
        assert [line.start.second for line in found] == [0, 2]
        (day,) = [day for day in days_of(week(house, waiting=told_waiting)) if day.lines]
        (whole,) = day.wholes
        assert (whole.folded, whole.times, len(whole.clusters)) == (True, 1, 5)


def test_what_is_moved_past_the_last_day_is_not_lost(house: House) -> None:
    house.on_air(**EIGHT)
    run = week(house)
    (line,) = run.lines
    moved = replace(line, sounds=(replace(line.sounds[0], start=run.until + timedelta(hours=15)),))
    days = days_of(replace(run, lines=[moved]))
    assert [len(day.lines) for day in days] == [0] * (len(days) - 1) + [1]


def test_two_languages_of_one_bulletin_read_as_one(house: House) -> None:
    with house.ctx.db.write() as session:
        for cluster in session.scalars(select(Cluster)):
            cluster.languages = ["vi", "km"]
    khmer = Translation("km", house.other.sha256, "", "")
    house.on_air(**EIGHT, more=(khmer,))
    (day,) = [day for day in days_of(week(house)) if day.lines]
    (whole,) = day.wholes
    assert [line.language for line in whole.lines] == ["vi", "km"]


def test_a_warning_goes_on_beyond_the_hours_for_which_units_hold_it(house: House) -> None:
    broadcast = house.on_air(**EIGHT, repeat="daily", title="Cảnh báo")
    planned = [line.start for line in week(house).lines]
    with house.ctx.db.write() as session:
        row = session.get_one(Broadcast, broadcast)
        row.ahead_minutes, row.expanded_until = 120, TOMORROW + timedelta(days=2)
        session.execute(delete(Delivery).where(Delivery.start > TOMORROW + timedelta(days=2)))
    found = week(house).lines
    assert [line.start for line in found] == planned
    assert [line.goes_on for line in found] == [False, False] + [True] * (len(planned) - 2)
    assert {line.outcome for line in found} == {"whole"}
    with house.ctx.db.read() as session:
        days = calendar(session, house.actor("author"), TOMORROW.date())
    shown = [line for day in days for line in day.lines]
    assert [isinstance(line, GoesOn) for line in shown] == [False, False, True, True, True, True, True]
    house.clock.advance(1)
    approving.withdraw(house.ctx, house.actor("boss"), broadcast)
    assert week(house).lines == []


def test_where_two_are_alike_in_all_else_the_same_one_goes_first_at_every_cluster(house: House) -> None:
    """The name decides then; neighbours who hear each other hear one voice."""
    for title in ("Tin một", "Tin hai", "Tin ba"):
        house.on_air(**EIGHT, title=title)
    said: dict[str, set[str]] = {}
    for line in week(house).lines:
        for cluster in line.clusters:
            said.setdefault(cluster, set()).add(f"{line.title} {line.outcome}")
    alone = {
        cluster: {f"{line.title} {line.outcome}" for line in week(house, cluster=cluster).lines} for cluster in said
    }
    assert said == alone
    assert len(said) == 5
    assert len(set(map(frozenset, alone.values()))) == 1
    assert len(alone[min(alone)]) == 3, "one of them is whole, the others give way"
