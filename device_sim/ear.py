"""What a villager below a pole would have heard: the record that tests and verdicts are measured against."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Sound:
    """One stretch of sound, in true time (Unix ms). `end` is none while it lasts."""

    item: str
    asset: str
    start: int
    offset_ms: int
    """Where in the asset the stretch began."""
    volume: int
    end: int | None = None


class Ear:
    def __init__(self, remember: int | None = None) -> None:
        """`remember`: how many sounds are kept, the newest; none means all."""
        self.sounds: deque[Sound] = deque(maxlen=remember)

    @property
    def now(self) -> Sound | None:
        """What is to be heard at the moment."""
        return self.sounds[-1] if self.sounds and self.sounds[-1].end is None else None

    def hears(self, sound: Sound) -> None:
        """It replaces what was heard until now."""
        self.silence(sound.start)
        self.sounds.append(sound)

    def silence(self, at: int) -> None:
        if self.now is not None:
            self.sounds[-1] = replace(self.sounds[-1], end=at)
