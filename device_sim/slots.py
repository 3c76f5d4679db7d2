"""The two places for firmware in a box: one runs, the other is written, tried, and kept to go back to."""

from __future__ import annotations

from dataclasses import dataclass

from broadcasts.wire.status import Update, UpdateState


@dataclass
class Slots:
    """On the disk. What runs is `Disk.firmware`; the file of an image lies in the cache until it is written."""

    release: int = 0
    """Of what runs; 0: of what it was shipped with."""
    floor: int = 0
    """No release below is ever installed: the highest that a confirmed one asked for."""
    ready: str = ""
    """SHA-256 of the image that lies whole in the other slot."""
    before: str = ""
    """During a trial: the version in the other slot, which ran before ("" as of `Disk.firmware`)."""
    before_release: int = 0
    trial: bool = False
    boots: int = 0
    """During a trial."""
    floor_after: int = 0
    """What `floor` becomes with the confirmation."""
    line_closed: bool | None = None
    """What the line of the horns said before the trial: a cable that was cut already is no fault of the firmware."""
    defect: str = ""
    """What is wrong with the image that is tried: a word of `updating.Defect`."""
    version: str = ""
    attempt: int = 1
    state: str = ""
    """A word of `UpdateState`; "": nothing was ever asked."""
    reason: str = ""

    @property
    def said(self) -> tuple[str, int, str, str]:
        return self.version, self.attempt, self.state, self.reason

    def update(self) -> Update | None:
        if not self.state:
            return None
        state, reason = UpdateState(self.state), self.reason or None
        return Update(version=self.version, attempt=self.attempt, state=state, reason=reason)
