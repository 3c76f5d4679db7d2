"""The sentences that audio may ask the catalogue for. Keys of refusals and faults go under `errors.`, warnings under
`warnings.`; a test can hold a catalogue against these tuples."""

from __future__ import annotations

REFUSALS: dict[str, tuple[str, ...]] = {
    "audio.empty": (),
    "audio.not_audio": (),
    "audio.playlist": (),
    "audio.too_large": ("size_mb", "limit_mb"),
    "audio.too_long": ("limit_minutes",),
    "audio.too_short": ("limit_seconds",),
    "audio.no_sound_track": (),
    "audio.codec": ("codec",),
    "audio.protected": (),
    "audio.shape": ("channels", "rate"),
    "audio.cut_off": (),
    "audio.broken": (),
    "audio.silent": (),
    "audio.too_costly": (),
    "audio.took_too_long": ("seconds",),
    "audio.voice_unknown": ("voice",),
    "audio.inline": ("limit_seconds", "limit_kb"),
    "asset.unknown": ("asset",),
}
"""key -> the fields that fill its gaps."""

FAULTS: dict[str, tuple[str, ...]] = {
    "storage.full": (),
    "storage.failed": ("reason",),
    "storage.away": ("reason",),
    "storage.denied": (),
    "audio.worker": ("reason",),
    "audio.no_voice": ("language",),
    "audio.busy": (),
    "audio.voice_failed": ("provider", "reason"),
    "audio.voice_slow": ("provider", "seconds"),
}

WARNINGS: dict[str, str] = {
    "audio.truncated": "the file promises more sound than it holds; somebody must confirm that it is complete",
    "audio.damaged": "parts could not be decoded and are missing",
    "audio.out_of_phase": "left and right cancel each other, only the left channel is used",
    "audio.peaks_left": "the encoder made peaks above the limit that could not be taken away",
    "audio.level_missed": "too quiet or too uneven to reach the wanted loudness",
}
"""key -> what it means, for the one who writes the sentence."""

STAGES = ("decoding", "levelling", "encoding", "checking")
"""What is done to a recording, in order; the last two come again when the codec took or added too much."""
