"""Tables as people send them: CSV and spreadsheets, read within limits and never reckoned, written so that no program
takes a text for a formula."""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell

from broadcasts.errors import Refused

MOST_BYTES, MOST_ROWS, MOST_COLUMNS, LONGEST_CELL = 8_000_000, 10_000, 60, 1_000
MOST_PARTS, MOST_UNPACKED = 200, 80_000_000
"""Of a spreadsheet, which is a packed folder: a small file may unpack to a disk full."""
_DEFINES = tuple(
    word.encode(code) for word in ("<!DOCTYPE", "<!ENTITY") for code in ("utf-8", "utf-16-le", "utf-16-be")
)
"""In each code that a reader of XML takes without being told."""
_PACKED = b"PK\x03\x04"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_LARGE = 10**15
"""From here on a spreadsheet has rounded the number already."""
Row = tuple[int, dict[str, str]]
"""Its number as the program shows it (the head is 1), and the text of each column."""


def read(data: bytes, labels: Mapping[str, str], needed: Sequence[str]) -> list[Row]:
    """`labels`: what a column may be called, in any case, to its name. Blank rows are passed over.

    Raises Refused: "sheet.large" (most_mb), "sheet.empty", "sheet.broken", "sheet.encoding", "sheet.torn" (row),
    "sheet.rows" (most), "sheet.columns" (which), "sheet.missing" (which), "sheet.twice" (which), "sheet.formula" (row),
    "sheet.rounded" (row), "sheet.cell" (row, most), "sheet.broken"."""
    if len(data) > MOST_BYTES:
        raise Refused("sheet.large", most_mb=MOST_BYTES // 1_000_000)
    if not data.strip():
        raise Refused("sheet.empty")
    lines = _spreadsheet(data) if data.startswith(_PACKED) else _csv(data)
    return list(_named(lines, labels, needed))


def _named(lines: Iterator[list[str]], labels: Mapping[str, str], needed: Sequence[str]) -> Iterator[Row]:
    head = next(lines, None)
    while head is not None and not any(head):
        head = next(lines, None)
    if head is None:
        raise Refused("sheet.empty")
    while head and not head[-1]:
        head.pop()
    known = {_plain(label): name for label, name in labels.items()}
    names = [known.get(_plain(cell)) for cell in head]
    if strange := [cell[:40] for cell, name in zip(head, names, strict=True) if name is None]:
        raise Refused("sheet.columns", which=", ".join(strange[:5]) or "-")
    if missing := [name for name in needed if name not in names]:
        raise Refused("sheet.missing", which=", ".join(missing))
    if twice := {name for name in names if name is not None and names.count(name) > 1}:
        raise Refused("sheet.twice", which=", ".join(sorted(twice)))
    count = 0
    for number, cells in enumerate(lines, 2):
        if not any(cells):
            continue
        count += 1
        if count > MOST_ROWS:
            raise Refused("sheet.rows", most=MOST_ROWS)
        if len(cells) < len(names) or any(cells[len(names) :]):
            raise Refused("sheet.torn", row=number)
        told = {name: cell for name, cell in zip(names, cells, strict=False) if name is not None}
        if told.get("end", ".") != ".":
            raise Refused("sheet.torn", row=number)
        yield number, told


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _text(cell: str, row: int) -> str:
    said = cell.strip()
    if len(said) > LONGEST_CELL:
        raise Refused("sheet.cell", row=row, most=LONGEST_CELL)
    return said.removeprefix("'")


def _csv(data: bytes) -> Iterator[list[str]]:
    text = _decoded(data)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    between = max((";", "\t", ","), key=first.count)
    try:
        width = 0
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True), 1):
            if len(cells) > MOST_COLUMNS:
                raise Refused("sheet.columns", which=f"> {MOST_COLUMNS}")
            width = width or len(cells)
            if any(cells) and len(cells) < width:
                raise Refused("sheet.torn", row=number)
            yield [_text(cell, number) for cell in cells]
    except csv.Error as failure:
        raise Refused("sheet.broken") from failure


def _decoded(data: bytes) -> str:
    """UTF-8 with or without its mark, or UTF-16 with it. What any other code means can only be guessed, and a wrong
    guess is a wrong name on a pole."""
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError as failure:
        raise Refused("sheet.encoding") from failure
    if "\x00" in text:
        raise Refused("sheet.broken")
    return text


def _spreadsheet(data: bytes) -> Iterator[list[str]]:
    """The first sheet. Only what is written in the cells: a formula is refused, nothing is reckoned."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            _check_parts(packed)
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        try:
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # what the file says of its own size is not believed
            width = 0
            for number, row in enumerate(sheet.iter_rows(), 1):
                if number > MOST_ROWS * 2 + 1:
                    raise Refused("sheet.rows", most=MOST_ROWS)
                if len(row) > MOST_COLUMNS:
                    row = row[:MOST_COLUMNS] if all(cell.value is None for cell in row[MOST_COLUMNS:]) else row
                if len(row) > MOST_COLUMNS:
                    raise Refused("sheet.columns", which=f"> {MOST_COLUMNS}")
                cells = [_cell(cell, number) for cell in row]
                width = width or len(cells)
                yield [*cells, *[""] * (width - len(cells))]
        finally:
            book.close()
    except Refused:
        raise
    except Exception as failure:  # the library raises whatever a broken part leads it to
        raise Refused("sheet.broken") from failure


def _check_parts(packed: zipfile.ZipFile) -> None:
    """Raises Refused("sheet.large", "sheet.broken")."""
    parts = packed.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise Refused("sheet.large", most_mb=MOST_BYTES // 1_000_000)
    unpacked = 0
    for part in parts:
        with packed.open(part) as file:
            before = b""
            while block := file.read(1 << 20):
                unpacked += len(block)
                if unpacked > MOST_UNPACKED:
                    raise Refused("sheet.large", most_mb=MOST_BYTES // 1_000_000)
                # No office program writes definitions of its own; who does wants them to grow into each other.
                if any(word in before + block for word in _DEFINES) or block.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise Refused("sheet.broken")
                before = block[-32:]


def _cell(cell: Any, row: int) -> str:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        raise Refused("sheet.formula", row=row)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        if abs(value) >= _LARGE:
            raise Refused("sheet.rounded", row=row)
        return str(int(value)) if value == int(value) else repr(float(value))
    return _text(str(value), row)


def _safe(text: str) -> str:
    """What begins as a formula does gets an apostrophe, which `read` takes off again."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """UTF-8 with its mark, which spreadsheet programs of this country need."""
    told = io.StringIO(newline="")
    writer = csv.writer(told, lineterminator="\r\n")
    for row in (head, *rows):
        writer.writerow([_safe(cell) for cell in row])
    return b"\xef\xbb\xbf" + told.getvalue().encode()


def write_spreadsheet(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """All cells are text: a card's number keeps its digits, a date its form."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Loa")
    for row in (head, *rows):
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, value="")
            cell.value, cell.number_format = _safe(text), "@"
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
