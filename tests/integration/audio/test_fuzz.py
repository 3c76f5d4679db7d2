"""Some hundred uploads made bad by chance. For hours of them: `python -m tests.bench fuzz --minutes 60`."""

from __future__ import annotations

from pathlib import Path

from support.fuzzing import LIMITS, fuzzed

MUTANTS = 320


def test_whatever_is_uploaded_gets_an_answer_within_its_limits(tmp_path: Path) -> None:
    found = fuzzed(range(MUTANTS), tmp_path)

    assert found.wrong == []
    assert sum(found.answers.values()) >= MUTANTS
    # The mutants are not all so bad that nothing behind the first look is tried.
    assert found.answers["prepared"] > MUTANTS / 10
    assert found.answers["audio.broken"] > MUTANTS / 50
    assert found.largest_bytes < LIMITS.memory_bytes


KNOWN = (1_000_345, 1_000_458)
"""A peak that no limiter brings down; a codec's name that is no text. Each was once taken for our own failure."""


def test_what_a_long_run_once_found_is_answered(tmp_path: Path) -> None:
    assert fuzzed(KNOWN, tmp_path).wrong == []
