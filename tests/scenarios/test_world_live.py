"""Live voice in the virtual world: clocks that drift, links that differ, power, brokers, and a hostile one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.live_speaker import Say, Speaker
from support.signed import HOUR, MINUTE, SECOND
from support.small_controller import SmallController

from broadcasts.wire.journal import Ended, LiveHeard
from device_sim.counterpart import Setting
from device_sim.faults import Blow, Fault, Odds
from device_sim.promises import judge
from device_sim.prove import START
from device_sim.world import World

BEGIN = 9 * HOUR
LASTS = 60 * SECOND
LEAD = SECOND
"""From the first document to the first word: who may be off asks for the time meanwhile."""
FIRST, LAST = LEAD + 1_500, LEAD + 1_500 + LASTS
IN_STEP_MS = 30
"""How far apart two poles may sound: 10 m of air. Clocks drift by 50 ppm, ways take 30 to 400 ms."""


class Speaking(SmallController):
    """The small controller with no bulletins, and somebody at the microphone at nine."""

    speaker: Speaker

    def __init__(self, setting: Setting, **fields: Any) -> None:
        super().__init__(setting)
        self.speaker = Speaker(self.signer, self.now + BEGIN, **fields)
        self.coming: deque[Say] = deque(self.speaker.speech(LASTS, speaks_after_ms=LEAD))

    def _write_week(self) -> None:
        pass

    def step(self, now: datetime) -> datetime:
        at = super().step(now)
        while self.coming and self.coming[0][0] <= self.now:
            _, topic, payload = self.coming.popleft()
            self._publish(topic, payload, 0, False)
        return min(at, now + timedelta(milliseconds=self.coming[0][0] - self.now)) if self.coming else at

    def approved_sounds(self) -> set[tuple[str, str]]:
        return super().approved_sounds() | {(unit.name, self.speaker.sound) for unit in self.units}


class Town:
    def __init__(self, folder: Path, *blows: Blow, units: int = 6, **fields: Any) -> None:
        setting = Setting(units=units, days=1, seed=11, start=START, folder=folder)
        self.controller = Speaking(setting, **fields)
        self.world = World(self.controller, START, 11, Odds(0, 0, 0, 0, 0))
        self.begin = self.world.start + BEGIN
        self.world.schedule([Blow(self.begin + b.at, b.fault, b.unit, b.lasts, b.amount) for b in blows])
        self.world.run_until(self.begin + 3 * MINUTE)

    def heard(self, unit: int) -> list[tuple[int, int]]:
        """Of the voice, in ms after its first document left."""
        mine = [each for each in self.world.posts[unit].pole.heard if each.asset == self.controller.speaker.sound]
        return [(each.from_ms - self.begin, each.to_ms - self.begin) for each in mine]

    def told(self, unit: int) -> list[LiveHeard]:
        entries = self.controller.units[unit].entries.values()
        return [each.live_heard for each in entries if isinstance(each, Ended) and each.live_heard is not None]


Make = Callable[..., Town]


@pytest.fixture
def town(tmp_path: Path) -> Make:
    return lambda *blows, **fields: Town(tmp_path, *blows, **fields)


def test_neighbours_are_in_step_whatever_their_ways_and_clocks(town: Make) -> None:
    calm = town(units=30)
    spans = [calm.heard(unit) for unit in range(30)]
    assert all(len(span) == 1 for span in spans)
    begins, ends = [span[0][0] for span in spans], [span[0][1] for span in spans]
    assert max(begins) - min(begins) <= IN_STEP_MS
    assert max(ends) - min(ends) <= IN_STEP_MS
    assert all(abs(begin - FIRST) <= IN_STEP_MS for begin in begins)
    assert {unit: calm.told(unit)[0].packets for unit in range(30)} == dict.fromkeys(range(30), LASTS // 100)
    delays = [post.delay_ms for post in calm.world.posts]
    assert max(delays) - min(delays) > 200, "the ways do differ"
    controller, world = calm.controller, calm.world
    allowed = controller.approved_sounds()
    assert judge(world.posts, controller.accounts(), allowed, world.now).broken == ()
    silent = {each for each in allowed if each[1] != controller.speaker.sound}
    assert judge(world.posts, controller.accounts(), silent, world.now).broken, "who was not allowed is noticed"


def test_what_it_costs_a_sim_card_stands_in_the_bill(town: Make) -> None:
    calm = town()
    for post in calm.world.posts:
        cost = post.bill.bytes["s/live"]
        assert 350_000 < cost < 600_000, "a minute"
        assert post.bill.audio >= cost
        assert post.bill.messages < 100_000


@pytest.mark.parametrize("fault", [Fault.DUPLICATE, Fault.REPLAY, Fault.FORGE])
def test_a_hostile_or_clumsy_broker_makes_nothing_sound_twice(town: Make, fault: Fault) -> None:
    blows = [Blow(at, fault, unit, MINUTE) for unit in range(6) for at in (10 * SECOND, 30 * SECOND, 90 * SECOND)]
    hostile = town(*blows)
    for unit in range(6):
        [(begin, end)] = hostile.heard(unit)
        assert abs(begin - FIRST) <= IN_STEP_MS
        assert abs(end - LAST) <= IN_STEP_MS
        [told] = hostile.told(unit)
        assert (told.packets, told.lost_ms) == (600, 0)
        assert (told.refused > 0) == (fault is Fault.FORGE)
        assert {sound.asset for sound in hostile.world.posts[unit].pole.heard} == {hostile.controller.speaker.sound}


def test_reordered_packets_are_put_in_order_or_dropped_when_they_are_too_late(town: Make) -> None:
    """The world's reordering holds back by up to 5 s: most of it is late, and none sounds at the wrong instant."""
    mixed = town(*[Blow(20 * SECOND, Fault.REORDER, unit, 10 * SECOND) for unit in range(6)])
    for unit in range(6):
        [told] = mixed.told(unit)
        assert told.late > 20
        assert told.packets + told.late == 600
        assert abs(told.voice_ms + told.concealed_ms + told.lost_ms - LASTS) <= IN_STEP_MS
        assert mixed.heard(unit)[-1][1] <= LAST + IN_STEP_MS


def test_power_that_goes_and_returns_joins_the_rest_in_step(town: Make) -> None:
    dark = town(Blow(20 * SECOND, Fault.POWER_CUT, 2, 5 * SECOND))
    (first, until), (again, end) = dark.heard(2)
    assert abs(first - FIRST) <= IN_STEP_MS
    assert until == 20_000
    assert 25_000 < again < 31_000
    assert abs(end - LAST) <= IN_STEP_MS
    assert abs(dark.heard(3)[0][1] - end) <= IN_STEP_MS


def test_a_broker_that_restarts_costs_what_it_was_away(town: Make) -> None:
    away = town(Blow(20 * SECOND, Fault.BROKER_RESTART, None, 3 * SECOND))
    for unit in range(6):
        spans = away.heard(unit)
        assert spans[0][0] == pytest.approx(FIRST, abs=IN_STEP_MS)
        assert spans[-1][1] == pytest.approx(LAST, abs=IN_STEP_MS)
        assert sum(end - begin for begin, end in spans) > 20_000


def test_one_that_is_offline_all_the_while_never_hears_of_it(town: Make) -> None:
    away = town(Blow(-SECOND, Fault.LINK_DOWN, 1, 2 * MINUTE))
    assert away.heard(1) == []
    assert away.told(1) == []
    assert len(away.heard(0)) == 1


def test_an_emergency_without_trusted_time_sounds_within_the_buffer_of_its_arrival(town: Make) -> None:
    lost = town(Blow(-2 * MINUTE, Fault.CLOCK_JUMP, 4, 0, 2 * HOUR), level=1)
    spans = lost.heard(4)
    assert spans, "it sounds whatever its clock says"
    assert sum(end - begin for begin, end in spans) > 55_000
