"""What somebody looked at before he changed it, as one word: who saves over the change of another is told so."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def revision(*seen: Any) -> str:
    """Of what it says and not of how often it was saved: the same again is no change that could be lost. The parts are
    what JSON can say; 16 hexadecimal digits."""
    said = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()[:16]
