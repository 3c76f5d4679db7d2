"""A recording to try things with, made on the spot: our chime and a spoken test announcement in Vietnamese."""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path

from broadcasts.audio import child
from broadcasts.audio.chain import Limits
from broadcasts.audio.chime import FALLING, chime
from broadcasts.audio.join import join
from broadcasts.audio.store import told_as_faults

SAMPLE_TEXT = (
    "Đài truyền thanh xã xin kính chào bà con. "
    "Đây là bản tin phát thử, để kiểm tra hệ thống loa trên địa bàn xã. "
    "Bà con nghe rõ bản tin này tức là loa ở ấp mình đang hoạt động tốt. "
    "Nếu nghe không rõ, hoặc loa bị rè, bà con vui lòng báo cho trưởng ấp, hoặc gọi về đài truyền thanh xã. "
    "Bản tin phát thử đến đây là hết. Xin cảm ơn bà con đã lắng nghe."
)

CHIME_RATE = 48_000

EMERGENCY_TEXT = (
    "Khẩn cấp. Khẩn cấp. "
    "Đây là bản ghi mẫu, chỉ để thử hệ thống loa khi có tình huống khẩn cấp. Bà con không cần làm gì cả. "
    "Xin nhắc lại, đây chỉ là phát thử."
)
"""For the emergency set of a sample province: says of itself that nothing has happened."""


def write_sample(path: Path, *, text: str = SAMPLE_TEXT, with_chime: bool = True) -> Path:
    """A mono 16-bit WAV; the same bytes every time. It is an upload like any other: prepare it.

    Raises Fault audio.no_voice when the speech library brought no Vietnamese voice, audio.worker, storage.full.
    """
    spoken, rate = say(text)
    parts = [chime(rate), spoken] if with_chime else [spoken]
    return _write(path, join(parts, rate, gap_ms=400, fade_ms=5), rate)


def write_chime(path: Path, name: str = FALLING) -> Path:
    """One of our opening sounds alone, a mono 16-bit WAV; the same bytes every time. Raises Fault storage.full."""
    return _write(path, chime(CHIME_RATE, name), CHIME_RATE)


def _write(path: Path, samples: bytes, rate: int) -> Path:
    with told_as_faults(), wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)
    return path


def say(text: str, *, language: str = "vi", words_per_minute: int = 150) -> tuple[bytes, int]:
    """Mono 16-bit samples and their rate in Hz. Raises Fault audio.no_voice, audio.worker."""
    with tempfile.TemporaryDirectory(prefix="loa-speech-") as name:
        folder = Path(name)
        out = folder / "speech.wav"
        job = {"texts": [text], "outs": [str(out)], "language": language, "words_per_minute": words_per_minute}
        child.run("broadcasts.audio.speech", job, folder, Limits(cpu_seconds=60, wall_seconds=60))
        with wave.open(str(out), "rb") as file:
            return file.readframes(file.getnframes()), file.getframerate()
