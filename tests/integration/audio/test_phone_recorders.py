"""What browsers' recorders write: no length, no index, and cut off wherever a phone died."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from av.audio.stream import AudioStream
from support.audio import speechlike

from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store

SECONDS = 6.0
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"}
RECORDERS = {
    "chrome-webm": ("webm", "libopus", {"live": "1"}),
    "safari-mp4": ("mp4", "aac", FRAGMENTS),
    "firefox-ogg": ("ogg", "libopus", {}),
}


def recorded(path: Path, kind: str) -> bytes:
    container, encoder, options = RECORDERS[kind]
    with av.open(str(path), "w", format=container, options=options) as out:
        stream = out.add_stream(encoder, rate=48_000)
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        samples = (speechlike(SECONDS, 48_000) * 32_767).astype("<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return path.read_bytes()


@pytest.mark.parametrize("kind", RECORDERS)
def test_a_recording_of_each_browser_is_prepared_whole(kind: str, tmp_path: Path) -> None:
    recorded(tmp_path / "upload", kind)

    prepared = prepare(tmp_path / "upload", Store(tmp_path / "store"))

    assert prepared.duration_ms == pytest.approx(SECONDS * 1000, abs=150)
    assert "audio.truncated" not in prepared.warnings


@pytest.mark.parametrize("kind", RECORDERS)
@pytest.mark.parametrize("share", [0.6, 0.85])
def test_what_is_left_after_a_phone_died_is_prepared(kind: str, share: float, tmp_path: Path) -> None:
    whole = recorded(tmp_path / "whole", kind)
    (tmp_path / "upload").write_bytes(whole[: round(share * len(whole))])

    prepared = prepare(tmp_path / "upload", Store(tmp_path / "store"))

    assert prepared.duration_ms >= 1000 * (share * SECONDS - 1.6)
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)
