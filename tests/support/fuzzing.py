"""Mutated uploads through the pipeline's child, and what must hold of each answer."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.mutants import mutant, seeds
from support.watched import Watched, watched

from broadcasts.audio import child
from broadcasts.audio.chain import Limits
from broadcasts.audio.keys import FAULTS, REFUSALS, WARNINGS
from broadcasts.audio.magic import demuxer_of
from broadcasts.errors import Refused

LIMITS = Limits(min_seconds=0.05, max_seconds=120.0, cpu_seconds=30, wall_seconds=60.0)
"""As the service's, and less time: a file of half a second must not take half a minute."""
FILES = {"upload", "raw.pcm", "finished", "stage.txt", "told.json", "typical.pcm", "peaky.pcm"}
FORCED = {"aac": "aac", "flac": "flac", "mp3": "mp3", "ogg": "ogg", "webm": "matroska", "mkv": "matroska", "mov": "mov"}
_BATCH = 40


@dataclass
class Tally:
    """`wrong`: what must not be, with the number of the mutant that shows it again."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_bytes: int = 0

    def add(self, other: Tally) -> None:
        self.answers += other.answers
        self.wrong += other.wrong
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.largest_bytes = max(self.largest_bytes, other.largest_bytes)


def fuzzed(numbers: Sequence[int], folder: Path) -> Tally:
    """Each of the mutants of these numbers, as an upload."""
    found = Tally()
    good = seeds(folder)
    with watched(folder) as watch:
        for batch in _batches(numbers):
            found.add(_batch(batch, good, folder, watch))
    return found


def _batches(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _BATCH):
        yield numbers[start : start + _BATCH]


def _batch(numbers: Sequence[int], good: dict[str, bytes], folder: Path, watch: Watched) -> Tally:
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="batch-", dir=folder) as name:
        place, before = Path(name), set(folder.iterdir())
        cases = []
        for number in numbers:
            case = place / str(number)
            case.mkdir()
            kind, data = mutant(good, number)
            (case / "upload").write_bytes(data)
            try:
                demuxer = demuxer_of(case / "upload")
            except Refused as refused:
                tally.answers[f"first look: {refused.key}"] += 1
                # Behind the first look nothing may rest on it.
                demuxer = FORCED.get(kind, "")
            if demuxer:
                cases.append({"folder": str(case), "demuxer": demuxer, "number": number, "kind": kind})
        limits = replace(LIMITS, wall_seconds=LIMITS.wall_seconds * len(cases))
        told = child.run("tests.support.fuzz_worker", {"cases": cases}, place, limits)
        for case_, ended in zip(cases, told["cases"], strict=True):
            _judge(f"mutant {case_['number']} ({case_['kind']} as {case_['demuxer']})", ended, tally)
        if watch.opened() or watch.knocked():
            tally.wrong.append(f"mutants {numbers[0]} to {numbers[-1]}: something outside was reached for")
        if set(folder.iterdir()) != before:
            tally.wrong.append(f"mutants {numbers[0]} to {numbers[-1]}: a file was left beside the folder of the job")
    return tally


def _judge(which: str, ended: dict[str, Any], tally: Tally) -> None:
    tally.slowest_s = max(tally.slowest_s, ended["seconds"])
    tally.largest_bytes = max(tally.largest_bytes, ended["memory"])
    if ended["seconds"] > LIMITS.cpu_seconds + 6 or ended["memory"] > LIMITS.memory_bytes:
        tally.wrong.append(f"{which}: beyond its limits, {ended['seconds']:.0f} s, {ended['memory']} bytes")
    if extra := set(ended["left"]) - FILES:
        tally.wrong.append(f"{which}: left {sorted(extra)}")
    told = ended["told"]
    if told is None:
        # As `child.run` answers for a child that ended so.
        tally.answers[f"ended by signal {ended['signal']}"] += 1
        if not ended["signal"]:
            tally.wrong.append(f"{which}: no answer, exit code {ended['code']}")
    elif "done" in told:
        done = told["done"]
        tally.answers["prepared"] += 1
        if done["duration_ms"] <= 0 or not set(done["warnings"]) <= set(WARNINGS):
            tally.wrong.append(f"{which}: {done}")
        if done["true_peak_dbtp"] > -1.0 and "audio.peaks_left" not in done["warnings"]:
            tally.wrong.append(f"{which}: {done['true_peak_dbtp']} dBTP")
    else:
        key = told.get("refused") or told.get("fault")
        tally.answers[key] += 1
        if key not in {**REFUSALS, **FAULTS} or "fault" in told:
            tally.wrong.append(f"{which}: {told}")
