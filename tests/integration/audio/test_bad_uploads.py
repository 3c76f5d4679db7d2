"""What people and attackers send. Each is refused with a key of the catalogue, or accepted with a warning."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from support.audio import encoded, film, recording, speechlike, tone

from broadcasts.audio.chain import Limits
from broadcasts.audio.decode import opened
from broadcasts.audio.keys import REFUSALS, WARNINGS
from broadcasts.audio.pipeline import Prepared, prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Refused


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def refusal(upload: Path, store: Store, limits: Limits | None = None) -> Refused:
    """Why it was refused, and the proof that nothing of it was kept."""
    with pytest.raises(Refused) as refused:
        prepare(upload, store, limits=limits)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []
    assert tuple(refused.value.fields) == REFUSALS[refused.value.key]
    return refused.value


def cut(path: Path, share: float) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_an_empty_file_is_refused(store: Store, tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "a.mp3", b""), store).key == "audio.empty"


def test_a_text_named_mp3_is_refused(store: Store, tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "a.mp3", b"Thong bao cua xa\n" * 50), store).key == "audio.not_audio"


def test_a_playlist_named_mp3_does_not_reach_its_neighbour(store: Store, tmp_path: Path) -> None:
    written(tmp_path / "secret.wav", tone(3))
    playlist = written(tmp_path / "a.mp3", b"#EXTM3U\n#EXTINF:3,\nsecret.wav\n#EXT-X-ENDLIST\n")

    assert refusal(playlist, store).key == "audio.playlist"


def test_a_concat_script_named_mp3_does_not_reach_its_neighbour(store: Store, tmp_path: Path) -> None:
    written(tmp_path / "secret.wav", tone(3))
    script = written(tmp_path / "a.mp3", b"ffconcat version 1.0\nfile secret.wav\n")
    # FFmpeg by itself would play the neighbour.
    with av.open(str(script), format="concat") as container:
        assert container.streams.audio

    assert refusal(script, store).key == "audio.playlist"


@pytest.mark.parametrize("demuxer", ["mp3", "wav", "ogg", "mov", "matroska", "aac", "flac"])
def test_even_past_the_first_look_a_script_is_not_followed(demuxer: str, tmp_path: Path) -> None:
    """The second wall: should the magic bytes ever be fooled, the forced demuxer reads no script."""
    written(tmp_path / "secret.wav", tone(3))
    script = written(tmp_path / "a.mp3", b"ffconcat version 1.0\nfile secret.wav\n")

    with pytest.raises(Refused), opened(script, demuxer, Limits()):
        pass


def test_a_file_over_the_limit_is_refused_unread(store: Store, tmp_path: Path) -> None:
    upload = written(tmp_path / "a.mp3", b"no audio at all, but nobody looks" * 100_000)

    refused = refusal(upload, store, Limits(max_bytes=2_500_000))
    assert (refused.key, refused.fields) == ("audio.too_large", {"size_mb": 4, "limit_mb": 2.5})


def test_a_film_without_sound_is_refused(store: Store, tmp_path: Path) -> None:
    assert refusal(film(tmp_path / "a.mp4"), store).key == "audio.no_sound_track"


def test_silence_is_refused(store: Store, tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "a.wav", tone(3, level=0)), store).key == "audio.silent"


def test_a_click_is_too_short(store: Store, tmp_path: Path) -> None:
    refused = refusal(written(tmp_path / "a.wav", tone(0.6)), store)
    assert (refused.key, refused.fields) == ("audio.too_short", {"limit_seconds": 1.0})


def test_more_minutes_than_allowed_are_refused(store: Store, tmp_path: Path) -> None:
    refused = refusal(written(tmp_path / "a.wav", tone(130)), store, Limits(max_seconds=120))
    assert (refused.key, refused.fields) == ("audio.too_long", {"limit_minutes": 2})


def test_what_an_encoder_adds_to_the_longest_recording_is_no_reason_to_refuse_it(store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "a.mp3", "mp3", seconds=4)
    made = prepare(upload, store, limits=Limits(max_seconds=3.9))
    assert 3_900 < made.duration_ms < 4_300


def test_a_file_that_lies_about_its_length_is_stopped_while_decoding(store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "a.flac", "flac", seconds=8)
    lying = bytearray(upload.read_bytes())
    # STREAMINFO: the last 36 bits before the MD5 are the number of samples (RFC 9639, 8.2); none means unknown.
    lying[21] &= 0xF0
    lying[22:26] = bytes(4)
    upload.write_bytes(lying)

    assert refusal(upload, store, Limits(max_seconds=4)).key == "audio.too_long"


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(store: Store, tmp_path: Path) -> None:
    rate = 192_000
    bomb = encoded(tmp_path / "a.flac", "flac", "flac", rate, np.zeros((8, 20 * rate)), layout="7.1")
    assert bomb.stat().st_size < 100_000

    assert refusal(bomb, store, Limits(max_samples=10 * rate * 8)).key == "audio.too_long"


def test_a_decoder_that_is_not_on_the_list_does_not_run(store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "a.wav", sound=speechlike(2))
    adpcm = encoded(tmp_path / "b.wav", "wav", "adpcm_ms", 44_100, np.atleast_2d(speechlike(2)))

    refused = refusal(adpcm, store)
    assert (refused.key, refused.fields) == ("audio.codec", {"codec": "adpcm_ms"})
    assert prepare(upload, store).duration_ms == 2_000


def test_a_bought_song_is_refused_as_protected(store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "a.m4a", "m4a")
    upload.write_bytes(upload.read_bytes().replace(b"mp4a", b"drms"))

    assert refusal(upload, store).key == "audio.protected"


def test_an_m4a_whose_end_is_missing_says_so(store: Store, tmp_path: Path) -> None:
    assert refusal(cut(recording(tmp_path / "a.m4a", "m4a"), 0.7), store).key == "audio.cut_off"


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_a_recording_cut_in_the_middle_is_accepted_with_a_warning(kind: str, store: Store, tmp_path: Path) -> None:
    prepared = prepare(cut(recording(tmp_path / "a", kind, seconds=8), 0.5), store)

    assert prepared.duration_ms == pytest.approx(4_000, abs=200)
    assert warned(prepared, "audio.truncated")


@pytest.mark.parametrize("kind", ["wav", "ogg", "webm", "aac"])
def test_where_a_cut_cannot_be_seen_the_length_is_what_was_there(kind: str, store: Store, tmp_path: Path) -> None:
    prepared = prepare(cut(recording(tmp_path / "a", kind, seconds=8), 0.5), store)

    assert prepared.duration_ms == pytest.approx(4_000, abs=500)


def test_damage_in_the_middle_costs_only_the_damaged_part(store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "a.mp3", "mp3", seconds=8)
    damaged = bytearray(upload.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 3_000] = np.random.default_rng(3).bytes(3_000)
    upload.write_bytes(damaged)

    prepared = prepare(upload, store)

    assert 7_000 < prepared.duration_ms < 8_200
    assert warned(prepared, "audio.damaged")


@pytest.mark.parametrize("kind", ["mp3", "m4a", "ogg", "flac", "webm", "aac", "wav"])
def test_noise_behind_a_good_beginning_never_ends_in_a_fault(kind: str, store: Store, tmp_path: Path) -> None:
    upload = recording(tmp_path / "a", kind, seconds=2)
    data = bytearray(upload.read_bytes())
    start = max(200, len(data) // 50)
    data[start:] = np.random.default_rng(5).bytes(len(data) - start)
    upload.write_bytes(data)

    refused, prepared = None, None
    try:
        prepared = prepare(upload, store)
    except Refused as why:
        refused = why

    if refused:
        assert tuple(refused.fields) == REFUSALS[refused.key]
    else:
        assert prepared is not None
        assert set(prepared.warnings) <= set(WARNINGS)


def test_two_tags_in_a_row_and_an_old_encoding_do_no_harm(store: Store, tmp_path: Path) -> None:
    bare = recording(tmp_path / "a.mp3", "mp3", seconds=2).read_bytes()
    title = b"\x03" + "Thông báo".encode("cp1258", "replace") + b"\xff\xfe\x80"
    frame = b"TIT2" + len(title).to_bytes(4, "big") + b"\0\0" + title
    upload = written(tmp_path / "b.mp3", b"ID3\x03\x00\x00" + bytes((0, 0, 0, len(frame))) + frame + bare)

    assert prepare(upload, store).warnings == ()


def warned(prepared: Prepared, key: str) -> bool:
    assert set(prepared.warnings) <= set(WARNINGS)
    return key in prepared.warnings
