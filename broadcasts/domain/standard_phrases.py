"""The phrases every bank begins with: what a commune says most often and people must understand in their own language.

The Vietnamese words are what is recorded, and what the Khmer speaker translates when recording: a sentence that a
machine wrote in Khmer would be worse than none. Texts are keyed by clip.
"""

from __future__ import annotations

from broadcasts.domain.phrases import Gap, Phrase, Slot

_WHEN = (Slot("weekday", Gap.WEEKDAY), Slot("date", Gap.DATE))
_FROM, _TO = Slot("from", Gap.HOUR), Slot("to", Gap.HOUR)
_PLACE = Slot("place", Gap.PLACE)

_COMMON = {"from": "từ", "to": "đến", "at": "lúc", "in": "tại", "thanks": "Xin cảm ơn bà con đã chú ý lắng nghe."}
_ALL = {
    "opening": (
        ("opening.hello",),
        {"opening.hello": "Kính thưa bà con, sau đây là thông báo của Ủy ban nhân dân xã."},
    ),
    "closing": (("thanks",), {}),
    "storm": (
        ("storm.number", Slot("number", Gap.NUMBER, 1, 30), "storm.level", Slot("level", Gap.NUMBER, 6, 17), "at",
         Slot("hour", Gap.HOUR), *_WHEN, "storm.advice"),
        {"storm.number": "Tin bão khẩn cấp. Bão số", "storm.level": "gió mạnh cấp",
         "storm.advice": "Bà con chằng chống nhà cửa, không ra khơi và nghe theo hướng dẫn của chính quyền."},
    ),
    "salt": (
        ("salt.at", _PLACE, "salt.level", Slot("grams", Gap.NUMBER, 0, 35), "salt.unit", "salt.advice"),
        {"salt.at": "Độ mặn đo được tại", "salt.level": "là", "salt.unit": "gam trên lít.",
         "salt.advice": "Bà con không lấy nước vào ruộng, vườn và trữ nước ngọt để dùng."},
    ),
    "sluice": (
        ("sluice.name", _PLACE, Slot("action", Gap.WORD, choices=("open", "close")), "from", _FROM, *_WHEN),
        {"sluice.name": "Cống", "word.action.open": "mở cửa", "word.action.close": "đóng cửa"},
    ),
    "power_cut": (
        ("power_cut.in", _PLACE, "from", _FROM, "to", _TO, *_WHEN),
        {"power_cut.in": "Ngành điện tạm ngừng cung cấp điện tại"},
    ),
    "vaccination": (
        ("vaccination.what", "in", _PLACE, "from", _FROM, "to", _TO, *_WHEN, "vaccination.bring"),
        {"vaccination.what": "Trạm Y tế tổ chức tiêm chủng cho trẻ em",
         "vaccination.bring": "Bà con nhớ mang theo sổ tiêm chủng."},
    ),
    "meeting": (
        ("meeting.invite", "in", _PLACE, "at", Slot("hour", Gap.HOUR), *_WHEN),
        {"meeting.invite": "Kính mời bà con đến dự họp"},
    ),
    "all_clear": (
        ("all_clear.what", "at", Slot("hour", Gap.HOUR), *_WHEN, "all_clear.advice"),
        {"all_clear.what": "Tình trạng nguy hiểm đã kết thúc",
         "all_clear.advice": "Bà con có thể trở lại sinh hoạt bình thường."},
    ),
}  # fmt: skip


def _phrase(name: str, parts: tuple[str | Slot, ...], words: dict[str, str]) -> Phrase:
    common = {clip: text for clip, text in _COMMON.items() if clip in parts}
    return Phrase(name, parts, {"vi": {**common, **words}})


PHRASES = {name: _phrase(name, parts, words) for name, (parts, words) in _ALL.items()}
"""By name."""
