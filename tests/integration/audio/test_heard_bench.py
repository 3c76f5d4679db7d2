"""`python -m tests.bench heard` in small: the real voice, the real code of box and controller, few pairs."""

from __future__ import annotations

import json

import pytest

from tests.bench import heard


def test_what_sounded_is_found_and_a_stranger_is_not_taken_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert heard.main(["--quick"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    asked, befell = told["heard"], told["befell"]
    assert (asked["true"], asked["false"], asked["snr_db"]) == (16, 160, 5)
    assert (asked["matched"], asked["falsely"]) == (1.0, 0.0)
    assert set(told["curve"]) == {"-5", "0", "5", "10", "15", "20"}
    assert all(told["clips"][snr]["matched"] == 1.0 for snr in ("5", "10", "15", "20"))
    assert all(clip["falsely"] == 0 and clip["bytes_most"] <= 12_000 for clip in told["clips"].values())
    assert befell["as it should be"] == {"yes": 6, "no": 0, "unknown": 0}
    for wrong in ("cut wire", "wrong file", "neighbour alone", "muted for 15 of 30 s"):
        assert befell[wrong]["yes"] == 0
