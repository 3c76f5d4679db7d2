"""Downloads over a bad link: what is held is right, whatever happened on the way."""

from __future__ import annotations

import hashlib
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from support.signed import MINUTE, SECOND, asset_of, opus

from device_sim.cache import Cache, CacheStore
from device_sim.events import Fetch, FetchFailed, Got

FILES = [opus(MINUTE, str(n), filler=size) for n, size in enumerate((6_400, 14_400, 22_400))]
ASSETS = [asset_of(data, MINUTE) for data in FILES]
BY_NAME = {asset.sha256: data for asset, data in zip(ASSETS, FILES, strict=True)}


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.6), st.floats(0, 0.4))
def test_whatever_breaks_only_right_files_are_held_and_in_the_end_all_are(
    seed: int, broken: float, spoiled: float
) -> None:
    chance = random.Random(seed)
    store = CacheStore()
    cache = Cache(store, 10**9, chance)
    cache.want(ASSETS)
    mono = 0
    for turn in range(600):
        mono += 5 * SECOND
        online = turn > 400 or chance.random() > 0.05
        for out in cache.step(mono, online):
            if isinstance(out, Fetch):
                data = bytearray(BY_NAME[out.sha256][out.offset : out.offset + out.size])
                if turn < 400 and data and chance.random() < spoiled:
                    data[chance.randrange(len(data))] ^= 1
                if turn < 400 and chance.random() < broken:
                    cache.got(Got(out.sha256, out.offset, bytes(data[: chance.randrange(len(data))]), False), mono)
                    cache.failed(FetchFailed(out.sha256, chance.choice([0, 404, 416])), mono)
                else:
                    half = chance.randrange(len(data) + 1)
                    cache.got(Got(out.sha256, out.offset, bytes(data[:half]), False), mono)
                    cache.got(Got(out.sha256, out.offset + half, bytes(data[half:]), True), mono)
        if chance.random() < 0.02:
            cache = Cache(store, 10**9, chance)
            cache.want(ASSETS)
        for sha256, data in store.files.items():
            assert hashlib.sha256(data).hexdigest() == sha256
    assert set(store.files) == set(BY_NAME)
    assert not cache.corrupt
    assert not store.parts


def test_a_more_urgent_file_interrupts_a_running_download_which_then_resumes() -> None:
    cache = Cache(CacheStore(), 10**9, random.Random(1))
    cache.want([ASSETS[2]])
    [first] = cache.step(0, True)
    assert isinstance(first, Fetch)
    cache.got(Got(first.sha256, 0, FILES[2][:5_000], False), 10)
    cache.want([ASSETS[0], ASSETS[2]])
    cancel, urgent = cache.step(20, True)
    assert (cancel.sha256, urgent.sha256) == (ASSETS[2].sha256, ASSETS[0].sha256)
    cache.got(Got(urgent.sha256, 0, FILES[0], True), 30)
    [again] = cache.step(40, True)
    assert isinstance(again, Fetch)
    assert (again.sha256, again.offset) == (ASSETS[2].sha256, 5_000)


def test_what_arrives_for_a_cancelled_download_is_ignored() -> None:
    cache = Cache(CacheStore(), 10**9, random.Random(1))
    cache.want([ASSETS[0]])
    cache.step(0, True)
    cache.step(1, False)
    cache.got(Got(ASSETS[0].sha256, 0, FILES[0], True), 2)
    assert not cache.holds(ASSETS[0].sha256)


def test_a_source_whose_chunks_are_right_and_whose_whole_is_wrong_is_corrupt() -> None:
    asset = ASSETS[0].model_copy(update={"sha256": "0" * 64})
    cache = Cache(CacheStore(), 10**9, random.Random(1))
    cache.want([asset])
    cache.step(0, True)
    cache.got(Got(asset.sha256, 0, FILES[0], True), 1)
    assert cache.corrupt == {asset.sha256}
    assert cache.step(2, True) == []
    assert cache.wake_at(online=True) is not None
