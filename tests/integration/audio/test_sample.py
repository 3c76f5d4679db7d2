from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from broadcasts.audio.pipeline import prepare
from broadcasts.audio.sample import say, write_sample
from broadcasts.audio.store import Store
from broadcasts.errors import Fault


def test_the_sample_is_a_chime_and_a_spoken_notice_and_prepares_like_any_upload(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "sample.wav")
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        seconds = file.getnframes() / file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        rate = file.getframerate()

    assert 20 < seconds < 35
    assert np.sqrt(np.mean(sound[: 2 * rate] ** 2)) > 0.01
    assert np.sqrt(np.mean(sound[3 * rate :] ** 2)) > 0.01
    prepared = prepare(path, Store(tmp_path / "store"))
    assert prepared.warnings == ()
    assert prepared.size * 8 / (prepared.duration_ms / 1000) == pytest.approx(24_000, rel=0.15)
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)


def test_the_sample_is_the_same_every_time(tmp_path: Path) -> None:
    once = write_sample(tmp_path / "once.wav").read_bytes()

    assert write_sample(tmp_path / "again.wav").read_bytes() == once


def test_tones_of_vietnamese_are_spoken_apart() -> None:
    spoken = [say(word)[0] for word in ("ma", "má", "mà", "mả", "mã", "mạ")]

    assert len(set(spoken)) == 6
    assert all(len(word) > 8_000 for word in spoken)


def test_a_language_without_a_voice_is_a_fault_that_names_it() -> None:
    with pytest.raises(Fault) as fault:
        say("សួស្តី", language="km")
    assert (fault.value.key, fault.value.fields) == ("audio.no_voice", {"language": "km"})
