"""The same as `takeover_probe` where the kernel has no Landlock: `python -m tests.support.takeover_bare_probe`."""

from __future__ import annotations

from broadcasts.audio import child, landlock
from tests.support.takeover_probe import probe

if __name__ == "__main__":
    landlock.version = lambda: 0
    child.serve(probe)
