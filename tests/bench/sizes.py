"""What the benches of a whole fleet share: every size on every broker, and a folder for each."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Kind = Literal["embedded", "mosquitto"]
PATIENCE_S = 120.0


def parser(name: str, what: str | None, units: str) -> argparse.ArgumentParser:
    """With `--units` and `--broker`; the rest is the bench's own. `what`: its docstring."""
    made = argparse.ArgumentParser(prog=f"python -m tests.bench {name}", description=(what or "").split("\n")[0])
    made.add_argument("--units", default=units, help=f"one or several numbers, {units} by default")
    made.add_argument("--broker", choices=["embedded", "mosquitto", "both"], default="both")
    return made


def brokers(asked: argparse.Namespace) -> list[Kind]:
    return ["mosquitto", "embedded"] if asked.broker == "both" else [asked.broker]


def each_size(asked: argparse.Namespace) -> Iterator[tuple[Kind, int]]:
    """The smallest first, on each broker."""
    for broker in brokers(asked):
        for units in sorted(int(each) for each in asked.units.split(",")):
            yield broker, units


@contextmanager
def folder(keep: Path | None, name: str) -> Iterator[Path]:
    """For the data and logs of one size: in `keep`, or gone afterwards."""
    if keep is not None:
        (keep / name).mkdir(parents=True)
        yield keep / name
        return
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as made:
        yield Path(made)
