"""A file's envelope and a clip against a file, through the confined child, with real speech and real Opus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.audio import wav
from support.parlance import heard_again, opus

from broadcasts.audio import sample
from broadcasts.audio.chain import MP3, ORDINARY, Limits
from broadcasts.audio.envelope import RATE, AssetEnvelope, packed, signs_of
from broadcasts.audio.hearing import Decision, Part, Why, match
from broadcasts.audio.listening import envelope_of, match_clip
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Refused

Sound = NDArray[np.float64]
OTHER = (
    "Trạm y tế xã thông báo lịch tiêm chủng cho trẻ em dưới năm tuổi. Sáng thứ ba tuần tới, từ bảy giờ, mời các bà mẹ "
    "đưa con đến trạm. Nhớ mang theo sổ tiêm chủng và thẻ bảo hiểm y tế. Cháu nào đang sốt thì xin lùi lại tuần sau."
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    store, found = Store(folder / "store"), {}
    for name, text, chain in (
        ("news", sample.SAMPLE_TEXT, ORDINARY),
        ("news.mp3", sample.SAMPLE_TEXT, replace(ORDINARY, codec=MP3)),
        ("health", OTHER, ORDINARY),
    ):
        recorded = sample.write_sample(folder / f"{name}.wav", text=text, with_chime=name != "health")
        found[name] = store.path(prepare(recorded, store, chain=chain).sha256)
    return found


def noisy(sound: Sound, snr_db: float, seed: int = 1) -> Sound:
    noise = np.random.default_rng(seed).standard_normal(len(sound))
    mixed = sound + noise * np.sqrt(np.mean(sound**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    quiet: Sound = mixed * 0.3 / np.max(np.abs(mixed))
    return quiet


@pytest.mark.parametrize(("name", "codec"), [("news", "opus"), ("news.mp3", "mp3")])
def test_what_a_unit_heard_of_a_file_is_found_in_the_envelope_of_the_file(
    name: str, codec: str, files: dict[str, Path]
) -> None:
    ours, others = envelope_of(files[name], codec), envelope_of(files["health"], "opus")
    sound = heard_again(str(files[name]))
    assert abs(ours.duration_ms - len(sound) * 1000 / RATE) <= 64
    signs = signs_of(noisy(sound, 5))
    parts = [Part(300, len(signs), packed(signs))]

    found = match(parts, ours)

    assert (found.decision, found.why) == (Decision.YES, Why.MATCHED)
    assert abs(found.lag_ms - -300) <= 64
    assert found.heard_ms >= 0.9 * found.listened_ms
    assert match(parts, others).decision is Decision.NO
    assert AssetEnvelope.from_bytes(ours.to_bytes()).levels.tobytes() == ours.levels.tobytes()


def test_a_clip_is_found_where_it_was_taken_and_in_no_other_file(files: dict[str, Path]) -> None:
    begin = 6_000
    clip = opus(noisy(heard_again(str(files["news"]))[begin * 8 : begin * 8 + 80_000], 5))
    assert len(clip) <= 11_000

    found = match_clip(clip, files["news"], "opus", offset_ms=begin + 700)
    stranger = match_clip(clip, files["health"], "opus", offset_ms=begin + 700)

    assert (found.decision, found.why) == (Decision.YES, Why.MATCHED)
    assert abs(found.lag_ms - -700) <= 20
    assert stranger.decision is Decision.NO
    assert found.score > 2 * stranger.score


@pytest.mark.parametrize(
    "clip",
    [b"", b"OggS", b"#EXTM3U\nfile:///etc/passwd\n", wav(np.zeros(80_000), 8_000), bytes(16_000)],
    ids=["empty", "cut", "playlist", "wav", "zeros"],
)
def test_a_clip_that_is_no_sound_says_nothing(clip: bytes, files: dict[str, Path]) -> None:
    found = match_clip(clip, files["news"], "opus", offset_ms=0)
    assert (found.decision, found.why) == (Decision.UNKNOWN, Why.UNREADABLE)


def test_a_clip_that_is_too_long_or_too_short_or_lies_elsewhere_says_nothing(files: dict[str, Path]) -> None:
    sound = heard_again(str(files["news"]))
    for length, offset, why in (
        (16_000 * 8, 0, Why.UNREADABLE),
        (1_000 * 8, 0, Why.TOO_SHORT),
        (10_000 * 8, 600_000, Why.ELSEWHERE),
    ):
        found = match_clip(opus(sound[:length]), files["news"], "opus", offset_ms=offset)
        assert (found.decision, found.why) == (Decision.UNKNOWN, why)


def test_silence_at_the_microphone_is_not_the_file(files: dict[str, Path]) -> None:
    quiet = opus(np.random.default_rng(3).standard_normal(80_000) * 0.001)
    assert match_clip(quiet, files["news"], "opus", offset_ms=6_000).decision is Decision.NO


def test_a_file_that_is_none_of_ours_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"OggS" + bytes(5_000))
    with pytest.raises(Refused):
        envelope_of(bad, "opus", limits=Limits(wall_seconds=60))
