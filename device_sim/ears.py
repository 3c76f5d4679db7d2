"""What the ear of a pole makes of what was to be heard there: envelopes and clips, by the simulator's own code.

The truth is the pole's record (`ear.Pole.tape`): which file ran from where, and whether it was on the line. A line-out
is that, as it is; a microphone hears it through the air (`acoustics`), with everything else that is to be heard there.
A file that does not decode gives no envelope: then the ear has nothing to tell.
"""

from __future__ import annotations

import base64
import io
import random
import zlib
from collections import OrderedDict
from dataclasses import dataclass

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError
from numpy.typing import NDArray

from broadcasts.wire.ear import ENVELOPE_FRAME_MS
from device_sim.acoustics import RATE_HZ, AirPath, captured
from device_sim.disk import Disk
from device_sim.ear import STRANGER, Pole, Run
from device_sim.envelope import EnvelopeEar
from device_sim.events import Listen, Overheard
from device_sim.hardware import Hardware

CLIP_BITS = 8_000
LEAD_MS = 120 * ENVELOPE_FRAME_MS
"""The running means of an envelope begin with its sounding; after so long nothing of how they began is left."""
PLACES = 4
"""Kinds of places where microphones stand: few, so that a fleet's plays are heard through the air once, not by each."""
KEPT_FILES = 6
KEPT_ENVELOPES = 256
HISS = 0.00003
"""Of an ear that gives nothing else, of full scale."""
LOUDER_DB = 12.0
"""A neighbour's programme against ours at the microphone."""
STRANGE_MS, STRANGE_TIMES = 60_000, 30
"""So long another programme is, and so often it is sounded again."""

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """One question to one ear, with all that it takes to answer it in another thread."""

    of: Listen
    unit: str
    ear: str
    """line_out, microphone"""
    runs: tuple[Run, ...]
    from_ms: int
    """True time at which the stretch began."""
    lead_ms: int
    """So long before it the sounding had begun: `runs` begin there."""
    broken: bool
    neighbour: bool
    files: tuple[tuple[str, bytes], ...]
    """Of the runs, as far as they are held."""


def asked(listen: Listen, unit: str, ear: str, pole: Pole, hardware: Hardware, disk: Disk, now: int) -> Asked:
    """What there was to hear at this pole in the stretch that ends `now` (true time, Unix ms)."""
    began = now - listen.length_ms
    lead = min(listen.before_ms, LEAD_MS)
    lead -= lead % ENVELOPE_FRAME_MS
    runs = tuple(run for run in pole.tape(began - lead, now) if run.item == listen.item)
    held = tuple((name, disk.cache.files[name]) for name in {run.asset for run in runs} if name in disk.cache.files)
    return Asked(listen, unit, ear, runs, began, lead, hardware.ear_broken, hardware.neighbour, held)


class Ears:
    """Of a whole fleet: many poles play the same file, and what a good line-out hears of it is computed once."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, Samples | None] = OrderedDict()
        self._clean: OrderedDict[tuple[str, int, int, int, int], Overheard] = OrderedDict()

    def hear(self, asked: Asked) -> Overheard:
        """Raises nothing: an ear that cannot tell says nothing."""
        of = asked.of
        name = (of.asset, of.offset_ms, of.length_ms, asked.lead_ms, _place(asked))
        if not of.command and _is_clean(asked) and name in self._clean:
            known = self._clean[name]
            return Overheard(of, known.data, known.level_dbfs)
        sound = self._sound(asked)
        if sound is None:
            return Overheard(of, b"")
        lead = asked.lead_ms * RATE_HZ // 1000
        if of.command:
            return Overheard(of, coded(sound[lead:]))
        told = _envelope(of, sound[:lead], sound[lead:])
        if _is_clean(asked):
            self._clean[name] = told
            while len(self._clean) > KEPT_ENVELOPES:
                self._clean.popitem(last=False)
        return told

    def _sound(self, asked: Asked) -> Samples | None:
        """From the lead on; none where a file does not decode."""
        since = asked.from_ms - asked.lead_ms
        total = (asked.of.length_ms + asked.lead_ms) * RATE_HZ // 1000
        played, held = np.zeros(total), dict(asked.files)
        muted: list[tuple[float, float]] = []
        for run in asked.runs:
            source = self._samples(run.asset, held.get(run.asset))
            if source is None:
                return None
            begin, end = (max(0, (edge - since) * RATE_HZ // 1000) for edge in (run.from_ms, run.to_ms))
            first = run.offset_ms * RATE_HZ // 1000
            piece = source[first : first + min(end, total) - begin]
            played[begin : begin + len(piece)] = piece
            if not run.audible:
                muted.append((begin / RATE_HZ, end / RATE_HZ))
        if asked.broken:
            return _hiss(total, asked)
        if asked.ear == "line_out":
            for from_s, to_s in muted:
                played[round(from_s * RATE_HZ) : round(to_s * RATE_HZ)] = 0.0
            return played
        path, seed = air_of(_place(asked), asked.neighbour, tuple(muted))
        return captured(played, path, seed, stranger(total, seed))

    def _samples(self, asset: str, data: bytes | None) -> Samples | None:
        if asset not in self._files:
            strange = asset == STRANGER
            once = stranger(STRANGE_MS * RATE_HZ // 1000, 7) if strange else None
            self._files[asset] = decoded(data) if once is None else np.tile(once, STRANGE_TIMES)
            while len(self._files) > KEPT_FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(asset)
        return self._files[asset]


def _place(asked: Asked) -> int:
    """Of a microphone: on which of the few kinds of places it stands. A line-out stands nowhere."""
    return zlib.crc32(asked.unit.encode()) % PLACES if asked.ear != "line_out" else -1


def air_of(place: int, neighbour: bool, muted: tuple[tuple[float, float], ...]) -> tuple[AirPath, int]:
    """A place, always the same, and the seed of its weather."""
    chance = random.Random(f"air {place}")
    path = AirPath(
        snr_db=chance.uniform(12, 24),
        echo_s=chance.uniform(0.1, 0.6),
        echo_db=chance.uniform(-14, -8),
        reverb_s=0.4,
        reverb_db=chance.uniform(-12, -6),
        neighbour_db=LOUDER_DB if neighbour else None,
        muted=muted,
    )
    return path, chance.getrandbits(31)


def _is_clean(asked: Asked) -> bool:
    """Nothing but the file: many poles hear the same then."""
    if asked.broken or asked.neighbour or len(asked.runs) != 1:
        return False
    run, since = asked.runs[0], asked.from_ms - asked.lead_ms
    lasted = run.to_ms - run.from_ms >= asked.of.length_ms + asked.lead_ms - ENVELOPE_FRAME_MS
    return run.audible and run.asset == asked.of.asset and abs(run.from_ms - since) < ENVELOPE_FRAME_MS and lasted


def _envelope(of: Listen, lead: Samples, sound: Samples) -> Overheard:
    ear = EnvelopeEar()
    ear.feed(lead)
    while ear.frames:
        ear.take()
    ear.feed(sound)
    told = ear.take()
    if told is None:
        return Overheard(of, b"")
    data = base64.urlsafe_b64decode(told.data + "=" * (-len(told.data) % 4))
    return Overheard(of, data, told.level_dbfs)


def decoded(data: bytes | None) -> Samples | None:
    """Mono at 8 kHz; none for what is no sound, or is not there."""
    if data is None:
        return None
    try:
        with av.open(io.BytesIO(data), "r") as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
            frames = [*container.decode(audio=0)]
            pieces = [out.to_ndarray()[0] for frame in (*frames, None) for out in resampler.resample(frame)]
    except (FFmpegError, ValueError, IndexError):
        return None
    return np.concatenate(pieces).astype(np.float64) if pieces else None


def coded(sound: Samples) -> bytes:
    """Opus in Ogg, mono, 8 kbit/s."""
    out = io.BytesIO()
    with av.open(out, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE_HZ)
        assert isinstance(stream, AudioStream)
        stream.layout, stream.bit_rate = "mono", CLIP_BITS
        whole = (np.clip(sound, -1, 1) * 32767).astype("<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return out.getvalue()


def _hiss(total: int, asked: Asked) -> Samples:
    chance = random.Random(f"hiss {asked.unit} {asked.from_ms}")
    noise: Samples = HISS * np.random.default_rng(chance.getrandbits(63)).standard_normal(total)
    return noise


def stranger(total: int, seed: int) -> Samples:
    """Another programme: tones in syllables, as nobody else has them."""
    chance = np.random.default_rng(seed)
    syllable = RATE_HZ // 8
    steps, moments = -(-total // syllable), np.arange(total) / RATE_HZ
    sound = np.zeros(total)
    for hertz in (400, 650, 1000, 1500, 2200, 3000):
        loud = np.repeat(chance.uniform(0, 1, steps) ** 2, syllable)[:total]
        sound += loud * np.sin(2 * np.pi * hertz * moments + chance.uniform(0, 6))
    return np.asarray(0.06 * sound, np.float64)
