"""Pages to print, as PDF. The letters are those of the pages: the fonts that the build put beside them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date

from fpdf import FPDF
from fpdf.fonts import TTFFont

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
TIME, FACTS = 36, 62
"""Widths of the first and last column, in millimetres."""
LETTER = re.compile("\\S(?:\u17d2.|[\u0300-\u036f\u17b4-\u17d1\u17d3\u17dd])*|\\s", re.DOTALL)
"""With all that is written above, below and around it."""
KHMER = re.compile("[\u1780-\u17ff\u19e0-\u19ff]")


class Paper(FPDF):
    """A4 upright, numbered pages, Vietnamese and Khmer letters."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self._widths: dict[tuple[str, bool], float] = {}
        for family, name in FONTS.items():
            self.add_font(family, "", DIST / name.format(weight=400))
            self.add_font(family, "B", DIST / name.format(weight=600))
        self.set_fallback_fonts(["vietnamese", "khmer"], exact_match=True)
        self.set_title(title)
        self.set_auto_page_break(True, margin=16)
        self.add_page()

    def __enter__(self) -> Paper:
        return self

    def __exit__(self, *_: object) -> None:
        """The files of its fonts are open until it is written, and would be for as long if it never is."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.close()

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

    def row(self, texts: Sequence[str], widths: Sequence[float]) -> None:
        """A line of a table in the letters of the text, on one page. Our own: the library's table measures every piece
        of a line again at each word, twice over, and a week of a province has thousands."""
        self.set_font("text", "", SIZE)
        columns = [self._lines(text, width - 2 * self.c_margin) for text, width in zip(texts, widths, strict=True)]
        height = LINE * max(map(len, columns))
        if self.will_page_break(height):
            self.add_page()
        left, top = self.l_margin, self.get_y()
        for lines, width in zip(columns, widths, strict=True):
            self.rect(left, top, width, height)
            for place, line in enumerate(lines):
                self.set_xy(left, top + place * LINE)
                self.cell(width, LINE, line)
            left += width
        self.set_xy(self.l_margin, top + height)

    def _lines(self, text: str, most: float) -> list[str]:
        """As few as the words need; a word that is too long for one is broken between two letters."""
        lines, line, taken = [], "", 0.0
        for word in (piece for each in text.split(" ") for piece in self._pieces(each, most)):
            gap = self._wide(" ") if line else 0.0
            if line and taken + gap + self._wide(word) > most:
                lines.append(line)
                line, taken, gap = "", 0.0, 0.0
            line, taken = f"{line} {word}" if line else word, taken + gap + self._wide(word)
        return [*lines, line]

    def _pieces(self, word: str, most: float) -> list[str]:
        if self._wide(word) <= most:
            return [word]
        pieces = [""]
        for letter in LETTER.findall(word):
            if pieces[-1] and self._wide(pieces[-1] + letter) > most:
                pieces.append("")
            pieces[-1] += letter
        return pieces

    def _wide(self, word: str) -> float:
        key = word, self.text_shaping is not None
        if key not in self._widths:
            self._widths[key] = self.get_string_width(word)
        return self._widths[key]


def week_ahead(run: DryRun, words: Words) -> bytes:
    """The dry run as a list to hang up: day by day, what sounds from when to when, where, and what gives way."""
    with Paper(words.t("ahead.title")) as paper:
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
            # Of what goes on all day one line says so.
            rows = [
                _row(line, whole, words)
                for whole in day.wholes
                for line in (whole.lines[:1] if whole.goes_on else whole.lines)
            ]
            paper.shape_for(text for row in rows for text in row)
            widths = (TIME, paper.epw - TIME - FACTS, FACTS)
            for row in rows:
                paper.row(row, widths)
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
