"""Many poles that begin at one instant, in one process: none begins later because another one tells of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.jws import SigningKey
from broadcasts.wire.topics import Out
from device_sim import live
from device_sim.ear import Pole
from device_sim.events import Arrived, Inbox, Powered, Publish, Reading, Sounding, Step
from device_sim.fleetfile import FleetFile, read_fleet
from device_sim.link import Links

UNITS = ("u-1", "u-2", "u-3")
FAR_MS = 3_600_000


def fleet_of_three(folder: Path) -> FleetFile:
    root = SigningKey.generate("root").public
    units = [
        {"unit": unit, "cluster": f"c-{unit}", "secret": "s", "key_jwk": SigningKey.generate(unit).to_jwk()}
        for unit in UNITS
    ]
    told = {
        "broker": {"host": "127.0.0.1", "port": 1883},
        "files": "http://127.0.0.1:1/",
        "root": {"kid": root.kid, "x": root.x},
        "units": units,
    }
    path = folder / "fleet.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(told), encoding="utf-8")
    return read_fleet(path)


@pytest.mark.parametrize("arrives", [False, True])
def test_what_poles_tell_of_a_start_leaves_once_all_have_begun_and_a_question_of_the_time_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    """Whether they are due by themselves, or something arrives at all of them: an alert."""
    done: list[str] = []
    powered: set[str] = set()

    class Begins:
        """Begins to sound at an instant that it shares with the others."""

        def __init__(self, enrolled: Any, *_: Any) -> None:
            self._unit = enrolled.unit

        def update(self, reading: Reading, inbox: Sequence[Inbox] = ()) -> Step:
            if any(isinstance(each, Powered) for each in inbox):
                powered.add(self._unit)
                return Step((), reading.mono_ms + FAR_MS)
            said = [Publish(topics.from_unit(self._unit, kind), b"", 1, False) for kind in (Out.JOURNAL, Out.TIME_ASK)]
            return Step((Sounding("d-1", "0" * 64, 0, 50), *said), reading.mono_ms + FAR_MS)

    monkeypatch.setattr(live, "Unit", Begins)
    monkeypatch.setattr(Pole, "play", lambda *_: done.append("begins"))
    monkeypatch.setattr(Links, "publish", lambda _, unit, out: done.append(out.topic.rsplit("/", 1)[-1]))
    fleet = live.Fleet(fleet_of_three(tmp_path), SystemClock())
    while len(powered) < len(UNITS):
        fleet.step()
    if arrives:
        fleet._later.extend((unit, Arrived("loa/v1/s/p-1/alert", b"")) for unit in UNITS)
        fleet.step()
    else:
        fleet.give_all(fleet.pillars.values())
    fleet.close()
    assert done == [*["begins", "time-ask"] * len(UNITS), *["journal"] * len(UNITS)]
