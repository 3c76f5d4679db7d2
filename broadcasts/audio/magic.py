"""What a file is, by its first bytes and never by its name.

The answer forces FFmpeg's demuxer. That alone stops playlists, concat scripts and SDP files, which FFmpeg follows to
other files and to the network whatever they are called.
"""

from __future__ import annotations

from pathlib import Path

from broadcasts.errors import Refused

_HEAD, _FARTHEST = 4096, 32 << 20
_PLAYLISTS = (
    b"#EXTM3U",
    b"#EXTINF",
    b"ffconcat",
    b"v=0\r",
    b"v=0\n",
    b"[playlist]",
    b"<MPD",
    b"<smil",
    b"<asx",
    b"<ASX",
)
_MP3_BITRATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def demuxer_of(path: Path) -> str:
    """The FFmpeg demuxer for the file: wav, aiff, mp3, aac, amr, mov, ogg, flac or matroska.

    Raises Refused: audio.empty, audio.playlist, audio.not_audio.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if not head:
            raise Refused("audio.empty")
        name = _by_head(head)
        if name:
            return name
        # Some programs put their tag before another's.
        start = 0
        while head[:3] == b"ID3" and start < _FARTHEST:
            start += _id3_length(head)
            file.seek(start)
            head = file.read(_HEAD)
        head = head.lstrip(b"\0")
        name = "flac" if head[:4] == b"fLaC" else _mpeg(head)
    if name:
        return name
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(_PLAYLISTS) or (text.startswith(b"<?xml") and b"<MPD" in head):
        raise Refused("audio.playlist")
    raise Refused("audio.not_audio")


def _by_head(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[:6] == b"#!AMR\n" or head[:9] == b"#!AMR-WB\n":
        return "amr"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    # QuickTime without a brand, as old cameras write it, begins with its media or with room for its index.
    if head[4:8] in (b"ftyp", b"styp", b"moov", b"mdat", b"wide"):
        return "mov"
    return None


def _id3_length(head: bytes) -> int:
    """ID3v2.4, 3.1: four bytes of seven bits, header (and footer, if flagged) not counted."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return size + (20 if len(head) > 5 and head[5] & 0x10 else 10)


def _mpeg(head: bytes) -> str | None:
    """MP3 (ISO 11172-3 frame header) or ADTS (ISO 14496-3): a header is believed when the next one follows it."""
    if len(head) < 8 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        length = (head[3] & 0x03) << 11 | head[4] << 3 | head[5] >> 5
        return "aac" if length > 7 and _follows(head, length, 0xF6) else None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer != 1 or bitrate in (0, 15) or rate == 3:
        return None
    per_frame = 144 if version == 3 else 72
    length = per_frame * _MP3_BITRATES[version == 3][bitrate] * 1000 // _MP3_RATES[version][rate]
    return "mp3" if _follows(head, length + (head[2] >> 1 & 1), 0xFE) else None


def _follows(head: bytes, length: int, mask: int) -> bool:
    """Whether the frame after this one starts with the same sync, or lies beyond what was read."""
    if length + 2 > len(head):
        return len(head) == _HEAD or length <= len(head)
    return head[length] == 0xFF and head[length + 1] & mask == head[1] & mask
