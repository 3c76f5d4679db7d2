"""How much a cluster may sound at most (R-073: App. 01 of the circular, by an official summary)."""

from __future__ import annotations

LEAST_W, MOST_W = 50, 120
"""Watts of all horns of one cluster together."""


def within_limits(horns: int, watts: int) -> bool:
    """`watts`: of one horn."""
    return LEAST_W <= horns * watts <= MOST_W
