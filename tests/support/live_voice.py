"""A voice for live sessions, and ears at the other end of the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from broadcasts.audio.chain import OPUS
from broadcasts.audio.pcm import Samples
from broadcasts.wire.jws import PublicKey, SigningKey, Typ
from broadcasts.wire.live import LiveSession, open_session
from broadcasts.wire.live_packet import LivePacket, is_packet, session_of, unpack
from controller.services.live_air import Share, Told


def voice(seconds: float, rate: int = 48_000, dbfs: float = -24.0, seed: int = 1) -> Samples:
    """Noise in the band of a voice, four syllables a second, as 16-bit samples of this mean level."""
    count = int(seconds * rate)
    noise = np.random.default_rng(seed).normal(size=count)
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(count, 1 / rate)
    spectrum[(hertz < 200) | (hertz > 4_000)] = 0
    sound = np.fft.irfft(spectrum, count) * (1.1 + np.sin(2 * np.pi * 4 * np.arange(count) / rate))
    sound *= 10 ** (dbfs / 20) / np.sqrt(np.mean(sound**2))
    return (np.clip(sound, -1, 1) * 32767).astype("<i2")


def decoded(frames: list[bytes]) -> Samples:
    """Opus frames of 20 ms as a unit hears them: floats at `OPUS.sample_rate`."""
    decoder: Any = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.sample_rate, decoder.layout = OPUS.sample_rate, "mono"
    decoder.open()
    blocks = []
    for frame in frames:
        for heard in decoder.decode(av.Packet(frame)):
            block = heard.to_ndarray()[0].astype(np.float32)
            blocks.append(block / 32768 if heard.format.name.startswith("s16") else block)
            rate = heard.sample_rate
    whole = np.concatenate(blocks)
    return whole[:: rate // OPUS.sample_rate] if rate != OPUS.sample_rate else whole


@dataclass
class Ears:
    """Takes what is sent, verifies it as a unit would."""

    signer: SigningKey
    alarm: SigningKey | None = None
    """Of emergencies; none: the same."""
    up: bool = True
    documents: list[tuple[str, LiveSession]] = field(default_factory=list)
    packets: list[tuple[str, LivePacket]] = field(default_factory=list)

    def send(self, topic: str, payload: bytes) -> bool:
        if not self.up:
            return False
        scope = topic.split("/")[3]
        if is_packet(payload):
            session = session_of(payload)
            key = next(told.key for _, told in reversed(self.documents) if told.session == session)
            self.packets.append((scope, unpack(payload, PublicKey("-", key))))
        else:
            self.documents.append((scope, open_session(payload, scope, self._keys)))
        return True

    def _keys(self, typ: Typ) -> Any:
        key = self.alarm if typ is Typ.LIVE_ALERT and self.alarm is not None else self.signer
        return lambda kid: key.public if kid == key.kid else None

    @property
    def frames(self) -> list[bytes]:
        return [frame for _, packet in self.packets for frame in packet.frames]

    @property
    def last(self) -> LiveSession:
        return self.documents[-1][1]


def told_of(folder: Path, signer: SigningKey, begins: int, **changed: Any) -> Told:
    """A session of one scope that lasts ten minutes."""
    folder.mkdir(exist_ok=True)
    fields: dict[str, Any] = {
        "id": "live-1",
        "session": "00112233445566ff",
        "level": 3,
        "shares": (Share("s-1", "all", 70),),
        "issued_at": begins,
        "not_before": begins,
        "hard_end": begins + 600_000,
        "buffer_ms": 1_500,
        "reason": "Thử",
        "chime": "",
        "signer": signer,
        "key": SigningKey.generate("session"),
        "recording": folder / "live-1.wav",
    }
    return Told(**fields | changed)
