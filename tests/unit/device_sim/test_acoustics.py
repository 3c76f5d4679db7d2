"""The simulated way from the horn to the ear does what its fields say, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from device_sim.acoustics import LEVEL, RATE_HZ, AirPath, Noise, captured

TONE = 0.2 * np.sin(2 * np.pi * 1_000 * np.arange(4 * RATE_HZ) / RATE_HZ)
STILL = AirPath(snr_db=80)


def strength(sound: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def test_the_same_seed_gives_the_same_capture_and_another_one_another() -> None:
    path = AirPath(snr_db=5, noise=Noise.WIND, echo_db=-6, reverb_db=-3, drift_ppm=50)
    once, again, other = (captured(TONE, path, seed) for seed in (1, 1, 2))
    assert once.tobytes() == again.tobytes()
    assert once.tobytes() != other.tobytes()


def test_what_comes_in_has_the_level_of_a_microphone_below_the_horn() -> None:
    assert strength(captured(TONE, STILL, 1)) == pytest.approx(LEVEL, rel=0.05)


@pytest.mark.parametrize("hertz", [80, 150])
def test_a_horn_passes_no_bass(hertz: int) -> None:
    both = TONE + 0.2 * np.sin(2 * np.pi * hertz * np.arange(len(TONE)) / RATE_HZ)
    spectrum = np.abs(np.fft.rfft(captured(both, STILL, 1)))
    assert spectrum[hertz * 4] < 0.1 * spectrum[1_000 * 4]


def test_a_cut_wire_leaves_the_street_alone() -> None:
    street = captured(TONE, AirPath(snr_db=10, wire_cut=True), 1)
    assert strength(street) < 0.6 * strength(captured(TONE, AirPath(snr_db=10), 1))
    assert strength(captured(TONE, AirPath(snr_db=80, wire_cut=True), 1)) < 1e-3 * LEVEL * 2


def test_noise_is_as_strong_as_asked() -> None:
    for noise in Noise:
        alone = captured(TONE, AirPath(snr_db=0, noise=noise, wire_cut=True), 1)
        spectrum, hertz = np.abs(np.fft.rfft(alone)) ** 2, np.fft.rfftfreq(len(alone), 1 / RATE_HZ)
        inside = spectrum[(hertz >= 300) & (hertz <= 3_400)].sum()
        assert np.sqrt(2 * inside) / len(alone) == pytest.approx(LEVEL, rel=0.05)


def test_what_is_muted_is_silent_and_a_clock_that_drifts_takes_more_samples() -> None:
    muted = captured(TONE, AirPath(snr_db=80, muted=((1.0, 2.0),)), 1)
    assert strength(muted[RATE_HZ + 400 : 2 * RATE_HZ - 400]) < 0.01 * strength(muted)
    assert len(captured(TONE, AirPath(drift_ppm=1_000), 1)) == len(TONE) + 32


def test_an_echo_comes_later_and_weaker_and_a_neighbour_beside() -> None:
    pulse = np.zeros(RATE_HZ)
    pulse[1_000] = 1.0
    with_echo = np.abs(captured(pulse, AirPath(snr_db=90, echo_s=0.25, echo_db=-6), 1))
    direct, late = int(with_echo[:2_000].argmax()), 2_000 + int(with_echo[2_000:].argmax())
    assert late - direct == pytest.approx(2_000, abs=2)
    assert with_echo[late] / with_echo[direct] == pytest.approx(0.5, abs=0.03)
    other = np.sin(2 * np.pi * 2_000 * np.arange(len(TONE)) / RATE_HZ)
    spectrum = np.abs(np.fft.rfft(captured(TONE, AirPath(snr_db=80, neighbour_db=-6), 1, other)))
    assert spectrum[2_000 * 4] / spectrum[1_000 * 4] == pytest.approx(0.5, abs=0.02)
