"""The part of requirements.lock that the service itself needs, hashes and all: no test tools in an image.

    python deploy/runtime_lock.py requirements.lock >runtime.lock

Standard library only. Who needs what is read from the lock's own `# via` lines.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = "loa (pyproject.toml)"
_NAME = re.compile(r"^([a-z0-9][a-z0-9._-]*)==")
_VIA = re.compile(r"^ +#(?: via)? +(\S.*)$")


def runtime(lock: str) -> str:
    """Raises ValueError when nothing in the lock says that it is needed by Loa itself."""
    blocks: list[tuple[str, set[str], str]] = []
    for text in re.split(r"\n(?=[a-z0-9])", lock.strip()):
        if found := _NAME.match(text):
            needed_by = {via.group(1) for line in text.splitlines() if (via := _VIA.match(line))}
            blocks.append((found.group(1), needed_by, text))
    chosen = {ROOT}
    while more := {name for name, needed_by, _ in blocks if needed_by & chosen} - chosen:
        chosen |= more
    kept = [text for name, _, text in blocks if name in chosen]
    if not kept:
        raise ValueError(f"no package of the lock is needed by {ROOT}")
    return "\n".join(kept) + "\n"


if __name__ == "__main__":
    sys.stdout.write(runtime(Path(sys.argv[1]).read_text(encoding="utf-8")))
