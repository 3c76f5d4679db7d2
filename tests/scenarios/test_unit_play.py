"""What a villager hears from one unit, by the rules of CONTRACT.md section 5."""

from __future__ import annotations

from support.rig import Rig
from support.signed import MINUTE, T0, asset_of, item, opus

NEWS = opus(5 * MINUTE, "news")
NEWS_ASSET = asset_of(NEWS, 5 * MINUTE)


def rig_with_news() -> Rig:
    rig = Rig()
    rig.hold((NEWS_ASSET, NEWS))
    rig.plan([item("d-1", NEWS_ASSET, T0 + 10 * MINUTE)], [NEWS_ASSET])
    return rig


def test_a_bulletin_sounds_at_its_millisecond_and_is_proven() -> None:
    rig = rig_with_news()
    rig.run(T0 + 20 * MINUTE)
    assert [(s.item, s.from_ms, s.to_ms, s.offset_ms) for s in rig.heard] == [
        ("d-1", T0 + 10 * MINUTE, T0 + 15 * MINUTE, 0)
    ]
    kinds = [entry.kind for entry in rig.entries.values()]
    assert kinds == ["started", "ended"]
    assert rig.reported().plan_hash is not None
