"""A voice over real sockets: the service's own chain and link, a broker, a network that delays, and poles."""

from __future__ import annotations

from pathlib import Path

from tests.bench.live import Figures, measure


def test_what_is_said_sounds_at_every_pole_the_buffer_later_and_not_before(tmp_path: Path) -> None:
    figures: Figures = measure(tmp_path, 3, "embedded", 0.0, seconds=3, buffer_ms=3_000)
    assert figures.deaf == 0
    # A tenth of a second is whole before it leaves; poles may be off by what the proxy makes of their clocks.
    assert 2.9 <= figures.p50_s <= figures.worst_s
    assert figures.told()["figure"] == round(figures.worst_s, 3)
