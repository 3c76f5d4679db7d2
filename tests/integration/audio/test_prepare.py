"""What becomes of a good recording. The finished file is opened with PyAV alone, as a pole's player would."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from support.audio import KINDS, decoded, recording, speechlike, wav

from broadcasts.audio.chain import EMERGENCY, MP3, ORDINARY, Chain
from broadcasts.audio.digest import digest
from broadcasts.audio.pipeline import Prepared, prepare
from broadcasts.audio.store import Store
from controller.bootstrap.audio_room import audio_room
from controller.settings import from_environment

SECONDS = 3.0
CODEC_DELAY_MS = {"mp3": 60, "m4a": 60, "m4a-lossless": 0, "aac": 80, "ogg": 0, "wav": 0, "flac": 0, "webm": 20}
"""What the upload's own encoder may add: its priming, where the container does not say how much to cut."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def heard(store: Store, prepared: Prepared) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], int]:
    return decoded(store.path(prepared.sha256))


@pytest.mark.parametrize("kind", KINDS)
def test_every_accepted_kind_becomes_the_same_file_for_all_poles(kind: str, store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "upload", kind, seconds=SECONDS)

    prepared = prepare(upload, store)

    with av.open(str(store.path(prepared.sha256))) as container:
        stream = container.streams.audio[0]
        assert (container.format.name, stream.codec_context.name) == ("ogg", "opus")
        assert stream.layout.name == "mono"
    sound, rate = heard(store, prepared)
    assert prepared.duration_ms == sound.size * 1000 // rate
    assert 0 <= prepared.duration_ms - SECONDS * 1000 <= CODEC_DELAY_MS[kind]
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert prepared.true_peak_dbtp <= -1.0
    assert prepared.warnings == ()
    assert prepared.original_lufs is not None
    assert prepared.original_lufs < -16.0
    assert prepared.original_sha256 == hashlib.sha256(upload.read_bytes()).hexdigest()
    [original] = (store.root / "originals").rglob(prepared.original_sha256)
    assert original.read_bytes() == upload.read_bytes()
    assert list((store.root / "work").iterdir()) == []


def test_what_is_declared_of_the_file_is_true(store: Store, tmp_path: Path) -> None:
    prepared = prepare(recording(tmp_path / "upload", seconds=SECONDS), store)

    found = digest(store.path(prepared.sha256))
    assert (prepared.sha256, prepared.size, prepared.chunk_size, prepared.chunks) == (
        found.sha256,
        found.size,
        found.chunk_size,
        found.chunks,
    )
    assert (prepared.codec, prepared.sample_rate, prepared.bitrate) == ("opus", 16_000, 24_000)
    sound, rate = heard(store, prepared)
    assert 20 * np.log10(np.max(np.abs(sound))) <= prepared.true_peak_dbtp + 0.1
    picture = np.frombuffer(prepared.peaks, np.int8).reshape(-1, 2)
    assert len(picture) == SECONDS * 20
    loudest = np.max(np.abs(sound[: len(picture) * rate // 20].reshape(len(picture), -1)), axis=1)
    assert np.corrcoef(loudest, np.max(np.abs(picture.astype(int)), axis=1))[0, 1] > 0.9


def test_the_same_upload_gives_the_same_bytes(store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "upload", "mp3", seconds=SECONDS)

    first = prepare(upload, store, chime=True)
    again = prepare(upload, Store(tmp_path / "elsewhere"), chime=True)

    assert again == first


@pytest.mark.parametrize("level", [0.01, 1.0], ids=["whispered", "shouted"])
def test_quiet_and_loud_recordings_come_out_equally_loud(level: float, store: Store, tmp_path: Path) -> None:
    # Eight times over full scale and clipped: what a phone held too close delivers.
    loud = np.clip(speechlike(SECONDS, level=level) * (8 if level == 1.0 else 1), -1, 1)

    prepared = prepare(recording(tmp_path / "upload", sound=loud), store)

    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert prepared.true_peak_dbtp <= -1.0
    assert prepared.warnings == ()


@pytest.mark.parametrize(
    ("chain", "target", "tolerance"),
    [(EMERGENCY, -14.0, 1.0), (replace(ORDINARY, codec=MP3), -16.0, 0.5)],
    ids=["emergency", "mp3"],
)
def test_other_targets_and_codecs_are_a_matter_of_settings(
    chain: Chain, target: float, tolerance: float, store: Store, tmp_path: Path
) -> None:
    prepared = prepare(recording(tmp_path / "upload", seconds=SECONDS), store, chain=chain)

    assert prepared.codec == chain.codec.name
    assert prepared.duration_ms == SECONDS * 1000
    assert prepared.loudness_lufs == pytest.approx(target, abs=tolerance)
    assert prepared.true_peak_dbtp <= -1.0


def test_silence_before_and_after_is_cut_and_silence_between_kept(store: Store, tmp_path: Path) -> None:
    rate = 44_100
    word, still = speechlike(1.5, rate), np.zeros(2 * rate)
    sound = np.concatenate((still, word, np.zeros(rate), word, still))

    prepared = prepare(recording(tmp_path / "upload", sound=sound), store)

    # 150 ms stay at each end; windows are 20 ms, and the filters ring a little.
    assert prepared.duration_ms == pytest.approx(1_500 + 1_000 + 1_500 + 300, abs=60)


def test_the_chime_comes_first_then_a_gap_then_the_bulletin(store: Store, tmp_path: Path) -> None:
    prepared = prepare(recording(tmp_path / "upload", seconds=SECONDS), store, chime=True)

    sound, rate = heard(store, prepared)
    assert prepared.duration_ms == 2_400 + 400 + SECONDS * 1000
    still = sound[int(2.45 * rate) : int(2.75 * rate)]
    assert np.sqrt(np.mean(still**2)) < 0.002
    assert np.sqrt(np.mean(sound[int(0.1 * rate) : int(1.5 * rate)] ** 2)) > 0.05
    assert np.sqrt(np.mean(sound[int(3.0 * rate) : int(5.5 * rate)] ** 2)) > 0.05
    # The first bell: 1046.5 Hz is its strongest line.
    first = np.abs(np.fft.rfft(sound[int(0.05 * rate) : int(0.4 * rate)]))
    assert np.argmax(first) / 0.35 == pytest.approx(1046.5, abs=6)
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)


def test_a_bulletin_longer_than_the_editing_layer_takes_still_gets_its_chime(store: Store, tmp_path: Path) -> None:
    rate = 8_000
    upload = tmp_path / "upload"
    upload.write_bytes(wav(np.tile(speechlike(7, rate), 10), rate))

    prepared = prepare(upload, store, chime=True)

    assert prepared.duration_ms == 2_400 + 400 + 70_000
    sound, rate = heard(store, prepared)
    seam = int((2.8 + 60) * rate)
    before, after = sound[seam - rate : seam], sound[seam : seam + rate]
    assert np.sqrt(np.mean(after**2)) == pytest.approx(np.sqrt(np.mean(before**2)), rel=0.5)


def test_channels_that_cancel_each_other_do_not_end_in_silence(store: Store, tmp_path: Path) -> None:
    left = speechlike(SECONDS)

    prepared = prepare(recording(tmp_path / "upload", sound=np.stack((left, -left))), store)

    assert prepared.warnings == ("audio.out_of_phase",)
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert prepared.original_lufs == pytest.approx(
        prepare(recording(tmp_path / "mono", sound=left), store).original_lufs or 0, abs=0.05
    )


def test_two_equal_channels_are_not_made_louder_than_one(store: Store, tmp_path: Path) -> None:
    left = speechlike(SECONDS)

    both = prepare(recording(tmp_path / "both", sound=np.stack((left, left))), store)
    one = prepare(recording(tmp_path / "one", sound=left), store)

    assert both.original_lufs == one.original_lufs
    assert both.sha256 == one.sha256


def test_what_the_settings_say_is_what_poles_get(tmp_path: Path) -> None:
    upload = recording(tmp_path / "upload", seconds=SECONDS)
    settings = from_environment(
        {"LOA_DATA": str(tmp_path / "data"), "LOA_LOUDNESS_LUFS": "-20", "LOA_CODEC": "mp3", "LOA_BITRATE_KBIT": "64"}
    )
    room = audio_room(settings)

    ordinary, emergency = room.prepare(upload), room.prepare(upload, emergency=True)

    assert (ordinary.codec, ordinary.bitrate) == ("mp3", 64_000)
    assert ordinary.loudness_lufs == pytest.approx(-20.0, abs=0.5)
    assert emergency.loudness_lufs == pytest.approx(-14.0, abs=1.0)
