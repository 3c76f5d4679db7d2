"""One pole that hears live voice, and what it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support.live_speaker import Say, Speaker
from support.rig import Rig
from support.signed import MINUTE, SECOND, T0, asset_of, opus

from broadcasts.wire.journal import Ended, LiveHeard

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)
STORM = opus(30 * SECOND, "storm")
STORM_ASSET = asset_of(STORM, 30 * SECOND)
CHIME = opus(3 * SECOND, "chime")
CHIME_ASSET = asset_of(CHIME, 3 * SECOND)
START = T0 + 10 * MINUTE


def ready(items: Sequence[Any] = (), rig: Rig | None = None, **fields: Any) -> Rig:
    rig = rig or Rig()
    rig.hold((NEWS_ASSET, NEWS), (STORM_ASSET, STORM), (CHIME_ASSET, CHIME))
    emergency_set = [STORM_ASSET.sha256, CHIME_ASSET.sha256]
    rig.plan(items, [NEWS_ASSET, STORM_ASSET, CHIME_ASSET], emergency_set=emergency_set, **fields)
    rig.run(START - MINUTE)
    return rig


def hear(rig: Rig, said: Sequence[Say], until: int | None = None) -> None:
    """Hand what leaves to the unit, each at its instant; nothing of it is retained."""
    for at, topic, payload in said:
        rig.run(at)
        rig.say(topic, payload, keep=False)
    rig.run(until if until is not None else rig.now + MINUTE)


def sounds(rig: Rig, since: int = START) -> list[tuple[str, int, int]]:
    """(sound, from, to) in ms after `since`; a file by the name of its item."""
    return [
        (each.asset if ":" in each.asset else each.item, each.from_ms - since, each.to_ms - since) for each in rig.heard
    ]


def ended(rig: Rig, speaker: Speaker) -> Ended:
    entry = rig.journal(speaker.session.item)[-1]
    assert isinstance(entry, Ended)
    return entry


def heard(rig: Rig, speaker: Speaker) -> LiveHeard:
    told = ended(rig, speaker).live_heard
    assert told is not None
    return told
