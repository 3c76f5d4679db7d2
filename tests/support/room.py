"""Where the databases of a run lie: in memory where there is some, since tests lose nothing in a power cut."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MEMORY = Path("/dev/shm")
_NEEDED = 1_000_000_000
"""Bytes: containers give 64 MB by default, and a full one breaks tests that have done nothing."""


def quick_room() -> Path | None:
    """A folder in memory, or none: then the usual temporary folder has to do. Programs do not start from there."""
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _NEEDED:
        return None
    return _MEMORY
