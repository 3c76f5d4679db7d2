"""Who can speak, and how what they spoke becomes one recording.

A provider turns sentences into sound files; `say` joins them, whoever spoke. Whatever a provider hands back is a
stranger's file: it is decoded in the confined child like any upload.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Protocol

from broadcasts.audio import child
from broadcasts.audio.chain import Limits
from broadcasts.audio.magic import demuxer_of
from broadcasts.audio.store import told_as_faults
from broadcasts.errors import Fault, Refused

MOST_SECONDS = 600
"""Of one spoken text: what the editing layer joins."""
MOST_PIECE_BYTES = 60_000_000
"""Of one sentence, in any format: five minutes of uncompressed stereo."""
SLOWEST, FASTEST = 0.6, 1.6
"""Times the voice's own pace."""
SENTENCE_MS = 250
WAITS_S = 60.0
"""For a turn, when as many texts are spoken as there are cores."""


@dataclass(frozen=True)
class Voice:
    """`name` is the provider's own word for it; `language` as in "vi-VN"; `region` and `gender` "" where not known."""

    provider: str
    name: str
    language: str
    region: str = ""
    gender: str = ""
    licence: str = ""

    @property
    def id(self) -> str:
        return f"{self.provider}/{self.name}"

    @property
    def speaks(self) -> str:
        """The language alone, as a bulletin names it."""
        return self.language.split("-")[0].lower()


class Provider(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def offline(self) -> bool:
        """It speaks without any network."""
        ...

    @property
    def sends_text_out(self) -> bool:
        """What is to be spoken leaves this machine."""
        ...

    def version(self, voice: str) -> str:
        """Of engine and voice: another one would speak otherwise. At most 80 characters."""
        ...

    def voices(self) -> Sequence[Voice]: ...

    def speak(self, texts: Sequence[str], voice: str, rate: float, folder: Path) -> list[Path]:
        """One sound file for each text, in order, of any format, in `folder`.

        Raises Refused("audio.voice_unknown"), Fault("audio.voice_failed", "audio.voice_slow").
        """
        ...


@dataclass(frozen=True)
class Sentence:
    """What is spoken without a stop, and the silence behind it, ms."""

    text: str
    pause_ms: int = SENTENCE_MS


class Voices:
    """All providers that are switched on, by the voices they have."""

    def __init__(self, providers: Sequence[Provider], first: Mapping[str, str] | None = None) -> None:
        """`first`: by language, the voice that a form offers first."""
        self.providers = tuple(providers)
        self._first = dict(first or {})
        self._turns = BoundedSemaphore(os.cpu_count() or 1)

    def all(self) -> list[Voice]:
        return [voice for provider in self.providers for voice in provider.voices()]

    def first(self, language: str) -> str:
        """The voice for a text in this language where nobody chose; "" where none speaks it."""
        able = [voice.id for voice in self.all() if voice.speaks == language]
        told = self._first.get(language, "")
        return told if told in able else next(iter(able), "")

    def find(self, voice_id: str) -> tuple[Provider, Voice]:
        """Raises Refused("audio.voice_unknown")."""
        for provider in self.providers:
            for voice in provider.voices() if voice_id.startswith(f"{provider.id}/") else ():
                if voice.id == voice_id:
                    return provider, voice
        raise Refused("audio.voice_unknown", voice=voice_id[:80])

    def say(
        self, sentences: Sequence[Sentence], voice_id: str, rate: float, out: Path, *, urgent: bool = False
    ) -> Path:
        """A mono WAV at `out`, in whose folder the work is done. As many at once as there are cores, and
        what is `urgent`.

        Raises Refused("audio.voice_unknown", "audio.too_long"), Fault("audio.voice_failed", "audio.voice_slow",
        "audio.busy", "audio.worker", "storage.full").
        """
        provider, voice = self.find(voice_id)
        if urgent:
            return self._say(sentences, provider, voice, rate, out)
        if not self._turns.acquire(timeout=WAITS_S):
            raise Fault("audio.busy")
        try:
            return self._say(sentences, provider, voice, rate, out)
        finally:
            self._turns.release()

    def _say(self, sentences: Sequence[Sentence], provider: Provider, voice: Voice, rate: float, out: Path) -> Path:
        folder = out.parent
        spoken = provider.speak([each.text for each in sentences], voice.name, rate, folder)
        if len(spoken) != len(sentences):
            raise Fault("audio.voice_failed", provider=provider.id, reason="another number of answers than sentences")
        return join_files([(path, each.pause_ms) for path, each in zip(spoken, sentences, strict=True)], out, provider)


def join_files(pieces: Sequence[tuple[Path, int]], out: Path, provider: Provider | None = None) -> Path:
    """Files of any format, each followed by that many ms of silence (none behind the last), as one mono WAV at `out`;
    silence around a piece is cut off. `provider`: whose they are, and whose fault it is when they are no sound.

    Raises Refused("audio.too_long") and the reasons of uploads, Fault("audio.voice_failed", "audio.worker",
    "storage.full").
    """
    limits = Limits(max_bytes=MOST_PIECE_BYTES, max_seconds=MOST_SECONDS, min_seconds=0, cpu_seconds=120)
    try:
        told = []
        for number, (path, pause) in enumerate(pieces):
            with told_as_faults():
                size = path.stat().st_size
            if size > MOST_PIECE_BYTES:
                raise Refused("audio.too_large", size_mb=size // 1_000_000, limit_mb=MOST_PIECE_BYTES // 1_000_000)
            near = path
            if out.parent not in path.parents:
                # The child reads nothing outside its folder.
                near = _near(path, out.with_name(f"near-{number}"))
            told.append({"source": str(near), "demuxer": demuxer_of(path), "pause_ms": pause})
        child.run("broadcasts.audio.spoken", {"pieces": told, "out": str(out)}, out.parent, limits)
    except Refused as refused:
        if provider is None or refused.key == "audio.too_long":
            raise
        raise Fault("audio.voice_failed", provider=provider.id, reason=refused.key) from refused
    return out


def _near(path: Path, place: Path) -> Path:
    with told_as_faults():
        return Path(shutil.copyfile(path, place))
