"""The only reader of time."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wait import until

from broadcasts.clock import VIETNAM, ManualClock, SandboxClock, SystemClock, from_unix_ms, unix_ms

NOON = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
NEAR = timedelta(seconds=20)


def test_the_system_clock_is_aware_in_utc_and_its_count_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    counts = [clock.monotonic() for _ in range(100)]
    assert counts == sorted(counts)


def test_viet_nam_keeps_seven_hours_all_year() -> None:
    assert {datetime(2026, month, 1, tzinfo=VIETNAM).utcoffset() for month in range(1, 13)} == {timedelta(hours=7)}


def test_a_manual_clock_stands_until_it_is_told_and_never_goes_back() -> None:
    clock = ManualClock(NOON.astimezone(timezone(timedelta(hours=7))))
    assert (clock.now(), clock.now().tzinfo, clock.monotonic()) == (NOON, UTC, 0.0)
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(seconds=1.5), 1.5)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.set(NOON)
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 3, 3))  # noqa: DTZ001 - that is the point


def ahead(clock: SandboxClock) -> timedelta:
    return clock.now() - datetime.now(UTC)  # noqa: TID251 - compared with the machine's own


def test_two_sandbox_clocks_on_one_file_share_one_time(tmp_path: Path) -> None:
    one, two = SandboxClock(tmp_path / "clock"), SandboxClock(tmp_path / "clock")
    assert abs(ahead(one)) < NEAR
    one.move_to(one.now() + timedelta(hours=5))
    assert abs(ahead(one) - timedelta(hours=5)) < NEAR
    until(lambda: abs(ahead(two) - timedelta(hours=5)) < NEAR, "the second clock follows")
    assert abs(ahead(SandboxClock(tmp_path / "clock")) - timedelta(hours=5)) < NEAR


def test_a_sandbox_clock_only_moves_forward(tmp_path: Path) -> None:
    clock = SandboxClock(tmp_path / "clock")
    clock.move_to(clock.now() + timedelta(hours=5))
    for past in (clock.now() - timedelta(seconds=1), clock.now() - timedelta(hours=5)):
        with pytest.raises(ValueError, match="only moves forward"):
            clock.move_to(past)
    assert abs(ahead(clock) - timedelta(hours=5)) < NEAR


def test_whoever_moves_it_second_builds_on_what_the_first_did(tmp_path: Path) -> None:
    """The second has not looked at the file since."""
    one, two = SandboxClock(tmp_path / "clock"), SandboxClock(tmp_path / "clock")
    one.move_to(one.now() + timedelta(hours=5))
    with pytest.raises(ValueError, match="only moves forward"):
        two.move_to(datetime.now(UTC) + timedelta(hours=3))  # noqa: TID251
    two.move_to(datetime.now(UTC) + timedelta(hours=9))  # noqa: TID251
    told = json.loads((tmp_path / "clock").read_text(encoding="utf-8"))["offset_s"]
    assert abs(timedelta(seconds=told) - timedelta(hours=9)) < NEAR


@pytest.mark.parametrize(
    "torn",
    ["", "{", "[]", "5", "null", '{"offset_s": null}', '{"offset_s": "soon"}', '{"offset_s": {}}', "{}",
     '{"offset_s": 1e400}', '{"offset_s": NaN}', '{"offset_s": 1e300}', '{"offset_s": -7200}', "\x00\x00"],
)  # fmt: skip
def test_a_torn_file_changes_nothing(tmp_path: Path, torn: str) -> None:
    clock = SandboxClock(tmp_path / "clock")
    clock.move_to(clock.now() + timedelta(hours=5))
    (tmp_path / "clock").write_text(torn, encoding="utf-8")
    clock._looked = -1.0
    assert abs(ahead(clock) - timedelta(hours=5)) < NEAR
    assert abs(ahead(SandboxClock(tmp_path / "clock"))) < NEAR


def test_bytes_that_are_no_text_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "clock").write_bytes(b"\xff\xfe\xfd")
    assert abs(ahead(SandboxClock(tmp_path / "clock"))) < NEAR


def test_a_moved_clock_leaves_no_half_written_file_behind(tmp_path: Path) -> None:
    clock = SandboxClock(tmp_path / "clock")
    threads = [
        threading.Thread(target=lambda hours=hours: clock.move_to(clock.now() + timedelta(hours=hours)))
        for hours in (1, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [path.name for path in tmp_path.iterdir()] == ["clock"]
    assert json.loads((tmp_path / "clock").read_text(encoding="utf-8"))["offset_s"] >= 3 * 3600


@given(st.integers(0, 9_999_999_999_999))
def test_milliseconds_go_there_and_back(ms: int) -> None:
    assert unix_ms(from_unix_ms(ms)) == ms
    assert from_unix_ms(ms).tzinfo is UTC
