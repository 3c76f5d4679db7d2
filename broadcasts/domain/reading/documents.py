"""Numbers of papers: 15/TB-UBND, 39/2020/TT-BTTTT, 80-NQ/TW."""

from __future__ import annotations

import re

from broadcasts.domain.reading.letters import spell
from broadcasts.domain.reading.numerals import cardinal, digits
from broadcasts.domain.reading.source import Source
from broadcasts.domain.reading.tokens import Category, Token

_PART = r"[A-ZĐƯ][A-ZĐƯa-z&]{0,11}[0-9]{0,2}"
_STATE = re.compile(rf"([0-9]{{1,6}})(?:\s?/([12][0-9]{{3}}))?\s?/({_PART}(?:[-/.]{_PART}){{0,3}})(?![^\W_])")
_PARTY = re.compile(rf"([0-9]{{1,6}})\s?-\s?([A-ZĐ][A-ZĐa-z]{{0,3}})/({_PART}(?:[-/.]{_PART}){{0,2}})(?![^\W_])")
_KINDS = {
    "TB": "thông báo", "QĐ": "quyết định", "NĐ": "nghị định", "TT": "thông tư", "NQ": "nghị quyết", "CT": "chỉ thị",
    "KH": "kế hoạch", "BC": "báo cáo", "TTr": "tờ trình", "TTR": "tờ trình", "CV": "công văn", "CĐ": "công điện",
    "HD": "hướng dẫn", "GM": "giấy mời", "L": "luật", "PL": "pháp lệnh", "TTLT": "thông tư liên tịch",
    "KL": "kết luận", "QC": "quy chế", "ĐA": "đề án", "CTr": "chương trình", "QyĐ": "quy định", "TL": "thông lệnh",
}  # fmt: skip
_ISSUERS = {
    "CP": "Chính phủ", "TTg": "Thủ tướng Chính phủ", "UBND": "Ủy ban nhân dân", "HĐND": "Hội đồng nhân dân",
    "UBTVQH": "Ủy ban Thường vụ Quốc hội", "TW": "Trung ương", "TƯ": "Trung ương",
    "BTTTT": "Bộ Thông tin và Truyền thông",
    "BTC": "Bộ Tài chính", "BYT": "Bộ Y tế", "BCA": "Bộ Công an", "BQP": "Bộ Quốc phòng", "BNV": "Bộ Nội vụ",
    "BTP": "Bộ Tư pháp", "BXD": "Bộ Xây dựng", "BCT": "Bộ Công Thương", "BGTVT": "Bộ Giao thông vận tải",
    "BGDĐT": "Bộ Giáo dục và Đào tạo", "BNNPTNT": "Bộ Nông nghiệp và Phát triển nông thôn",
    "BNNMT": "Bộ Nông nghiệp và Môi trường", "BTNMT": "Bộ Tài nguyên và Môi trường",
    "BKHCN": "Bộ Khoa học và Công nghệ",
    "BVHTTDL": "Bộ Văn hóa, Thể thao và Du lịch", "BLĐTBXH": "Bộ Lao động, Thương binh và Xã hội",
    "BCH": "Ban Chỉ huy", "BCĐ": "Ban Chỉ đạo", "BCHQS": "Ban Chỉ huy Quân sự", "ĐU": "Đảng ủy", "TU": "Thành ủy",
    "HU": "Huyện ủy", "MTTQ": "Mặt trận Tổ quốc", "VP": "Văn phòng", "BCHPTDS": "Ban Chỉ huy Phòng thủ dân sự",
    "BCHPCTT": "Ban Chỉ huy phòng, chống thiên tai", "CA": "Công an", "CAX": "Công an xã", "TYT": "Trạm Y tế",
    "SNNMT": "Sở Nông nghiệp và Môi trường", "SYT": "Sở Y tế", "STTTT": "Sở Thông tin và Truyền thông",
    "VPCP": "Văn phòng Chính phủ", "TTCP": "Thanh tra Chính phủ", "NHNN": "Ngân hàng Nhà nước", "CTN": "Chủ tịch nước",
}  # fmt: skip
_DOUBTFUL = frozenset({"BCH", "TU", "VP", "CA", "TL"})
_ASSEMBLY = re.compile(r"QH([0-9]{1,2})")
_NUMBERED = re.compile(r"(?<!\w)số\s*:?\s*$", re.IGNORECASE)
_TOLD = re.compile(r"(?:[\s,]+ngày[\s0-9/.-]{3,16})?\s*(?:của|do)\s", re.IGNORECASE)
"""The issuer is named right afterwards."""


def document(source: Source, at: int) -> Token | None:
    """The kind is not said twice ("Nghị định 13/2023/NĐ-CP" -> "Nghị định mười ba, năm ... của Chính phủ"); letters
    that no table knows are spelled and the whole is doubtful."""
    found = source.match(_STATE, at)
    if found:
        year, tail = found[2], found[3]
    else:
        found = source.match(_PARTY, at)
        if found is None:
            return None
        year, tail = None, f"{found[2]}-{found[3]}"
    parts = re.split(r"[-/.]", tail)
    number = _number(found[1], source)
    spoken = f"{number}, năm {cardinal(int(year), source.style)}" if year else number
    numbered = source.follows(_NUMBERED, at)
    kind = _KINDS.get(parts[0])
    doubtful = False
    said: list[str] = []
    if kind and not _is_said(source, at, kind, parts[0]):
        said.append(kind)
    told = _TOLD.match(source.after(found.end())) is not None
    for part in parts[1:] if kind else parts:
        words, sure = _issuer(part, source)
        said.append(words)
        doubtful |= not sure
    if kind and len(parts) > 1:
        issuers = ", ".join(said[1:] if said[0] == kind else said)
        if said[0] == kind:
            spoken = f"{spoken}, {kind}" if numbered else f"{kind} số {spoken}"
        spoken += "" if told else f" của {issuers}"
    elif _ASSEMBLY.fullmatch(parts[0]):
        spoken += f" của {said[0]}"
    elif said:
        spoken += f", {', '.join(said)}"
    return source.token(at, found.end(), spoken, Category.DOCUMENT, doubtful=doubtful)


def _is_said(source: Source, at: int, kind: str, short: str) -> bool:
    """The kind stands before the number, in full or in short."""
    before = source.before(at)
    said = re.search(rf"(?<!\w){kind}(?:\s[^\W\d_]+){{0,4}}\s*$", before, re.IGNORECASE)
    return said is not None or re.search(rf"(?<![^\W_]){short}\s(?:số\s)?$", before) is not None


def _number(written: str, source: Source) -> str:
    return digits(written) if len(written) > 5 else cardinal(int(written), source.style)


def _issuer(part: str, source: Source) -> tuple[str, bool]:
    """Its words, and whether they are sure. The station's table knows better than ours."""
    if found := _ASSEMBLY.fullmatch(part):
        return f"Quốc hội khóa {cardinal(int(found[1]), source.style)}", True
    entry = source.glossary.of(part)
    if entry and entry[1]:
        return entry[0].spoken, not entry[0].alternatives
    if part in _ISSUERS:
        return _ISSUERS[part], part not in _DOUBTFUL
    if part in _KINDS:
        return _KINDS[part], True
    if entry:
        return entry[0].spoken, not entry[0].alternatives
    letters = re.sub("[0-9&]", "", part)
    return spell(letters) + (f" {digits(part)}" if digits(part) else ""), False
