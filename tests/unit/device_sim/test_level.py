"""Sound or silence, judged from the bytes of a stream."""

from __future__ import annotations

import math
import struct

import pytest

from device_sim.level import BUSY_BYTES_S, Kind, Meter, NotAudio

RATE = 8_000


def tone(dbfs: float, seconds: float = 1.0, order: str = "<") -> bytes:
    """A sine whose mean square lies `dbfs` below full scale."""
    peak = 32_768 * 10 ** (dbfs / 20) * math.sqrt(2)
    samples = [round(peak * math.sin(2 * math.pi * 440 * n / RATE)) for n in range(int(RATE * seconds))]
    return struct.pack(f"{order}{len(samples)}h", *(max(-32_768, min(32_767, each)) for each in samples))


def wav_head(bits: int = 16, format_: int = 1, more: bytes = b"") -> bytes:
    shape = struct.pack("<HHIIHH", format_, 1, RATE, RATE * bits // 8, bits // 8, bits)
    return b"RIFF\xff\xff\xff\xffWAVE" + more + b"fmt " + struct.pack("<I", 16) + shape + b"data\xff\xff\xff\xff"


@pytest.mark.parametrize(("dbfs", "sounding"), [(-6, True), (-30, True), (-49, True), (-51, False), (-80, False)])
def test_the_line_between_sound_and_silence_lies_at_minus_fifty(dbfs: float, sounding: bool) -> None:
    meter = Meter(Kind.WAV)
    meter.feed(wav_head() + tone(dbfs), 10.0)
    assert meter.sounding(10.0) is sounding


def test_samples_of_the_other_byte_order_are_read_in_theirs() -> None:
    meter = Meter(Kind.BIG_ENDIAN)
    meter.feed(tone(-60, order=">"), 10.0)
    assert not meter.sounding(10.0)
    meter.feed(tone(-20, order=">"), 10.1)
    assert meter.sounding(10.1)


def test_a_stream_that_stalls_is_silent_after_a_second() -> None:
    meter = Meter(Kind.WAV)
    meter.feed(wav_head() + tone(-10), 10.0)
    assert meter.sounding(10.9)
    assert not meter.sounding(11.0)


def test_a_head_and_samples_that_come_in_crumbs_are_put_together() -> None:
    meter = Meter(Kind.WAV)
    stream = wav_head(more=b"LIST\x03\0\0\0abc\0") + tone(-10, 0.02)
    for n, byte in enumerate(stream):
        meter.feed(bytes([byte]), 10 + n / 10_000)
    assert meter.sounding(10.1)


@pytest.mark.parametrize(
    "body",
    [b"<html><body>404", b"ID3\4" + bytes(100), wav_head(bits=24), wav_head(format_=3), b"RIFF" + bytes(70_000)],
    ids=["page", "mp3", "24 bit", "float", "endless head"],
)
def test_what_is_no_wav_file_of_ours_is_no_audio(body: bytes) -> None:
    with pytest.raises(NotAudio):
        Meter(Kind.WAV).feed(body, 10.0)


def test_compressed_audio_is_judged_by_its_rate() -> None:
    meter = Meter(Kind.COMPRESSED)
    meter.feed(bytes(BUSY_BYTES_S - 1), 10.0)
    assert not meter.sounding(10.0)
    meter.feed(b"x", 10.5)
    assert meter.sounding(10.5)
    assert not meter.sounding(11.2), "silence of a variable rate: almost nothing comes"


def test_a_meter_keeps_no_sound() -> None:
    meter = Meter(Kind.WAV)
    meter.feed(wav_head(), 10.0)
    for n in range(200):
        meter.feed(tone(-10, 0.01), 10 + n / 10)
    assert len(meter._window) <= 10
