"""The shape of a recording as one SVG path, from the peaks that were kept when it was prepared."""

from __future__ import annotations

WIDTH, HEIGHT = 240, 48


def outline(peaks: bytes) -> str:
    """The `d` of a path in a box of WIDTH by HEIGHT; a flat line when there are no peaks.

    `peaks` are pairs of signed bytes, minimum and maximum.
    """
    pairs = [(_signed(peaks[at]), _signed(peaks[at + 1])) for at in range(0, len(peaks) - 1, 2)]
    middle = HEIGHT / 2
    if not pairs:
        return f"M0 {middle:g}H{WIDTH}"
    columns = min(WIDTH // 2, len(pairs))
    bars = []
    for column in range(columns):
        here = pairs[column * len(pairs) // columns : max(1, (column + 1) * len(pairs) // columns)]
        top = max(1.0, max(high for _, high in here) / 127 * middle)
        bottom = max(1.0, -min(low for low, _ in here) / 127 * middle)
        bars.append(f"M{column * WIDTH / columns + 1:.1f} {middle - top:.1f}V{middle + bottom:.1f}")
    return "".join(bars)


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
