"""Figures: alone, with a unit, and from one to another."""

from __future__ import annotations

import re

from broadcasts.domain.reading import dates, units
from broadcasts.domain.reading.numerals import cardinal, digits, month, ordinal
from broadcasts.domain.reading.source import AHEAD, Source
from broadcasts.domain.reading.tokens import Category, Token
from broadcasts.domain.reading.values import RUN, Figure, figure

_DASH = re.compile(r"\s?[-–—÷~]\s?(?=[0-9])")
_SIGN = re.compile(r"[-−–+±](?=[0-9])")
_SCORE = re.compile(r"(?<!\w)(?:tỷ số|tỉ số|thắng|hòa|hoà|thua)\s+$", re.IGNORECASE)
_SCHOOL_YEAR = re.compile(
    r"(?<!\w)(?:năm học|niên khóa|niên khoá|nhiệm kỳ|vụ|mùa|đông xuân|hè thu|khóa)\s+$", re.IGNORECASE
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_CODE = re.compile(
    r"(?<!\w)(?:tài khoản|stk|mã|căn cước|cccd|cmnd|định danh|mã số|mã số thuế|mst|biển số|mã hồ sơ|"
    r"chứng minh|hộ chiếu|imei)(?:\s(?:số|công dân|nhân dân|thuế|là))*[\s:]+$",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"[0-9]+(?:\.[0-9]+)*(?: [0-9]{2,6}(?![^\W_]|[.,/-][0-9]))*")
_ORDINAL = re.compile(r"(?<!\w)thứ\s+(?:[0-9]{1,2}\s?(?:,|và|-|–|đến|hoặc|hay)\s?)*$", re.IGNORECASE)
_LEVEL = re.compile(
    r"(?<!\w)(cấp|thứ|tháng|vùng|loại|hạng|khu vực|lớp|khối|ấp|tổ|khóm|tuần|quý|đợt|số|tầng)\s+$", re.IGNORECASE
)
_SAME = frozenset(
    {"cấp", "thứ", "tháng", "vùng", "lớp", "khối", "ấp", "tổ", "khóm", "loại", "hạng", "khu vực", "tuần", "quý", "đợt"}
)
_CHAIN = re.compile(r"[0-9]{1,4}(?:\s?[-–]\s?[0-9]{1,4}){2,5}(?![-/.,]?[0-9])")
"""What is neither a date nor a number to call: 16-16-8."""
_PRIME = re.compile(r"([0-9]{1,3})\s?['’′](?![^\W_])")
_TALL = re.compile(r"(?<!\w)(?:cao|sâu|dài|rộng|ngập|dâng|mực nước|hơn|khoảng|dày)\s+$", re.IGNORECASE)
_HEIGHT = re.compile(r"([0-9]{1,3})\s?(m|tr|tỷ)([0-9]{1,2})(?![^\W_]|[.,]?[0-9])")
_CHAINAGE = re.compile(r"([0-9]{1,4})\+([0-9]{3})(?![0-9])")
_MORE = re.compile(r"\s?[-–]\s?[0-9]|-|/[0-9]")
_TIMES = re.compile(r"\s?[xX×*]\s?(?=[0-9])")
_SCALE = re.compile(r"\s(?:triệu|tỷ|tỉ|nghìn|ngàn|trăm|đồng)(?!\w)")
_RATIO = re.compile(r"([0-9]{1,3})\s?:\s?([0-9]{1,3}(?:\.[0-9]{3})?)(?![0-9:])")
_RATIO_CUE = re.compile(r"(?<!\w)(?:tỷ lệ|tỉ lệ|tỷ lệ bản đồ)\s+$", re.IGNORECASE)


def amount(source: Source, at: int) -> Token | None:
    """A figure at `at`, or one with a sign before it."""
    sign = source.match(_SIGN, at)
    if sign:
        return _signed(source, at, sign[0])
    run = RUN.match(source.text, at)
    if run is None:
        return None
    if run.end() - at > AHEAD // 2:
        return source.token(at, run.end(), digits(run[0]), Category.NUMBER, doubtful=True)
    return _special(source, at, run[0]) or _range(source, at, run[0]) or _plain(source, at, run[0])


def _signed(source: Source, at: int, sign: str) -> Token | None:
    if at and (source.text[at - 1].isalnum() or source.text[at - 1] in ")/"):
        return None
    found = amount(source, at + 1)
    if found is None:
        return None
    word = {"+": "cộng", "±": "cộng trừ"}.get(sign, "âm")
    sure = found.written.endswith(("C", "%", "°")) and not source.begins_line(at) and sign in "-−"
    return source.token(
        at, found.end, f"{word} {found.spoken}", found.category, *found.alternatives, *([] if sure else [found.spoken])
    )


def _special(source: Source, at: int, written: str) -> Token | None:
    style = source.style
    if source.follows(_CODE, at) and "," not in written:
        whole = source.match(_ACCOUNT, at)
        groups = re.split("[ .]", whole[0]) if whole else [written]
        end = whole.end() if whole else at + len(written)
        return source.token(at, end, ", ".join(map(digits, groups)), Category.NUMBER)
    if (found := source.match(_RATIO, at)) and source.follows(_RATIO_CUE, at):
        spoken = f"{cardinal(int(found[1]), style)} trên {cardinal(int(found[2].replace('.', '')), style)}"
        return source.token(at, found.end(), spoken, Category.FRACTION)
    if found := source.match(_CHAINAGE, at):
        spoken = f"{cardinal(int(found[1]), style)} cộng {cardinal(int(found[2]), style)}"
        return source.token(at, found.end(), spoken, Category.NUMBER)
    if (prime := source.match(_PRIME, at)) and (at == 0 or source.text[at - 1] not in "'‘’"):
        return source.token(at, prime.end(), f"{cardinal(int(prime[1]), style)} phút", Category.UNIT)
    if chain := source.match(_CHAIN, at):
        spoken = ", ".join(cardinal(int(part), style) for part in re.findall("[0-9]+", chain[0]))
        counted = units.unit(source, chain.end())
        end, name = counted[:2] if counted else (chain.end(), "")
        return source.token(at, end, f"{spoken} {name}".rstrip(), Category.NUMBER, doubtful=True)
    found = source.match(_HEIGHT, at)
    if found and (found[3] not in ("2", "3") or found[2] != "m" or source.follows(_TALL, at)):
        name = {"m": "mét", "tr": "triệu", "tỷ": "tỷ"}[found[2]]
        # 1m05 is not 1m5: the nought is said.
        rest = digits(found[3]) if found[3].startswith("0") else cardinal(int(found[3]), style)
        spoken = f"{cardinal(int(found[1]), style)} {name} {rest}"
        return source.token(at, found.end(), spoken, Category.UNIT if name == "mét" else Category.MONEY)
    return None


def _range(source: Source, at: int, written: str) -> Token | None:
    """7-8, 60–70 km/h, 15%-20%, 1,9-2,1m. Only upwards: 3-1 is a result, and anything else is doubtful."""
    end = at + len(written)
    left_unit = units.unit(source, end)
    dash = source.match(_DASH, units.per(source, left_unit[0])[0] if left_unit else end)
    second = RUN.match(source.text, dash.end()) if dash else None
    if dash is None or second is None or second.end() - second.start() > AHEAD // 2:
        return None
    if _MORE.match(source.text, second.end()):
        return None
    right_unit = units.unit(source, second.end())
    counted = right_unit is not None or _SCALE.match(source.after(second.end())) is not None
    low, high = figure(written, source.style, counted), figure(second[0], source.style, counted)
    stop = right_unit[0] if right_unit else second.end()
    tail = f" {right_unit[1]}" if right_unit else ""
    category = right_unit[2] if right_unit and right_unit[2] is Category.MONEY else Category.RANGE
    if right_unit:
        stop, by = units.per(source, stop)
        tail += f" {by}" if by else ""
    if source.follows(_SCORE, at):
        return source.token(at, stop, f"{low.spoken} {high.spoken}{tail}", Category.NUMBER)
    if _YEAR.fullmatch(written) and _YEAR.fullmatch(second[0]) and source.follows(_SCHOOL_YEAR, at):
        return source.token(at, stop, f"{low.spoken}, {high.spoken}", Category.DATE)
    first, last = _named(source, at, low, high)
    middle = f" {left_unit[1]}" if left_unit and left_unit[1] != (right_unit[1] if right_unit else "") else ""
    spoken = f"{first}{middle} đến {last}{tail}"
    if _value(written) >= _value(second[0]) and not left_unit:
        return source.token(at, stop, spoken, category, f"{low.spoken}, {high.spoken}{tail}")
    if low.others or high.others:
        return source.token(at, stop, spoken, category, doubtful=True)
    return source.token(at, stop, spoken, category)


def _named(source: Source, at: int, low: Figure, high: Figure) -> tuple[str, str]:
    """What is counted by its rank says the word twice: "cấp bảy đến cấp tám"."""
    cue = _LEVEL.search(source.before(at))
    word = cue[1].lower() if cue else ""
    first, last = low.spoken, high.spoken
    if word == "thứ" and low.value and high.value:
        first, last = ordinal(low.value, source.style), ordinal(high.value, source.style)
    if word == "tháng":
        first, last = (month(each.value) if each.value and each.value <= 12 else each.spoken for each in (low, high))
    return first, f"{word} {last}" if word in _SAME else last


def _plain(source: Source, at: int, written: str) -> Token:
    end = at + len(written)
    found = units.unit(source, end)
    if found and found[1] in ("tháng", "năm", "phút", "giây", "đồng") and source.text[end] == " ":
        found = None if found[1] != "đồng" or source.text[end + 1 : found[0]] == "đồng" else found
    counted = found is not None or _SCALE.match(source.after(end)) is not None
    read = figure(written, source.style, counted)
    if read.value is not None and found is None:
        if named := dates.month_or_weekday(source, at, read.value, end):
            return source.token(at, end, named, Category.DATE)
        if source.follows(_ORDINAL, at):
            return source.token(at, end, ordinal(read.value, source.style), Category.NUMBER)
    if found is None:
        if times := source.match(_TIMES, end):
            return source.token(
                at, times.end(), f"{read.spoken} nhân ", Category.NUMBER, *(f"{each} nhân " for each in read.others)
            )
        return source.token(at, end, read.spoken, Category.NUMBER, *read.others)
    stop, name, category = found
    stop, by = units.per(source, stop)
    tail = f" {name} {by}".rstrip()
    others = [each + tail for each in read.others]
    if read.value in (1, 2) and source.text[end : end + 2] in ("m2", "m3") and not by:
        others.append(f"{read.spoken} mét {'hai' if source.text[end + 1] == '2' else 'ba'}")
    return source.token(at, stop, read.spoken + tail, category, *others)


def _value(written: str) -> float:
    """For comparing the two ends of a range only."""
    whole, _, part = written.partition(",")
    digits_only = re.sub("[^0-9]", "", whole)
    return int(digits_only or 0) + float(f"0.{part}" if part.isdigit() else 0)
