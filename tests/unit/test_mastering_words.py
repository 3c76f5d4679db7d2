from __future__ import annotations

from functools import partial

from controller.web.catalogue import say
from controller.web.mastering_words import mastered

MINUS = "\N{MINUS SIGN}"
DONE = {
    "trimmed_start_ms": 1_240,
    "trimmed_end_ms": 0,
    "gain_db": 12.34,
    "limited_db": 6.2,
    "limited_percent": 14.4,
    "original_true_peak_dbtp": -7.96,
}


def test_what_was_done_is_told_in_plain_words() -> None:
    assert mastered(partial(say, "vi"), ",", -28.52, -16.02, -1.4, DONE) == [
        f"Độ to: bản gửi lên {MINUS}28,5 LUFS, bản phát {MINUS}16,0 LUFS.",
        f"Đỉnh cao nhất: bản gửi lên {MINUS}8,0 dBTP, bản phát {MINUS}1,4 dBTP.",
        "Đã làm to lên 12,3 dB.",
        "Đã cắt khoảng lặng: đầu 1,2 giây, cuối 0,0 giây.",
        "Chỗ quá to đã được hạ xuống, nhiều nhất 6,2 dB, trong 14 % thời gian.",
    ]


def test_what_was_not_done_is_not_told() -> None:
    quiet = DONE | {"trimmed_start_ms": 20, "limited_percent": 0.2, "gain_db": -3.0}

    assert mastered(partial(say, "en"), ".", None, -16.0, -1.4, quiet) == [
        f"Highest peak: {MINUS}8.0 dBTP as sent, {MINUS}1.4 dBTP on air.",
        "Made quieter by 3.0 dB.",
    ]


def test_a_recording_that_is_mostly_turned_down_comes_with_advice() -> None:
    told = mastered(partial(say, "vi"), ",", -28.5, -16.0, -1.4, DONE | {"limited_percent": 61.0})

    assert told[-1].startswith("Phải hạ nhiều")


def test_of_a_file_that_came_finished_nothing_is_told() -> None:
    assert mastered(partial(say, "vi"), ",", None, -16.0, -1.0, {}) == []
