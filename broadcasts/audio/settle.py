"""Encoding until what comes out is as loud as asked, and no louder. Runs in the child process only.

What a codec adds and takes is known only afterwards. An encoding of everything is most of the work there is, so a long
recording is tried on a minute of it first; the whole is then, as a rule, right at once. It is measured all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from broadcasts.audio import child
from broadcasts.audio.chain import Chain, Codec, Limits
from broadcasts.audio.encode import Encoded, encode
from broadcasts.audio.level import Approach, Measured, gain_for, loudness, measured
from broadcasts.audio.pcm import Pcm
from broadcasts.audio.silence import Excerpts
from broadcasts.errors import Fault

_ROUNDS = 5
_LEAST_DB, _EACH_DB, _MOST_DB = 0.4, 0.25, 1.5
"""By how much the highest peak of a whole recording may lie above that of its pieces, encoded: something more each time
that it is twice as long. It was up to 1.2 for fifteen times as long."""
_NEXT_DB = 0.3
_SHARE = 0.7
"""What share of the tolerance one encoding of everything is left at."""
_MP3_FRAME = 1_152
_MOST_LONGER_S = 60
"""A finished file may be longer than what was uploaded may be: a chime."""


@dataclass(frozen=True)
class Setting:
    gain_db: float
    limiter_dbfs: float


@dataclass(frozen=True)
class Settled:
    encoded: Encoded
    found: Measured
    setting: Setting


class Settling:
    """One job's chain, file to write and limits."""

    def __init__(self, chain: Chain, out: Path, limits: Limits) -> None:
        self._chain = chain
        self._out = out
        self._limits = replace(limits, max_seconds=limits.max_seconds + _MOST_LONGER_S)

    def settled(self, pcm: Pcm, lufs: float, pieces: Excerpts | None) -> Settled | None:
        """`lufs` is the loudness of `pcm`; `pieces` of it stand for it when it is long. None for silence.

        Raises Fault audio.worker when another number of samples is decoded than was written.
        """
        setting = self._first(pcm) if pieces is None else self._tried(pcm, pieces, lufs)
        if setting is None:
            return None
        done = self._until_right(pcm, setting)
        return replace(done, encoded=as_played(done.encoded, done.found, self._chain.codec))

    def _first(self, pcm: Pcm) -> Setting | None:
        gain = gain_for(pcm, self._chain, self._chain.target_lufs)
        return None if gain is None else Setting(gain, self._chain.limiter_dbfs)

    def _tried(self, pcm: Pcm, pieces: Excerpts, lufs: float) -> Setting | None:
        chain = self._chain
        aim = chain.target_lufs + loudness(pieces.typical) - lufs
        gain = gain_for(pieces.typical, chain, aim)
        if gain is None:
            return None
        first = Setting(gain, chain.limiter_dbfs)
        longer = pcm.seconds / (pieces.typical.seconds + pieces.peaky.seconds)
        margin = min(_LEAST_DB + _EACH_DB * math.log2(longer), _MOST_DB)
        peaky, typical = self._encoded(pieces.peaky, first).found, self._encoded(pieces.typical, first).found
        above = max(peaky.true_peak_dbtp, typical.true_peak_dbtp) + margin - chain.ceiling_dbtp
        lower = replace(chain, limiter_dbfs=chain.limiter_dbfs - max(above, 0))
        taken = aim + chain.codec.loss_lu - typical.lufs
        gain = gain_for(pieces.typical, lower, aim + taken - chain.codec.loss_lu) or gain
        return Setting(gain, lower.limiter_dbfs)

    def _until_right(self, pcm: Pcm, setting: Setting) -> Settled:
        """Right, or the last that was tried."""
        chain, limiter = self._chain, setting.limiter_dbfs
        approach = Approach(setting.gain_db, chain.max_gain_db)
        for left in reversed(range(_ROUNDS)):
            done = self._encoded(pcm, Setting(approach.gain_db, limiter), tell=child.reach)
            above = done.found.true_peak_dbtp - chain.ceiling_dbtp
            too_far = abs(chain.target_lufs - done.found.lufs) > chain.tolerance_lu * _SHARE
            if not left or (above <= 0 and not (too_far and approach.move(done.found.lufs, chain.target_lufs))):
                break
            limiter -= above + _NEXT_DB if above > 0 else 0
        return done

    def _encoded(self, pcm: Pcm, setting: Setting, tell: Callable[[str], None] = lambda stage: None) -> Settled:
        codec = self._chain.codec
        tell("encoding")
        encoded = encode(pcm, setting.gain_db, setting.limiter_dbfs, codec, self._out)
        tell("checking")
        return Settled(encoded, measured(self._out, codec.container, self._limits), setting)


def as_played(encoded: Encoded, found: Measured, codec: Codec) -> Encoded:
    """With the length that players play. Raises Fault audio.worker when that is not the one that was written."""
    decoded, written = found.samples * codec.sample_rate, encoded.samples * found.rate
    if codec.container == "mp3" and 0 < decoded - written < _MP3_FRAME * found.rate:
        # Its tag cannot say that fewer than 529 samples of the last frame are padding: every player plays them.
        return replace(encoded, samples=found.samples)
    if decoded != written:
        raise Fault("audio.worker", reason=f"{found.samples} samples decoded, {encoded.samples} written")
    return encoded
