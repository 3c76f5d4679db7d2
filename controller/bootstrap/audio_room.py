"""The audio pipeline behind the services' port."""

from __future__ import annotations

from pathlib import Path

from broadcasts.audio.chain import Limits
from broadcasts.audio.pipeline import Prepared, prepare
from broadcasts.audio.store import Store


class StoredAudio:
    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    def prepare(self, source: Path) -> Prepared:
        return prepare(source, self._store, limits=self._limits)

    def path(self, sha256: str) -> Path:
        return self._store.path(sha256)
