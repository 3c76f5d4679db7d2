"""What a box notices about itself from its sensors: an amplifier that does not let go, a cabinet that is too hot."""

from __future__ import annotations

from collections.abc import Container

STUCK, HOT = "amplifier_stuck", "cabinet_hot"
NUMBERS = (STUCK, HOT)
"""Faults that telemetry shows: it is sent when one of them comes or goes."""
HOT_C, COOL_C = 75.0, 65.0
"""Raised from here, gone below there."""
HOT_VOLUME = 50
"""No item is louder in a hot cabinet. An alert is: people come before boxes."""
LET_GO_MS = 5_000
"""So long after the end of a sounding the relay of the amplifier may take to open."""


def stuck(drawn_ma: int | None, idle_ms: int | None, faults: Container[str]) -> bool:
    """`drawn_ma`: none when the amplifier is off, or nobody measures; `idle_ms`: none while something sounds."""
    if idle_ms is None or idle_ms < LET_GO_MS:
        return STUCK in faults
    return bool(drawn_ma)


def hot(celsius: float, faults: Container[str]) -> bool:
    return celsius >= (COOL_C if HOT in faults else HOT_C)
