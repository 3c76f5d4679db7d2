from __future__ import annotations

from pathlib import Path

import pytest
from support.audio import KINDS, recording

from broadcasts.audio.magic import demuxer_of
from broadcasts.errors import Refused

DEMUXERS = {
    "wav": "wav",
    "mp3": "mp3",
    "m4a": "mov",
    "m4a-lossless": "mov",
    "aac": "aac",
    "ogg": "ogg",
    "flac": "flac",
    "webm": "matroska",
}

PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXTINF:10,\nother.mp3\n",
    "hls behind a mark": b"\xef\xbb\xbf\n#EXTM3U\n",
    "concat": b"ffconcat version 1.0\nfile other.mp3\n",
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n",
    "pls": b"[playlist]\nFile1=http://127.0.0.1/a.mp3\n",
    "dash": b"<?xml version='1.0'?>\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    "hls behind an ID3 tag": b"ID3\x04\x00\x00\x00\x00\x00\x04abcd#EXTM3U\n",
}

NOT_AUDIO = {
    "html": b"<!doctype html><title>mp3</title>",
    "passwords": b"root:x:0:0:root:/root:/bin/bash\n",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "avi": b"RIFF\x00\x00\x00\x00AVI LIST",
    "zeros": bytes(10_000),
    "two sync bytes": b"\xff\xfb",
    "one frame header and nothing behind it": b"\xff\xfb\x90\x00" + bytes(4092),
    "an ID3 tag that promises more than there is": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
}


def test_there_is_a_demuxer_for_every_kind_that_people_upload() -> None:
    assert set(DEMUXERS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_known_by_its_bytes_whatever_it_is_called(kind: str, tmp_path: Path) -> None:
    path = recording(tmp_path / "holiday.jpg.exe", kind, seconds=0.3)

    assert demuxer_of(path) == DEMUXERS[kind]


@pytest.mark.parametrize("kind", ["mp3", "aac", "flac"])
def test_a_tag_in_front_does_not_hide_what_follows(kind: str, tmp_path: Path) -> None:
    bare = recording(tmp_path / "bare", kind, seconds=0.3).read_bytes()
    if bare[:3] == b"ID3":
        bare = bare[10 + bare[9] + (bare[8] << 7) :]
    big_tag = b"ID3\x04\x00\x00" + bytes((0, 1, 0, 0)) + bytes(1 << 14)
    path = tmp_path / "tagged"
    path.write_bytes(big_tag + bare)

    assert demuxer_of(path) == DEMUXERS[kind]


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_list_of_other_files_is_refused_as_what_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(PLAYLISTS[name])

    with pytest.raises(Refused) as refused:
        demuxer_of(path)
    assert refused.value.key == "audio.playlist"


@pytest.mark.parametrize("name", NOT_AUDIO)
def test_what_is_no_audio_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(NOT_AUDIO[name])

    with pytest.raises(Refused) as refused:
        demuxer_of(path)
    assert refused.value.key == "audio.not_audio"


def test_an_empty_file_is_refused_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.touch()

    with pytest.raises(Refused) as refused:
        demuxer_of(path)
    assert refused.value.key == "audio.empty"
