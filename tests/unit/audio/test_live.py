from __future__ import annotations

import numpy as np
import pytest
from support.live_voice import decoded, voice

from broadcasts.audio.chain import OPUS, ORDINARY
from broadcasts.audio.graph import METER, Row, Shape, frame_of
from broadcasts.audio.live import FRAME_MS, MOST_DB, RATES, LiveChain
from broadcasts.audio.pcm import Samples
from broadcasts.audio.truepeak import TruePeak


def through(chain: LiveChain, samples: Samples, rate: int) -> list[bytes]:
    """In blocks of 20 ms, as a browser sends them."""
    block = rate // 50
    return [frame for at in range(0, samples.size, block) for frame in chain.push(samples[at : at + block])]


def lufs(sound: Samples) -> float:
    row = Row(Shape("flt", "mono", OPUS.sample_rate), (METER,))
    for at in range(0, sound.size, 1_600):
        block = np.ascontiguousarray(sound[at : at + 1_600], np.float32)
        for _ in row.push(frame_of(block, "flt", OPUS.sample_rate)):
            pass
    return row.lufs


@pytest.mark.parametrize("rate", RATES)
def test_every_frame_is_20_ms_of_opus_and_none_is_lost(rate: int) -> None:
    chain = LiveChain(rate)
    frames = through(chain, voice(3, rate), rate) + chain.finish()
    assert len(frames) in (150, 151)
    assert all(frame[0] >> 3 == 9 and not frame[0] & 3 for frame in frames), "wideband, one frame of 20 ms"
    assert sum(map(len, frames)) * 8 / 3 < 30_000


def test_a_sound_leaves_the_chain_within_50_ms() -> None:
    rate = 48_000
    samples = np.zeros(2 * rate, "<i2")
    samples[rate : rate + 4_800] = 8_000 * np.sin(2 * np.pi * 1_000 * np.arange(4_800) / rate)
    chain, frames, given = LiveChain(rate), [], 0
    while len(frames) < 51 and given < samples.size:
        frames += chain.push(samples[given : given + 960])
        given += 960
    heard = decoded(frames + through(chain, samples[given:], rate))
    onset = int(np.argmax(np.abs(heard) > 0.02)) * 1_000 / OPUS.sample_rate
    assert 1_000 <= onset < 1_025, "by the decoder's own count"
    assert given / rate - 51 * FRAME_MS / 1_000 <= 0.05, "and so much went in before as much came out"


@pytest.mark.parametrize("spoken", [-34, -30, -24, -18, -12])
def test_soft_and_loud_voices_come_near_the_aim(spoken: float) -> None:
    chain = LiveChain(48_000)
    heard = decoded(through(chain, voice(20, dbfs=spoken), 48_000))
    assert abs(lufs(heard[6 * OPUS.sample_rate :]) - ORDINARY.target_lufs) < 4.5
    assert abs(chain.level.lufs - ORDINARY.target_lufs) < 5


def test_the_slow_hand_never_moves_further_than_6_db_and_never_fast() -> None:
    chain = LiveChain(48_000)
    last = 0.0
    for second in range(12):
        through(chain, voice(1, dbfs=-44 if second < 6 else -8, seed=second), 48_000)
        assert abs(chain.level.gain_db) <= MOST_DB
        assert -6.1 <= chain.level.gain_db - last <= 1.6
        last = chain.level.gain_db


@pytest.mark.parametrize("spoken", [-12, -6, -3])
def test_nothing_clips_however_loud_somebody_shouts(spoken: float) -> None:
    heard = decoded(through(LiveChain(48_000), voice(10, dbfs=spoken), 48_000))
    peak = TruePeak()
    peak.add(heard)
    assert peak.dbtp <= -0.5


def test_silence_is_counted_while_nobody_speaks_and_ends_with_a_word() -> None:
    chain = LiveChain(16_000)
    through(chain, voice(2, 16_000), 16_000)
    assert chain.level.silent_ms == 0
    through(chain, np.zeros(16_000 * 5, "<i2"), 16_000)
    assert 4_000 < chain.level.silent_ms <= 5_000
    assert chain.level.lufs == -70
    through(chain, voice(1, 16_000), 16_000)
    assert chain.level.silent_ms == 0


def test_the_gain_stays_where_it_is_through_a_pause() -> None:
    chain = LiveChain(48_000)
    through(chain, voice(10, dbfs=-12), 48_000)
    before = chain.level.gain_db
    assert before < -1
    through(chain, np.zeros(48_000 * 10, "<i2"), 48_000)
    assert abs(chain.level.gain_db - before) < 1


def test_a_rate_that_no_browser_has_is_none() -> None:
    with pytest.raises(ValueError, match="7"):
        LiveChain(7)
