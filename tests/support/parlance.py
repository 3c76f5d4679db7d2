"""Bulletins by the score: the same embedded voice, always another text, the same chime in front."""

from __future__ import annotations

import io
import random

import av
import numpy as np
from numpy.typing import NDArray

from broadcasts.audio.chime import chime
from broadcasts.audio.envelope import RATE
from broadcasts.audio.sample import say

Sound = NDArray[np.float64]
SPOKEN = (
    "xã phường ấp bà con nhân dân thông báo lịch tiêm chủng trẻ em trạm y tế ngày mai sáng chiều bảy giờ hội trường "
    "ủy ban cúp nước điện đường giao thông phòng chống dịch sốt xuất huyết muỗi lúa gạo tôm cá giá thị trường mưa bão "
    "lũ dâng triều cường sạt lở học sinh khai giảng họp bầu cử đại biểu luật đất đai thuế hỗ trợ người nghèo vay vốn "
    "ngân hàng chính sách thanh niên phụ nữ nông dân cựu chiến binh văn hóa thể thao bóng đá hội diễn chùa lễ hội"
)
WORDS = SPOKEN.split()


def text(chance: random.Random, words: int) -> str:
    """Sentences of 6 to 16 words that mean nothing."""
    told: list[str] = []
    while words > 0:
        length = chance.randint(6, 16)
        told.append(" ".join(chance.choice(WORDS) for _ in range(length)).capitalize() + ".")
        words -= length
    return " ".join(told)


def bulletins(count: int, seed: int, words: int = 150) -> list[Sound]:
    """`count` of them, about 45 s each, mono at 8 kHz at -20 dBFS."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        spoken, rate = say(text(chance, words))
        together = chime(rate) + spoken
        sound = at_8_khz(np.frombuffer(together, "<i2").astype(np.float64) / 32768, rate)
        found.append(sound * (0.1 / np.sqrt(np.mean(sound**2))))
    return found


def at_8_khz(sound: Sound, rate: int) -> Sound:
    """By its spectrum, nothing of which lies above 4 kHz any more."""
    length = round(len(sound) * RATE / rate)
    spectrum = np.fft.rfft(sound)[: length // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, length) * (length / len(sound)), np.float64)


def opus(sound: Sound, bit_rate: int = 8_000) -> bytes:
    """A clip as a box sends it: mono at 8 kHz, Opus in Ogg."""
    out = io.BytesIO()
    with av.open(out, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate, stream.layout = bit_rate, "mono"
        frame = av.AudioFrame.from_ndarray((sound * 32767).astype("<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


def heard_again(file: str | io.BytesIO) -> Sound:
    """What a player gives of a file, mono at 8 kHz."""
    with av.open(file) as container:
        change = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        pieces = [out.to_ndarray().ravel() for frame in container.decode(audio=0) for out in change.resample(frame)]
    return np.concatenate(pieces).astype(np.float64)
