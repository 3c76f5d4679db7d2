"""What was done to a recording before the horns play it, as sentences for who made it and for who approves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

SILENT_DBTP = -99.0
_LEAST_CUT_MS, _LEAST_PERCENT, _MUCH_PERCENT = 100, 1.0, 50.0
Say = Callable[..., str]


def mastered(
    say: Say,
    comma: str,
    before_lufs: float | None,
    lufs: float | None,
    peak_dbtp: float | None,
    done: Mapping[str, float],
) -> list[str]:
    """Sentences, none for what nothing is known of. `done`: the fields of `Mastering`. `comma`: before tenths."""
    if not done or lufs is None or peak_dbtp is None:
        return []

    def tenths(value: float) -> str:
        return f"{value:.1f}".replace("-", "\N{MINUS SIGN}").replace(".", comma)

    said = []
    if before_lufs is not None:
        said.append(say("mastering.loudness", before=tenths(before_lufs), after=tenths(lufs)))
    before_peak = done["original_true_peak_dbtp"]
    if before_peak > SILENT_DBTP:
        said.append(say("mastering.peak", before=tenths(before_peak), after=tenths(peak_dbtp)))
    gain = done["gain_db"]
    said.append(say("mastering.raised" if gain >= 0 else "mastering.lowered", dB=tenths(abs(gain))))
    start, end = done["trimmed_start_ms"], done["trimmed_end_ms"]
    if start >= _LEAST_CUT_MS or end >= _LEAST_CUT_MS:
        said.append(say("mastering.trimmed", start=tenths(start / 1000), end=tenths(end / 1000)))
    percent = done["limited_percent"]
    if percent >= _LEAST_PERCENT:
        said.append(say("mastering.limited", dB=tenths(done["limited_db"]), percent=round(percent)))
    if percent >= _MUCH_PERCENT:
        said.append(say("mastering.much"))
    return said
