"""Two figures with a stroke, a dash or a dot between them: a day, a part of a whole, a number of a house."""

from __future__ import annotations

import re

from broadcasts.domain.reading.calendar_words import (
    DAY_CUE,
    HOLIDAYS,
    HOUSE,
    LUNAR,
    is_day,
    prefix_of,
    strokes,
    words,
)
from broadcasts.domain.reading.numerals import cardinal, month
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_D = r"[0-9]{1,2}"
_NUMBERED = re.compile(r"[0-9]{1,4}[A-ZĐ]?(?:/[0-9]{1,4}[A-ZĐ]?){1,3}(?![^\W_]|[/.,]?[0-9])")
_STROKE = re.compile(r"([0-9]{1,3})/([0-9]{1,4})(?![^\W_]|/[0-9]|[.,]?[0-9])")
_DASHED = re.compile(rf"({_D})-({_D})(?![^\W_]|[-/]|[.,]?[0-9])")
_DOTTED = re.compile(rf"({_D})\.({_D})(?![^\W_]|[.,/-]?[0-9])")
_BEFORE = re.compile(r"(?<!\w)(?:từ|đến|trước|sau|hết|tới|vào)\s+$", re.IGNORECASE)
_SHARE = re.compile(r"(?<!\w)(?:gần|hơn|khoảng|đạt|chiếm|trên|quá|bằng|được|ít nhất|tối thiểu)\s+$", re.IGNORECASE)
_PREPOSITION = re.compile(
    r"(?<!\w)(?:từ|đến|trước|sau|hết|tới|kể từ|vào|qua|khoảng|giờ|phút|[0-9]h|[0-9]h[0-9]{2}|[0-9]:[0-9]{2})[\s,]+$",
    re.IGNORECASE,
)
_UNTIL = re.compile(
    r"(?<!\w)[0-9]{1,2}/[0-9]{1,2}(?:/[0-9]{4})?(?:\s\([^()]{1,20}\))?\s+(?:đến|tới|đến hết|và|,)\s+$", re.IGNORECASE
)
_STREET = re.compile(r"(?<!\w)(?:đường|phố|cầu|chợ|trường|công viên|quảng trường|bệnh viện)\s+$", re.IGNORECASE)
_FEAST = re.compile(
    r"(?<!\w)(?:ngày|lễ|tết|kỷ niệm|dịp|mừng|giải|quốc khánh|phụ nữ)(?:\s+[^\W\d_]+){0,6}\s+$", re.IGNORECASE
)
_TO_HOUSE = re.compile(r"[\s,]+(?:đường|hẻm|ấp|khóm|khu phố|khu vực|tổ|phường|xã|Đ\.|P\.)", re.IGNORECASE)
_COUNTED = re.compile(
    r"\s+(?:số |tổng số )?(?:hộ|xã|ấp|khóm|người|học sinh|em|cháu|đại biểu|tiêu chí|điểm|trường|lớp|phiếu|đồng chí|"
    r"đảng viên|cử tri|thành viên|diện tích|dân số|dân|hecta|ha|cụm|loa|tuyến|chỉ tiêu|đơn vị|cơ sở|nhiệm vụ|mẫu|"
    r"chi bộ|công trình|lít|kg|tấn)(?!\w)",
    re.IGNORECASE,
)
_TO_DATE = re.compile(r"\s*(?:âm lịch|dương lịch|ÂL|AL|DL|\(|đến|tới|hằng năm|hàng năm)", re.IGNORECASE)
_OF_SOMETHING = re.compile(
    r"\s+(?!(?:đến|tới|hằng|hàng|năm|âm|dương|và|tại|ở|lúc|vào|từ|này|là|có|sẽ|xã|ấp|bà|thì|để|do|của)(?!\w))[a-zà-ỹ]"
)
_LISTED = re.compile(rf"({_D}(?:,{_D}){{1,6}})/({_D})(?![^\W_]|/|[.,]?[0-9])")
_COUNTING = re.compile(r"\s*[a-zà-ỹ%‰°²³]")
_RANKED = re.compile(
    r"(?<!\w)(?:cấp|lớp|ấp|khóm|tổ|khối|tuần|tháng|quý|từ|khoảng|số|mức|thứ|nhóm|đội|tỷ số|thắng|thua|hòa)\s+$",
    re.IGNORECASE,
)
_AFTER_MONTH = re.compile(r"(?<!\w)tháng\s+$", re.IGNORECASE)
_TAKEN = re.compile(
    r"\s*(?:lần|viên|giờ|buổi|bữa|lít|muỗng|gói|ly|chén|người|con|trận|cữ|ca|chuyến|lượt|đợt|tiếng|bình|ml|kg|g|ha|công|phút|"
    r"tuổi|%|suất|liều|chai|lọ|ống)(?!\w)"
)
"""What is counted by the day: "ngày 2-3 lần", "ngày 1/2 viên" are no dates."""


def two_figures(source: Source, at: int) -> Token | None:
    """What stands around them decides; where nothing does it is doubtful."""
    return (
        _listed(source, at) or _dotted(source, at) or _dashed(source, at) or _stroke(source, at) or _house(source, at)
    )


def _listed(source: Source, at: int) -> Token | None:
    """21,22,23/11: days written without a space, which would be a decimal."""
    found = source.match(_LISTED, at)
    if found is None:
        return None
    *first, last = (int(part) for part in found[1].split(","))
    of, days = int(found[2]), [*first, last]
    if days != sorted(set(days)) or not all(is_day(day, of) for day in days):
        return None
    front = "".join(f"{cardinal(day, source.style)}, " for day in first)
    spoken = f"{prefix_of(source, at)}{front}{words(source, last, of, None, 'ngày ')}"
    return source.token(at, found.end(), spoken, Category.DATE, doubtful=not source.follows(DAY_CUE, at))


def _dotted(source: Source, at: int) -> Token | None:
    """23.11, only where a day must follow."""
    found = source.match(_DOTTED, at)
    if found is None or not source.follows(DAY_CUE, at) or _TAKEN.match(source.after(found.end())):
        return None
    day, of = int(found[1]), int(found[2])
    if not is_day(day, of):
        return None
    return source.token(at, found.end(), words(source, day, of, None, prefix_of(source, at)), Category.DATE)


def _dashed(source: Source, at: int) -> Token | None:
    """After "ngày" 5-10 is a day of October or six days."""
    found = source.match(_DASHED, at)
    if found is None or _TAKEN.match(source.after(found.end())):
        return None
    day, of, end = int(found[1]), int(found[2]), found.end()
    if not is_day(day, of):
        return None
    one = words(source, day, of, None, prefix_of(source, at))
    if not source.follows(DAY_CUE, at):
        if source.follows(_BEFORE, at) and day > of:
            return source.token(at, end, one, Category.DATE, strokes(source, found[0]))
        is_counted = source.follows(_RANKED, at) or _COUNTING.match(source.after(end)) is not None
        if (day, of) in HOLIDAYS and not is_counted:
            return source.token(at, end, words(source, day, of, None, ""), Category.DATE, one, _both(source, day, of))
        return None
    if day >= of or (day, of) in HOLIDAYS:
        return source.token(at, end, one, Category.DATE)
    both = f"{prefix_of(source, at)}{_both(source, day, of, 'ngày ')}"
    if re.match(r"\s+tháng", source.after(end)):
        return source.token(at, end, both, Category.RANGE)
    return source.token(at, end, one, Category.DATE, both)


def _both(source: Source, first: int, last: int, word: str = "") -> str:
    return f"{cardinal(first, source.style)} đến {word}{cardinal(last, source.style)}"


def _stroke(source: Source, at: int) -> Token | None:
    found = source.match(_STROKE, at)
    if found is None:
        return None
    top, bottom, end = int(found[1]), int(found[2]), found.end()
    stroke, part = strokes(source, found[0]), _part(source, top, bottom)
    lunar = source.match(LUNAR, end) is not None
    if source.follows(_AFTER_MONTH, at) and 1 <= top <= 12 and 20 <= bottom <= 99:
        spoken = f"{month(top)} năm {cardinal(2000 + bottom, source.style)}"
        return source.token(at, end, spoken, Category.DATE, stroke)
    if not is_day(top, bottom):
        others = [part] if 0 < top < bottom <= 10 else []
        mistaken = 28 < top < 32 and 0 < bottom < 13
        return source.token(at, end, stroke, Category.FRACTION, *others, doubtful=mistaken)
    day = words(source, top, bottom, None, prefix_of(source, at), lunar)
    if _TAKEN.match(source.after(end)):
        return source.token(at, end, part if top < bottom else stroke, Category.FRACTION, stroke, day)
    if source.follows(_STREET, at) and (top, bottom) in HOLIDAYS:
        return source.token(at, end, words(source, top, bottom, None, ""), Category.DATE)
    if source.follows(DAY_CUE, at) or source.follows(_UNTIL, at) or lunar:
        return source.token(at, end, day, Category.DATE)
    return _without_a_day(source, at, found, day)


def _without_a_day(source: Source, at: int, found: re.Match[str], day: str) -> Token:
    """It could be a day, and nothing says so."""
    top, bottom, end = int(found[1]), int(found[2]), found.end()
    stroke, part = strokes(source, found[0]), _part(source, top, bottom)
    if source.follows(HOUSE, at):
        return source.token(at, end, stroke, Category.FRACTION)
    if _TO_HOUSE.match(source.after(end)):
        return source.token(at, end, stroke, Category.FRACTION, day)
    if (top, bottom) in HOLIDAYS and source.follows(_FEAST, at):
        return source.token(at, end, day, Category.DATE)
    if _COUNTED.match(source.after(end)):
        if top == bottom:
            return source.token(at, end, stroke, Category.FRACTION)
        small = top < bottom <= 5
        return source.token(at, end, part if small else stroke, Category.FRACTION, stroke if small else part, day)
    if top < bottom <= 10 and source.follows(_SHARE, at):
        return source.token(at, end, part, Category.FRACTION, day)
    if top < bottom <= 4 and _OF_SOMETHING.match(source.after(end)):
        return source.token(at, end, part, Category.FRACTION, day)
    if source.follows(_PREPOSITION, at) and (top >= bottom or _TO_DATE.match(source.after(end))):
        return source.token(at, end, day, Category.DATE)
    return source.token(at, end, day, Category.DATE, stroke, *([part] if top < bottom else []))


def _part(source: Source, top: int, bottom: int) -> str:
    """A half, three quarters: "ba phần tư"."""
    return f"{cardinal(top, source.style)} phần {'tư' if bottom == 4 else cardinal(bottom, source.style)}"


def _house(source: Source, at: int) -> Token | None:
    """45/3A, 12/4/5: nothing but a number of a house or a class."""
    found = source.match(_NUMBERED, at)
    if found is None:
        return None
    is_wrong_date = re.search(r"/[0-9]{4}$", found[0]) is not None
    return source.token(at, found.end(), strokes(source, found[0]), Category.FRACTION, doubtful=is_wrong_date)
