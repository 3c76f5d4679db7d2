"""Processor seconds of processes: on a machine that others use too, a stopwatch mostly tells of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def spent(processes: Mapping[str, int], *, children: bool = True) -> dict[str, float]:
    """Seconds since their start, by the given names; with `children`, the broker that is a child of one of them counts
    as `broker`."""
    found = {name: _seconds(process) for name, process in processes.items()}
    born = [child for process in processes.values() for child in _children(process)] if children else []
    if born:
        found["broker"] = sum(_seconds(child) for child in born)
    return found


def _seconds(process: int) -> float:
    # The name of the program stands in brackets and may hold anything, blanks too.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for each in listed for child in each.read_text(encoding="utf-8").split()]
