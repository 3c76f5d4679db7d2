"""What an ear at the pole adds to the finding: the rule of proof by ear (design, section 5, decision 5).

*Heard* means that a sensor agrees: the amplifier, or an ear. A sensor that denies weighs more than one that agrees: an
amplifier draws current for any sound, and a line-out may be tapped before the amplifier. What an ear cannot tell
changes nothing, nor does a dead ear: then the verdict rests on the amplifier alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from broadcasts.domain.delivery import State
from broadcasts.domain.verdict import Finding, Verdict

HALF = 0.5
"""Of what was listened to: with less of it heard, people did not get the bulletin."""
MOST = 0.8
"""With less of it heard, the page says that a part was missing."""
OTHER = "ear_other"
"""The ear heard something else, or nothing of it."""
SILENT = "ear_silent"
"""Nothing at all came to the ear."""
PARTLY = "ear_partly"
"""It was to be heard, and a part of it was not."""


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Overheard:
    """`share`: of the stretches of which the ear can say something, how much was heard, 0 to 1; above
    0 only where it was this bulletin for certain, whatever the answer."""

    answer: Answer
    share: float = 0.0
    silent: bool = False
    """No: nothing at all was heard."""


def listened(found: Finding, ear: Overheard | None) -> Finding:
    """The finding with what the ear says of it. Only what was played to its end is the ear's to confirm or deny."""
    if ear is None or found.state is not State.PLAYED:
        return found
    if ear.answer is Answer.UNKNOWN and ear.share < HALF:
        return found  # too few windows were missed to deny it, and too few heard to confirm it
    if found.verdict is Verdict.FAILED_TO_SOUND:
        return found
    if ear.silent and found.verdict is Verdict.HEARD:
        return found  # the amplifier drew its current, and not even noise came in: it is the ear that is dead
    if ear.answer is Answer.NO and ear.share == 0:
        return replace(found, verdict=Verdict.FAILED_TO_SOUND, reason=SILENT if ear.silent else OTHER)
    if ear.answer is Answer.NO or ear.share < HALF:
        return replace(found, verdict=Verdict.FAILED_TO_SOUND, reason=PARTLY)
    why = PARTLY if ear.share < MOST else found.reason
    return replace(found, verdict=Verdict.HEARD, reason=why)
