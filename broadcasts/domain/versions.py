"""Versions never go back, not even for a controller restored from last week's backup (design, section 6)."""

from __future__ import annotations


def next_version(last_issued: int, last_seen: int, now_ms: int) -> int:
    """`last_seen` is the highest version found in reported or retained state."""
    return max(last_issued, last_seen, now_ms) + 1
