"""The second rendition, and the very small one: real encoders, measured again."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.audio import recording, speechlike

from broadcasts.audio.chain import EMERGENCY, MP3, OPUS, ORDINARY
from broadcasts.audio.pipeline import Prepared, prepare
from broadcasts.audio.recoding import INLINE_BYTES, encode_as, lean
from broadcasts.audio.store import Store
from broadcasts.errors import Refused
from broadcasts.wire.topics import MANNERS, ScopeTopic
from device_sim import mp3
from device_sim.cache import _opus_complaint

AS_MP3, AS_OPUS = replace(ORDINARY, codec=MP3), replace(ORDINARY, codec=OPUS)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "audio")


def made(store: Store, folder: Path, *, seconds: float = 8.3, level: float = 0.2, emergency: bool = False) -> Prepared:
    source = recording(folder / "in.wav", sound=speechlike(seconds, level=level))
    return prepare(source, store, chain=EMERGENCY if emergency else ORDINARY)


@pytest.mark.parametrize(("level", "emergency"), [(0.02, False), (0.9, False), (0.2, True)])
def test_the_second_rendition_is_as_loud_and_as_long_as_the_first(
    store: Store, tmp_path: Path, level: float, emergency: bool
) -> None:
    first = made(store, tmp_path, level=level, emergency=emergency)
    second = encode_as(store.path(first.sha256), store, chain=AS_MP3)
    assert abs(second.loudness_lufs - first.loudness_lufs) <= 0.3
    assert second.true_peak_dbtp <= ORDINARY.ceiling_dbtp
    assert second.duration_ms == first.duration_ms
    assert (second.codec, second.sample_rate, second.bitrate) == ("mp3", 24_000, 48_000)
    assert second.size == pytest.approx(second.duration_ms * 48 / 8, rel=0.1), "constant bit rate: 6 bytes a ms"
    length = mp3.length_ms(store.path(second.sha256).read_bytes())
    assert length is not None
    assert abs(length - second.duration_ms) <= 60, "a unit that counts frames comes to the same"


def test_the_same_file_gives_the_same_second_rendition(store: Store, tmp_path: Path) -> None:
    first = made(store, tmp_path, seconds=2.0)
    again = {encode_as(store.path(first.sha256), store, chain=AS_MP3).sha256 for _ in range(2)}
    assert len(again) == 1
    assert store.verify(again.pop())


def test_an_mp3_can_be_given_to_a_unit_that_knows_opus_alone(store: Store, tmp_path: Path) -> None:
    source = recording(tmp_path / "in.wav", sound=speechlike(3.0))
    first = prepare(source, store, chain=AS_MP3)
    second = encode_as(store.path(first.sha256), store, chain=AS_OPUS)
    assert (second.codec, second.duration_ms) == ("opus", first.duration_ms)
    assert abs(second.loudness_lufs - first.loudness_lufs) <= 0.3


def test_what_is_no_sound_is_refused_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    firmware = tmp_path / "image.bin"
    firmware.write_bytes(b"\x7fELF" + bytes(5_000))
    with pytest.raises(Refused):
        encode_as(firmware, store, chain=AS_MP3)
    assert not list((store.root / "work").iterdir())
    assert not list((store.root / "assets").iterdir())


@pytest.mark.parametrize(("seconds", "least"), [(5.0, 12_000), (20.0, 12_000), (29.0, 8_000)])
def test_a_short_warning_fits_into_an_alert_at_the_best_rate_that_fits(
    store: Store, tmp_path: Path, seconds: float, least: int
) -> None:
    first = made(store, tmp_path, seconds=seconds, emergency=True)
    found = lean(store.path(first.sha256), store)
    data = store.path(found.sha256).read_bytes()
    assert len(data) <= INLINE_BYTES
    assert found.bitrate >= least
    assert found.duration_ms == first.duration_ms
    assert _opus_complaint(data, found.duration_ms) == "", "a unit reads it as any other file"
    entry = json.dumps({"data": base64.b64encode(data).decode(), "reason": "x" * 500})
    signed = len(base64.urlsafe_b64encode(entry.encode())) + 400
    assert signed < MANNERS[ScopeTopic.ALERT].max_bytes


def test_what_is_too_long_or_too_much_for_an_alert_is_refused(store: Store, tmp_path: Path) -> None:
    first = made(store, tmp_path, seconds=31.0)
    with pytest.raises(Refused, match=r"audio\.inline"):
        lean(store.path(first.sha256), store)
    short = made(store, tmp_path, seconds=6.0)
    with pytest.raises(Refused, match=r"audio\.inline"):
        lean(store.path(short.sha256), store, most_bytes=2_000)
    assert not list((store.root / "work").iterdir())
