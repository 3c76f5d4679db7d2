from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.audio import Sound

from broadcasts.audio.chain import EMERGENCY, ORDINARY, WORK_RATE, Chain
from broadcasts.audio.level import Approach, gain_for, loudness
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.silence import Windows, trimmed

MakePcm = Callable[[Sound], Pcm]


@pytest.fixture
def pcm(tmp_path: Path) -> MakePcm:
    def make(sound: Sound) -> Pcm:
        path = tmp_path / "sound.pcm"
        path.write_bytes(sound.astype("<f4").tobytes())
        return Pcm.whole(path, "flt", WORK_RATE)

    return make


def sine(seconds: float, dbfs: float) -> Sound:
    t = np.arange(round(seconds * WORK_RATE)) / WORK_RATE
    sound: Sound = 10 ** (dbfs / 20) * np.sin(2 * np.pi * 1000 * t)
    return sound


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (((20, -23),), -26.0),
        (((20, -33),), -36.0),
        (((10, -36), (60, -23), (10, -36)), -26.0),
        (((10, -72), (10, -36), (60, -23), (10, -36), (10, -72)), -26.0),
        (((20, -26), (20.1, -20), (20, -26)), -26.0),
    ],
    ids=["steady", "quiet", "relative gate", "absolute gate", "uneven"],
)
def test_loudness_is_measured_as_ebu_tech_3341_asks(
    parts: tuple[tuple[float, float], ...], expected: float, pcm: MakePcm
) -> None:
    # Tech 3341, minimum requirements 1 to 5, as one channel: 3.01 LU below the stereo values of the document.
    sound = np.concatenate([sine(seconds, level) for seconds, level in parts])

    assert loudness(pcm(sound)) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("chain", [ORDINARY, EMERGENCY], ids=["ordinary", "emergency"])
def test_the_gain_found_reaches_the_target_through_the_limiter(chain: Chain, pcm: MakePcm) -> None:
    # Clicks far above the voice: without the limiter the whole would have to stay 14 dB too quiet.
    sound = sine(6, -40)
    sound[:: WORK_RATE // 4] = 0.9

    gain = gain_for(made := pcm(sound), chain, chain.target_lufs)

    assert gain is not None
    reached = loudness(made, gain, chain.limiter_dbfs)
    assert reached == pytest.approx(chain.target_lufs + chain.codec.loss_lu, abs=0.3)


def test_silence_has_no_gain(pcm: MakePcm) -> None:
    assert gain_for(pcm(np.zeros(3 * WORK_RATE)), ORDINARY, -16.0) is None


def test_the_gain_stops_where_only_noise_would_be_raised() -> None:
    approach = Approach(30.0, 40.0)

    assert approach.move(-30.0, -16.0)
    assert approach.move(-24.0, -16.0)
    assert approach.gain_db == 40.0
    assert not approach.move(-22.0, -16.0)


def test_steps_grow_when_the_limiter_eats_half_of_them() -> None:
    approach = Approach(10.0, 40.0)
    approach.move(-20.0, -16.0)
    assert approach.gain_db == 14.0

    approach.move(-18.0, -16.0)

    assert approach.gain_db == 18.0


@pytest.mark.parametrize("before", [0.0, 0.1, 2.0])
def test_silence_at_the_ends_is_cut_to_150_ms(before: float, pcm: MakePcm) -> None:
    still = np.zeros(round(before * WORK_RATE))
    made = pcm(np.concatenate((still, sine(1, -20), np.zeros(WORK_RATE), sine(1, -20), still)))

    found = trimmed(made, Windows.of(made))

    kept = min(before, 0.15)
    assert found.seconds == pytest.approx(3 + 2 * kept, abs=0.041)
    assert found.start / WORK_RATE == pytest.approx(before - kept, abs=0.021)


def test_a_steady_sound_loses_nothing(pcm: MakePcm) -> None:
    made = pcm(sine(1.2345, -20))

    assert trimmed(made, Windows.of(made)) == made


def test_room_noise_counts_as_silence_next_to_a_voice(pcm: MakePcm) -> None:
    room = sine(2, -60)
    made = pcm(np.concatenate((room, sine(2, -20), room)))

    assert trimmed(made, Windows.of(made)).seconds == pytest.approx(2.3, abs=0.05)
