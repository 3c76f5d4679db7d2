"""Recordings made on the spot: of every accepted kind, and broken or hostile in every way we know."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

Sound = NDArray[Any]

KINDS: dict[str, tuple[str, str, int]] = {
    "wav": ("wav", "pcm_s16le", 44_100),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "m4a": ("ipod", "aac", 44_100),
    "m4a-lossless": ("ipod", "alac", 44_100),
    "aac": ("adts", "aac", 44_100),
    "ogg": ("ogg", "libopus", 48_000),
    "flac": ("flac", "flac", 44_100),
    "webm": ("webm", "libopus", 48_000),
}
"""A kind of upload -> container, encoder, rate in Hz."""


def tone(seconds: float, hz: float = 440.0, *, rate: int = 16_000, level: float = 0.25) -> bytes:
    """A mono 16-bit WAV holding one sine."""
    t = np.arange(round(seconds * rate)) / rate
    return wav(level * np.sin(2 * np.pi * hz * t), rate)


def talk(seconds: float, seed: int, *, rate: int = 16_000) -> bytes:
    """A mono WAV of syllables in fourteen bands, each seed another bulletin: what an envelope tells apart."""
    chance = np.random.default_rng(seed)
    total, syllable = round(seconds * rate), rate // 6
    t, steps = np.arange(total) / rate, total // syllable + 1
    sound = np.zeros(total)
    for hz in np.geomspace(300, 3300, 14):
        loud = np.repeat(chance.uniform(0, 1, steps) ** 2, syllable)[:total]
        sound += loud * np.sin(2 * np.pi * hz * t + chance.uniform(0, 6))
    return wav(0.05 * sound, rate)


def wav(sound: Sound, rate: int) -> bytes:
    """`sound`: floats within -1..1, one row a channel or a single row."""
    rows = np.atleast_2d(sound)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(rows))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(_as_int16(rows).tobytes())
    return out.getvalue()


def speechlike(seconds: float, rate: int = 44_100, *, level: float = 0.2, seed: int = 1) -> Sound:
    """Noise and harmonics in syllables: about the spectrum and the unevenness of speech, no silence at the ends."""
    chance = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    phases = chance.uniform(0, 2 * np.pi, 25)
    voice = sum(np.sin(2 * np.pi * 140 * n * t + phases[n]) / n for n in range(1, 25))
    breath = chance.standard_normal(t.size) * 0.2
    syllables = 0.15 + 0.85 * np.abs(np.sin(2 * np.pi * 2.1 * t + 0.7))
    sound: Sound = (voice + breath) * syllables
    sound *= level / np.max(np.abs(sound))
    return sound


def recording(path: Path, kind: str = "wav", *, seconds: float = 3.0, sound: Sound | None = None) -> Path:
    """Encodes `sound` (default: something like speech, twice: stereo) as one of KINDS."""
    container, encoder, rate = KINDS[kind]
    sound = np.tile(speechlike(seconds, rate), (2, 1)) if sound is None else np.atleast_2d(sound)
    return encoded(path, container, encoder, rate, sound)


def encoded(path: Path, container: str, encoder: str, rate: int, sound: Sound, layout: str | None = None) -> Path:
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream(encoder, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.layout = layout or ("stereo" if len(sound) == 2 else "mono")
        samples = _as_int16(sound).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=stream.layout.name)
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return path


def film(path: Path) -> Path:
    """An MP4 with pictures and no sound."""
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(50):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")))
        out.mux(stream.encode(None))
    return path


def decoded(path: Path) -> tuple[Sound, int]:
    """The first channel as floats and its rate, by PyAV alone: a second opinion on what we wrote."""
    with av.open(str(path)) as container:
        rows = [frame.to_ndarray()[0].astype(np.float64) for frame in container.decode(audio=0)]
        return np.concatenate(rows), container.streams.audio[0].rate


def _as_int16(rows: Sound) -> Sound:
    ordered: Sound = np.round(np.clip(rows, -1, 1) * 32767).astype("<i2").T
    return np.ascontiguousarray(ordered)
