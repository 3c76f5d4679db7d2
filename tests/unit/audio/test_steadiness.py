"""Which files an ear may deny."""

from __future__ import annotations

import numpy as np
import pytest

from broadcasts.audio.envelope import BANDS, AssetEnvelope
from broadcasts.audio.steadiness import is_steady


def sound(moves_db: float, seconds: float = 20) -> AssetEnvelope:
    """Bands that move apart by so much; levels are half decibels above -120."""
    chance = np.random.default_rng(1)
    frames = round(seconds * 4)
    levels = 180 + 2 * moves_db * np.repeat(chance.standard_normal((frames, BANDS)), 5, axis=0)
    return AssetEnvelope(levels.astype(np.float32))


@pytest.mark.parametrize(("moves_db", "steady"), [(0.0, True), (0.1, True), (0.3, True), (3.0, False), (6.0, False)])
def test_what_hardly_moves_is_not_an_ears_to_deny(moves_db: float, steady: bool) -> None:
    assert is_steady(sound(moves_db)) is steady


def test_less_than_a_second_tells_nothing() -> None:
    assert is_steady(sound(6.0, 0.5))
