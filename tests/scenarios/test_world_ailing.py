"""Hardware and links that ail without a word, in virtual time: what shows, to whom, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.signed import HOUR, MINUTE, SECOND
from support.small_controller import SmallController

from broadcasts.errors import ContractViolation
from broadcasts.wire import topics
from broadcasts.wire.codec import decode
from broadcasts.wire.journal import Ended, FaultEntry, Started
from broadcasts.wire.status import Presence, Telemetry
from broadcasts.wire.topics import Out
from device_sim.counterpart import Setting
from device_sim.faults import Blow, Fault, Odds
from device_sim.hardware import HELD_MA
from device_sim.health import HOT_C, HOT_VOLUME
from device_sim.promises import judge
from device_sim.prove import START
from device_sim.world import World

NOON = 12 * HOUR
"""A bulletin of five minutes; from 12:02 a priority one of three."""


class Watching(SmallController):
    """The small controller, with a note of all numbers and presences that it hears."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.numbers: list[tuple[int, Telemetry]] = []
        self.presences: list[tuple[int, Presence]] = []

    def receive(self, topic: str, payload: bytes, retained: bool, now: datetime) -> None:
        super().receive(topic, payload, retained, now)
        try:
            kind = topics.parse(topic).kind
        except ContractViolation:
            return
        if kind is Out.TELEMETRY:
            self.numbers.append((self.now, decode(Telemetry, payload)))
        elif kind is Out.PRESENCE:
            self.presences.append((self.now, decode(Presence, payload)))


class Town:
    def __init__(self, folder: Path, *blows: Blow) -> None:
        self.controller = Watching(Setting(units=2, days=2, seed=5, start=START, folder=folder))
        self.world = World(self.controller, START, 5, Odds(0, 0, 0, 0, 0))
        self.begin = self.world.start
        self.world.schedule([Blow(self.begin + b.at, b.fault, b.unit, b.lasts, b.amount) for b in blows])

    def live(self, hours: float) -> Town:
        self.world.run_until(START + timedelta(hours=hours))
        return self

    def faults(self, unit: int, code: str) -> list[tuple[float, bool]]:
        """(minutes after midnight, raised)."""
        entries = self.controller.units[unit].entries
        return [
            (round((entry.at - self.begin) / MINUTE, 1), entry.raised)
            for _, entry in sorted(entries.items())
            if isinstance(entry, FaultEntry) and entry.code == code
        ]

    def numbers(self, unit: int, from_hour: float, to_hour: float) -> list[Telemetry]:
        name = self.world.posts[unit].name
        begin, end = self.begin + from_hour * HOUR, self.begin + to_hour * HOUR
        return [told for at, told in self.controller.numbers if told.unit == name and begin <= at < end]

    def presences(self, unit: int, after: int) -> list[tuple[float, str]]:
        """(seconds after `after`, state)."""
        name = self.world.posts[unit].name
        return [
            ((at - self.begin - after) / SECOND, str(told.state))
            for at, told in self.controller.presences
            if told.unit == name and at >= self.begin + after
        ]

    def broken(self) -> tuple[str, ...]:
        accounts, approved = self.controller.accounts(), self.controller.approved_sounds()
        return judge(self.world.posts, accounts, approved, self.world.now).broken


Make = Callable[..., Town]


@pytest.fixture
def town(tmp_path: Path) -> Make:
    return lambda *blows: Town(tmp_path, *blows)


def test_an_amplifier_that_lets_go_draws_nothing_between_bulletins(town: Make) -> None:
    day = town().live(20)
    assert {told.amplifier_ma for told in day.numbers(0, 7, 11)} == {0}
    assert max(told.amplifier_ma for told in day.numbers(0, 12, 12.05)) > 1_000
    assert day.faults(0, "amplifier_stuck") == []


def test_an_amplifier_that_holds_on_is_seen_in_the_numbers_and_raised_five_seconds_after_the_end(town: Make) -> None:
    day = town(Blow(NOON - MINUTE, Fault.AMPLIFIER_STUCK, 0, 3 * HOUR)).live(20)
    (raised, is_raised), (gone, still) = day.faults(0, "amplifier_stuck")
    assert (is_raised, still) == (True, False)
    assert 12 * 60 - 1 <= raised <= 12 * 60 + 6
    assert 15 * 60 - 1 <= gone <= 15 * 60 + 15, "seen with the next numbers"
    quiet = [told for told in day.numbers(0, 12.5, 14.5) if told.playing is None]
    assert len(quiet) >= 7
    assert {told.amplifier_ma for told in quiet} == {HELD_MA}
    assert {told.amplifier_ma for told in day.numbers(0, 16, 17.9) if told.playing is None} == {0}
    assert day.faults(1, "amplifier_stuck") == []
    assert day.broken() == (), "what was heard is heard all the same"


def test_the_fault_comes_with_numbers_of_its_own(town: Make) -> None:
    """Nobody waits a quarter of an hour for the number that explains it."""
    day = town(Blow(NOON - MINUTE, Fault.AMPLIFIER_STUCK, 0, 3 * HOUR)).live(20)
    raised = day.faults(0, "amplifier_stuck")[0][0]
    begin = day.begin + raised * MINUTE
    name = day.world.posts[0].name
    after = [at for at, told in day.controller.numbers if told.unit == name and at >= begin - 10 * SECOND]
    assert after[0] <= begin + 15 * SECOND


def test_a_hot_cabinet_is_seen_in_the_numbers_raises_a_fault_and_takes_back_the_volume(town: Make) -> None:
    day = town(Blow(10 * HOUR, Fault.HOT_CABINET, 0, 3 * HOUR)).live(20)
    [(raised, _), (gone, _)] = day.faults(0, "cabinet_hot")
    assert 10 * 60 + 20 <= raised <= 11 * 60
    assert 13 * 60 <= gone <= 14 * 60
    warm = day.numbers(0, 9, 10) + day.numbers(0, 11.5, 13)
    assert max(told.temperature_c for told in warm) > HOT_C
    assert day.numbers(0, 9, 10)[0].temperature_c == 32
    rising = [told.temperature_c for told in day.numbers(0, 10, 12)]
    assert rising == sorted(rising)
    volumes = {
        entry.item: entry.volume
        for entry in day.controller.units[0].entries.values()
        if isinstance(entry, Started | Ended)
    }
    assert volumes["d-u-0-0-1"] == HOT_VOLUME, "at noon it was hot"
    assert volumes["d-u-0-0-2"] == 60, "in the evening it was not"
    alert = [sound.volume for sound in day.world.posts[0].pole.heard if sound.item.startswith("a-")]
    assert set(alert) == {90}
    assert day.broken() == ()


def test_an_alert_is_as_loud_as_ever_in_a_hot_cabinet(town: Make) -> None:
    day = town(Blow(13 * HOUR, Fault.HOT_CABINET, 0, 4 * HOUR)).live(20)
    assert day.faults(0, "cabinet_hot")
    at_three = [sound.volume for sound in day.world.posts[0].pole.heard if sound.item.startswith("a-")]
    assert at_three
    assert set(at_three) == {90}


def test_a_connection_that_the_operator_forgot_looks_up_until_a_ping_is_not_answered(town: Make) -> None:
    at = 9 * HOUR
    day = town(Blow(at, Fault.NAT_TIMEOUT, 0)).live(9 + 200 / 3600)
    unit = day.world.posts[0].unit
    assert unit is not None
    assert unit.online, "three minutes later it still believes in its link"
    assert day.presences(0, at) == [], "and so does everybody else"
    day.live(9.5)
    seconds = [when for when, _ in day.presences(0, at)]
    states = [state for _, state in day.presences(0, at)]
    assert (states[0], set(states[1:])) == ("offline", {"online"}), "taken over: the will, then births"
    assert 240 <= seconds[0] <= 300
    assert unit.online
    assert day.broken() == ()


def test_a_unit_that_cannot_come_back_is_told_of_by_its_will_after_one_and_a_half_keep_alives(town: Make) -> None:
    """The link goes for good after the operator forgot it: only the broker's own patience shows it."""
    at = 9 * HOUR
    day = town(Blow(at, Fault.NAT_TIMEOUT, 0), Blow(at + MINUTE, Fault.LINK_DOWN, 0, 2 * HOUR)).live(10)
    [(seconds, state)] = day.presences(0, at)
    assert state == "offline"
    assert 350 <= seconds <= 370


def test_what_was_said_into_a_dead_connection_is_said_again(town: Make) -> None:
    """The bulletin of noon is played and proven although its first evidence went nowhere."""
    day = town(Blow(NOON + 30 * SECOND, Fault.NAT_TIMEOUT, 0)).live(20)
    [account] = [each for each in day.controller.accounts() if each["delivery"] == "d-u-0-0-1"]
    assert account["verdict"] == "heard"
    assert day.broken() == ()


def test_an_alert_into_a_dead_connection_is_heard_with_the_next_one(town: Make) -> None:
    """At three in the afternoon; the retained document is shown to every new connection."""
    day = town(Blow(15 * HOUR - 10 * SECOND, Fault.NAT_TIMEOUT, 0)).live(20)
    begins = [
        min(sound.from_ms for sound in post.pole.heard if sound.item.startswith("a-")) - day.begin - 15 * HOUR
        for post in day.world.posts
    ]
    assert begins[1] <= 6 * MINUTE
    assert begins[0] <= 5 * MINUTE + 6 * MINUTE
