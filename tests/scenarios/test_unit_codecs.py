"""A simple unit that decodes MP3 alone: CONTRACT.md, section 7."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audio import recording
from support.rig import Rig
from support.signed import MINUTE, SECOND, T0, asset_of, item, opus, siren

from broadcasts.wire.alert import Rendition
from broadcasts.wire.journal import Ended, Outcome
from device_sim import mp3
from device_sim.unit import Config

SIMPLE = Config(codecs=("mp3",))
START = T0 + 10 * MINUTE


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return real(tmp_path_factory.mktemp("mp3"), 6)


def real(folder: Path, seconds: float) -> bytes:
    return recording(folder / "sound.mp3", "mp3", seconds=seconds).read_bytes()


def test_a_simple_unit_says_what_it_decodes_and_another_one_says_nothing() -> None:
    simple, other = Rig(config=SIMPLE), Rig()
    for rig in (simple, other):
        rig.run(T0 + MINUTE)
    assert simple.reported().codecs == ["mp3"]
    assert other.reported().codecs is None


def test_the_length_of_an_mp3_is_told_from_its_frames(tmp_path: Path) -> None:
    for seconds in (1.5, 3.0, 7.25):
        length = mp3.length_ms(real(tmp_path, seconds))
        assert length is not None
        assert abs(length - seconds * 1000) < 60


def test_what_is_cut_short_or_is_another_thing_is_no_mp3(storm: bytes) -> None:
    assert mp3.length_ms(storm[:-7]) is None
    assert mp3.length_ms(opus(5_000)) is None
    assert mp3.length_ms(b"") is None


def test_a_simple_unit_plays_an_mp3_and_fails_with_opus(storm: bytes) -> None:
    rig, sound = Rig(config=SIMPLE), opus(5 * SECOND)
    good, foreign = asset_of(storm, 6_000, "mp3"), asset_of(sound, 5 * SECOND)
    rig.hold((good, storm), (foreign, sound))
    rig.plan([item("one", good, START), item("two", foreign, START + MINUTE)], [good, foreign])
    rig.run(START + 2 * MINUTE)
    assert [(sound.item, sound.to_ms - sound.from_ms) for sound in rig.heard] == [("one", 6_000)]
    failed = [entry for entry in rig.journal() if isinstance(entry, Ended) and entry.outcome is Outcome.FAILED]
    assert [entry.item for entry in failed] == ["two"]


def test_an_mp3_of_another_length_than_announced_is_not_sounded(storm: bytes) -> None:
    rig, lie = Rig(config=SIMPLE), asset_of(storm, 9_000, "mp3")
    rig.hold((lie, storm))
    rig.plan([item("one", lie, START)], [lie])
    rig.run(START + MINUTE)
    assert rig.heard == []


def test_of_an_alert_in_two_codecs_each_unit_takes_its_own_and_fetches_no_other(storm: bytes) -> None:
    sound = opus(6 * SECOND)
    first, second = asset_of(sound, 6 * SECOND), asset_of(storm, 6_000, "mp3")
    for config, own in ((SIMPLE, second), (Config(), first)):
        rig = Rig(config=config)
        rig.hold((first, sound), (second, storm))
        rig.plan([], [])
        content = [Rendition(language="vi", asset=first, also=[second])]
        rig.alert("commune", [siren("a-1", first, rig.now, content=content)])
        rig.run(T0 + MINUTE)
        assert [sound.asset for sound in rig.heard] == [own.sha256]
        assert {fetch.sha256 for fetch in rig.fetched} == {own.sha256}
