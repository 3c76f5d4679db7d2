"""Units after a figure, alone or one by another: kg, m³/s, đồng/hộ."""

from __future__ import annotations

import re

from broadcasts.domain.reading.numerals import cardinal
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_TABLE = """
mm=mi-li-mét cm=xen-ti-mét dm=đề-xi-mét m=mét km=ki-lô-mét Km=ki-lô-mét KM=ki-lô-mét
mm2=mi-li-mét_vuông mm²=mi-li-mét_vuông cm2=xen-ti-mét_vuông cm²=xen-ti-mét_vuông m2=mét_vuông m²=mét_vuông M2=mét_vuông
km2=ki-lô-mét_vuông km²=ki-lô-mét_vuông cm3=xen-ti-mét_khối cm³=xen-ti-mét_khối m3=mét_khối m³=mét_khối M3=mét_khối
ha=héc-ta Ha=héc-ta HA=héc-ta g=gam gr=gam mg=mi-li-gam µg=mi-crô-gam μg=mi-crô-gam kg=ki-lô-gam Kg=ki-lô-gam
KG=ki-lô-gam ml=mi-li-lít mL=mi-li-lít l=lít L=lít
°C=độ_C ºC=độ_C oC=độ_C ℃=độ_C °N=độ_vĩ_Bắc °E=độ_kinh_Đông °B=độ_vĩ_Bắc °Đ=độ_kinh_Đông °=độ º=độ °F=độ_F
V=vôn kV=ki-lô-vôn KV=ki-lô-vôn W=oát kW=ki-lô-oát KW=ki-lô-oát MW=mê-ga-oát kWh=ki-lô-oát_giờ KWh=ki-lô-oát_giờ
kwh=ki-lô-oát_giờ kVA=ki-lô-vôn-ampe KVA=ki-lô-vôn-ampe MVA=mê-ga-vôn-ampe Hz=héc kHz=ki-lô-héc KHz=ki-lô-héc
mmHg=mi-li-mét_thủy_ngân MHz=mê-ga-héc GHz=ghi-ga-héc MB=mê-ga-bai GB=ghi-ga-bai dB=đê-xi-ben ppm=phần_triệu
G/L=gam_trên_lít cc=phân_khối kWp=ki-lô-oát_đỉnh ph=phút phút=phút giây=giây tháng=tháng năm=năm
"""
NAMES = {written: spoken.replace("_", " ") for written, spoken in (pair.split("=") for pair in _TABLE.split())}
MONEY = {
    "đ": "đồng", "Đ": "đồng", "₫": "đồng", "đồng": "đồng", "VNĐ": "đồng", "VND": "đồng", "vnđ": "đồng", "vnd": "đồng",
    "USD": "đô-la Mỹ", "k": "%", "K": "%", "tr": "triệu", "trđ": "triệu đồng", "tr.đ": "triệu đồng",
    "tr đ": "triệu đồng", "tr đồng": "triệu đồng", "tỷđ": "tỷ đồng", "kđ": "% đồng",
}  # fmt: skip
"""% stands for the thousand of the region."""
SHARES = {"%": "phần trăm", **dict.fromkeys(("‰", "%o", "%0", "o/oo", "0/00"), "phần %")}
"""Where no key has a ‰ it is typed in other ways."""
_ONLY_CLOSE = frozenset({"V", "W", "K", "Đ", "L", "º"})
"""With a space between they are letters of a name: "khu 5 V"."""
_UNIT = re.compile(
    r"((?:,-)?\s?)("
    + "|".join(re.escape(each) for each in sorted({*NAMES, *MONEY, *SHARES}, key=len, reverse=True))
    + r")(?![^\W_]|[²³])"
)
_PER = re.compile(r"\s?/\s?([^\W\d_]{1,12}[²³23]?)(?![^\W_]|[²³])")
_IN_HOURS = re.compile(r"\s?/\s?([0-9]{1,2})\s?(h|giờ|phút|ngày)(?![^\W_])")
_MEASURED = re.compile(r"(?<![^\W\d_])(?:[mk]?m[²³23]?|m?l|[mk]?g|gr|lít|gam|mét|khối|ki-lô-mét)\s?$", re.IGNORECASE)
_FLOWS = frozenset({"h", "s", "giờ", "giây", "l", "L", "lít"})
"""What is measured by these is a speed, a flow or a strength: "trên"."""
_BY = {"h": "giờ", "s": "giây", "p": "phút", "đ": "đồng", "kg": "ki-lô-gam"}


def unit(source: Source, at: int) -> tuple[int, str, Category] | None:
    """The unit that follows a figure which ends at `at`: its end, its words and what it makes of the figure."""
    found = source.match(_UNIT, at)
    if found is None or (found[1] and found[2] in _ONLY_CLOSE) or "\n" in found[1]:
        return None
    written, thousand = found[2], source.style.thousand
    if written in SHARES:
        return found.end(), SHARES[written].replace("%", thousand), Category.UNIT
    if written in MONEY:
        return found.end(), MONEY[written].replace("%", thousand), Category.MONEY
    return found.end(), NAMES[written], Category.UNIT


def per(source: Source, at: int) -> tuple[int, str]:
    """What the unit that ends at `at` is counted by: "/h", "/hộ/tháng"; the end and the words, "" where nothing."""
    words: list[str] = []
    if (hours := source.match(_IN_HOURS, at)) is not None:
        number = cardinal(int(hours[1]), source.style)
        return hours.end(), f"trong {number} {_BY.get(hours[2], hours[2])}"
    for _ in range(3):
        found = source.match(_PER, at)
        if found is None or "\n" in found[0]:
            break
        written = found[1].lower() if found[1].isupper() else found[1]  # a headline: KM/H, ĐỒNG/HỘ
        if not written.isalpha() and written not in NAMES:
            break
        flows = written in _FLOWS and not words and source.follows(_MEASURED, at)
        link = "trên" if flows else "một"
        words.append(f"{link} {_BY.get(written) or NAMES.get(written, written)}")
        at = found.end()
    return at, " ".join(words)


def _after_figure(source: Source, at: int) -> Token | None:
    """9,5/10 is out of ten; 25.000/kg for one; anything else is a pause."""
    out_of = source.match(_OUT_OF, at)
    if out_of:
        return source.token(at, out_of.end(), " trên ", Category.FRACTION)
    found = source.match(_PER, at)
    if found and (found[1] in NAMES or found[1] in _SHARED):
        end, words = per(source, at)
        return source.token(at, end, f" {words}", Category.UNIT)
    return None


_OUT_OF = re.compile(r"/(?=[0-9])")
_POINT = re.compile(r"^\s*[^\W\d_]$")
"""A point of a list: "a/ Thời gian"."""
_SHARED = frozenset({"ngày", "hộ", "người", "lần", "con", "giờ", "tuần", "suất", "vé", "chuyến", "lượt", "xe", "bao"})
_COUNTED = re.compile(r"[0-9](?:\s?[^\W\d_]{1,12}\.?){1,4}$")
_BESIDE = re.compile(r"\s?/\s?(?=[^\W\d_])")


def slash(source: Source, at: int) -> Token | None:
    """A slash between words. After something counted it says "một" ("2 lần/ngày"); else nobody knows whether it means
    "and" or "or": a pause, doubtful."""
    if source.text[at] != "/" or at == 0 or not source.text[at - 1].isalnum():
        return None
    if source.text[at - 1].isdigit():
        return _after_figure(source, at)
    if source.follows(_POINT, at):
        return source.token(at, at + 1, ", ", Category.SIGN)
    if source.follows(_COUNTED, at):
        end, words = per(source, at)
        if words:
            return source.token(at, end, f" {words}", Category.UNIT)
    found = source.match(_BESIDE, at)
    return source.token(at, found.end(), ", ", Category.SIGN, " hoặc ", " trên ") if found else None
