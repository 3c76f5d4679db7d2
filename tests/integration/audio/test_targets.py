"""Whatever comes in: half an LU from the target, no true peak above the limit, the length exact, always the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.audio import Sound, decoded, recording, speechlike, wav
from support.takes import TAKES

from broadcasts.audio.chain import CODECS, EMERGENCY, ORDINARY
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store

TOO_QUIET = "near to nothing"
"""More than 40 dB would raise little but noise: it stays softer, and somebody is told."""
take = cache(lambda name: TAKES[name]())


def peak_db(sound: Sound) -> float:
    return float(20 * np.log10(np.max(np.abs(sound))))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", TAKES)
def test_a_finished_file_is_as_loud_as_asked_and_no_peak_is_above_the_limit(
    name: str, codec: str, tmp_path: Path
) -> None:
    upload = recording(tmp_path / "upload", sound=take(name))
    chain, store = replace(ORDINARY, codec=CODECS[codec]), Store(tmp_path / "store")

    prepared = prepare(upload, store, chain=chain)

    if name == TOO_QUIET:
        assert prepared.warnings == ("audio.level_missed",)
        assert prepared.loudness_lufs < -16.5
    else:
        assert prepared.warnings == (("audio.out_of_phase",) if name.startswith("left against") else ())
        assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert prepared.true_peak_dbtp <= -1.0
    sound, rate = decoded(store.path(prepared.sha256))
    assert peak_db(sound) <= prepared.true_peak_dbtp + 0.05
    # Exact to the sample: what a player decodes is what was declared, and milliseconds are rounded down.
    assert prepared.duration_ms == sound.size * 1000 // rate


@pytest.mark.parametrize("name", ["speech", "knocks", "quiet"])
def test_what_was_done_is_what_can_be_seen(name: str, tmp_path: Path) -> None:
    still = np.zeros(2 * 44_100)
    sound = np.concatenate((still, take(name), still))
    prepared = prepare(recording(tmp_path / "upload", sound=sound), Store(tmp_path / "store"))

    done = prepared.mastering
    assert done is not None
    # 150 ms of silence stay; the voice may begin and end softly.
    assert done.trimmed_start_ms == pytest.approx(1_850, abs=150)
    assert done.trimmed_start_ms + prepared.duration_ms + done.trimmed_end_ms == pytest.approx(sound.size / 44.1, abs=2)
    assert done.original_true_peak_dbtp == pytest.approx(peak_db(take(name)), abs=1.0)
    assert done.limited_db > 1
    assert 0 < done.limited_percent < 100


def test_an_alert_is_louder_within_its_own_tolerance(tmp_path: Path) -> None:
    prepared = prepare(recording(tmp_path / "upload", sound=take("speech")), Store(tmp_path / "store"), chain=EMERGENCY)

    assert prepared.loudness_lufs == pytest.approx(-14.0, abs=1.0)
    assert prepared.true_peak_dbtp <= -1.0


def test_a_long_recording_is_right_and_the_same_every_time(tmp_path: Path) -> None:
    """Long enough that a minute of it is tried first."""
    chance = np.random.default_rng(2)
    parts = [take("speech") * chance.uniform(0.2, 1.0) for _ in range(30)]
    upload = recording(tmp_path / "upload", "mp3", sound=np.concatenate(parts))

    first = prepare(upload, Store(tmp_path / "one"))
    again = prepare(upload, Store(tmp_path / "two"))

    assert first == again
    assert first.warnings == ()
    assert first.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert first.true_peak_dbtp <= -1.0
    assert first.duration_ms == pytest.approx(sum(part.size for part in parts) / 44.1, abs=300)


@pytest.mark.parametrize("padding", [0, 23, 24, 300, 528])
def test_an_mp3_is_as_long_as_players_play_it(padding: int, tmp_path: Path) -> None:
    """The last frame is filled up, and its tag cannot always say by how much."""
    rate, chain = 24_000, replace(ORDINARY, codec=CODECS["mp3"])
    upload, store = tmp_path / "upload", Store(tmp_path / "store")
    upload.write_bytes(wav(speechlike(3.0, rate)[: 576 * 84 - 1_105 - padding], rate))

    prepared = prepare(upload, store, chain=chain)

    sound, decoded_rate = decoded(store.path(prepared.sha256))
    assert prepared.duration_ms == sound.size * 1000 // decoded_rate
