"""A long bulletin to measure with: our own voice reading made-up sentences, each louder or softer than the last."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from broadcasts.audio.sample import say

RATE = 44_100
_SENTENCES, _WORDS = 24, 12
_SPOKEN = (
    *("bà con", "ấp", "xã", "hôm nay", "ngày mai", "tiêm vắc xin", "trẻ em", "lúc", "giờ", "sáng", "chiều", "tại"),
    *("nhà văn hóa", "ủy ban nhân dân", "thông báo", "lịch", "cúp điện", "nước", "mưa", "bão cấp", "gió mạnh"),
    *("đề phòng", "sạt lở", "thu gom", "rác thải", "nông nghiệp", "lúa", "giá", "phân bón", "hội nghị", "đóng góp"),
)


def write_bulletin(path: Path, minutes: float, *, times: int = 1) -> Path:
    """A stereo MP3 of 128 kbit/s, `times` times one after the other; the same bytes every time."""
    bare = path.with_suffix(".frames")
    # Neither tag nor table in front: only then are copies one after the other a file like any other.
    options = {"write_xing": "0", "id3v2_version": "0", "fflags": "+bitexact"}
    with av.open(str(bare), "w", format="mp3", options=options) as out:
        stream = out.add_stream("libmp3lame", rate=RATE)
        assert isinstance(stream, AudioStream)
        stream.layout = "stereo"
        stream.bit_rate = 128_000
        sound = _sound(round(minutes * 60 * RATE))
        for start in range(0, sound.size, RATE):
            left = sound[start : start + RATE]
            pairs = np.stack((left, left // 2), axis=1).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pairs), format="s16", layout="stereo")
            frame.sample_rate = RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    frames = bare.read_bytes()
    with path.open("wb") as file:
        for _ in range(times):
            file.write(frames)
    bare.unlink()
    return path


def _sound(samples: int) -> NDArray[np.int16]:
    chance = np.random.default_rng(7)
    spoken = [_sentence(" ".join(chance.choice(_SPOKEN, _WORDS))) for _ in range(_SENTENCES)]
    parts: list[NDArray[np.float64]] = []
    have = 0
    while have < samples:
        level, pause = chance.uniform(0.15, 0.9), chance.uniform(0.2, 1.2)
        parts.append(spoken[int(chance.integers(_SENTENCES))] * level)
        parts.append(np.zeros(round(pause * RATE)))
        have += parts[-1].size + parts[-2].size
    sound = np.concatenate(parts)[:samples]
    sound += chance.standard_normal(samples) * 2e-4
    return np.round(np.clip(sound, -1, 1) * 32_767).astype(np.int16)


def _sentence(text: str) -> NDArray[np.float64]:
    pcm, rate = say(text)
    found = np.frombuffer(pcm, "<i2") / 32_768
    length = int(found.size * RATE / rate)
    return np.interp(np.arange(length) * rate / RATE, np.arange(found.size), found)
