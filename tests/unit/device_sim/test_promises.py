"""What the proof says of a sounding that began with a power cut."""

from __future__ import annotations

import random

import pytest

from broadcasts.wire.jws import SigningKey
from device_sim.counterpart import Account
from device_sim.events import Sounding
from device_sim.post import Post, Ran
from device_sim.promises import GRACE_MS, judge
from device_sim.unit import Config, Enrolled

START, LENGTH = 1_000_000, 12_000
ASSET = "a" * 64


def one_pole() -> Post:
    root = SigningKey.generate("root")
    return Post(0, Enrolled("u-1", "secret", None, root.public), Config(), random.Random(1), 50, 10.0)


def account(verdict: str) -> Account:
    return {
        "delivery": "d-1",
        "cluster": "cl-1",
        "unit": "u-1",
        "asset": ASSET,
        "start": START,
        "end": START + LENGTH,
        "level": 3,
        "approved": True,
        "state": "failed",
        "verdict": verdict,
        "reason": "power_off",
    }


def broken(post: Post, verdict: str) -> tuple[str, ...]:
    return judge([post], [account(verdict)], {("u-1", ASSET)}, START + LENGTH + GRACE_MS).broken


def test_a_unit_that_lost_its_power_while_it_wrote_that_it_begins_may_say_that_it_failed() -> None:
    post = one_pole()
    post.touched.append((START + 583, START + 1_280_000))
    assert broken(post, "failed_to_sound") == ()
    assert broken(post, "not_played") == ()


@pytest.mark.parametrize("verdict", ["heard", "played"])
def test_a_power_cut_excuses_no_sound_that_never_was(verdict: str) -> None:
    post = one_pole()
    post.touched.append((START + 583, START + 1_280_000))
    [found] = broken(post, verdict)
    assert "nobody heard it" in found or "the decoder never ran" in found


def test_without_a_power_cut_nothing_failed_that_never_began() -> None:
    [found] = broken(one_pole(), "failed_to_sound")
    assert "the decoder never ran" in found


def test_a_bulletin_that_ran_and_was_heard_is_heard() -> None:
    post = one_pole()
    post.ran.append(Ran("d-1", ASSET, START, START + LENGTH, 0))
    post.pole.play(Sounding("d-1", ASSET, 0, 50), START)
    post.pole.silence(START + LENGTH)
    assert broken(post, "heard") == ()
    [found] = broken(post, "played")
    assert "everybody heard it" in found
