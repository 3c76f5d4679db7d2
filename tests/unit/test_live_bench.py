"""What the bench of live voices says where nothing was heard."""

from __future__ import annotations

import pytest

from tests.bench import live
from tests.bench.live import Figures, _figures, _Spoken

SPOKEN = _Spoken(1_000, {0: 2_500, 1: 2_600}, 500)
HEARD = {"late": 0, "concealed_ms": 0, "lost_ms": 0}


def figures(*spans: list[tuple[int, int, int]]) -> Figures:
    told = {
        "margin_ms": 0,
        "heard": {f"u-{n}": each for n, each in enumerate(spans)},
        "told": {f"u-{n}": [HEARD] if each else [] for n, each in enumerate(spans)},
    }
    return _figures("embedded", len(spans), 0.01, SPOKEN, told, 0.5)


def test_where_all_are_deaf_there_is_no_figure_and_the_line_says_so() -> None:
    found = figures([], [])
    assert (found.told()["figure"], found.told()["p50"], found.deaf) == (None, None, 2)
    assert "nothing was heard at any of 2 poles" in found.line()


def test_where_one_hears_its_figure_stands_and_the_deaf_are_counted() -> None:
    found = figures([(2_600, 2_700, 2_000)], [])
    assert (found.told()["figure"], found.deaf) == (1.6, 1)


@pytest.mark.parametrize(("spans", "code"), [([[]], 1), ([[(2_600, 2_700, 2_000)]], 0)])
def test_the_command_ends_with_one_where_a_pole_was_deaf(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spans: list[list[tuple[int, int, int]]],
    code: int,
) -> None:
    monkeypatch.setattr(live, "measure", lambda *_: figures(*spans))
    assert live.main(["--units", "1", "--loss", "1", "--broker", "embedded"]) == code
    told = capsys.readouterr()
    assert ("heard nothing" in told.err) == bool(code)
    assert ('"figure": null' in told.out.splitlines()[-1]) == bool(code)
