"""Reading a file that a stranger sent. Runs in the child process only.

The rules, each against something that was seen to happen: the demuxer is forced and the only one allowed (playlists
reach other files and the network), only the file protocol, only listed decoders (also while probing), only the first
sound track, no pictures, bounded probing; declared and decoded length, channels, rate and their product are bounded
(2 MB of FLAC can be 22 GB of samples); each packet may fail alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.error import MemoryError as FFmpegMemoryError

from broadcasts.audio.chain import Limits
from broadcasts.audio.graph import Shape
from broadcasts.errors import Refused

_UNDECLARED = ("aac", "amr", "matroska")
"""Raw ADTS and AMR guess their length, a browser's recording has none."""
PADDING_S = 2.0
"""What encoders add at both ends, of each piece that was joined: a recording of the longest that is allowed goes in."""


@dataclass
class Tally:
    """What became of the packets. `declared_s` is None where the container cannot know."""

    declared_s: float | None = None
    packets: int = 0
    bad: int = 0
    samples: int = 0
    rate: int = 0
    seconds: float = 0.0
    ends: bool = True
    """The file says where it ends, or its kind never does."""

    @property
    def truncated(self) -> bool:
        if not self.ends:
            return True
        if self.declared_s is None:
            return False
        return self.declared_s - self.seconds > max(1.0, 0.02 * self.declared_s)


@contextmanager
def opened(path: Path, demuxer: str, limits: Limits) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Raises Refused: audio.cut_off, audio.broken, audio.no_sound_track, audio.protected, audio.codec, audio.shape."""
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": demuxer,
        "codec_whitelist": ",".join(limits.codecs),
        "probesize": "5000000",
        "analyzeduration": "5000000",
        "max_streams": "16",
    }
    try:
        container = av.open(
            f"file:{path.absolute()}", format=demuxer, options=options, timeout=(20, 20), metadata_errors="ignore"
        )
    except FFmpegMemoryError:
        raise
    except (FFmpegError, ValueError) as error:
        # An MP4 keeps its table of contents at the end: without it nothing can be read.
        raise Refused("audio.cut_off" if demuxer == "mov" else "audio.broken") from error
    with container:
        if not container.streams.audio:
            raise Refused("audio.no_sound_track")
        stream = container.streams.audio[0]
        _check_codec(stream, limits)
        _check_shape(stream.channels, stream.rate, limits)
        stream.codec_context.thread_count = 1
        yield container, stream


def frames(
    container: InputContainer, stream: AudioStream, demuxer: str, limits: Limits, tally: Tally
) -> Iterator[av.AudioFrame]:
    """Decoded sound, counted into `tally`. Raises Refused audio.too_long, audio.broken, audio.shape."""
    tally.declared_s = _declared(container, stream, demuxer)
    if (tally.declared_s or 0) > limits.max_seconds + PADDING_S:
        raise _too_long(limits)
    shape: Shape | None = None
    for frame in _decoded(container, stream, tally):
        if shape is None:
            shape = Shape.of(frame)
            tally.rate = shape.rate
            _check_shape(frame.layout.nb_channels, frame.sample_rate, limits)
        elif Shape.of(frame) != shape:
            tally.bad += 1
            continue
        tally.samples += frame.samples
        tally.seconds = tally.samples / shape.rate
        most = tally.samples * frame.layout.nb_channels > limits.max_samples
        if most or tally.seconds > limits.max_seconds + PADDING_S:
            raise _too_long(limits)
        yield frame
    if not tally.samples or tally.bad > limits.max_bad_share * max(tally.packets, 1):
        raise Refused("audio.broken")


def _decoded(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[av.AudioFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegMemoryError:
            raise
        except FFmpegError:
            tally.bad += 1
            return
        tally.packets += 1
        try:
            found = packet.decode()
        except FFmpegMemoryError:
            raise
        except FFmpegError:
            tally.bad += 1
            continue
        yield from found


def _declared(container: InputContainer, stream: AudioStream, demuxer: str) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    else:
        return None
    # A guess must not count as a promise, but it may refuse ten hours before they are decoded.
    return None if demuxer in _UNDECLARED and seconds < 36_000 else seconds


def _check_codec(stream: AudioStream, limits: Limits) -> None:
    # FFmpeg names no decoder for a number that it does not know.
    if stream.codec_context is None:
        raise Refused("audio.codec", codec="?")
    if _tag(stream) in ("drms", "enca"):
        raise Refused("audio.protected")
    name = stream.codec_context.name
    if name not in limits.codecs:
        raise Refused("audio.codec", codec=name[:20])


def _tag(stream: AudioStream) -> str:
    """Four bytes that a stranger wrote: the library reads them as ASCII, and they may be anything."""
    try:
        return stream.codec_context.codec_tag
    except UnicodeDecodeError:
        return ""


def _check_shape(channels: int, rate: int, limits: Limits) -> None:
    if not 1 <= channels <= limits.max_channels or not limits.min_rate <= rate <= limits.max_rate:
        raise Refused("audio.shape", channels=channels, rate=rate)


def _too_long(limits: Limits) -> Refused:
    return Refused("audio.too_long", limit_minutes=round(limits.max_seconds / 60))
