"""A voice service over HTTP that speaks as many do: `POST …/v1/audio/speech` with model, input, voice, speed.

What is to be spoken goes to that address and nowhere else. What comes back is bounded, in bytes and in seconds from
the first packet to the last (`broadcasts.outgoing`), and is a stranger's file.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from broadcasts.audio.store import told_as_faults
from broadcasts.audio.voices import MOST_PIECE_BYTES, Voice
from broadcasts.clock import Clock
from broadcasts.errors import Fault, Refused
from broadcasts.outgoing import Client, Failed, Slow

ID = "http"
IN_ALL = 5
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class HttpVoice:
    id = ID

    def __init__(
        self,
        url: str,
        voices: Sequence[tuple[str, str]],
        clock: Clock,
        *,
        key: str = "",
        model: str = "tts-1",
        seconds: float = 60.0,
        most_bytes: int = MOST_PIECE_BYTES,
    ) -> None:
        """`url`: of the request itself. `voices`: language as in "vi-VN" and the service's name for the voice.
        `seconds` and `most_bytes`: what one sentence may take; a whole text `IN_ALL` times the seconds."""
        self._url, self._key, self._model = url, key, model
        self._seconds, self._most, self._clock = seconds, most_bytes, clock
        self._tls = ssl.create_default_context()
        self._voices = tuple(Voice(ID, name, language) for language, name in voices)

    @property
    def sends_text_out(self) -> bool:
        return urlsplit(self._url).hostname not in LOOPBACK

    @property
    def offline(self) -> bool:
        return not self.sends_text_out

    def version(self, voice: str) -> str:
        del voice
        return f"{self._model} at {urlsplit(self._url).hostname}"[:80]

    def voices(self) -> Sequence[Voice]:
        return self._voices

    def speak(self, texts: Sequence[str], voice: str, rate: float, folder: Path) -> list[Path]:
        if voice not in {each.name for each in self._voices}:
            raise Refused("audio.voice_unknown", voice=f"{ID}/{voice[:60]}")
        outs = [folder / f"http-{number}" for number in range(len(texts))]
        headers = [(b"Accept-Encoding", b"identity"), (b"Content-Type", b"application/json"), (b"User-Agent", b"loa")]
        headers += [(b"Authorization", f"Bearer {self._key}".encode("latin-1", "replace"))] if self._key else []
        ends = self._clock.monotonic() + IN_ALL * self._seconds
        with Client(self._clock, self._tls) as client:
            for text, out in zip(texts, outs, strict=True):
                asked = {"model": self._model, "input": text, "voice": voice, "response_format": "wav", "speed": rate}
                client.within(min(ends - self._clock.monotonic(), self._seconds))
                try:
                    self._fetch(client, headers, json.dumps(asked).encode(), out)
                except Slow as slow:
                    over = self._clock.monotonic() >= ends
                    raise self._slow(IN_ALL * self._seconds if over else self._seconds) from slow
                except Failed as failure:
                    raise self._failed(failure.kind) from failure
        return outs

    def _fetch(self, client: Client, headers: Sequence[tuple[bytes, bytes]], asked: bytes, out: Path) -> None:
        with client.stream("POST", self._url, headers, asked) as answer:
            if answer.status != 200:
                raise self._failed(f"HTTP {answer.status}")
            size = 0
            with told_as_faults(), out.open("wb") as file:
                for chunk in answer.iter_stream():
                    size += len(chunk)
                    if size > self._most:
                        raise self._failed(f"more than {self._most} bytes")
                    file.write(chunk)
        if not size:
            raise self._failed("nothing came back")

    def _failed(self, reason: str) -> Fault:
        return Fault("audio.voice_failed", provider=ID, reason=reason)

    def _slow(self, seconds: float) -> Fault:
        return Fault("audio.voice_slow", provider=ID, seconds=round(seconds))
