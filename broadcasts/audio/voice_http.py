"""A voice service over HTTP that speaks as many do: `POST …/v1/audio/speech` with model, input, voice, speed.

What is to be spoken goes to that address and nowhere else: no redirect is followed, no proxy of the environment
asked. What comes back is bounded, in bytes and in seconds, and is a stranger's file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from broadcasts.audio.store import told_as_faults
from broadcasts.audio.voices import MOST_PIECE_BYTES, Voice
from broadcasts.clock import Clock
from broadcasts.errors import Fault, Refused

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
        headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {self._key}"} if self._key else {})
        ends = self._clock.monotonic() + IN_ALL * self._seconds
        with httpx.Client(timeout=self._seconds, follow_redirects=False, trust_env=False, headers=headers) as client:
            for text, out in zip(texts, outs, strict=True):
                asked = {"model": self._model, "input": text, "voice": voice, "response_format": "wav", "speed": rate}
                if self._clock.monotonic() > ends:
                    raise Fault("audio.voice_slow", provider=ID, seconds=round(IN_ALL * self._seconds))
                try:
                    self._fetch(client, asked, out)
                except httpx.TimeoutException as error:
                    raise self._slow() from error
                except httpx.HTTPError as error:
                    raise self._failed(type(error).__name__) from error
        return outs

    def _fetch(self, client: httpx.Client, asked: dict[str, object], out: Path) -> None:
        ends = self._clock.monotonic() + self._seconds
        with client.stream("POST", self._url, json=asked) as answer:
            if answer.status_code != 200:
                raise self._failed(f"HTTP {answer.status_code}")
            size = 0
            with told_as_faults(), out.open("wb") as file:
                # Undecoded: a small answer must not unfold into a large one. As it comes: a block of a size would be
                # waited for however slowly it drips.
                for chunk in answer.iter_raw():
                    size += len(chunk)
                    if size > self._most:
                        raise self._failed(f"more than {self._most} bytes")
                    if self._clock.monotonic() > ends:
                        raise self._slow()
                    file.write(chunk)
        if not size:
            raise self._failed("nothing came back")

    def _failed(self, reason: str) -> Fault:
        return Fault("audio.voice_failed", provider=ID, reason=reason)

    def _slow(self) -> Fault:
        return Fault("audio.voice_slow", provider=ID, seconds=round(self._seconds))
