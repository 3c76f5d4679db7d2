"""What is done to a recording before a horn plays it: filters, targets, codec, and what an upload may cost.

The numbers come from our own measurements: speech through a 300 Hz to 8 kHz horn in noise is understood twice as well
at -16 LUFS with this chain as at broadcast's -23; above -14 only the driver gets hotter. Loudness is ITU-R BS.1770,
measured on the mono file as it is (a player that sends it to two channels measures 3 LU more).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

WORK_RATE = 48_000
"""Hz. Filters and limiter work at this rate, in mono; the encoder's own rate comes last."""


@dataclass(frozen=True)
class Codec:
    """One way to write the file. `loss_lu` is the loudness that encoder and band limit take away, so we aim higher."""

    name: str
    encoder: str
    container: str
    sample_rate: int
    bitrate: int
    loss_lu: float
    options: tuple[tuple[str, str], ...] = ()


OPUS = Codec(
    name="opus",
    encoder="libopus",
    container="ogg",
    sample_rate=16_000,
    bitrate=24_000,
    loss_lu=0.5,
    options=(("application", "voip"), ("vbr", "on"), ("frame_duration", "20")),
)
"""Wideband, transparent for what a horn passes, half the bytes of MP3, exact in length."""

MP3 = Codec(name="mp3", encoder="libmp3lame", container="mp3", sample_rate=24_000, bitrate=48_000, loss_lu=0.3)
"""The second rendition, constant bit rate, for players that know nothing else."""


CODECS = {codec.name: codec for codec in (OPUS, MP3)}


def speech_filters(
    highpass_hz: float = 250, lowpass_hz: float = 7500, presence_db: float = 4, ratio: float = 3
) -> tuple[tuple[str, str], ...]:
    """What a horn cannot pass goes, what makes words understood is raised, loud and soft come nearer to each other."""
    return (
        ("highpass", f"f={highpass_hz:g}:p=2"),
        ("lowpass", f"f={lowpass_hz:g}:p=2"),
        ("equalizer", f"f=3000:t=q:w=0.8:g={presence_db:g}"),
        ("acompressor", f"threshold=0.0631:ratio={ratio:g}:attack=5:release=120:knee=6:makeup=1"),
    )


@dataclass(frozen=True)
class Chain:
    """Filters in FFmpeg's words and the level to reach. LUFS, LU, dBFS, dBTP and dB as named."""

    target_lufs: float = -16.0
    tolerance_lu: float = 0.5
    limiter_dbfs: float = -3.0
    ceiling_dbtp: float = -1.0
    max_gain_db: float = 40.0
    filters: tuple[tuple[str, str], ...] = speech_filters()
    trim_silence: bool = True
    codec: Codec = OPUS

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        codec = told["codec"] | {"options": tuple((k, v) for k, v in told["codec"]["options"])}
        return cls(**(told | {"filters": tuple((k, v) for k, v in told["filters"]), "codec": Codec(**codec)}))


ORDINARY = Chain()
EMERGENCY = replace(ORDINARY, target_lufs=-14.0, tolerance_lu=1.0)
"""The defaults; the service's own come with its settings."""


_DECODERS = (
    *("mp3", "mp3float", "aac", "opus", "libopus", "vorbis", "libvorbis", "flac", "alac"),
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"),
    *("pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be"),
    # Cheap phones and voice recorders.
    *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "adpcm_ima_wav"),
)


@dataclass(frozen=True)
class Limits:
    """What one upload may be and what the work on it may cost."""

    max_bytes: int = 200_000_000
    min_seconds: float = 1.0
    max_seconds: float = 7_200.0
    max_channels: int = 8
    min_rate: int = 8_000
    max_rate: int = 192_000
    max_samples: int = 7_200 * 48_000 * 8
    """All channels together: an hour of 8 channels at 192 kHz fits in 2 MB of FLAC and is 22 GB of PCM."""
    max_bad_share: float = 0.2
    memory_bytes: int = 1 << 30
    cpu_seconds: int = 600
    wall_seconds: float = 900.0
    open_files: int = 32
    codecs: tuple[str, ...] = _DECODERS
    """Decoders that may run; no video, no picture, nothing exotic."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(**(told | {"codecs": tuple(told["codecs"])}))

    @property
    def work_bytes(self) -> int:
        """The largest file the child may write: the longest recording as 32-bit samples, and a little."""
        return max(self.max_bytes, int(self.max_seconds * WORK_RATE * 4)) + (64 << 20)
