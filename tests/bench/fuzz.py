"""Uploads made bad by chance, for as long as one likes: each gets an answer within its limits, and reaches nothing.

    python -m tests.bench fuzz --minutes 60 --seed 1

Mutants of a recording of every kind (`tests/support/mutants.py`), decoded, levelled and encoded as uploads are, by the
worker's code in the worker's confinement (`tests/support/fuzz_worker.py`). Each has a number, which makes it again. The
last line is JSON: how many there were, what they were answered, and what was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from broadcasts.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.fuzzing import Tally, fuzzed

_AT_ONCE = 400


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1, help="the number of the first mutant, in millions")
    asked = parser.parse_args(arguments)
    clock, found, number = SystemClock(), Tally(), asked.seed * 1_000_000
    end = clock.monotonic() + asked.minutes * 60
    while clock.monotonic() < end:
        with tempfile.TemporaryDirectory(prefix="loa-fuzz-") as folder:
            found.add(fuzzed(range(number, number + _AT_ONCE), Path(folder)))
        number += _AT_ONCE
        print(f"{number - asked.seed * 1_000_000} mutants, {len(found.wrong)} wrong", flush=True)
    for each in found.wrong[:20]:
        print(each)
    told = {
        "mutants": number - asked.seed * 1_000_000,
        "wrong": len(found.wrong),
        "answers": dict(found.answers.most_common()),
        "slowest_s": round(found.slowest_s, 2),
        "largest_mib": found.largest_bytes >> 20,
    }
    print(json.dumps(told))
    return 1 if found.wrong else 0
