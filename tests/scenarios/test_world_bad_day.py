"""The bad day in the virtual world, one misfortune at a time: what the villagers hear, what the controller says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.signed import DAY, HOUR, MINUTE, SECOND
from support.small_controller import SmallController

from device_sim.counterpart import Setting
from device_sim.faults import Blow, Fault, Odds
from device_sim.promises import judge
from device_sim.prove import START
from device_sim.world import World

NO_CHANCE = Odds(0, 0, 0, 0, 0)
NOON = 12 * HOUR


class Town:
    """Four poles for two days. At noon a bulletin of 5 minutes, from 12:02 a priority one of 3 minutes."""

    def __init__(self, folder: Path, *blows: Blow) -> None:
        self.controller = SmallController(Setting(units=4, days=2, seed=5, start=START, folder=folder))
        self.world = World(self.controller, START, 5, NO_CHANCE)
        self.begin = self.world.start
        self.world.schedule([Blow(self.begin + b.at, b.fault, b.unit, b.lasts, b.amount) for b in blows])

    def live(self, hours: float) -> Town:
        self.world.run_until(START + timedelta(hours=hours))
        return self

    def verdict(self, delivery: str) -> tuple[str | None, str | None]:
        [account] = [each for each in self.controller.accounts() if each["delivery"] == delivery]
        return account["verdict"], account["reason"]

    def heard(self, unit: int, item: str) -> list[tuple[int, int]]:
        """(from, offset) in steps of 5 s after midnight of the first day: 50 ppm are a second in six hours."""
        return [
            (round((sound.from_ms - self.begin) / 5_000) * 5, round(sound.offset_ms / 5_000) * 5)
            for sound in self.world.posts[unit].pole.heard
            if sound.item == item
        ]

    def broken(self) -> tuple[str, ...]:
        accounts, approved = self.controller.accounts(), self.controller.approved_sounds()
        return judge(self.world.posts, accounts, approved, self.world.now).broken


Make = Callable[..., Town]


@pytest.fixture
def town(tmp_path: Path) -> Make:
    return lambda *blows: Town(tmp_path, *blows)


def test_on_a_good_day_everybody_hears_everything(town: Make) -> None:
    calm = town().live(24)
    for unit in range(4):
        assert calm.heard(unit, f"d-u-{unit}-0-1")[0] == (12 * 3600, 0)
        assert calm.verdict(f"d-u-{unit}-0-1") == ("heard", None)
        assert calm.verdict(f"d-u-{unit}-0-p") == ("heard", None)
    assert calm.broken() == ()


def test_a_pole_offline_all_day_plays_from_its_cache_and_is_proven_in_the_evening(town: Make) -> None:
    day = town(Blow(5 * HOUR, Fault.DAY_OFFLINE, 1, 15 * HOUR)).live(19)
    assert day.heard(1, "d-u-1-0-1")[0] == (12 * 3600, 0)
    assert day.verdict("d-u-1-0-1") == ("unknown", None)
    day.live(24)
    assert day.verdict("d-u-1-0-1") == ("heard", None)
    assert day.broken() == ()


def test_a_restarted_broker_is_not_noticed_by_the_villagers(town: Make) -> None:
    day = town(Blow(NOON + MINUTE, Fault.BROKER_RESTART, None, MINUTE)).live(24)
    assert {day.verdict(f"d-u-{unit}-0-1") for unit in range(4)} == {("heard", None)}
    assert day.broken() == ()


def test_a_wiped_broker_is_filled_again(town: Make) -> None:
    day = town(Blow(10 * HOUR, Fault.BROKER_WIPE, None, MINUTE), Blow(11 * HOUR, Fault.REBOOT, 0, MINUTE)).live(48)
    assert {day.verdict(f"d-u-{unit}-{n}-1") for unit in range(4) for n in range(2)} == {("heard", None)}
    assert day.broken() == ()


def test_a_killed_controller_silences_nobody(town: Make) -> None:
    day = town(Blow(11 * HOUR, Fault.CONTROLLER_KILL, None, 4 * HOUR)).live(24)
    assert {day.heard(unit, f"d-u-{unit}-0-1")[0] for unit in range(4)} == {(12 * 3600, 0)}
    assert {day.verdict(f"d-u-{unit}-0-1") for unit in range(4)} == {("heard", None)}


@pytest.mark.parametrize("fault", [Fault.DUPLICATE, Fault.REORDER, Fault.LOSS])
def test_every_message_twice_or_in_disorder_changes_nothing(town: Make, fault: Fault) -> None:
    day = town(*(Blow(0, fault, unit, 2 * DAY) for unit in range(4))).live(48)
    calm = town().live(48)
    for unit in range(4):
        for item in (f"d-u-{unit}-0-1", f"d-u-{unit}-0-p", f"d-u-{unit}-1-2"):
            assert day.heard(unit, item) == calm.heard(unit, item)
            assert day.verdict(item) == calm.verdict(item)


def test_power_off_over_noon_is_told_with_its_reason(town: Make) -> None:
    day = town(Blow(NOON - MINUTE, Fault.POWER_CUT, 2, HOUR)).live(24)
    assert day.heard(2, "d-u-2-0-p") == []
    assert day.verdict("d-u-2-0-p") == ("not_played", "power_off")
    assert day.verdict("d-u-1-0-p") == ("heard", None)
    assert day.broken() == ()


def test_a_cut_wire_is_failed_to_sound(town: Make) -> None:
    day = town(Blow(NOON - MINUTE, Fault.WIRE_CUT, 3, HOUR)).live(24)
    assert day.heard(3, "d-u-3-0-p") == []
    assert day.verdict("d-u-3-0-p")[0] == "failed_to_sound"
    assert day.verdict("d-u-3-0-2") == ("heard", None)
    assert day.broken() == ()


def test_power_that_fails_in_the_middle_of_a_journal_write_breaks_no_promise(town: Make) -> None:
    day = town(Blow(NOON - MINUTE, Fault.TORN_WRITE, 0, 30 * SECOND)).live(24)
    assert day.heard(0, "d-u-0-0-p") != []
    assert day.broken() == ()


def test_a_hostile_broker_makes_no_sound(town: Make) -> None:
    attacks = [Blow(at, fault, unit) for at in range(HOUR, 36 * HOUR, 50 * MINUTE)
               for fault in (Fault.REPLAY, Fault.FORGE) for unit in range(4)]  # fmt: skip
    day, calm = town(*attacks).live(48), town().live(48)
    for number in range(4):
        under_attack, at_peace = day.world.posts[number], calm.world.posts[number]
        told = [(s.item.partition("-")[0], s.asset, s.offset_ms // 100, s.volume) for s in under_attack.pole.heard]
        assert told == [(s.item.partition("-")[0], s.asset, s.offset_ms // 100, s.volume) for s in at_peace.pole.heard]
    assert day.broken() == ()


def test_a_withheld_document_is_said_again_by_the_controller(town: Make) -> None:
    day = town(Blow(5 * HOUR, Fault.WITHHOLD, 1, 2 * HOUR)).live(24)
    reported, unit = day.controller.by_name["u-1"].reported, day.controller.by_name["u-1"]
    assert reported is not None
    assert reported.plan_hash == unit.plan_hash
    assert day.broken() == ()


@pytest.mark.parametrize("amount", [40 * SECOND, -40 * SECOND])
def test_a_clock_40_s_off_with_a_link_is_not_heard(town: Make, amount: int) -> None:
    day = town(Blow(11 * HOUR, Fault.CLOCK_STEP, 1, 0, amount)).live(24)
    assert day.heard(1, "d-u-1-0-1")[0] == (12 * 3600, 0)


def test_a_clock_40_s_fast_without_a_link_sounds_40_s_early_and_the_fault_tells(town: Make) -> None:
    blows = Blow(10 * HOUR, Fault.LINK_DOWN, 1, 5 * HOUR), Blow(11 * HOUR, Fault.CLOCK_STEP, 1, 0, 40 * SECOND)
    day = town(*blows).live(24)
    assert day.heard(1, "d-u-1-0-1")[0] == (12 * 3600 - 40, 0)
    faults = [e for e in day.controller.by_name["u-1"].entries.values() if e.kind == "fault" and e.raised]
    assert [(e.code, round(int(e.detail), -3)) for e in faults if e.kind == "fault"] == [("clock_drift", -40_000)]
