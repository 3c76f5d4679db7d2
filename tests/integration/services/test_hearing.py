"""Envelopes and clips of one unit, whatever it sends, cost no other unit its proof, nor the machine its time."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from support.parlance import opus
from support.services import HERE, NOON, House
from support.voices import Voice

from broadcasts.audio import child
from broadcasts.audio.envelope import FRAME_MS, packed
from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.wire.ear import Clip, ClipCodec, Source
from broadcasts.wire.journal import Envelope
from broadcasts.wire.status import CommandKind
from controller.db.tables import Command, Delivery, EnvelopePart, Hearing
from controller.services import hearing

UNIT = f"u-{HERE}-1"
START = NOON + timedelta(hours=2)
END = START + timedelta(seconds=2)
FRAMES = 7


@pytest.fixture
def voice(house: House) -> Voice:
    return Voice(UNIT, house.bulletin.sha256, house.bulletin.duration_ms)


@pytest.fixture
def plan(house: House) -> Callable[..., str]:
    """A delivery of `UNIT`, which is over."""

    def planned(**changed: Any) -> str:
        broadcast = house.on_air(**changed)
        house.compile()
        house.clock.set(END)
        return house.delivery(broadcast).id

    return planned


def envelope(house: House, voice: Voice, item: str, **told: Any) -> Envelope:
    voice.seq += 1
    given = {"asset": voice.asset, "started_at": unix_ms(START), "offset_ms": 0, "frames": FRAMES}
    given |= {"source": Source.LINE_OUT, "data": packed(bytes(FRAMES))}
    return Envelope(seq=voice.seq, at=house.ms(), item=item, **{**given, **told})


def say(house: House, voice: Voice, *entries: Envelope) -> None:
    house.hear(voice.batch(*entries), unit=voice.unit, signed=True)


def found(house: House, delivery: str) -> Hearing:
    with house.ctx.db.read() as session:
        return session.get_one(Hearing, delivery)


def test_a_file_that_is_missing_holds_up_the_proof_of_no_other(
    house: House, voice: Voice, plan: Callable[..., str]
) -> None:
    first = plan()
    say(house, voice, envelope(house, voice, first))
    second = plan(asset=house.other.sha256, at=(START + timedelta(minutes=30)).astimezone(VIETNAM).time())
    house.clock.advance(600)
    other = envelope(house, voice, second, asset=house.other.sha256, frames=5, data=packed(bytes(5)))
    say(house, voice, other)
    place = house.ctx.audio.path(house.bulletin.sha256)
    aside = place.with_name("aside")
    place.rename(aside)
    listener = hearing.Listener(house.ctx)
    try:
        again = listener.step(house.now)
        assert again == house.now + hearing.AFTER_TROUBLE
        assert found(house, second).answer is not None
        assert found(house, first).answer is None
        assert found(house, first).due_since is not None
    finally:
        aside.rename(place)
    listener.step(house.now)
    assert found(house, first).answer is not None


def test_what_a_unit_says_too_often_of_one_play_is_not_kept(
    house: House, voice: Voice, plan: Callable[..., str]
) -> None:
    delivery = plan()
    for _ in range(10):
        at = [unix_ms(START) + number for number in range(20)]
        say(house, voice, *(envelope(house, voice, delivery, started_at=each) for each in at))
    with house.ctx.db.read() as session:
        count = select(func.count()).select_from(EnvelopePart).where(EnvelopePart.delivery_id == delivery)
        kept = session.scalar(count)
    assert kept == hearing.MOST_PARTS


def test_of_a_line_out_from_which_nothing_came_all_of_it_counts_as_missed(
    house: House, voice: Voice, plan: Callable[..., str]
) -> None:
    """Or what it heard after a restart would pass for the whole."""
    delivery = plan()
    say(house, voice, envelope(house, voice, delivery, level_dbfs=-120))
    hearing.Listener(house.ctx).step(house.now)
    row = found(house, delivery)
    assert (row.answer, row.why) == ("no", "silent")
    assert row.stretches == [[0, FRAMES * FRAME_MS, 0]]


def asked(house: House, delivery: str) -> str:
    with house.ctx.db.write() as session:
        session.add(
            Command(
                id="c-clip",
                unit_id=UNIT,
                cluster_id=session.get_one(Delivery, delivery).cluster_id,
                seq=1,
                due_at=house.now,
                kind=str(CommandKind.CAPTURE),
                args={"seconds": "10", "item": delivery, "offset_ms": "0"},
                issued_by="loa",
                issued_at=house.now,
                expires_at=house.now + timedelta(minutes=5),
            )
        )
    return "c-clip"


def clip(house: House, voice: Voice, delivery: str, command: str) -> Clip:
    sound = opus(np.random.default_rng(3).standard_normal(24_000) * 0.1)
    return Clip(
        unit=voice.unit,
        command=command,
        at=house.ms(),
        item=delivery,
        asset=voice.asset,
        started_at=unix_ms(START),
        offset_ms=0,
        length_ms=3_000,
        source=Source.MICROPHONE,
        codec=ClipCodec.OPUS,
        data=packed(sound),
    )


def test_a_clip_that_comes_twice_is_compared_once(
    house: House, voice: Voice, plan: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = plan()
    said = clip(house, voice, delivery, asked(house, delivery))
    times: list[Path] = []
    through = house.ctx.audio.match_clip
    monkeypatch.setattr(house.ctx.audio, "match_clip", lambda *args: times.append(Path()) or through(*args))
    listener = hearing.Listener(house.ctx)
    for _ in range(3):
        house.clock.advance(1)
        house.ctx.clips.put(said, True, house.now)
        house.ctx.clips.put(said, True, house.now)
        listener.step(house.now)
    assert len(times) == 1
    assert found(house, delivery).clip_answer is not None


def test_a_clip_lies_only_where_the_next_start_clears_it(
    house: House, voice: Voice, plan: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed while a clip is compared cannot delete it."""
    delivery = plan()
    said = clip(house, voice, delivery, asked(house, delivery))
    seen: list[Path] = []
    through = child.run

    def run(module: str, job: dict[str, Any], folder: Path, *rest: Any) -> dict[str, Any]:
        seen.append(folder)
        return through(module, job, folder, *rest)

    monkeypatch.setattr(child, "run", run)
    house.ctx.clips.put(said, True, house.now)
    hearing.Listener(house.ctx).step(house.now)
    assert [folder.parent for folder in seen] == [house.ctx.audio.store.root / "work"]
    assert os.listdir(house.ctx.audio.store.root / "work") == []
