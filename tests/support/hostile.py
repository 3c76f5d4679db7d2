"""Uploads that are broken, that lie, or that want something: made on the spot, each with the answer it must get."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from support.audio import encoded, film, recording, speechlike, tone
from support.phones import floats, riff, written

from broadcasts.audio.chain import Limits

RATE = 16_000
TEN_HOURS = 36_000


@dataclass(frozen=True)
class Hostile:
    """`refused`: the key; "" for what is taken. `warned`: the keys of the warnings that it then comes with."""

    make: Callable[[Path], object]
    refused: str = ""
    warned: tuple[str, ...] = ()
    limits: Limits | None = None


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _speech(seconds: float = 2.0) -> bytes:
    return np.round(speechlike(seconds, RATE) * 32_767).astype("<i2").tobytes()


def _cut(kind: str, share: float) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        whole = recording(path, kind, seconds=4.0).read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return make


def _with(bad: float, share: float) -> Callable[[Path], object]:
    """Speech of floats, a share of which is something else, in stretches."""

    def make(path: Path) -> None:
        sound = speechlike(4.0, RATE)
        sound[: int(sound.size * share)] = bad
        floats(path, sound)

    return make


def _ten_hours_of_mp3(path: Path) -> None:
    """36 MB that really are ten hours: the same frames over and over."""
    written(path, "mp3", "libmp3lame", 8_000, options={"write_xing": "0", "id3v2_version": "0"}, seconds=10.0)
    frames = path.read_bytes()
    path.write_bytes(frames * (TEN_HOURS // 10))


def _ten_hours_of_nothing(path: Path) -> None:
    """The header of a FLAC says so (RFC 9639, 8.2); a few kilobytes."""
    encoded(path, "flac", "flac", RATE, np.atleast_2d(speechlike(2.0, RATE)))
    data = bytearray(path.read_bytes())
    samples = TEN_HOURS * RATE
    data[21] = data[21] & 0xF0 | samples >> 32
    data[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    path.write_bytes(data)


def _bomb(path: Path) -> None:
    """Twenty seconds of eight silent channels at the highest rate: 100 kB, and 6 MB of samples for each second."""
    encoded(path, "flac", "flac", 192_000, np.zeros((8, 20 * 192_000)), layout="7.1")


def _tagged(path: Path) -> None:
    """A title of control characters, escapes for a terminal, markup, right-to-left marks and a null."""
    title = b"\x01" + "\x07\x1b[31m\u202e<script>alert(1)</script>\r\n\x00 tin".encode("utf-16")
    frame = b"TIT2" + struct.pack(">I", len(title)) + b"\0\0" + title
    bare = recording(path, "mp3", seconds=2.0).read_bytes()
    path.write_bytes(b"ID3\x03\0\0" + bytes((0, 0, len(frame) >> 7, len(frame) & 0x7F)) + frame + bare)


def _protected(path: Path) -> None:
    recording(path, "m4a", seconds=2.0)
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"drms"))


HOSTILE: dict[str, Hostile] = {
    "empty": Hostile(_bytes(b""), "audio.empty"),
    "a letter": Hostile(_bytes(b"a"), "audio.not_audio"),
    "text": Hostile(_bytes("Thông báo của xã\n".encode() * 50), "audio.not_audio"),
    "a program": Hostile(_bytes(b"\x7fELF" + bytes(4_000)), "audio.not_audio"),
    "a picture": Hostile(_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(4_000)), "audio.not_audio"),
    "a zip": Hostile(_bytes(b"PK\x03\x04" + bytes(4_000)), "audio.not_audio"),
    "only a WAV header": Hostile(lambda path: riff(path, b""), "audio.broken"),
    "a WAV of 0 Hz": Hostile(lambda path: riff(path, _speech(), rate=0), "audio.broken"),
    "a WAV of 4 GHz": Hostile(lambda path: riff(path, _speech(), rate=0xFFFFFFFF), "audio.broken"),
    "a WAV of 1 Hz": Hostile(lambda path: riff(path, _speech(), rate=1), "audio.shape"),
    "a WAV of no channel": Hostile(lambda path: riff(path, _speech(), channels=0), "audio.shape"),
    "a WAV of 96 channels": Hostile(lambda path: riff(path, _speech(), channels=96), "audio.shape"),
    "a WAV of 65,535 channels": Hostile(lambda path: riff(path, _speech(), channels=65_535), "audio.shape"),
    "a WAV of 3 bits": Hostile(lambda path: riff(path, _speech(), bits=3), ""),
    "a WAV of an unknown codec": Hostile(lambda path: riff(path, _speech(), tag=0xFFFF), "audio.codec"),
    "a WAV that promises 4 GB": Hostile(lambda path: riff(path, _speech(), data_bytes=0xFFFFFFF0), ""),
    "a WAV that promises nothing": Hostile(lambda path: riff(path, _speech(), data_bytes=0), ""),
    "floats that are no numbers": Hostile(_with(np.nan, 1.0), "audio.broken"),
    "floats beyond all": Hostile(_with(np.inf, 1.0), "audio.broken"),
    "a tenth is no number": Hostile(_with(np.nan, 0.1), "", ("audio.damaged",)),
    "a tenth is infinite": Hostile(_with(-np.inf, 0.1), "", ("audio.damaged",)),
    "a tenth is a billion": Hostile(_with(1e9, 0.1), "", ("audio.damaged",)),
    "half are numbers too small to count with": Hostile(_with(1e-42, 0.5), ""),
    "nothing but such numbers": Hostile(_with(1e-42, 1.0), "audio.silent"),
    "silence": Hostile(_bytes(tone(3.0, level=0.0)), "audio.silent"),
    "half a second": Hostile(_bytes(tone(0.5)), "audio.too_short"),
    "one sample": Hostile(lambda path: riff(path, b"\x01\x02"), "audio.too_short"),
    "a title of control characters": Hostile(_tagged, ""),
    "a film without sound": Hostile(film, "audio.no_sound_track"),
    "a bought song": Hostile(_protected, "audio.protected"),
    "an M4A without its end": Hostile(_cut("m4a", 0.7), "audio.cut_off"),
    "half an MP3": Hostile(_cut("mp3", 0.5), "", ("audio.truncated",)),
    "half a FLAC": Hostile(_cut("flac", 0.5), "", ("audio.truncated", "audio.damaged")),
    "half a WebM": Hostile(_cut("webm", 0.5), ""),
    "ten hours": Hostile(_ten_hours_of_mp3, "audio.too_long"),
    "ten hours that are not there": Hostile(_ten_hours_of_nothing, "audio.too_long"),
    "100 kB that become gigabytes": Hostile(_bomb, "audio.too_long", limits=Limits(max_samples=10 * 192_000 * 8)),
    "more bytes than allowed": Hostile(_bytes(bytes(3_000)), "audio.too_large", limits=Limits(max_bytes=2_000)),
}
