"""Our meters on the synthetic signals of EBU Tech 3341 (minimum requirements), as one channel each.

One channel of the document's two reads 3.01 LU less. Case 6 has five channels; ours are measured after the mix to one,
so it stands here as the sum that the mix makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from support.audio import Sound

from broadcasts.audio.level import loudness
from broadcasts.audio.mix import Mix
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.truepeak import TruePeak

RATES = (16_000, 24_000, 48_000)
"""Of the finished file's two codecs, and of the work."""
MONO_LU = -3.01

LOUDNESS: dict[str, tuple[Sequence[tuple[float, float]], float]] = {
    "1": (((20, -23),), -23.0),
    "2": (((20, -33),), -33.0),
    "3": (((10, -36), (60, -23), (10, -36)), -23.0),
    "4": (((10, -72), (10, -36), (60, -23), (10, -36), (10, -72)), -23.0),
    "5": (((20, -26), (20.1, -20), (20, -26)), -23.0),
}
"""Case -> seconds and dBFS of each 1 kHz tone, LUFS."""

PEAKS: dict[str, tuple[float, float, float, float]] = {
    "15": (4, 0, 0.5, -6.0),
    "16": (4, 45, 0.5, -6.0),
    "17": (6, 60, 0.5, -6.0),
    "18": (8, 67.5, 0.5, -6.0),
    "19": (4, 45, 1.41, 3.0),
}
"""Case -> samples a period, phase in degrees, amplitude, dBTP. To be read within +0.2 and -0.4 dB."""


def tone(seconds: float, dbfs: float, rate: int) -> Sound:
    t = np.arange(round(seconds * rate)) / rate
    found: Sound = 10 ** (dbfs / 20) * np.sin(2 * np.pi * 1000 * t)
    return found


def read(sound: Sound, rate: int, folder: Path) -> float:
    path = folder / "sound.pcm"
    path.write_bytes(sound.astype("<f4").tobytes())
    return loudness(Pcm.whole(path, "flt", rate))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("case", LOUDNESS)
def test_loudness_is_read_within_a_tenth(case: str, rate: int, tmp_path: Path) -> None:
    parts, expected = LOUDNESS[case]
    sound = np.concatenate([tone(seconds, level, rate) for seconds, level in parts])

    assert read(sound, rate, tmp_path) == pytest.approx(expected + MONO_LU, abs=0.1)


def test_case_6_after_the_mix_to_one_channel(tmp_path: Path) -> None:
    """Left and right at -28, centre at -24, surrounds at -30 dBFS: one tone, of which each channel gives a fifth."""
    rate = 48_000
    levels = (-28, -28, -24, -30, -30)
    rows = np.stack([tone(20, level, rate) for level in levels])
    together = 20 * np.log10(sum(10 ** (level / 20) for level in levels) / 5)

    frame = av.AudioFrame.from_ndarray(rows.astype(np.float32), format="fltp", layout="5.0")
    frame.sample_rate = rate
    mixed = np.concatenate(list(Mix().mixed([frame])))

    assert read(mixed, rate, tmp_path) == pytest.approx(together + MONO_LU, abs=0.1)


@pytest.mark.parametrize("seconds", [2.0, 0.01])
@pytest.mark.parametrize("case", PEAKS)
def test_true_peak_is_read_within_its_bounds(case: str, seconds: float) -> None:
    period, phase, amplitude, expected = PEAKS[case]
    n = np.arange(round(seconds * 48_000))
    meter = TruePeak()
    for block in np.array_split(amplitude * np.sin(2 * np.pi * n / period + np.radians(phase)), 7):
        meter.add(block)

    assert -0.4 <= meter.dbtp - expected <= 0.2


@pytest.mark.parametrize("case", ["20", "21", "22", "23"])
def test_a_peak_between_two_samples_is_found_wherever_it_lies(case: str) -> None:
    """Cases 20 to 23: four times the rate, moved by none to three of its samples, and taken down to the rate."""
    rate, times, offset = 48_000, 4, int(case) - 20
    n = np.arange(rate * times // 4)
    sound = 0.5 * np.sin(2 * np.pi * n / (6 * times)) * np.hanning(n.size)
    spectrum = np.fft.rfft(np.roll(sound, offset))
    kept = spectrum[: n.size // times // 2 + 1] / times
    meter = TruePeak()
    meter.add(np.fft.irfft(kept, n.size // times))

    assert -0.4 <= meter.dbtp - (-6.02) <= 0.2


def test_silence_and_a_sound_shorter_than_the_filter_have_a_peak_too() -> None:
    nothing, short = TruePeak(), TruePeak()
    nothing.add(np.zeros(48_000))
    short.add(np.array([0.0, 0.25, 0.0]))

    assert nothing.dbtp == -99.0
    assert short.dbtp == pytest.approx(-12.04, abs=0.01)


def test_however_the_sound_is_cut_into_blocks_its_peak_is_the_same() -> None:
    sound = np.random.default_rng(4).standard_normal(50_000) * 0.1
    whole = TruePeak()
    whole.add(sound)
    for sizes in ((1, 50), (31, 32, 33), (7_919,), (20_000, 3)):
        parts, at = TruePeak(), 0
        while at < sound.size:
            size = sizes[at % len(sizes)]
            parts.add(sound[at : at + size])
            at += size
        assert parts.dbtp == whole.dbtp


def test_the_mixer_gives_each_channel_its_share() -> None:
    rows = np.stack((np.full(1_000, 0.5), np.full(1_000, -0.1), np.zeros(1_000))).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(rows, format="fltp", layout="2.1")
    frame.sample_rate = 48_000

    [block] = Mix().mixed([frame])

    assert block == pytest.approx(np.full(1_000, 0.4 / 3), abs=1e-6)
