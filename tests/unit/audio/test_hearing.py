"""What the controller makes of an envelope: synthetic syllables, heard over simulated poles."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from broadcasts.audio.correlation import SURE, UNSURE, located
from broadcasts.audio.envelope import (
    FRAME_MS,
    HOP_MS,
    RATE,
    AssetEnvelope,
    biquads,
    packed,
    powers,
    signs_of,
    unpacked,
)
from broadcasts.audio.hearing import Decision, Match, Part, Why, match
from device_sim.acoustics import AirPath, Noise, captured

Sound = NDArray[np.float64]


def talk(seconds: float, seed: int) -> Sound:
    """Syllables of another pitch and strength each fifth of a second, with pauses: uneven as speech is."""
    chance = np.random.default_rng(seed)
    count = round(seconds * 5)
    pitch = np.repeat(chance.uniform(320, 3_300, (3, count)), RATE // 5, axis=1)
    loud = np.repeat(chance.choice([0.0, 0.3, 1.0, 1.0], count), RATE // 5)
    t = np.arange(len(loud)) / RATE
    return np.asarray(0.1 * loud * np.sin(2 * np.pi * pitch * t).sum(axis=0), np.float64)


NEWS, OTHER = talk(60, 1), talk(60, 2)
NEWS_ENVELOPE, OTHER_ENVELOPE = AssetEnvelope.of([NEWS]), AssetEnvelope.of([OTHER])


def part(sound: Sound, offset_ms: int = 0, **told: object) -> Part:
    signs = signs_of(sound)
    return Part(offset_ms, len(signs), packed(signs), **told)  # type: ignore[arg-type]


def heard(path: AirPath, *, seed: int = 1) -> Match:
    return match([part(captured(NEWS, path, seed, OTHER))], NEWS_ENVELOPE)


def test_the_blocks_of_the_filters_give_what_their_difference_equation_says() -> None:
    sound = np.random.default_rng(1).standard_normal(2_048)
    found = np.concatenate(list(powers([sound[:777], sound[777:]])))
    for band, (b0, a1, a2) in enumerate(biquads()):
        past, out = [0.0, 0.0], [0.0, 0.0]
        for sample in sound:
            out.append(b0 * (sample - past[-2]) - a1 * out[-1] - a2 * out[-2])
            past.append(float(sample))
        expected = np.mean(np.reshape(out[2:], (-1, RATE * HOP_MS // 1000)) ** 2, axis=1)
        assert np.allclose(found[:, band], expected, rtol=1e-9)


def test_an_asset_is_read_in_pieces_of_any_length_and_kept_in_few_bytes() -> None:
    pieces = np.array_split(NEWS, [1, 777, 30_000, 30_001, 200_000])
    assert AssetEnvelope.of(pieces).levels.tobytes() == NEWS_ENVELOPE.levels.tobytes()
    assert NEWS_ENVELOPE.duration_ms == 59_968
    assert len(NEWS_ENVELOPE.to_bytes()) < 150 * 60
    assert AssetEnvelope.of([]).duration_ms == 0
    for kept in (b"", NEWS_ENVELOPE.to_bytes()[:-1], b"loa-envelope-0\n" + bytes(90)):
        with pytest.raises(ValueError, match="version"):
            AssetEnvelope.from_bytes(kept)


@given(st.binary(max_size=50))
def test_what_is_packed_is_unpacked(signs: bytes) -> None:
    rows = unpacked(packed(signs), len(signs))
    assert bytes(sum(1 << bit for bit in range(8) if row[bit] > 0) for row in rows) == signs


def test_a_clean_line_out_is_heard_as_a_whole() -> None:
    found = match([part(NEWS, source="line_out")], NEWS_ENVELOPE)
    assert (found.decision, found.why, found.lag_ms) == (Decision.YES, Why.MATCHED, 0)
    assert found.score > 0.95
    assert found.heard_ms == sum(each.to_ms - each.from_ms for each in found.stretches)
    assert found.listened_ms == 234 * FRAME_MS


@pytest.mark.parametrize(
    "path",
    [
        AirPath(snr_db=5),
        AirPath(snr_db=5, noise=Noise.WIND),
        AirPath(snr_db=10, echo_db=-6, reverb_db=-3),
        AirPath(snr_db=10, drift_ppm=1_000),
        AirPath(snr_db=10, drift_ppm=-1_000),
        AirPath(snr_db=10, neighbour_db=-6),
    ],
    ids=["street", "wind", "echo", "fast clock", "slow clock", "neighbour"],
)
def test_a_bulletin_over_a_pole_as_it_is_in_the_field_is_heard(path: AirPath) -> None:
    found = heard(path)
    assert (found.decision, found.why) == (Decision.YES, Why.MATCHED)


def test_a_cut_wire_a_wrong_file_and_a_neighbour_alone_are_not_heard() -> None:
    for found in (
        heard(AirPath(snr_db=10, wire_cut=True)),
        heard(AirPath(snr_db=10, wire_cut=True, neighbour_db=0)),
        match([part(captured(OTHER, AirPath(snr_db=10), 1))], NEWS_ENVELOPE),
    ):
        assert (found.decision, found.why, found.heard_ms) == (Decision.NO, Why.OTHER, 0)
        assert not any(each.heard for each in found.stretches)


def test_what_was_muted_shows_where_it_was_muted() -> None:
    half = heard(AirPath(snr_db=10, muted=((0.0, 31.0),)))
    assert half.why is Why.PARTLY
    assert half.decision is not Decision.YES
    assert [each.heard for each in half.stretches if each.to_ms <= 30_000] == [False] * 5
    assert all(each.heard for each in half.stretches if each.from_ms >= 36_000)
    assert abs(half.heard_ms - 29_000) <= 5_120
    loose = heard(AirPath(snr_db=10, muted=tuple((begin, begin + 5.0) for begin in range(0, 60, 10))))
    assert loose.why is Why.PARTLY, "a contact that opens every five seconds"
    most = heard(AirPath(snr_db=10, muted=((8.0, 59.0),)))
    assert most.decision is Decision.NO


@pytest.mark.parametrize("wrong_by", [-1_900, -600, 0, 600, 1_900])
def test_a_unit_may_be_wrong_about_the_place_by_two_seconds(wrong_by: int) -> None:
    begin = 20_000
    sound = captured(NEWS[begin * 8 : begin * 8 + 15 * RATE], AirPath(snr_db=10), 1)
    found = match([part(sound, begin - wrong_by)], NEWS_ENVELOPE)
    assert found.decision is Decision.YES
    assert abs(found.lag_ms - wrong_by) <= HOP_MS


def test_parts_are_one_sounding_in_whatever_order_they_come_and_a_lost_one_spoils_nothing() -> None:
    sound = captured(NEWS, AirPath(snr_db=10), 1)
    signs = signs_of(sound)
    cut = [(0, 80), (80, 160), (160, 234)]
    parts = [Part(begin * FRAME_MS, end - begin, packed(signs[begin:end])) for begin, end in cut]
    whole = match([part(sound)], NEWS_ENVELOPE)
    assert match(parts[::-1], NEWS_ENVELOPE) == whole
    lost = match([parts[0], parts[2]], NEWS_ENVELOPE)
    assert lost.decision is Decision.YES
    assert lost.listened_ms == (80 + 74) * FRAME_MS


def test_what_nothing_can_be_said_of_is_unknown_and_says_why() -> None:
    short = captured(NEWS[: 4 * RATE], AirPath(snr_db=0, wire_cut=True), 1)
    for parts, why in (
        ([], Why.TOO_SHORT),
        ([part(short)], Why.TOO_SHORT),
        ([part(NEWS, 120_000)], Why.ELSEWHERE),
        ([Part(0, 40, "AAAA")], Why.UNREADABLE),
        ([Part(0, 40, "a+b/")], Why.UNREADABLE),
        ([part(NEWS * 0, level_dbfs=-120)], Why.SILENT),
    ):
        found = match(parts, NEWS_ENVELOPE)
        assert (found.decision, found.why) == (Decision.UNKNOWN, why)


def test_a_line_out_from_which_nothing_comes_was_not_heard() -> None:
    found = match([part(NEWS * 0, level_dbfs=-120, source="line_out")], NEWS_ENVELOPE)
    assert (found.decision, found.why) == (Decision.NO, Why.SILENT)
    assert [(each.from_ms, each.to_ms, each.heard) for each in found.stretches] == [(0, 234 * FRAME_MS, False)]


@pytest.mark.parametrize("bad", [Part(10 * FRAME_MS, 40, "AAAA"), Part(60_000, 1, "A"), Part(0, 1_000, "AAAA")])
def test_a_part_that_is_no_envelope_spoils_nothing_of_the_others(bad: Part) -> None:
    good = part(NEWS)
    whole = match([good], NEWS_ENVELOPE)
    assert whole.decision is Decision.YES
    assert match([good, bad], NEWS_ENVELOPE) == whole


@given(st.binary(min_size=1, max_size=120), st.integers(0, 90_000))
def test_whatever_a_unit_sends_there_is_an_answer(data: bytes, offset_ms: int) -> None:
    said = base64.urlsafe_b64encode(data).decode().rstrip("=")
    found = match([Part(offset_ms, len(data), said)], NEWS_ENVELOPE)
    assert found.decision is not Decision.YES
    assert match([Part(0, len(data), said)], AssetEnvelope.of([])).decision is Decision.UNKNOWN


def test_a_clip_has_one_place_in_its_file_and_none_in_another() -> None:
    clip = captured(NEWS[80_000:160_000], AirPath(snr_db=5, echo_db=-6), 3)
    score, at = located(clip, NEWS[40_000:220_000])
    assert score > SURE
    assert abs(at - 40_000) <= 8
    stranger, _ = located(clip, OTHER[40_000:220_000])
    assert stranger < UNSURE
    assert located(clip * 0, NEWS) == (0.0, 0)
