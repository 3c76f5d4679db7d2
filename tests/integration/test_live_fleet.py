"""Ten live units on real sockets: plan, fetch, sound, proof, a cut link, a second run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import running_broker
from support.live import FileServer, Hand, Running, running_fleet, write_fleet
from support.parties import OverSockets
from support.signed import asset_of, item, opus

from broadcasts.clock import Clock, SandboxClock, SystemClock, from_unix_ms
from broadcasts.wire.plan import Asset, Late
from device_sim.fleetfile import FleetFile

SOUND = opus(3_000, "a short bulletin", filler=600_000)
ASSET = asset_of(SOUND, 3_000)
UNITS = tuple(f"u-{number}" for number in range(1, 11))


class Station:
    """Broker, file server, a controller by hand, and a fleet file; fleets come and go."""

    def __init__(self, folder: Path, broker: OverSockets, units: tuple[str, ...], clock: Clock) -> None:
        self.folder, self.broker = folder, broker
        self.files = FileServer(broker.secrets)
        self.hand = Hand(broker, units, clock)
        self.file: FleetFile = write_fleet(folder / "fleet.json", self.hand, broker, self.files.base)

    def publish(self, asset: Asset, data: bytes, name: str, in_ms: int) -> int:
        """One item for every unit; returns its start."""
        self.files.files[asset.path] = data
        start = self.hand.now() + in_ms
        for unit in self.hand.units:
            self.hand.plan(unit, [item(name, asset, start, late=Late.SHIFT)], [asset])
        return start

    def everybody(self, running: Running, what: str, field: str, value: object) -> None:
        self.hand.until(lambda: all(pole[field] == value for pole in running.poles().values()), what)

    def settled(self, units: tuple[str, ...], name: str) -> None:
        wanted = ["started", "ended played sound"]
        self.hand.until(lambda: all(self.hand.kinds(unit, name) == wanted for unit in units), f"proof of {name}")


@contextlib.contextmanager
def station(kind: str, folder: Path, units: tuple[str, ...], clock: Clock | None = None) -> Iterator[Station]:
    with running_broker(kind, folder) as broker:  # type: ignore[arg-type]
        assert isinstance(broker, OverSockets)
        made = Station(folder, broker, units, clock or SystemClock())
        try:
            yield made
        finally:
            made.hand.goodbye()
            made.files.close()


@pytest.mark.parametrize("kind", ["mosquitto", "nats"])
def test_ten_units_play_on_the_second_prove_it_and_go_on_after_a_restart(kind: str, tmp_path: Path) -> None:
    with station(kind, tmp_path, UNITS) as here:
        hand, state = here.hand, tmp_path / "state"
        with running_fleet(here.file, tmp_path, state) as running:
            here.everybody(running, "signed time everywhere", "time_trusted", True)
            start = here.publish(ASSET, SOUND, "d-1", in_ms=15_000)
            here.everybody(running, "the file everywhere", "held", 1)
            assert hand.now() < start, "the machine was too slow to hold the file in time"

            running.fault("offline", "u-3")
            hand.until(lambda: hand.presence["u-3"].state == "offline", "the last will of u-3")
            here.settled(tuple(unit for unit in UNITS if unit != "u-3"), "d-1")
            for unit, pole in running.poles().items():
                (heard,) = pole["heard"]
                assert (heard["item"], heard["asset"], heard["offset_ms"]) == ("d-1", ASSET.sha256, 0), unit
                # Never early; how late, the bench says: a test shares the machine with others.
                assert heard["from_ms"] >= start - 500
                assert heard["to_ms"] - heard["from_ms"] >= 2_500
            assert hand.kinds("u-3", "d-1") == [], "its proof cannot have travelled"
            assert running.poles()["u-3"]["faults"] == ["offline"]

            running.fault("online", "u-3")
            here.settled(("u-3",), "d-1")
            assert hand.presence["u-3"].state == "online"
            before = dict(hand.reported)
            here.files.asked.clear()

        hand.until(lambda: all(each.state == "offline" for each in hand.presence.values()), "every last will")
        journals = {unit: {journal for whose, journal, _ in hand.entries if whose == unit} for unit in UNITS}
        with running_fleet(here.file, tmp_path, state) as running:
            hand.until(lambda: all(each.state == "online" for each in hand.presence.values()), "everybody is back")
            hand.until(lambda: all(hand.reported[unit].boot_id > before[unit].boot_id for unit in UNITS), "new boots")
            for unit in UNITS:
                assert hand.reported[unit].plan_hash == before[unit].plan_hash
                assert hand.reported[unit].assets == [ASSET.sha256]
            start = here.publish(ASSET, SOUND, "d-2", in_ms=700)
            here.settled(UNITS, "d-2")
            assert all([sound["item"] for sound in pole["heard"]] == ["d-2"] for pole in running.poles().values())
            assert here.files.asked == [], "what was held is not fetched again"
            for unit in UNITS:
                assert {journal for whose, journal, _ in hand.entries if whose == unit} == journals[unit]
        assert hand.repeated == 0


def test_the_sandbox_clock_brings_the_hour_of_the_broadcast_to_controller_and_units_together(tmp_path: Path) -> None:
    clock = SandboxClock(tmp_path / "clock.json")
    with station("mosquitto", tmp_path, UNITS[:3], clock) as here:
        units_clock = SandboxClock(tmp_path / "clock.json")
        with running_fleet(here.file, tmp_path, clock=units_clock) as running:
            here.everybody(running, "signed time everywhere", "time_trusted", True)
            start = here.publish(ASSET, SOUND, "d-1", in_ms=5 * 3_600_000)
            here.everybody(running, "the file everywhere", "held", 1)
            assert all(pole["heard"] == [] for pole in running.poles().values())
            clock.move_to(from_unix_ms(start - 1_500))
            here.settled(UNITS[:3], "d-1")
            for pole in running.poles().values():
                assert -500 <= pole["heard"][0]["from_ms"] - start <= 60_000, "of five hours"
