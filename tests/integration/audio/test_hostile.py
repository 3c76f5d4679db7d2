"""Every bad upload we know: refused in a sentence, or taken with a warning; nothing is left, and the next one works."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from support.audio import tone
from support.hostile import HOSTILE

from broadcasts.audio.keys import REFUSALS
from broadcasts.audio.pipeline import Prepared, prepare
from broadcasts.audio.store import Store
from broadcasts.errors import Refused
from controller.web.catalogue import knows, say


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Whatever is written beside the store, in the system's folder for temporary files, would be seen too."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return Store(tmp_path / "store")


def left(store: Store) -> set[Path]:
    return {path for folder in (store.root, store.root.parent / "tmp") for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_upload_gets_its_answer_and_leaves_nothing(name: str, store: Store, tmp_path: Path) -> None:
    hostile = HOSTILE[name]
    upload = tmp_path / "bản tin.mp3"
    hostile.make(upload)

    answer: Prepared | Refused
    try:
        answer = prepare(upload, store, limits=hostile.limits)
    except Refused as refused:
        answer = refused

    assert list((store.root / "work").iterdir()) == []
    if isinstance(answer, Refused):
        assert answer.key == hostile.refused
        assert left(store) == set()
        assert set(answer.fields) == set(REFUSALS[answer.key])
        assert knows(f"errors.{answer.key}")
        for language in ("vi", "en"):
            sentence = say(language, f"errors.{answer.key}", **answer.fields)
            assert len(sentence) > 15
            assert "{" not in sentence
    else:
        assert hostile.refused == ""
        assert answer.warnings == hostile.warned
        assert left(store) == {store.path(answer.sha256), store.original(answer.original_sha256)}
        assert answer.loudness_lufs == pytest.approx(-16.0, abs=0.5)


def test_after_all_of_them_the_next_good_one_is_prepared(store: Store, tmp_path: Path) -> None:
    for name in ("a WAV of 65,535 channels", "floats beyond all", "an M4A without its end", "text"):
        HOSTILE[name].make(tmp_path / "bad")
        with pytest.raises(Refused):
            prepare(tmp_path / "bad", store)
    good = tmp_path / "good"
    good.write_bytes(tone(2.0))

    assert prepare(good, store).duration_ms == 2_000
