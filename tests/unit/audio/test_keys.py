from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import broadcasts.audio
from broadcasts.audio.keys import FAULTS, REFUSALS, WARNINGS

PACKAGE = Path(broadcasts.audio.__file__).parent


def raised() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(Refused or Fault, key, names of its fields) of every place that makes one with its key written out."""
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Refused", "Fault"):
                keys = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                for key in keys:
                    if isinstance(key, str) and key.startswith(("audio.", "storage.", "asset.")):
                        yield node.func.id, key, tuple(str(keyword.arg) for keyword in node.keywords)


def test_every_sentence_that_audio_can_ask_for_is_listed_with_its_fields() -> None:
    known = {"Refused": REFUSALS, "Fault": FAULTS}
    found = list(raised())

    assert len(found) > 20
    assert [each for each in found if known[each[0]].get(each[1]) != each[2]] == []


def test_nothing_is_listed_that_nobody_asks_for() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py") if path.name != "keys.py"}

    for key in (*REFUSALS, *FAULTS, *WARNINGS):
        assert any(f'"{key}"' in text for text in sources.values()), key
