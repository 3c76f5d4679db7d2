"""Ogg Vorbis, as old players, forums and newsrooms on free software keep it. The decoder is FFmpeg's own; the encoder
here is its experimental one, the only one in the wheel."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from support.audio import Sound, speechlike

from broadcasts.audio.ogg_end import has_its_end
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Refused

RATE = 44_100


def vorbis(path: Path, sound: Sound) -> Path:
    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("vorbis", rate=RATE, options={"strict": "experimental"})
        assert isinstance(stream, AudioStream)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound, np.float32), format="fltp", layout="stereo")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return path


def test_ogg_vorbis_is_prepared_like_any_other(tmp_path: Path) -> None:
    upload = vorbis(tmp_path / "upload", np.tile(speechlike(4.0, RATE), (2, 1)))
    store = Store(tmp_path / "store")

    prepared = prepare(upload, store)

    assert prepared.codec == "opus"
    assert prepared.duration_ms == pytest.approx(4_000, abs=60)
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert prepared.true_peak_dbtp <= -1.0
    assert "damaged" not in " ".join(prepared.warnings)


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999])
def test_ogg_vorbis_that_is_cut_off_is_prepared_and_told(tmp_path: Path, kept: float) -> None:
    upload = vorbis(tmp_path / "upload", np.tile(speechlike(8.0, RATE), (2, 1)))
    whole = upload.read_bytes()
    upload.write_bytes(whole[: int(len(whole) * kept)])
    store = Store(tmp_path / "store")

    prepared = prepare(upload, store)

    assert prepared.duration_ms < 8_100
    assert [each for each in prepared.warnings if each.startswith("audio.truncated")]


def test_the_head_of_ogg_vorbis_alone_is_refused(tmp_path: Path) -> None:
    upload = vorbis(tmp_path / "upload", np.tile(speechlike(8.0, RATE), (2, 1)))
    upload.write_bytes(upload.read_bytes()[:2_000])
    store = Store(tmp_path / "store")

    with pytest.raises(Refused, match=r"audio\."):
        prepare(upload, store)
    assert list((store.root / "work").iterdir()) == []


def test_the_end_of_an_ogg_file_is_seen_among_letters_that_look_like_one(tmp_path: Path) -> None:
    upload = vorbis(tmp_path / "upload", np.tile(speechlike(1.0, RATE), (2, 1)))
    assert has_its_end(upload)
    whole = upload.read_bytes()
    last = whole.rfind(b"OggS")
    for spoilt in (b"", b"x", whole[:last], whole[: last + 20], whole[:-1], b"OggS" * 9):
        upload.write_bytes(spoilt)
        assert not has_its_end(upload)
    body = bytearray(whole)
    body[-40:-31] = b"OggS\x00\x09" + bytes(3)
    upload.write_bytes(bytes(body))
    assert has_its_end(upload), "in the sound of the last page"
