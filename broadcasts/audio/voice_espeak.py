"""The embedded voice: eSpeak NG from a wheel, always there, on this machine, in a confined child process."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from broadcasts.audio import child
from broadcasts.audio.chain import Limits
from broadcasts.audio.voices import Voice, Voices
from broadcasts.errors import Fault, Refused

ID = "espeak"
VOICES = (
    Voice(ID, "vi", "vi-VN", "north", "male", "GPL-3.0-or-later"),
    Voice(ID, "vi-vn-x-central", "vi-VN", "central", "male", "GPL-3.0-or-later"),
    Voice(ID, "vi-vn-x-south", "vi-VN", "south", "male", "GPL-3.0-or-later"),
)
"""Robotic: good for notices in need, and where nothing else is to be had."""
FIRST = "espeak/vi-vn-x-south"
"""Of a text in Vietnamese where nobody chose."""
WORDS_PER_MINUTE = 150


class Espeak:
    id = ID
    offline = True
    sends_text_out = False

    def version(self, voice: str) -> str:
        del voice
        return f"espeakng-loader {version('espeakng-loader')}"

    def voices(self) -> Sequence[Voice]:
        return VOICES

    def speak(self, texts: Sequence[str], voice: str, rate: float, folder: Path) -> list[Path]:
        if voice not in {each.name for each in VOICES}:
            raise Refused("audio.voice_unknown", voice=f"{ID}/{voice[:60]}")
        outs = [folder / f"espeak-{number}.wav" for number in range(len(texts))]
        job = {
            "texts": list(texts),
            "outs": list(map(str, outs)),
            "language": voice,
            "words_per_minute": round(WORDS_PER_MINUTE * rate),
        }
        try:
            child.run("broadcasts.audio.speech", job, folder, Limits(cpu_seconds=120, wall_seconds=180))
        except Refused as refused:
            if refused.key == "audio.took_too_long":
                raise Fault("audio.voice_slow", provider=ID, seconds=180) from refused
            raise Fault("audio.voice_failed", provider=ID, reason=refused.key) from refused
        return outs


def embedded() -> Voices:
    """Nothing but this one."""
    return Voices([Espeak()], {"vi": FIRST})
