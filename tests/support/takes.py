"""Recordings of every character, as floats: what a target has to be reached from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from support.audio import Sound, speechlike

from broadcasts.audio.sample import say

RATE = 44_100


@cache
def spoken(seconds: float = 6.0) -> Sound:
    """Our own voice, at its own level."""
    pcm, rate = say(
        "Đài truyền thanh xã thông báo. Sáng mai tiêm vắc xin cho trẻ em tại trạm y tế. Bà con nhớ đến đúng giờ."
    )
    found = np.frombuffer(pcm, "<i2") / 32_768
    length = int(min(found.size / rate, seconds) * RATE)
    return np.interp(np.arange(length) * rate / RATE, np.arange(found.size), found)


def music(seconds: float = 6.0) -> Sound:
    """Plucked chords and a beat."""
    chance, t = np.random.default_rng(5), np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros_like(t)
    for beat in range(int(seconds * 4)):
        start = int(beat * RATE / 4)
        left = t[: t.size - start]
        for step in chance.choice([0, 3, 5, 7, 10, 12], 3):
            tone = 220 * 2 ** (step / 12)
            sound[start:] += np.exp(-left * 5) * np.sin(2 * np.pi * tone * left)
        sound[start:] += 2 * np.exp(-left * 60) * chance.standard_normal(left.size)
    found: Sound = 0.7 * sound / np.max(np.abs(sound))
    return found


def noise(seconds: float, level: float, seed: int = 9) -> Sound:
    found: Sound = level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return found


def telephone() -> Sound:
    """300 to 3,400 Hz at 8 kHz, with its noise."""
    voice = spoken()
    spectrum = np.fft.rfft(voice)
    hertz = np.fft.rfftfreq(voice.size, 1 / RATE)
    spectrum[(hertz < 300) | (hertz > 3_400)] = 0
    found: Sound = np.fft.irfft(spectrum, voice.size)[: voice.size]
    found = 0.3 * found / np.max(np.abs(found))
    return found + noise(found.size / RATE, 0.003)[: found.size]


def clicks() -> Sound:
    """A soft voice, and a knock at the microphone twice a second."""
    sound = speechlike(6.0, RATE, level=0.05)
    sound[:: RATE // 2] = 0.95
    return sound


TAKES: dict[str, Callable[[], Sound]] = {
    "speech": spoken,
    "quiet": lambda: 0.03 * spoken(),
    "loud": lambda: speechlike(6.0, RATE, level=0.99),
    "clipped": lambda: np.clip(8 * speechlike(6.0, RATE, level=0.9), -1, 1),
    "near to nothing": lambda: 0.003 * spoken(),
    "music": music,
    "a steady tone": lambda: 0.3 * np.sin(2 * np.pi * 440 * np.arange(6 * RATE) / RATE),
    "noise": lambda: noise(6.0, 0.1),
    "left against right": lambda: np.stack((spoken(), -spoken())),
    "left against right, almost": lambda: np.stack((spoken(), -0.9 * spoken())),
    "two voices": lambda: np.stack((speechlike(6.0, RATE, seed=1), speechlike(6.0, RATE, seed=2))),
    "one channel dead": lambda: np.stack((spoken(), np.zeros_like(spoken()))),
    "a second": lambda: speechlike(1.1, RATE),
    "off centre": lambda: 0.2 * spoken() + 0.4,
    "a telephone call": telephone,
    "long pauses": lambda: np.concatenate([part for _ in range(3) for part in (spoken(2.0), np.zeros(4 * RATE))]),
    "knocks": clicks,
    "soft, then loud": lambda: np.concatenate((0.05 * spoken(), 0.9 * spoken())),
    "with hum": lambda: 0.3 * spoken() + 0.05 * np.sin(2 * np.pi * 50 * np.arange(spoken().size) / RATE),
}
