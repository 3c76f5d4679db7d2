"""Recordings as phones, browsers and newsrooms write them, beyond `support.audio.KINDS`. Each maker takes a path."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from support.audio import Sound, speechlike

SECONDS = 2.0
Maker = Callable[[Path], Path]


def written(
    path: Path,
    container: str,
    encoder: str,
    rate: int,
    *,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    pictures: bool = False,
    seconds: float = SECONDS,
    title: str = "",
) -> Path:
    """Mono speech, with pictures before it when asked for, frame by frame as a recorder does."""
    sound = np.round(speechlike(seconds, rate) * 32_767).astype("<i2")
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"} | (options or {})) as out:
        if title:
            out.metadata["title"] = title
        if pictures:
            video = out.add_stream("mpeg4" if container != "webm" else "libvpx", rate=10)
            assert isinstance(video, VideoStream)
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        stream = out.add_stream(encoder, rate=rate, options=codec_options or {})
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        if pictures:
            for _ in range(int(seconds * 10)):
                out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")))
            out.mux(video.encode(None))
        for start in range(0, sound.size, rate // 5):
            frame = av.AudioFrame.from_ndarray(sound[start : start + rate // 5].reshape(1, -1), "s16", "mono")
            frame.sample_rate = rate
            frame.pts = start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def riff(
    path: Path,
    data: bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    data_bytes: int | None = None,
    head: bytes = b"RIFF",
    extra: bytes = b"",
    before: bytes = b"",
) -> Path:
    """A WAV written byte by byte, so that every field can lie. `extra` ends the format chunk, `before` precedes it."""
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits) + extra
    size = len(data) if data_bytes is None else data_bytes
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", size) + data
    whole = len(body) if head == b"RIFF" else 0xFFFFFFFF
    path.write_bytes(head + struct.pack("<I", whole) + body)
    return path


def floats(path: Path, sound: Sound, rate: int = 16_000) -> Path:
    """32-bit floats, which may hold what is no number."""
    return riff(path, sound.astype("<f4").tobytes(), tag=3, rate=rate, bits=32)


def _rf64(path: Path) -> Path:
    data = np.round(speechlike(SECONDS, 16_000) * 32_767).astype("<i2").tobytes()
    sizes = b"ds64" + struct.pack("<IQQQI", 28, len(data) + 72, len(data), len(data) // 2, 0)
    return riff(path, data, head=b"RF64", before=sizes, data_bytes=0xFFFFFFFF)


def _extensible(path: Path) -> Path:
    guid = struct.pack("<IHH", 1, 0, 0x10) + bytes((0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71))
    data = np.round(speechlike(SECONDS, 16_000) * 32_767).astype("<i2").tobytes()
    return riff(path, data, tag=0xFFFE, extra=struct.pack("<HHI", 22, 16, 4) + guid)


def _maker(container: str, encoder: str, rate: int, pictures: bool = False, **options: str) -> Maker:
    return lambda path: written(path, container, encoder, rate, options=options, pictures=pictures)


PHONES: dict[str, Maker] = {
    "wav 24 bit": _maker("wav", "pcm_s24le", 48_000),
    "wav 32 bit": _maker("wav", "pcm_s32le", 48_000),
    "wav float": lambda path: floats(path, speechlike(SECONDS, 16_000)),
    "wav A-law of a telephone": _maker("wav", "pcm_alaw", 8_000),
    "wav mu-law of a telephone": _maker("wav", "pcm_mulaw", 8_000),
    "wav of a voice recorder": _maker("wav", "adpcm_ima_wav", 16_000),
    "wav extensible": _extensible,
    "wav RF64": _rf64,
    "aiff of a newsroom": _maker("aiff", "pcm_s16be", 44_100),
    "m4a index first": _maker("ipod", "aac", 44_100, movflags="+faststart"),
    "m4a index last": _maker("ipod", "aac", 44_100),
    "mp4 in fragments": _maker("mp4", "aac", 48_000, movflags="+frag_keyframe+empty_moov+default_base_moof"),
    "mov of a phone": _maker("mov", "aac", 44_100, pictures=True),
    "mp4 with pictures": _maker("mp4", "aac", 44_100, pictures=True),
    "mkv with pictures": _maker("matroska", "libopus", 48_000, pictures=True),
    "webm with pictures": _maker("webm", "libopus", 48_000, pictures=True),
    "webm of a browser, without length": _maker("webm", "libopus", 48_000, live="1"),
    "opus": _maker("opus", "libopus", 48_000),
    "flac": _maker("flac", "flac", 16_000),
    "amr of an old phone": _maker("amr", "libopencore_amrnb", 8_000),
    "3gp of an old phone": _maker("3gp", "libopencore_amrnb", 8_000),
    "3gp with pictures": _maker("3gp", "aac", 16_000, pictures=True),
    "mp3 of a speech recorder": _maker("mp3", "libmp3lame", 16_000),
}
"""What people send -> how it is made."""
