"""Every row of the law that binds has a test or a reason."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from requirements_table import Row, complaints, find_claims, load_rows

ROOT = Path(__file__).parents[2]
SOURCE = ROOT.parent / "shared" / "reference" / "circular39.md"
ROW = Row("R-900", ("LAW",), "an example", "later", "all of it", partly=False)


def test_every_binding_row_is_proven_or_explained() -> None:
    assert complaints(load_rows(), find_claims()) == []


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert list(load_rows()) == [f"R-{number:03d}" for number in range(1, 147)]


def test_the_rows_and_tags_are_those_of_the_source_where_it_is_at_hand() -> None:
    """A clone elsewhere has no such page beside it; there the numbering alone is held (above)."""
    rows = load_rows()
    if SOURCE.is_file():
        source = re.findall(r"^\| (R-\d{3}) \|.*\| ([^|]*) \|$", SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
        words = r"\b(LAW|SUM|CODE|2ND|PRESS|GUESS|unverified|open)\b"
        told = {id_: tuple(dict.fromkeys(re.findall(words, status))) for id_, status in source}
        assert told == {row.id: row.tags for row in rows.values()}
    assert all(row.tags and row.what for row in rows.values())


@pytest.mark.parametrize(
    ("row", "claimed", "sentence"),
    [
        (ROW, False, None),
        (replace(ROW, status="", reason=""), True, None),
        (replace(ROW, partly=True), True, None),
        (replace(ROW, tags=("PRESS",), status="", reason=""), False, None),
        (replace(ROW, status="", reason=""), False, "no test claims it"),
        (ROW, True, "later, yet claimed"),
        (replace(ROW, reason=" "), False, "without a reason"),
        (replace(ROW, status="not_applicable"), True, "not applicable, yet claimed"),
        (replace(ROW, partly=True), False, "partly needs a test"),
        (replace(ROW, status="soon"), False, "neither later nor"),
    ],
)
def test_a_row_that_nobody_speaks_for_is_found(row: Row, claimed: bool, sentence: str | None) -> None:
    wrong = complaints({row.id: row}, {row.id: ["a::test"]} if claimed else {})
    if sentence is None:
        assert wrong == []
    else:
        assert [sentence in complaint for complaint in wrong] == [True]


def test_a_claim_of_an_unknown_row_is_found() -> None:
    assert complaints({}, {"R-901": ["a::test"]}) == ["R-901 is claimed by a::test but is no row"]


def test_claims_are_read_from_functions_classes_and_whole_modules(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "pytestmark = [pytest.mark.e2e, pytest.mark.requirement('R-001')]\n"
        "@pytest.mark.requirement('R-002', 'R-003')\n"
        "def test_one() -> None: ...\n"
        "@pytest.mark.requirement('R-004')\n"
        "class TestMore:\n"
        "    def test_two(self) -> None: ...\n"
    )
    assert find_claims(tmp_path) == {
        "R-001": ["test_it.py::test_one", "test_it.py::TestMore::test_two"],
        "R-002": ["test_it.py::test_one"],
        "R-003": ["test_it.py::test_one"],
        "R-004": ["test_it.py::TestMore::test_two"],
    }


def test_a_claim_that_is_computed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\nROW = 'R-001'\n@pytest.mark.requirement(ROW)\ndef test_one(): ...\n"
    )
    with pytest.raises(ValueError, match="write the requirement's row out"):
        find_claims(tmp_path)
