"""The table of what was played tells emergencies, drills and live voices beside the broadcasts, each as what it is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from support.services import HERE, THERE, House, raises
from support.sirens import preload, sounded
from support.voices import Voice

from broadcasts.clock import VIETNAM
from broadcasts.domain.content import TypeCode
from broadcasts.domain.tally import Mark, Why
from broadcasts.errors import Refused
from broadcasts.wire.alert import AlertKind
from broadcasts.wire.journal import Amplifier, Outcome
from controller.db.tables import JournalEntry, LiveSession
from controller.services import drilling, emergencies, live_sessions
from controller.services.drilling import Exercise
from controller.services.live_sessions import Wish
from controller.services.seeding import PROVINCE
from controller.services.targets import Target
from controller.services.views import playings as table
from controller.services.views.playing import Kind, Playing

COMMUNE = f"c-{HERE}"


def rows(house: House, by: str = "author", area: str = "") -> list[Playing]:
    with house.ctx.db.read() as session:
        return table.playings(session, house.actor(by), today(house), today(house), house.now, area)


def recordings(house: House) -> tuple[tuple[str, str], ...]:
    return (("vi", house.bulletin.sha256),)


def today(house: House) -> date:
    return house.now.astimezone(VIETNAM).date()


@pytest.mark.requirement("R-099")
def test_an_emergency_is_a_line_at_each_pole_with_what_the_pole_said_of_it(house: House) -> None:
    alert = sounded(house, Target(areas=(COMMUNE,)))
    begun = house.now
    house.clock.advance(2)
    voice = Voice(f"u-{HERE}-1", house.bulletin.sha256, 2_000)
    house.hear(voice.batch(voice.started(alert, house.now, clock_error_ms=20)), unit=voice.unit, signed=True)
    house.clock.advance(8)
    told = {"amplifier": Amplifier.SOUND, "clock_error_ms": 20}
    house.hear(voice.batch(voice.ended(alert, house.now, Outcome.PLAYED, **told)), unit=voice.unit, signed=True)
    found = rows(house)
    assert len(found) == 5
    assert {(line.kind, line.bulletin, line.delivery, line.priority, line.type) for line in found} == {
        (Kind.ALERT, alert, "", 1, TypeCode.SOUND)
    }
    assert {(line.title, line.alert_kind, line.author, line.language) for line in found} == {
        ("Nước lên", AlertKind.FLOOD, "trực", "vi")
    }
    [heard] = [line for line in found if line.verdict == Mark.HEARD]
    assert (heard.planned, heard.started, heard.length) == (begun, begun + timedelta(seconds=2), timedelta(seconds=8))
    assert {(line.verdict, line.reason, line.started, line.length) for line in found if line is not heard} == {
        (Mark.NOT_REACHED, Why.NEVER_SEEN, None, None)
    }
    assert all((line.cluster, line.commune, line.watts > 0) for line in found)


@pytest.mark.requirement("R-099")
def test_a_drill_is_told_as_a_drill_and_a_silent_one_as_silent(house: House) -> None:
    preload(house, PROVINCE[0])
    drill = drilling.ask(
        house.ctx, house.on_duty, Exercise(AlertKind.STORM, Target(areas=(COMMUNE,)), reason="Diễn tập quý")
    )
    house.clock.advance(60)
    found = rows(house)
    assert {(line.kind, line.bulletin, line.alert_kind) for line in found} == {(Kind.SILENT_DRILL, drill, "storm")}
    assert {(line.priority, line.volume, line.length, line.field) for line in found} == {(None, None, None, None)}
    assert len(found) == 5


@pytest.mark.requirement("R-099")
def test_a_live_voice_has_its_line_and_says_who_heard_it(house: House) -> None:
    wish = Wish("Họp ở nhà văn hóa", 10, areas=(COMMUNE,))
    name = live_sessions.ask(house.ctx, house.actor("author"), wish)
    live_sessions.decide(house.ctx, house.actor("boss"), name, yes=True)
    assert rows(house) == []
    begun = house.now
    with house.ctx.db.write() as session:
        row = session.get_one(LiveSession, name)
        row.state, row.begun_at, row.ended_at = "ended", begun, begun + timedelta(minutes=5)
        for seq, (kind, entry) in enumerate(
            [("started", {}), ("ended", {"played_ms": 299_000, "amplifier": "sound"})], start=900
        ):
            entered = {
                "boot_id": 1,
                "journal_id": "j-1",
                "seq": seq,
                "unit_id": f"u-{HERE}-1",
                "kind": kind,
                "item": name,
            }
            session.add(JournalEntry(**entered, at=begun, entry=entry, received_at=begun, signed=True))
    house.clock.advance(600)
    found = rows(house)
    assert {(line.kind, line.bulletin, line.type, line.priority) for line in found} == {(Kind.LIVE, name, 5, 3)}
    assert {line.author for line in found} == {"author"}
    assert {line.approver for line in found} == {"boss"}
    assert sorted(str(line.verdict) for line in found) == ["away", "away", "away", "away", "heard"]
    assert {line.length_ms for line in found} == {299_000, None}


@pytest.mark.requirement("R-099")
def test_what_sounded_elsewhere_or_never_went_out_is_no_line(house: House) -> None:
    sounded(house, Target(areas=(f"c-{THERE}",)))
    house.clock.advance(1)
    assert rows(house) == []
    assert len(rows(house, "stranger")) == 5
    with raises(Refused, "area.unknown"):
        rows(house, area=f"c-{THERE}")


def test_one_is_told_among_the_broadcasts_in_order_of_time(house: House) -> None:
    first = house.on_air()
    house.clock.set(house.delivery(first).start + timedelta(minutes=5))
    alert = sounded(house, Target(areas=(COMMUNE,)))
    house.clock.advance(1)
    assert [line.bulletin for line in rows(house)] == [first] * 5 + [alert] * 5


@pytest.mark.parametrize("limit", [1, 4, 5, 6, 10, 11, 100])
def test_page_by_page_every_line_stands_on_one_page_and_none_on_two(house: House, limit: int) -> None:
    first = house.on_air()
    house.clock.set(house.delivery(first).start + timedelta(minutes=5))
    for _ in range(2):
        sounded(house, Target(areas=(COMMUNE,)))
        house.clock.advance(1)
    drilling.ask(
        house.ctx, house.on_duty, Exercise(AlertKind.FLOOD, Target(areas=(COMMUNE,)), "x", content=recordings(house))
    )
    house.clock.advance(1)
    every = rows(house)
    assert len(every) == 20
    read: list[Playing] = []
    sizes, since = [], None
    with house.ctx.db.read() as session:
        told = (session, house.actor("author"), today(house), today(house), house.now)
        while True:
            found = table.page(*told, "", since, limit)
            read += found.lines
            sizes.append(len(found.lines))
            since = found.next
            if since is None:
                break
            assert found.lines[-1].planned < since
        assert table.count(*told) == 20
    assert read == every
    assert sizes == [5 * max(1, limit // 5)] * (20 // (5 * max(1, limit // 5))) if limit < 20 else sizes == [20]


def test_an_emergency_that_is_silenced_stays_in_the_table(house: House) -> None:
    alert = sounded(house, Target(areas=(COMMUNE,)))
    house.clock.advance(5)
    emergencies.silence(house.ctx, house.on_duty, alert)
    house.clock.advance(5)
    assert {line.state for line in rows(house)} == {"silenced"}
