"""When each packet of a live session is to be played: by the sound's own time, so that poles hear no jitter."""

from __future__ import annotations

from broadcasts.wire.live_packet import PACKET_MS

STALL_MS = 500
"""The sender may fall behind its own rhythm by so much of the buffer before the rhythm begins anew."""


class Pacing:
    """One session's. All instants are Unix ms.

    A packet is due one packet after the last. When the microphone stalls (a browser's network), the lead melts until
    too little is left for the way to the poles: then there is a pause, and the full lead again. What was held up and
    comes in a burst afterwards would push the whole session into the past: it is left out.
    """

    def __init__(self, buffer_ms: int) -> None:
        self._buffer_ms = buffer_ms
        self._next: int | None = None

    def play_at(self, now: int) -> int | None:
        """For the next packet of the sound, ready at `now`; none: it is to be left out."""
        due = self._next
        if due is None or due < now + self._buffer_ms - STALL_MS:
            due = now + self._buffer_ms
        elif due > now + self._buffer_ms + STALL_MS:
            return None
        self._next = due + PACKET_MS
        return due

    @property
    def ends_at(self) -> int | None:
        """Where what was paced so far ends; none before the first packet."""
        return self._next
