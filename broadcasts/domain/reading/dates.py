"""Days, months and years: 20/11/2026, 5-12, từ 5-10/12, tháng 11/2026, quý III; and what only looks like a day."""

from __future__ import annotations

import re

from broadcasts.domain.reading.numerals import cardinal, month
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_END = r"(?![^\W_]|[/][0-9]|[.,-]?[0-9])"
_YEAR = r"(?:19|20)[0-9]{2}"
_D = r"[0-9]{1,2}"
_NUMBERED = re.compile(r"[0-9]{1,4}[A-ZĐ]?(?:/[0-9]{1,4}[A-ZĐ]?){1,3}(?![^\W_]|[/.,]?[0-9])")
_FULL = re.compile(rf"({_D})(?P<s>[/.-])({_D})(?P=s)({_YEAR})(?![^\W_]|/[0-9A-ZĐ])")
_ISO = re.compile(rf"({_YEAR})-([0-9]{{2}})-([0-9]{{2}})(?![^\W_]|-)")
_SHORT_YEAR = re.compile(rf"({_D})(?P<s>[/-])({_D})(?P=s)([0-9]{{2}}){_END}")
_DAY = re.compile(rf"({_D})/({_D})(?![^\W_]|/|[.,]?[0-9])")
_STROKE = re.compile(r"([0-9]{1,3})/([0-9]{1,4})(?![^\W_]|/[0-9]|[.,]?[0-9])")
_DASHED = re.compile(rf"({_D})-({_D})(?![^\W_]|[-/]|[.,]?[0-9])")
_DOTTED = re.compile(rf"({_D})\.({_D})(?![^\W_]|[.,/-]?[0-9])")
_BEFORE = re.compile(r"(?<!\w)(?:từ|đến|trước|sau|hết|tới|vào)\s+$", re.IGNORECASE)
_SHARE = re.compile(r"(?<!\w)(?:gần|hơn|khoảng|đạt|chiếm|trên|quá|bằng|được|ít nhất|tối thiểu)\s+$", re.IGNORECASE)
_DAYS = re.compile(rf"({_D})\s?[-–—]\s?(?={_D}[/.-]{_D})")
_MONTH = re.compile(rf"({_D})[/-]({_YEAR})(?![^\W_]|[-/])")
_MONTHS = re.compile(rf"({_D})\s?[-–—]\s?(?={_D}[/-]{_YEAR}(?![^\W_]|[-/]))")
_DASH = re.compile(r"\s?[-–—]\s?")
_AFTER_DAY = re.compile(r"(?<!\w)(?:ngày|mùng|mồng|rằm)\s+$", re.IGNORECASE)
_AFTER_MONTH = re.compile(r"(?<!\w)tháng\s+$", re.IGNORECASE)
_MONTH_CUE = re.compile(r"(?<!\w)tháng\s+(?:[0-9]{1,2}\s?(?:,|và|-|–|đến|hoặc)\s?)*$", re.IGNORECASE)
_QUARTER = re.compile(r"(?<!\w)(?:quý|đợt|kỳ|kì|lần|vụ|khóa|học kỳ|phiên|tuần)\s+$", re.IGNORECASE)
_CUE = re.compile(
    r"(?<!\w)(?:(?:ngày|mùng|mồng|hôm|sáng|trưa|chiều|tối|đêm|khuya|hôm nay|hôm qua|ngày mai|lễ|dịp|kỷ niệm|mừng|tết|"
    r"hạn|hạn nộp|hạn chót|hạn cuối|chủ nhật|thứ (?:hai|ba|tư|năm|sáu|bảy|[2-7]))"
    r"(?:\s+(?:nay|mai|qua|mốt|kia|rằm))?[\s,(]+"
    r"(?:[0-9]{1,2}(?:/[0-9]{1,2})?\s?(?:,|và|-|–|đến|hoặc)\s?)*)$",
    re.IGNORECASE,
)
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
_HOUSE = re.compile(
    r"(?<!\w)(?:số nhà|nhà số|số|hẻm|kiệt|ngõ|địa chỉ|thửa|lô|tờ|thửa đất|lớp|phòng|căn|tổ|ấp|khóm|bậc|hạng|"
    r"huyết áp|tỷ lệ|tỉ lệ|tỷ số)[\s:]+$",
    re.IGNORECASE,
)
_TO_HOUSE = re.compile(r"[\s,]+(?:đường|hẻm|ấp|khóm|khu phố|khu vực|tổ|phường|xã|Đ\.|P\.)", re.IGNORECASE)
_COUNTED = re.compile(
    r"\s+(?:số |tổng số )?(?:hộ|xã|ấp|khóm|người|học sinh|em|cháu|đại biểu|tiêu chí|điểm|trường|lớp|phiếu|đồng chí|"
    r"đảng viên|cử tri|thành viên|diện tích|dân số|dân|hecta|ha|cụm|loa|tuyến|chỉ tiêu|đơn vị|cơ sở|nhiệm vụ|mẫu|"
    r"chi bộ|công trình|lít|kg|tấn)(?!\w)",
    re.IGNORECASE,
)
_TO_DATE = re.compile(r"\s*(?:âm lịch|dương lịch|ÂL|AL|DL|\(|đến|tới|hằng năm|hàng năm)", re.IGNORECASE)
_LUNAR = re.compile(r"\s*\(?(?:âm lịch|ÂL|âl)(?!\w)")
HOLIDAYS = frozenset({(3, 2), (8, 3), (26, 3), (30, 4), (1, 5), (19, 5), (1, 6), (27, 7), (19, 8), (2, 9), (20, 10),
                      (20, 11), (22, 12)})  # fmt: skip
"""Days that are named by their figures, as streets are too."""
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_day(day: int, of: int, year: int | None = None) -> bool:
    if not (1 <= of <= 12 and 1 <= day <= _LONGEST[of - 1]):
        return False
    leap = year is None or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return leap or (day, of) != (29, 2)


def date(source: Source, at: int) -> Token | None:
    """What is written with strokes or dashes and may be a day or a month; and what is read otherwise then."""
    return _stretch(source, at) or _single(source, at) or _months(source, at) or _two_figures(source, at)


def words(source: Source, day: int, of: int, year: int | None, prefix: str, lunar: bool = False) -> str:
    """ "ngày" stands in front unless it was written already (`prefix`)."""
    text = f"{prefix}{cardinal(day, source.style)} tháng {month(of, lunar)}"
    return text if year is None else f"{text} năm {cardinal(year, source.style)}"


def prefix_of(source: Source, at: int) -> str:
    return "" if source.follows(_AFTER_DAY, at) else "ngày "


def _parse(source: Source, at: int) -> tuple[int, int, int, int | None] | None:
    """A day with its year, or day/month: end, day, month, year."""
    if found := source.match(_FULL, at):
        day, of, year = int(found[1]), int(found[3]), int(found[4])
        return (found.end(), day, of, year) if is_day(day, of, year) else None
    if found := source.match(_ISO, at):
        year, of, day = (int(part) for part in found.groups())
        return (found.end(), day, of, year) if is_day(day, of, year) else None
    if found := source.match(_DAY, at):
        day, of = int(found[1]), int(found[2])
        return (found.end(), day, of, None) if is_day(day, of) else None
    return None


def _single(source: Source, at: int) -> Token | None:
    found = _parse(source, at)
    if found and found[3] is not None:
        end, day, of, year = found
        return source.token(at, end, words(source, day, of, year, prefix_of(source, at)), Category.DATE)
    if short := source.match(_SHORT_YEAR, at):
        day, of, year = int(short[1]), int(short[3]), 2000 + int(short[4])
        if is_day(day, of, year):
            spoken = words(source, day, of, year, prefix_of(source, at))
            return source.token(at, short.end(), spoken, Category.DATE, _strokes(source, short[0]))
    return None


def _stretch(source: Source, at: int) -> Token | None:
    """5-10/12, 5/10-7/10, 5/10/2026 - 7/10/2026."""
    prefix = prefix_of(source, at)
    if (few := source.match(_DAYS, at)) and (last := _parse(source, few.end())):
        first, (end, day, of, year) = int(few[1]), last
        if 1 <= first < day:
            lunar = source.match(_LUNAR, end) is not None
            spoken = f"{prefix}{cardinal(first, source.style)} đến {words(source, day, of, year, 'ngày ', lunar)}"
            return source.token(at, end, spoken, Category.DATE)
    opening = _parse(source, at)
    if opening is None:
        return None
    dash = source.match(_DASH, opening[0])
    last = _parse(source, dash.end()) if dash else None
    if last is None:
        return None
    lunar = source.match(_LUNAR, last[0]) is not None
    (_, day, of, year), (end, to_day, to_month, to_year) = opening, last
    first_words, last_words = (
        words(source, day, of, year, prefix, lunar),
        words(source, to_day, to_month, to_year, "ngày ", lunar),
    )
    spoken = f"{first_words} đến {last_words}"
    if year is None and {(day, of), (to_day, to_month)} <= HOLIDAYS:
        return source.token(at, end, spoken, Category.DATE, f"{first_words} và {last_words}")
    return source.token(at, end, spoken, Category.DATE)


def _months(source: Source, at: int) -> Token | None:
    """11/2026; 10-12/2026."""
    prefix = "" if source.follows(_AFTER_MONTH, at) else "tháng "
    if (few := source.match(_MONTHS, at)) and (last := source.match(_MONTH, few.end())):
        first, of = int(few[1]), int(last[1])
        if 1 <= first < of <= 12:
            year = cardinal(int(last[2]), source.style)
            return source.token(
                at, last.end(), f"{prefix}{month(first)} đến tháng {month(of)} năm {year}", Category.DATE
            )
    found = source.match(_MONTH, at)
    if found is None or not 1 <= int(found[1]) <= 12:
        return None
    year_words = f"năm {cardinal(int(found[2]), source.style)}"
    if source.follows(_QUARTER, at) and int(found[1]) <= 4:
        return source.token(at, found.end(), f"{cardinal(int(found[1]), source.style)} {year_words}", Category.DATE)
    spoken = f"{prefix}{month(int(found[1]))} {year_words}"
    dash = source.match(_DASH, found.end())
    last = source.match(_MONTH, dash.end()) if dash else None
    if last and 1 <= int(last[1]) <= 12:
        spoken += f" đến tháng {month(int(last[1]))} năm {cardinal(int(last[2]), source.style)}"
        return source.token(at, last.end(), spoken, Category.DATE)
    if source.follows(_HOUSE, at):
        return source.token(at, found.end(), _strokes(source, found[0]), Category.FRACTION, spoken)
    return source.token(at, found.end(), spoken, Category.DATE)


def _two_figures(source: Source, at: int) -> Token | None:
    """12/4: a day, a part of a whole, a house. What stands around it decides; where nothing does it is doubtful."""
    dotted = source.match(_DOTTED, at)
    if dotted and source.follows(_CUE, at) and is_day(int(dotted[1]), int(dotted[2])):
        spoken = words(source, int(dotted[1]), int(dotted[2]), None, prefix_of(source, at))
        return source.token(at, dotted.end(), spoken, Category.DATE)
    dashed = source.match(_DASHED, at)
    if (
        dashed
        and source.follows(_BEFORE, at)
        and int(dashed[1]) > int(dashed[2])
        and is_day(*map(int, dashed.groups()))
    ):
        spoken = words(source, int(dashed[1]), int(dashed[2]), None, "ngày ")
        return source.token(at, dashed.end(), spoken, Category.DATE, _strokes(source, dashed[0]))
    if dashed and source.follows(_AFTER_DAY, at) and is_day(int(dashed[1]), int(dashed[2])):
        return _dashed(source, at, dashed)
    found = source.match(_STROKE, at)
    if found is None:
        return _house(source, at)
    top, bottom, end = int(found[1]), int(found[2]), found.end()
    stroke, part = _strokes(source, found[0]), _part(source, top, bottom)
    lunar = source.match(_LUNAR, end) is not None
    day = words(source, top, bottom, None, prefix_of(source, at), lunar) if is_day(top, bottom) else ""
    if not day:
        return source.token(at, end, stroke, Category.FRACTION, *([part] if 0 < top < bottom <= 10 else []))
    if source.follows(_STREET, at) and (top, bottom) in HOLIDAYS:
        return source.token(at, end, words(source, top, bottom, None, ""), Category.DATE)
    if source.follows(_CUE, at) or source.follows(_UNTIL, at) or lunar:
        return source.token(at, end, day, Category.DATE)
    if source.follows(_HOUSE, at) or _TO_HOUSE.match(source.after(end)):
        return source.token(at, end, stroke, Category.FRACTION, *([] if source.follows(_HOUSE, at) else [day]))
    if (top, bottom) in HOLIDAYS and source.follows(_FEAST, at):
        return source.token(at, end, day, Category.DATE)
    if _COUNTED.match(source.after(end)):
        if top == bottom:
            return source.token(at, end, stroke, Category.FRACTION)
        small = top < bottom <= 5
        return source.token(at, end, part if small else stroke, Category.FRACTION, stroke if small else part, day)
    if top < bottom <= 10 and source.follows(_SHARE, at):
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
    return source.token(at, found.end(), _strokes(source, found[0]), Category.FRACTION, doubtful=is_wrong_date)


def _dashed(source: Source, at: int, found: re.Match[str]) -> Token:
    """After "ngày": 5-10 is a day of October or six days."""
    day, of = int(found[1]), int(found[2])
    one = words(source, day, of, None, "")
    if day >= of:
        return source.token(at, found.end(), one, Category.DATE)
    both = f"{cardinal(day, source.style)} đến ngày {cardinal(of, source.style)}"
    if re.match(r"\s+tháng", source.after(found.end())):
        return source.token(at, found.end(), both, Category.RANGE)
    return source.token(at, found.end(), one, Category.DATE, both)


def _strokes(source: Source, written: str) -> str:
    parts = [re.fullmatch("([0-9]+)([^0-9]?)", part) for part in re.split("[/.-]", written)]
    return " trên ".join(f"{cardinal(int(part[1]), source.style)} {part[2]}".strip() for part in parts if part)


def month_or_weekday(source: Source, at: int, value: int, end: int) -> str | None:
    """The figure after "tháng", also in a list of such; none where it is an ordinary one."""
    if source.follows(_MONTH_CUE, at) and 1 <= value <= 12:
        return month(value, source.match(_LUNAR, end) is not None)
    return None
