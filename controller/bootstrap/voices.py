"""Which voices there are, as the settings say."""

from __future__ import annotations

from broadcasts.audio.voice_espeak import FIRST, Espeak
from broadcasts.audio.voice_http import HttpVoice
from broadcasts.audio.voice_piper import Piper
from broadcasts.audio.voices import Provider, Voices
from broadcasts.clock import Clock
from controller.settings import Settings, named


def voices(settings: Settings, clock: Clock) -> Voices:
    """The embedded ones always; without a setting no text leaves this machine."""
    providers: list[Provider] = [Espeak()]
    if settings.piper_voices is not None:
        providers.append(Piper(settings.piper_voices, settings.piper_program))
    if settings.voice_url:
        key, model, seconds = settings.voice_key, settings.voice_model, float(settings.voice_seconds)
        spoken = named(settings.voice_names)
        providers.append(HttpVoice(settings.voice_url, spoken, clock, key=key, model=model, seconds=seconds))
    return Voices(providers, {"vi": FIRST} | dict(named(settings.voices)))


def wrong(settings: Settings) -> list[str]:
    """What keeps voices from being offered, for `loa check`."""
    return Piper(settings.piper_voices, settings.piper_program).wrong() if settings.piper_voices is not None else []
