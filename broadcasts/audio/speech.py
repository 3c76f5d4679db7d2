"""Text to speech with eSpeak NG, in a child process: `python -m broadcasts.audio.speech`, job on standard input.

Job: `texts`, `outs` (for each text the path of a mono 16-bit WAV to write), `language`, `words_per_minute`. Answer:
`rate` in Hz.
The library and its voices come from the wheel `espeakng-loader` and are driven by ctypes; GPL-3, so it stays a
separate process. Robotic but intelligible: for samples, tests and as a last resort.
"""

from __future__ import annotations

import ctypes
import wave
from pathlib import Path
from typing import Any

import espeakng_loader

from broadcasts.audio import child
from broadcasts.audio.chain import Limits
from broadcasts.errors import Fault

# Numbers of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_UTF8, _POSITION_CHARACTER, _RATE = 1, 1, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(job: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Raises Fault audio.no_voice, audio.worker."""
    del limits
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 200, str(espeakng_loader.get_data_path()).encode(), _DONT_EXIT)
    if rate <= 0:
        raise Fault("audio.worker", reason="the speech library has no data")
    # On an unknown voice it would go on with the one before.
    if library.espeak_SetVoiceByName(job["language"].encode()) != 0:
        raise Fault("audio.no_voice", language=job["language"])
    library.espeak_SetParameter(_RATE, int(job["words_per_minute"]), 0)
    for text, out in zip(job["texts"], job["outs"], strict=True):
        _one(library, text, rate, Path(out))
    return {"rate": rate}


def _one(library: ctypes.CDLL, text: str, rate: int, path: Path) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)

        def heard(samples: Any, count: int, events: Any) -> int:
            del events
            if samples and count > 0:
                out.writeframes(ctypes.string_at(samples, count * 2))
            return 0

        callback = _CALLBACK(heard)
        library.espeak_SetSynthCallback(callback)
        told = text.encode() + b"\0"
        said = library.espeak_Synth(told, ctypes.c_size_t(len(told)), 0, _POSITION_CHARACTER, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        spoken = out.getnframes()
    if said != 0 or not spoken:
        raise Fault("audio.worker", reason="nothing was spoken")


if __name__ == "__main__":
    child.serve(speak)
