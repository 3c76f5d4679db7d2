"""How far a recording is while it is prepared, and what is left of one that was cut."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.audio import decoded, recording, speechlike
from support.wait import until

from broadcasts.audio.chain import Limits
from broadcasts.audio.keys import STAGES
from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Fault, Refused
from controller.bootstrap import audio_room


class _Enough(Exception):
    pass


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_stages_are_told_in_their_order(store: Store, tmp_path: Path) -> None:
    told: list[str] = []

    prepare(recording(tmp_path / "upload", "mp3", seconds=120.0), store, progress=told.append)

    assert told
    assert set(told) <= set(STAGES)
    first = list(dict.fromkeys(told))
    assert first == sorted(first, key=STAGES.index)


def test_who_is_told_may_end_it_and_nothing_is_left(store: Store, tmp_path: Path) -> None:
    def stop(_: str) -> None:
        raise _Enough

    with pytest.raises(_Enough):
        prepare(recording(tmp_path / "upload", "mp3", seconds=120.0), store, progress=stop)
    assert list((store.root / "work").iterdir()) == []
    assert list((store.root / "originals").rglob("*")) == []


@pytest.mark.parametrize(("since", "until"), [(0, 2_000), (1_500, 4_000), (3_250, 60_000)])
def test_a_cut_takes_what_was_seen_between_two_points(store: Store, tmp_path: Path, since: int, until: int) -> None:
    silence = np.zeros(2 * 44_100)
    upload = recording(tmp_path / "upload", sound=np.concatenate([silence, speechlike(6.0), silence]))
    whole = prepare(upload, store)

    assert whole.mastering is not None
    start = whole.mastering.trimmed_start_ms
    part = prepare(store.original(whole.original_sha256), store, cut=(start + since, start + until))

    end = min(until, whole.duration_ms)
    assert part.duration_ms == pytest.approx(end - since, abs=1)
    assert part.loudness_lufs == pytest.approx(-16.0, abs=0.5)
    assert part.original_sha256 == whole.original_sha256
    all_of_it, rate = decoded(store.path(whole.sha256))
    found, _ = decoded(store.path(part.sha256))
    wanted = all_of_it[since * rate // 1000 : end * rate // 1000][: found.size]
    inner = slice(rate // 4, wanted.size - rate // 4)
    assert np.corrcoef(wanted[inner], found[: wanted.size][inner])[0, 1] > 0.9


@pytest.mark.parametrize("cut", [(0, 500), (5_000, 4_000), (90_000, 95_000)])
def test_a_cut_that_leaves_nothing_to_hear_is_refused(store: Store, tmp_path: Path, cut: tuple[int, int]) -> None:
    with pytest.raises(Refused) as refused:
        prepare(recording(tmp_path / "upload"), store, cut=cut)
    assert refused.value.key in ("audio.too_short", "audio.silent")


def test_the_original_of_nothing_is_unknown(store: Store) -> None:
    with pytest.raises(Refused, match=r"asset\.unknown"):
        store.original("0" * 64)


def test_who_comes_to_a_long_line_is_sent_away_and_the_line_goes_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there are cores are at work; a dozen wait; one more would keep a thread from the pages."""
    let_go, most, inside, lock = threading.Event(), 0, 0, threading.Lock()

    def hold(*_: Any, **__: Any) -> None:
        nonlocal most, inside
        with lock:
            inside += 1
            most = max(most, inside)
        assert let_go.wait(120)
        with lock:
            inside -= 1

    monkeypatch.setattr(audio_room, "prepare", hold)
    room = audio_room.StoredAudio(store, Limits())
    done: list[None] = []
    crowd = [
        threading.Thread(target=lambda: done.append(room.prepare(tmp_path / "upload")))  # type: ignore[func-returns-value,arg-type]
        for _ in range(audio_room.CORES + audio_room.IN_LINE)
    ]
    for each in crowd:
        each.start()
    until(lambda: room._line._value == 0 and inside == audio_room.CORES, "the line was never full")
    with pytest.raises(Fault, match=r"audio\.busy"):
        room.prepare(tmp_path / "upload")
    let_go.set()
    for each in crowd:
        each.join(120)
    assert len(done) == len(crowd)
    assert most == audio_room.CORES
