"""Pages to print, as PDF. The letters are those of the pages: the fonts that the build put beside them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

from fpdf import FPDF

from broadcasts.clock import VIETNAM
from controller.services.views.dry_run import DryRun, Line
from controller.web.ahead_words import Whole, days_of, fate_told, goes_on_told, part_told, spans_told
from controller.web.desk import DIST
from controller.web.words import Words

FONTS = {
    "text": "be-vietnam-pro-latin-{weight}-normal.woff2",
    "vietnamese": "be-vietnam-pro-vietnamese-{weight}-normal.woff2",
    "khmer": "noto-sans-khmer-khmer-{weight}-normal.woff2",
}
SIZE, LINE = 9.5, 5.2
"""Points; millimetres."""
TIME, FACTS = 34, 62
"""Widths of the first and last column, in millimetres."""
KHMER = re.compile("[\u1780-\u17ff\u19e0-\u19ff]")


class Paper(FPDF):
    """A4 upright, numbered pages, Vietnamese and Khmer letters."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        for family, name in FONTS.items():
            self.add_font(family, "", DIST / name.format(weight=400))
            self.add_font(family, "B", DIST / name.format(weight=600))
        self.set_fallback_fonts(["vietnamese", "khmer"], exact_match=True)
        self.set_title(title)
        self.set_auto_page_break(True, margin=16)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font("text", "", 8)
        self.cell(0, 6, str(self.page_no()), align="C")

    def shape_for(self, texts: Iterable[str]) -> None:
        """Khmer signs are put together letter by letter, which takes five times as long: only where there are some."""
        self.set_text_shaping(any(KHMER.search(each) for each in texts))

    def say(self, text: str, *, size: float = SIZE, bold: bool = False) -> None:
        self.shape_for([text])
        self.set_font("text", "B" if bold else "", size)
        self.multi_cell(0, size * 0.55, _whole(text), align="L", new_x="LMARGIN", new_y="NEXT")


def week_ahead(run: DryRun, words: Words) -> bytes:
    """The dry run as a list to hang up: day by day, what sounds from when to when, where, and what gives way."""
    paper = Paper(words.t("ahead.title"))
    paper.say(words.t("ahead.title"), size=16, bold=True)
    paper.say(f"{run.name}. {words.t('count.clusters', n=len(run.clusters))}")
    local = run.since.astimezone(VIETNAM)
    paper.say(words.t("ahead.made", when=f"{local:%H:%M} {_date(words, local.date())}"))
    for day in days_of(run):
        paper.ln(3)
        paper.say(_date(words, day.day), size=12, bold=True)
        if not day.lines:
            paper.say(words.t("ahead.nothing"))
            continue
        paper.set_font("text", "", SIZE)
        # Of what goes on all day one line says so.
        rows = [
            _row(line, whole, words)
            for whole in day.wholes
            for line in (whole.lines[:1] if whole.goes_on else whole.lines)
        ]
        paper.shape_for(text for row in rows for text in row)
        widths = (TIME, paper.epw - TIME - FACTS, FACTS)
        with paper.table(col_widths=widths, first_row_as_headings=False, line_height=LINE, text_align="LEFT") as table:
            for row in rows:
                table.row(row)
    return bytes(paper.output())


def _row(line: Line, whole: Whole, words: Words) -> tuple[str, str, str]:
    times = spans_told(words, line) or f"({words.second(line.start)})"
    marks = [words.t("ahead.first")] if line.first else []
    marks += [words.t("relay.of", source=line.relayed)] if line.relayed else []
    marks += [words.t("ahead.waiting")] if line.waiting else []
    marks += [told] if (told := part_told(words, line)) else []
    marks += [goes_on_told(words, whole)] if whole.goes_on else []
    facts = f"{words.t('count.clusters', n=len(line.clusters))} · {fate_told(words, line)}"
    return _whole(times), _whole(" · ".join([line.title, *marks])), _whole(facts)


def _date(words: Words, day: date) -> str:
    """Whole: paper does not know what today is."""
    return words.t("day.other", weekday=words.t(f"weekday.{day.weekday()}"), date=f"{day:%d/%m/%Y}")


def _whole(text: str) -> str:
    """Letters with their marks as one: the fonts have no loose ones."""
    return unicodedata.normalize("NFC", text)
