"""What a commune writes, and how a Southern announcer reads it: the tables beside this file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broadcasts.domain.reading.reader import read

FEWEST = 250


@dataclass
class Case:
    where: str
    written: str
    spoken: str = ""
    doubtful: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def cases() -> list[Case]:
    found: list[Case] = []
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            mark, _, rest = line.partition(" ")
            match mark:
                case "<":
                    found.append(Case(f"{path.stem}:{number}", rest.replace("⏎", "\n")))
                case ">":
                    found[-1].spoken = rest.replace("⏎", "\n")
                case "?":
                    found[-1].doubtful = rest.split(" | ")
                case "-":
                    found[-1].left_out = rest.split(" | ")
                case _:
                    assert not line or line.startswith("#"), f"{path.name}:{number}: {line}"
    return found


CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.where for case in CASES])
def test_a_bulletin_is_read_as_an_announcer_reads_it(case: Case) -> None:
    reading = read(case.written)
    assert reading.spoken == case.spoken
    assert [token.written for token in reading.doubtful] == case.doubtful
    assert [token.written for token in reading.left_out] == case.left_out


@pytest.mark.parametrize("case", CASES, ids=[case.where for case in CASES])
def test_what_is_spoken_is_read_as_it_stands(case: Case) -> None:
    again = read(read(case.written).spoken)
    assert again.spoken == case.spoken
    assert again.changed == ()
