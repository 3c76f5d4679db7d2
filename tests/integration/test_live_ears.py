"""Ears of a live fleet: real sound, real sockets, and faults that no amplifier notices."""

from __future__ import annotations

import json
import os

import pytest
from support.audio import talk
from support.brokers import running_broker
from support.live import FileServer, Hand, Running, running_fleet, write_fleet
from support.parties import OverSockets
from support.signed import asset_of, item

from broadcasts.audio.hearing import Decision, Match, Part, match
from broadcasts.audio.listening import envelope_of
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from broadcasts.wire.journal import Envelope
from device_sim.fleetfile import read_fleet

GOOD, DEAF, SWAPPED, LOOSE, DEAD = (f"u-{number}" for number in range(1, 6))
FAULTS = {DEAF: "ear_broken", SWAPPED: "files_swapped", LOOSE: "wire_loose"}
EARS = {DEAD: "none", DEAF: "microphone"}
SECONDS = 24.0


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Match | None]:
    """By unit, what a controller makes of what its ear told of one play."""
    folder = tmp_path_factory.mktemp("ears")
    upload = folder / "talk.wav"
    upload.write_bytes(talk(SECONDS, 7))
    store = Store(folder / "store")
    prepared = prepare(upload, store)
    sound = store.path(prepared.sha256).read_bytes()
    asset = asset_of(sound, prepared.duration_ms)
    file = envelope_of(store.path(prepared.sha256), "opus")
    units = (GOOD, *FAULTS, DEAD)
    with running_broker("mosquitto", folder) as broker:
        assert isinstance(broker, OverSockets)
        files, hand = FileServer(broker.secrets), Hand(broker, units)
        files.files[asset.path] = sound
        write_fleet(folder / "fleet.json", hand, broker, files.base)
        told = json.loads((folder / "fleet.json").read_bytes())
        told["units"] = [each | {"ear": EARS.get(each["unit"], "line_out")} for each in told["units"]]
        (folder / "fleet.json").write_text(json.dumps(told), encoding="utf-8")
        os.chmod(folder / "fleet.json", 0o600)
        with running_fleet(read_fleet(folder / "fleet.json"), folder) as running:
            hand.until(lambda: all(each["time_trusted"] for each in running.poles().values()), "signed time")
            _play(running, hand, units, asset)
        hand.goodbye()
        files.close()
    return {unit: _match(hand, unit, file) for unit in units}


def _play(running: Running, hand: Hand, units: tuple[str, ...], asset: object) -> None:
    for unit, kind in FAULTS.items():
        running.fault(kind, unit)
    for unit in units:
        hand.plan(unit, [item(f"d-{unit}", asset, hand.now() + 4_000)], [asset])  # type: ignore[arg-type]

    def over() -> bool:
        kinds = {unit: [each.split()[0] for each in hand.kinds(unit, f"d-{unit}")] for unit in units}
        return all("ended" in told and (unit == DEAD or "envelope" in told) for unit, told in kinds.items())

    hand.until(over, "every unit told what it played and what it heard", 240)
    assert {hand.kinds(unit, f"d-{unit}")[1].split()[1] for unit in units} == {"played"}


def _match(hand: Hand, unit: str, file: object) -> Match | None:
    told = [each for (whose, _, _), each in hand.entries.items() if whose == unit and isinstance(each, Envelope)]
    parts = [Part(each.offset_ms, each.frames, each.data, each.level_dbfs, str(each.source)) for each in told]
    return match(parts, file) if parts else None  # type: ignore[arg-type]


def test_a_pole_that_is_well_is_heard_to_its_end(heard: dict[str, Match | None]) -> None:
    found = heard[GOOD]
    assert found is not None
    assert found.decision is Decision.YES
    assert found.heard_ms >= 0.9 * found.listened_ms


def test_a_dead_microphone_denies_nothing(heard: dict[str, Match | None]) -> None:
    found = heard[DEAF]
    assert found is not None
    assert found.decision is Decision.UNKNOWN


def test_another_file_under_the_right_name_is_denied(heard: dict[str, Match | None]) -> None:
    found = heard[SWAPPED]
    assert found is not None
    assert found.decision is Decision.NO


def test_of_a_loose_contact_less_is_heard_than_was_played(heard: dict[str, Match | None]) -> None:
    found = heard[LOOSE]
    assert found is not None
    assert found.heard_ms < 0.9 * found.listened_ms


def test_a_unit_without_an_ear_tells_nothing_of_it(heard: dict[str, Match | None]) -> None:
    assert heard[DEAD] is None
