"""A file that names a URL or a path reads nothing: not by our rules, and not where our rules were fooled.

The canary is watched by the kernel, the door listens. That both would be seen is shown first, with FFmpeg alone.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from av.error import FFmpegError
from support.audio import recording
from support.decoding_probe import FOLLOW
from support.phones import written
from support.watched import Watched, watched

from broadcasts.audio import child, landlock
from broadcasts.audio.chain import Limits
from broadcasts.audio.pipeline import Prepared, prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Refused

SCRIPTS: dict[str, tuple[str, str]] = {
    "HLS": ("hls", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{what}\n#EXT-X-ENDLIST\n"),
    "HLS with a key": ("hls", '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{what}"\n#EXTINF:3,\n{what}\n#EXT-X-ENDLIST\n'),
    "concat": ("concat", "ffconcat version 1.0\nfile '{what}'\n"),
    "SDP": (
        "sdp",
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n",
    ),
    "PLS": ("mp3", "[playlist]\nFile1={what}\nLength1=-1\nNumberOfEntries=1\nVersion=2\n"),
    "M3U": ("mp3", "{what}\n"),
    "DASH": (
        "dash",
        "<MPD mediaPresentationDuration='PT3S'><BaseURL>{what}</BaseURL></MPD>",
    ),
    "SMIL": ("mp3", "<smil><body><audio src='{what}'/></body></smil>"),
    "XSPF": ("mp3", "<?xml version='1.0'?><playlist><trackList><track><location>{what}</location></track></trackList>"),
    "ASX": ("asf", "<asx version='3.0'><entry><ref href='{what}'/></entry></asx>"),
    "image list": ("image2", "{what}"),
}
NAMES = ("a.mp3", "a.m3u8", "a.wav", "a.mpd", "a.sdp", "a.ffconcat", "a")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as found:
        yield found


def script(name: str, what: str, watch: Watched) -> bytes:
    return SCRIPTS[name][1].format(what=what, port=watch.port).encode()


def answer(upload: Path, store: Store) -> Prepared | Refused:
    try:
        return prepare(upload, store)
    except Refused as refused:
        return refused


@pytest.mark.parametrize("target", ["path", "url"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_refused_under_every_name(name: str, target: str, watch: Watched, tmp_path: Path) -> None:
    what = str(watch.canary) if target == "path" else watch.url
    for called in NAMES:
        upload = tmp_path / called
        upload.write_bytes(script(name, what, watch))
        with pytest.raises(Refused) as refused:
            prepare(upload, Store(tmp_path / "store"))
        assert refused.value.key in ("audio.playlist", "audio.not_audio")
    assert not watch.opened()
    assert not watch.knocked()


def test_ffmpeg_alone_reads_the_file_that_a_script_names(watch: Watched, tmp_path: Path) -> None:
    upload = tmp_path / "a.mp3"
    upload.write_bytes(script("concat", str(watch.canary), watch))

    with av.open(str(upload), format="concat", options={"safe": "0"}) as container:
        assert container.streams.audio

    assert watch.opened()


def test_ffmpeg_alone_knocks_where_a_script_tells_it_to(watch: Watched, tmp_path: Path) -> None:
    upload = tmp_path / "a.m3u8"
    upload.write_bytes(script("HLS", watch.url, watch))

    options = {"protocol_whitelist": "file,http,tcp", "allowed_extensions": "ALL"}
    with contextlib.suppress(FFmpegError):
        av.open(str(upload), format="hls", options=options, timeout=(1, 1)).close()

    assert watch.knocked()


@pytest.mark.parametrize("target", ["path", "url"])
@pytest.mark.parametrize(
    "name", [name for name, (demuxer, _) in SCRIPTS.items() if demuxer in ("hls", "concat", "sdp")]
)
def test_a_decoder_that_was_taken_over_reads_nothing_either(
    name: str, target: str, watch: Watched, tmp_path: Path
) -> None:
    """The last wall, without our rules: FFmpeg is told to follow, and the process cannot."""
    if not landlock.version():
        pytest.fail("this kernel has no Landlock: boot one of 5.13 or later, with landlock among its security modules")
    folder = tmp_path / "job"
    folder.mkdir()
    source = folder / "upload"
    source.write_bytes(script(name, str(watch.canary) if target == "path" else watch.url, watch))
    job = {"source": str(source), "demuxer": SCRIPTS[name][0]}

    told = child.run("tests.support.decoding_probe", job, folder, Limits())

    assert told["ours"].startswith("audio.")
    assert "samples" not in told["bare"]
    assert not watch.opened()
    assert not watch.knocked()


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _elsewhere(path: Path, watch: Watched) -> None:
    """An MP4 whose samples lie in another file: the entry of its data references names it (ISO 14496-12, 8.7.2)."""
    written(path, "ipod", "aac", 44_100)
    data = path.read_bytes()
    self_contained = _box(b"url ", b"\0\0\0\1")
    assert data.count(self_contained) == 1
    named = _box(b"url ", b"\0\0\0\0" + str(watch.canary).encode() + b"\0")
    path.write_bytes(_grown(data, data.index(self_contained), self_contained, named))


def _alias(path: Path, watch: Watched) -> None:
    """The same as QuickTime's alias record, with volume, folder and name."""
    written(path, "mov", "aac", 44_100)
    data = path.read_bytes()
    at = data.index(b"dref") + 12
    old = data[at : at + struct.unpack(">I", data[at : at + 4])[0]]
    name = str(watch.canary).encode()
    record = bytes(4) + struct.pack(">HHH", 150, 2, 0) + bytes((4,)) + b"disk".ljust(27, b"\0") + bytes(12)
    record += bytes((len(b"secret.wav"),)) + b"secret.wav".ljust(63, b"\0") + bytes(16)
    record += struct.pack(">HHHI10x", 0, 0, 0, 0) + struct.pack(">HH", 2, len(name)) + name + b"\0" * (len(name) % 2)
    record += struct.pack(">HH", 0xFFFF, 0)
    path.write_bytes(_grown(data, at, old, _box(b"alis", bytes(4) + record)))


def _grown(data: bytes, at: int, old: bytes, new: bytes) -> bytes:
    """`new` in the place of `old`, and every box around it as much longer."""
    changed = bytearray(data[:at] + new + data[at + len(old) :])
    inside, end = 0, len(data)
    while inside < at:
        size, kind = struct.unpack(">I4s", data[inside : inside + 8])
        if not inside < at < inside + size:
            inside += size
            continue
        struct.pack_into(">I", changed, inside, size + len(new) - len(old))
        end = inside + size
        inside += 16 if kind == b"dref" else 8
    assert end >= at
    return bytes(changed)


def _segments(path: Path, watch: Watched) -> None:
    """A Matroska that says which file comes before and after it (RFC 9559, 5.1.2), where its title was."""
    title = "T" * 500
    written(path, "matroska", "libopus", 48_000, title=title)
    data = path.read_bytes()
    end = data.index(title.encode()) + len(title)
    at = data.rindex(b"\x7b\xa9", 0, end)
    name = str(watch.canary).encode()
    length = bytes((0x40 | len(name) >> 8, len(name) & 0xFF))
    links = b"\x3c\x83\xab" + length + name + b"\x3e\x83\xbb" + length + name
    left = end - at - len(links) - 3
    padding = b"\xec" + bytes((0x40 | left >> 8, left & 0xFF)) + bytes(left)
    path.write_bytes(data[:at] + links + padding + data[end:])


def _links(path: Path, watch: Watched) -> None:
    """An MP3 whose tag has a page, and a picture that lies elsewhere (ID3v2.3, 4.15: the type is "-->")."""
    url = watch.url.encode()
    page = b"\0\0" + url
    picture = b"\0-->\0\x03\0" + url
    linked = b"WXX" + url + b"\0"
    frames = b"".join(
        kind + struct.pack(">I", len(body)) + b"\0\0" + body
        for kind, body in ((b"WXXX", page), (b"APIC", picture), (b"LINK", linked), (b"WOAF", url))
    )
    bare = recording(path, "mp3", seconds=2.0).read_bytes()
    path.write_bytes(b"ID3\x03\0\0" + bytes((0, 0, len(frames) >> 7, len(frames) & 0x7F)) + frames + bare)


NAMING: dict[str, Callable[[Path, Watched], None]] = {
    "MP4 with its data elsewhere": _elsewhere,
    "MOV with an alias": _alias,
    "Matroska with linked segments": _segments,
    "MP3 with links in its tag": _links,
}


@pytest.mark.parametrize("name", NAMING)
def test_a_recording_that_names_another_file_does_not_reach_it(name: str, watch: Watched, tmp_path: Path) -> None:
    for called in ("upload.mp4", "secret.wav.mov"):
        upload = tmp_path / called
        NAMING[name](upload, watch)
        given = answer(upload, Store(tmp_path / "store"))
        assert isinstance(given, Prepared) or given.key in ("audio.broken", "audio.cut_off")
    assert not watch.opened()
    assert not watch.knocked()


def test_ffmpeg_told_to_follow_an_alias_reads_the_file_that_it_names(watch: Watched, tmp_path: Path) -> None:
    _alias(tmp_path / "upload", watch)

    with contextlib.suppress(FFmpegError):
        av.open(str(tmp_path / "upload"), format="mov", options=FOLLOW).close()

    assert watch.opened()


def test_a_confined_decoder_that_is_told_to_follow_an_alias_cannot(watch: Watched, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    _alias(folder / "upload", watch)

    told = child.run(
        "tests.support.decoding_probe", {"source": str(folder / "upload"), "demuxer": "mov"}, folder, Limits()
    )

    assert set(told) == {"ours", "bare"}
    assert not watch.opened()
