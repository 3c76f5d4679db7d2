"""What an ear at the pole adds to the finding."""

from __future__ import annotations

import pytest

from broadcasts.domain.delivery import State
from broadcasts.domain.ear import Answer, Overheard, listened
from broadcasts.domain.verdict import Finding, Verdict

HEARD = Finding(State.PLAYED, Verdict.HEARD)
CUT_OFF = Finding(State.PLAYED, Verdict.HEARD, "displaced", 0.6)
PLAYED = Finding(State.PLAYED, Verdict.PLAYED)
SILENT = Finding(State.PLAYED, Verdict.FAILED_TO_SOUND, "silent_amplifier")
WHOLE, MOSTLY, HARDLY = (Overheard(Answer.YES, share) for share in (1.0, 0.6, 0.4))
IN_PART = Overheard(Answer.UNKNOWN, 0.6)
A_THIRD, A_GUST = Overheard(Answer.NO, 1 / 3), Overheard(Answer.UNKNOWN, 1 / 3)
OTHER, NOTHING, NO_IDEA = Overheard(Answer.NO), Overheard(Answer.NO, silent=True), Overheard(Answer.UNKNOWN)

TABLE: list[tuple[Finding, Overheard | None, tuple[Verdict, str | None]]] = [
    (HEARD, None, (Verdict.HEARD, None)),
    (HEARD, NO_IDEA, (Verdict.HEARD, None)),
    (HEARD, WHOLE, (Verdict.HEARD, None)),
    (HEARD, IN_PART, (Verdict.HEARD, "ear_partly")),
    (PLAYED, IN_PART, (Verdict.HEARD, "ear_partly")),
    (HEARD, MOSTLY, (Verdict.HEARD, "ear_partly")),
    # Two windows of a short bulletin that were not heard may be a gust of wind: too little to deny, or to confirm it.
    (HEARD, A_GUST, (Verdict.HEARD, None)),
    (PLAYED, A_GUST, (Verdict.PLAYED, None)),
    (HEARD, HARDLY, (Verdict.FAILED_TO_SOUND, "ear_partly")),
    (HEARD, OTHER, (Verdict.FAILED_TO_SOUND, "ear_other")),
    (HEARD, A_THIRD, (Verdict.FAILED_TO_SOUND, "ear_partly")),
    # The amplifier drew its current, and not even noise came in: a dead ear.
    (HEARD, NOTHING, (Verdict.HEARD, None)),
    (CUT_OFF, WHOLE, (Verdict.HEARD, "displaced")),
    (CUT_OFF, MOSTLY, (Verdict.HEARD, "ear_partly")),
    (PLAYED, None, (Verdict.PLAYED, None)),
    (PLAYED, NO_IDEA, (Verdict.PLAYED, None)),
    (PLAYED, WHOLE, (Verdict.HEARD, None)),
    (PLAYED, MOSTLY, (Verdict.HEARD, "ear_partly")),
    (PLAYED, HARDLY, (Verdict.FAILED_TO_SOUND, "ear_partly")),
    (PLAYED, OTHER, (Verdict.FAILED_TO_SOUND, "ear_other")),
    (PLAYED, NOTHING, (Verdict.FAILED_TO_SOUND, "ear_silent")),
    # The line may be tapped before the amplifier, and a microphone hears the neighbour's horns as well.
    (SILENT, WHOLE, (Verdict.FAILED_TO_SOUND, "silent_amplifier")),
    (SILENT, OTHER, (Verdict.FAILED_TO_SOUND, "silent_amplifier")),
    (SILENT, NO_IDEA, (Verdict.FAILED_TO_SOUND, "silent_amplifier")),
]


@pytest.mark.parametrize(("found", "ear", "expected"), TABLE)
def test_a_sensor_that_denies_weighs_more_than_one_that_agrees(
    found: Finding, ear: Overheard | None, expected: tuple[Verdict, str | None]
) -> None:
    told = listened(found, ear)
    assert (told.verdict, told.reason) == expected
    assert (told.state, told.coverage, told.started_at) == (found.state, found.coverage, found.started_at)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PLAYED])
@pytest.mark.parametrize("ear", [WHOLE, OTHER, NOTHING])
def test_what_was_not_played_to_its_end_is_not_the_ears_to_judge(state: State, ear: Overheard) -> None:
    for verdict in (None, Verdict.NOT_PLAYED, Verdict.FAILED_TO_SOUND):
        found = Finding(state, verdict, "displaced", 0.3)
        assert listened(found, ear) == found
