"""The other process of `live`: every pole on its own connection, with the simulator's own code, and a watch.

`python -m tests.bench.live_poles FLEET PORT`: says `ready` when every pole has a plan and the time; a line on stdin
asks for the figures, which are one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from broadcasts.clock import SystemClock
from broadcasts.wire.live_packet import is_packet
from device_sim.cli import spare_the_collector
from device_sim.events import SPOKEN, Arrived, Inbox
from device_sim.fleetfile import read_fleet
from device_sim.live import Fleet, Pillar


class _Watched(Fleet):
    """Notes of each packet how long before its playing it came."""

    margins = array("i")

    def _arrived(self) -> Iterable[tuple[str, Inbox]]:
        for name, event in super()._arrived():
            if isinstance(event, Arrived) and is_packet(event.payload):
                self.margins.append(int.from_bytes(event.payload[16:24], "big") - self.true_ms())
            yield name, event

    def is_ready(self) -> bool:
        units = [pillar.unit for pillar in self.pillars.values()]
        return all(unit is not None and unit.clock.trusted and unit.disk.documents.plan for unit in units)

    def figures(self) -> dict[str, Any]:
        return {
            "margin_ms": min(self.margins, default=0),
            "heard": {name: _spans(pillar) for name, pillar in self.pillars.items()},
            "told": {name: _told(pillar) for name, pillar in self.pillars.items()},
        }


def _spans(pillar: Pillar) -> list[tuple[int, int, int]]:
    """From, to (Unix ms), and where in the session."""
    return [(each.from_ms, each.to_ms, each.offset_ms) for each in pillar.pole.heard if each.asset.startswith(SPOKEN)]


def _told(pillar: Pillar) -> list[dict[str, int]]:
    """`live_heard` of each sounding, as the journal has it."""
    entries = [json.loads(frame[8:]) for frame in pillar.disk.journal.frames]
    return [each["live_heard"] for each in entries if each.get("live_heard")]


def main(arguments: Sequence[str]) -> None:
    path, port = arguments
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fleet = _Watched(replace(read_fleet(Path(path)), host="127.0.0.1", port=int(port)), SystemClock())
    asked, stop = threading.Event(), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), asked.set(), fleet.wake()), daemon=True).start()
    ready = False

    def look() -> None:
        nonlocal ready
        if not ready and fleet.is_ready():
            ready = True
            spare_the_collector()  # as `loasim run` does
            print("ready", flush=True)
        if asked.is_set():
            stop.set()

    fleet.run(stop, look)
    print(json.dumps(fleet.figures()), flush=True)
    fleet.close()


if __name__ == "__main__":
    main(sys.argv[1:])
