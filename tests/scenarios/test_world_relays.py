"""Relays in the virtual world: stations that fall silent, poles without a link, and what the proof says to lies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.signed import HOUR, MINUTE, SECOND, item
from support.small_controller import SmallController

from broadcasts.wire.plan import Asset, Item
from broadcasts.wire.relay import Relay
from device_sim.bill import stream
from device_sim.counterpart import Account, Setting
from device_sim.faults import Blow, Fault, Odds
from device_sim.promises import judge
from device_sim.prove import START
from device_sim.world import World

SLOT = 15 * MINUTE
MORNING = 9 * HOUR
STREAM = Relay(source="vov1", url="https://radio.example.vn/vov1", length_ms=SLOT)
TUNER = Relay(source="soc-trang-fm", frequency_khz=100_400, length_ms=SLOT)


class Relaying(SmallController):
    """The small controller with a slot at nine each morning: even poles by stream, odd ones by their tuner."""

    def _write_week(self) -> None:
        for number, unit in enumerate(self.units):
            for day in range(self.setting.days + 1):
                start = self.now + day * 24 * HOUR + MORNING
                self._add(unit, slot(f"d-{unit.name}-{day}-r", TUNER if number % 2 else STREAM, start, self.assets[3]))

    def _account(self, unit: Any, what: Item) -> Account:
        account = super()._account(unit, what)
        assert what.relay is not None
        return {**account, "end": what.start + SLOT, "relay": what.relay.source}

    def approved_sounds(self) -> set[tuple[str, str]]:
        stations = {
            (unit.name, f"relay:{what.relay.source}")
            for unit, what in self.all_items.values()
            if what.relay is not None
        }
        return super().approved_sounds() | stations


def slot(name: str, relay: Relay, start: int, fallback: Asset) -> Item:
    return item(name, fallback, start, relay=relay, hard_end=start + SLOT, not_after=start)


class Town:
    def __init__(self, folder: Path, *blows: Blow) -> None:
        self.controller = Relaying(Setting(units=4, days=2, seed=7, start=START, folder=folder))
        self.world = World(self.controller, START, 7, Odds(0, 0, 0, 0, 0))
        self.begin = self.world.start
        self.world.schedule([Blow(self.begin + b.at, b.fault, b.unit, b.lasts, b.amount) for b in blows])
        self.world.run_until(START + timedelta(hours=20))

    def heard(self, unit: int) -> list[tuple[str, int, int]]:
        """(sound, from, to) in steps of 5 s after nine o'clock: clocks drift."""
        begin = self.begin + MORNING
        return [
            (_name(each.asset), round((each.from_ms - begin) / 5_000) * 5, round((each.to_ms - begin) / 5_000) * 5)
            for each in self.world.posts[unit].pole.heard
            if each.item == f"d-u-{unit}-0-r"
        ]

    def verdict(self, unit: int) -> str | None:
        [account] = [each for each in self.controller.accounts() if each["delivery"] == f"d-u-{unit}-0-r"]
        return account["verdict"]

    def broken(self, approved: set[tuple[str, str]] | None = None) -> tuple[str, ...]:
        allowed = self.controller.approved_sounds() if approved is None else approved
        return judge(self.world.posts, self.controller.accounts(), allowed, self.world.now).broken


def _name(sound: str) -> str:
    return sound if sound.startswith("relay:") else "fallback"


Make = Callable[..., Town]


@pytest.fixture
def town(tmp_path: Path) -> Make:
    return lambda *blows: Town(tmp_path, *blows)


@pytest.mark.requirement("R-024")
def test_on_a_good_morning_every_pole_relays_its_station(town: Make) -> None:
    calm = town()
    for unit in range(4):
        source = "soc-trang-fm" if unit % 2 else "vov1"
        assert calm.heard(unit) == [(f"relay:{source}", 0, 900)]
        assert calm.verdict(unit) == "heard"
    assert calm.broken() == ()


@pytest.mark.requirement("R-024")
@pytest.mark.parametrize("fault", [Fault.SOURCE_SILENT, Fault.SOURCE_OFF])
def test_when_the_station_falls_silent_every_pole_says_its_fallback_and_comes_back(town: Make, fault: Fault) -> None:
    morning = town(Blow(MORNING + 5 * MINUTE, fault, None, 3 * MINUTE))
    for unit in range(4):
        live, fallback, again = morning.heard(unit)
        assert (live[1:], fallback) == ((0, 300), ("fallback", 320, 350))
        assert again[0] == live[0]
        assert 480 <= again[1] <= 500
        assert again[2] == 900
        assert morning.verdict(unit) == "heard"
    assert morning.broken() == ()


def test_without_a_link_the_tuner_goes_on_and_the_stream_gives_way(town: Make) -> None:
    blows = [Blow(MORNING + 5 * MINUTE, Fault.LINK_DOWN, unit, HOUR) for unit in (0, 1)]
    morning = town(*blows)
    assert morning.heard(0) == [("relay:vov1", 0, 300), ("fallback", 320, 350)]
    assert morning.heard(1) == [("relay:soc-trang-fm", 0, 900)]
    assert morning.broken() == ()


def test_power_that_goes_in_a_slot_gives_the_station_back_and_joins_it_again(town: Make) -> None:
    morning = town(Blow(MORNING + 5 * MINUTE, Fault.POWER_CUT, 0, 2 * MINUTE))
    first, second = morning.heard(0)
    assert first == ("relay:vov1", 0, 300)
    assert second[0] == "relay:vov1"
    assert second[2] == 900
    assert morning.broken() == ()


def test_a_stream_is_on_the_bill_and_the_tuner_is_free(town: Make) -> None:
    morning = town()
    by_stream, by_tuner = (morning.world.posts[unit].bill for unit in (0, 1))
    assert by_tuner.bytes["relay"] == 0
    assert 1.0 <= by_stream.bytes["relay"] / stream(SLOT) < 1.03, "ten seconds more, to be there on the second"
    assert 7.2e6 < stream(SLOT) < 8.2e6, "64 kbit/s for a quarter of an hour, and what carries it"
    assert by_stream.audio > by_stream.bytes["relay"]
    assert by_stream.messages < by_stream.audio


def test_a_station_that_nobody_approved_breaks_the_promise(town: Make) -> None:
    morning = town()
    allowed = {pair for pair in morning.controller.approved_sounds() if pair != ("u-2", "relay:vov1")}
    [broken] = morning.broken(allowed)
    assert broken.startswith("nothing unapproved: u-2 sounded d-u-2-0-r (relay:vov1)")


def test_another_station_than_the_one_in_the_account_breaks_the_promise(town: Make) -> None:
    morning = town()
    accounts = [
        Account(**{**each, "relay": "vov2"}) if each["delivery"] == "d-u-0-0-r" else each
        for each in morning.controller.accounts()
    ]
    found = judge(morning.world.posts, accounts, morning.controller.approved_sounds(), morning.world.now).broken
    assert len(found) == 1
    assert "another sound than" in found[0]


def test_a_slot_that_everybody_heard_may_not_be_called_anything_else(town: Make) -> None:
    morning = town()
    accounts = list(morning.controller.accounts())
    for account in accounts:
        account["verdict"] = "played"
    found = judge(morning.world.posts, accounts, morning.controller.approved_sounds(), morning.world.now).broken
    assert len(found) == 4
    assert all("everybody heard it" in each for each in found)


def test_a_station_off_the_air_with_no_fallback_held_has_failed_to_sound(tmp_path: Path) -> None:
    class Bare(Relaying):
        def get(self, unit: str, secret: str, path: str, offset: int) -> tuple[int, bytes]:
            return 404, b""

        def _verdict(self, unit: Any, what: Item, end: int) -> tuple[str | None, str | None]:
            verdict, reason = super()._verdict(unit, what, end)
            return ("failed_to_sound", reason) if reason == "relay_silent" else (verdict, reason)

    controller = Bare(Setting(units=1, days=1, seed=7, start=START, folder=tmp_path))
    world = World(controller, START, 7, Odds(0, 0, 0, 0, 0))
    world.schedule([Blow(world.start + MORNING - 10 * SECOND, Fault.SOURCE_OFF, None, 20 * MINUTE)])
    world.run_until(START + timedelta(hours=20))
    [first, _] = controller.accounts()
    assert (first["verdict"], first["reason"]) == ("failed_to_sound", "relay_silent")
    assert judge(world.posts, controller.accounts(), controller.approved_sounds(), world.now).broken == ()
