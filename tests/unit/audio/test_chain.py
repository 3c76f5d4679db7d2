from __future__ import annotations

import json
from dataclasses import replace

import pytest

from broadcasts.audio.chain import EMERGENCY, MP3, ORDINARY, Chain, Limits


@pytest.mark.parametrize("chain", [ORDINARY, EMERGENCY, replace(ORDINARY, codec=MP3)])
def test_a_chain_reaches_the_child_process_as_it_was(chain: Chain) -> None:
    assert Chain.from_json(json.loads(json.dumps(chain.to_json()))) == chain


def test_limits_reach_the_child_process_as_they_were() -> None:
    limits = Limits(max_seconds=12.5, codecs=("flac",))

    assert Limits.from_json(json.loads(json.dumps(limits.to_json()))) == limits


def test_an_emergency_is_louder_and_otherwise_the_same() -> None:
    assert replace(EMERGENCY, target_lufs=-16.0, tolerance_lu=0.5) == ORDINARY
    assert EMERGENCY.target_lufs == -14.0
