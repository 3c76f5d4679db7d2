"""The tally of an emergency as units tell of it: reached, sounding, heard, late, not reached and why, silent again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.services import HERE, House, raises
from support.sirens import documents, sounded
from support.voices import Voice

from broadcasts.domain.tally import Mark, Why
from broadcasts.errors import Refused
from broadcasts.wire.base import Message
from broadcasts.wire.journal import Amplifier, NotPlayed, Outcome
from broadcasts.wire.status import Presence, PresenceState, Refusal, RefusalReason
from controller.services import emergencies
from controller.services.alert_tally import Line, Tally
from controller.services.emergency_rules import EmergencyRules
from controller.services.targets import Target

COMMUNE = f"c-{HERE}"
LATE = timedelta(seconds=10)


class Poles:
    """The five units HERE, each with a voice."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.voices = {n: Voice(f"u-{HERE}-{n}", house.bulletin.sha256, 2_000) for n in range(1, 6)}

    def says(self, number: int, message: Message) -> list[float]:
        return self.house.hear(message, unit=f"u-{HERE}-{number}", signed=True).sirens

    def follows(self, number: int) -> None:
        """The unit reports the lists as they are."""
        versions = {scope: told.version for scope, told in documents(self.house).items()}
        told = {"alerts": versions, "assets": [self.house.bulletin.sha256]}
        self.says(number, self.voices[number].reported(self.house.now, **told))

    def starts(self, number: int, alert: str) -> list[float]:
        voice = self.voices[number]
        return self.says(number, voice.batch(voice.started(alert, self.house.now, clock_error_ms=20)))

    def ends(self, number: int, alert: str, amplifier: Amplifier, outcome: Outcome = Outcome.PLAYED) -> None:
        voice, now = self.voices[number], self.house.now
        told = {"amplifier": amplifier, "clock_error_ms": 20}
        self.says(number, voice.batch(voice.ended(alert, now, outcome, **told)))

    def tally(self, alert: str) -> Tally:
        with self.house.ctx.db.read() as session:
            return emergencies.tally(session, alert, self.house.now, LATE)

    def line(self, number: int, alert: str) -> Line:
        return next(line for line in self.tally(alert).lines if line.unit == f"u-{HERE}-{number}")


def presence(number: int, state: PresenceState, conn: int = 1) -> Presence:
    return Presence(unit=f"u-{HERE}-{number}", boot_id=1, conn=conn, state=state)


@pytest.fixture
def poles(house: House) -> Poles:
    return Poles(house)


@pytest.mark.requirement("R-069")
def test_each_pole_goes_from_sent_to_heard_with_the_seconds_since_the_press(poles: Poles) -> None:
    alert = sounded(poles.house, Target(areas=(COMMUNE,)))
    assert {(line.found.mark, line.found.why) for line in poles.tally(alert).lines} == {
        (Mark.NOT_REACHED, Why.NEVER_SEEN)
    }
    poles.house.clock.advance(1)
    poles.follows(1)
    assert (poles.line(1, alert).found.mark, poles.line(1, alert).found.why) == (Mark.REACHED, None)
    poles.house.clock.advance(1)
    assert poles.starts(1, alert) == [2.0]
    found = poles.line(1, alert).found
    assert (found.mark, found.seconds, found.late) == (Mark.SOUNDED, 2.0, False)
    poles.house.clock.advance(10)
    poles.ends(1, alert, Amplifier.SOUND)
    assert poles.starts(1, alert) == []  # the second sounding is no news
    assert poles.starts(2, alert) == [12.0]
    poles.ends(2, alert, Amplifier.SILENT)
    told = poles.tally(alert)
    assert poles.line(1, alert).found.mark is Mark.HEARD
    two = poles.line(2, alert).found
    assert (two.mark, two.seconds, two.late) == (Mark.MUTE, 12.0, True)
    sums = told.sums
    assert (sums.clusters, sums.sounded, sums.heard, sums.mute, sums.late, sums.not_reached) == (5, 1, 1, 1, 1, 3)
    assert (sums.median_s, sums.last_s, told.since_press, told.sounds) == (2.0, 12.0, 12.0, True)


@pytest.mark.requirement("R-069")
def test_what_nobody_could_sound_yet_makes_no_pole_late(poles: Poles) -> None:
    """Eight seconds to cancel, then two more to the first sound."""
    slow = replace(poles.house.ctx, emergencies=EmergencyRules(cancel=timedelta(seconds=8)))
    alert = sounded(replace(poles.house, ctx=slow), Target(areas=(COMMUNE,)))
    poles.house.clock.advance(8)
    emergencies.step(slow, poles.house.now)
    poles.follows(1)
    poles.house.clock.advance(2.5)
    assert poles.starts(1, alert) == [10.5], "the figure of the dashboard is the officer's: from the press"
    found = poles.line(1, alert).found
    assert (found.seconds, found.late) == (2.5, False)
    poles.house.clock.advance(8)
    poles.starts(2, alert)
    assert (poles.line(2, alert).found.seconds, poles.line(2, alert).found.late) == (10.5, True)
    assert poles.tally(alert).since_press == 18.5


@pytest.mark.requirement("R-069")
def test_who_was_not_reached_is_told_with_the_reason(poles: Poles) -> None:
    house = poles.house
    poles.says(2, presence(2, PresenceState.ONLINE))
    poles.says(3, presence(3, PresenceState.ONLINE))
    poles.says(3, presence(3, PresenceState.OFFLINE, conn=1))
    away = house.now
    house.clock.advance(60)
    alert = sounded(house, Target(areas=(COMMUNE,)))
    house.clock.advance(5)
    said = Refusal(document="alert", version=1, reason=RefusalReason.KEY_NOT_TRUSTED, at=house.ms())
    poles.says(4, poles.voices[4].reported(house.now, refused=said))
    voice = poles.voices[5]
    poles.follows(5)
    poles.says(5, voice.batch(voice.skipped(alert, house.now, NotPlayed.NO_ASSET)))
    found = {n: poles.line(n, alert).found for n in range(1, 6)}
    assert {n: (one.mark, one.why) for n, one in found.items()} == {
        1: (Mark.NOT_REACHED, Why.NEVER_SEEN),
        2: (Mark.NOT_REACHED, Why.NO_ANSWER),
        3: (Mark.NOT_REACHED, Why.OFFLINE),
        4: (Mark.NOT_REACHED, Why.REFUSED),
        5: (Mark.REACHED, Why.NO_ASSET),
    }
    assert (found[3].since, found[4].detail) == (away, "key_not_trusted")
    assert poles.tally(alert).whys["offline"] == 1


def test_a_unit_that_reports_an_older_list_was_not_reached(poles: Poles) -> None:
    sounded(poles.house, Target(areas=(COMMUNE,)))
    poles.follows(1)
    poles.house.clock.advance(1)
    second = sounded(poles.house, Target(areas=(COMMUNE,)), reason="Nước lên nữa")
    assert poles.line(1, second).found.mark is Mark.NOT_REACHED
    poles.follows(1)
    assert poles.line(1, second).found.mark is Mark.REACHED


def test_the_time_to_silence_is_told_for_each_pole(poles: Poles) -> None:
    house = poles.house
    alert = sounded(house, Target(areas=(COMMUNE,)))
    for number in (1, 2, 3):
        poles.follows(number)
    poles.starts(1, alert)
    poles.starts(2, alert)
    house.clock.advance(30)
    emergencies.silence(house.ctx, house.on_duty, alert)
    house.clock.advance(2)
    poles.ends(1, alert, Amplifier.SOUND, Outcome.WITHDRAWN)
    poles.follows(3)
    found = {n: poles.line(n, alert).found for n in range(1, 5)}
    assert {n: (one.silent, one.silence_s) for n, one in found.items()} == {
        1: (True, 2.0),
        2: (False, None),
        3: (True, 0.0),
        4: (False, None),
    }
    assert found[4].mark is Mark.CANCELLED
    assert poles.tally(alert).sums.silence_last_s == 2.0
    assert not poles.tally(alert).sounds


def test_a_late_journal_settles_it_and_what_another_unit_tells_is_no_evidence(poles: Poles) -> None:
    alert = sounded(poles.house, Target(clusters=(f"cl-{HERE}-1",)))
    poles.house.clock.advance(4)
    voice = poles.voices[2]
    told = voice.batch(voice.started(alert, poles.house.now))
    assert poles.says(2, told) == []
    assert [line.unit for line in poles.tally(alert).lines] == [f"u-{HERE}-1"]
    began = poles.house.now
    poles.house.clock.advance(3600)
    late = poles.voices[1]
    assert poles.says(1, late.batch(late.started(alert, began, clock_error_ms=20))) == [4.0]
    with raises(Refused, "not_yours"):
        poles.tally("a-nowhere")
