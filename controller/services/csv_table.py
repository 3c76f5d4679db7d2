"""Tables as files for a spreadsheet, and one rule for what a spreadsheet would take for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so would be reckoned, or run; with an apostrophe before it, it is text."""


def sheet(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """`table` in UTF-8, with the mark that spreadsheets look for."""
    return table(head, rows).encode("utf-8-sig")


def sheet_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """More of the same file."""
    out = io.StringIO(newline="")
    _write(out, rows)
    return out.getvalue().encode()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """CSV as RFC 4180 has it."""
    out = io.StringIO(newline="")
    csv.writer(out).writerow(head)
    _write(out, rows)
    return out.getvalue()


def _write(out: io.StringIO, rows: Iterable[Sequence[str]]) -> None:
    csv.writer(out).writerows([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row] for row in rows)


def plain(cell: str) -> str:
    """What stood there before `table` made text of it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell
