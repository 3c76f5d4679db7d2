"""From evidence to finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Evidence, Finding, Kind, Verdict, judge

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
ASSET, OTHER = "a" * 64, "b" * 64
MINUTE = timedelta(minutes=1)


def started(seq: int, *, late: float = 0, asset: str = ASSET) -> Evidence:
    return Evidence(seq, Kind.STARTED, NOON + timedelta(seconds=late), late=timedelta(seconds=late), asset=asset)


def ended(
    seq: int, outcome: str = "played", seconds: float = 60, amplifier: str | None = "sound", detail: str = ""
) -> Evidence:
    long = timedelta(seconds=seconds)
    return Evidence(seq, Kind.ENDED, NOON + long, outcome, played=long, amplifier=amplifier, asset=ASSET, detail=detail)


def skipped(seq: int, why: str, detail: str = "") -> Evidence:
    return Evidence(seq, Kind.SKIPPED, NOON, why, detail=detail)


def found(*evidence: Evidence) -> Finding:
    finding = judge(evidence, ASSET, MINUTE)
    assert finding is not None
    return finding


TABLE: list[tuple[list[Evidence], tuple[State, Verdict | None, str | None], float]] = [
    ([started(1)], (State.PLAYING, None, None), 0),
    ([started(1), ended(2)], (State.PLAYED, Verdict.HEARD, None), 1),
    ([ended(2)], (State.PLAYED, Verdict.HEARD, None), 1),
    ([started(1), ended(2, amplifier="none")], (State.PLAYED, Verdict.PLAYED, None), 1),
    ([started(1), ended(2, amplifier=None)], (State.PLAYED, Verdict.PLAYED, None), 1),
    ([started(1), ended(2, amplifier="silent")],
     (State.PLAYED, Verdict.FAILED_TO_SOUND, "silent_amplifier"), 1),
    ([started(1), ended(2, seconds=0)], (State.PLAYED, Verdict.PLAYED, None), 0),
    ([started(1), ended(2, "preempted", 15)], (State.PREEMPTED, Verdict.NOT_PLAYED, "displaced"), 0.25),
    ([started(1), ended(2, "preempted", 15), started(3)], (State.PLAYING, None, None), 0.25),
    ([started(1), ended(2, "preempted", 15), started(3), ended(4, seconds=30)],
     (State.PLAYED, Verdict.HEARD, None), 0.75),
    ([started(1), ended(2, "preempted", 15), ended(3, seconds=60)], (State.PLAYED, Verdict.HEARD, None), 1),
    ([started(1), ended(2, "preempted", 15), skipped(3, "late")],
     (State.MISSED, Verdict.NOT_PLAYED, "late"), 0.25),
    ([started(1), ended(2, "preempted", 5, "silent"), ended(3, seconds=30)],
     (State.PLAYED, Verdict.HEARD, None), 35 / 60),
    ([started(1), ended(2, "withdrawn", 59.5)], (State.PLAYED, Verdict.HEARD, None), 59.5 / 60),
    ([started(1), ended(2, "preempted", 59.5)], (State.PLAYED, Verdict.HEARD, None), 59.5 / 60),
    ([started(1), ended(2, "withdrawn", 59)], (State.PREEMPTED, Verdict.NOT_PLAYED, "withdrawn"), 59 / 60),
    ([started(1), ended(2, "withdrawn", 15)], (State.PREEMPTED, Verdict.NOT_PLAYED, "withdrawn"), 0.25),
    ([started(1), ended(2, "failed", 0, detail="power_off")],
     (State.FAILED, Verdict.FAILED_TO_SOUND, "power_off"), 0),
    ([started(1), ended(2, "failed", 20, detail="does not decode: 0x1F, " + "x" * 300)],
     (State.FAILED, Verdict.FAILED_TO_SOUND, "decoder"), 1 / 3),
    ([ended(2, "failed", 0)], (State.FAILED, Verdict.NOT_PLAYED, "decoder"), 0),
    ([ended(2, "exploded", 0)], (State.FAILED, Verdict.NOT_PLAYED, "decoder"), 0),
    ([skipped(1, "no_asset", "asset_corrupt")], (State.FAILED, Verdict.NOT_PLAYED, "asset_corrupt"), 0),
    ([skipped(1, "no_asset")], (State.MISSED, Verdict.NOT_PLAYED, "no_asset"), 0),
    ([started(1), started(2)], (State.PLAYING, None, None), 0),
]  # fmt: skip


@pytest.mark.parametrize(("evidence", "expected", "coverage"), TABLE)
def test_evidence_has_one_finding(
    evidence: list[Evidence], expected: tuple[State, Verdict | None, str | None], coverage: float
) -> None:
    finding = found(*evidence)
    assert (finding.state, finding.verdict, finding.reason) == expected
    assert finding.coverage == pytest.approx(coverage)


@given(st.sampled_from([row[0] for row in TABLE]).flatmap(lambda row: st.permutations([*row, *row[:2]])))
def test_the_order_of_arrival_does_not_matter(evidence: list[Evidence]) -> None:
    """Entries come once each into the judge; what is permuted here keeps its number."""
    once = {entry.seq: entry for entry in evidence}
    arrived = list(dict.fromkeys(evidence))
    assert judge(arrived, ASSET, MINUTE) == judge(sorted(once.values(), key=lambda each: each.seq), ASSET, MINUTE)


def test_no_evidence_is_no_finding_and_another_asset_is_no_evidence() -> None:
    assert judge([], ASSET, MINUTE) is None
    assert judge([started(1, asset=OTHER), replace(ended(2), asset=OTHER)], ASSET, MINUTE) is None
    mixed = [replace(ended(1), asset=OTHER), started(2)]
    assert found(*mixed).state is State.PLAYING


def test_the_first_start_counts_for_lateness() -> None:
    finding = found(started(1, late=3), ended(2, "preempted", 5), started(3, late=20), ended(4))
    assert (finding.started_at, finding.late) == (NOON + timedelta(seconds=3), timedelta(seconds=3))
    assert found(ended(1)).late is None


def test_no_more_than_all_of_it_can_have_been_played() -> None:
    assert found(ended(1, "preempted", 50), ended(2, seconds=60)).coverage == 1.0
    assert judge([ended(1)], ASSET, timedelta(0)) is not None


def test_a_reason_is_a_short_word_that_fits_its_column() -> None:
    for detail in ("x" * 40, "Upper", "a b", "ab\n", "", "9lives", "a"):
        assert found(ended(1, "failed", 0, detail=detail)).reason == "decoder"
    assert found(ended(1, "failed", 0, detail="hard_end")).reason == "hard_end"
