"""What phones, browsers and newsrooms write is understood, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.phones import PHONES, SECONDS

from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store


@pytest.mark.parametrize("kind", PHONES)
def test_a_recording_is_taken_whatever_wrote_it_and_however_it_is_called(kind: str, tmp_path: Path) -> None:
    upload = PHONES[kind](tmp_path / "tin.jpg")

    prepared = prepare(upload, Store(tmp_path / "store"))

    assert prepared.warnings == ()
    # An encoder may add its priming, and leave out what does not fill its last frame.
    assert prepared.duration_ms == pytest.approx(SECONDS * 1000, abs=100)
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert prepared.true_peak_dbtp <= -1.0
