"""Why a unit is not where it should be: one reason, the first that explains it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.services.convergence import SOON, Reason, Wanted, of

NOW = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
MADE = NOW - timedelta(hours=1)
GOOD: dict[str, Any] = {"clock": {"trusted": True}, "firmware": "1.0"}
REFUSAL = {"document": "plan", "version": 7, "reason": "bad_signature"}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"unit": None}, Reason.NO_UNIT),
        ({"wanted": Wanted(None)}, Reason.NO_PLAN),
        ({"applied": 7}, None),
        ({"applied": 8}, None),
        ({"connected": None}, Reason.NEVER),
        ({"connected": False}, Reason.OFFLINE),
        ({"reported": {"clock": {"trusted": False}}}, Reason.CLOCK),
        ({"reported": GOOD | {"refused": REFUSAL}}, Reason.REFUSED),
        ({"reported": GOOD | {"refused": REFUSAL | {"version": 5}}}, Reason.NO_ANSWER),
        ({"reported": GOOD | {"refused": REFUSAL | {"document": "alert"}}}, Reason.NO_ANSWER),
        ({"faults": {"storage_full"}}, Reason.STORAGE),
        ({"wanted": Wanted(7, MADE)}, Reason.NOT_SENT),
        ({"wanted": Wanted(7, MADE, NOW - SOON)}, Reason.ON_ITS_WAY),
        ({"applied": 7, "wanted": Wanted(7, MADE, MADE, firmware="2.0")}, Reason.UPKEEP),
        ({"applied": 7, "wanted": Wanted(7, MADE, MADE, firmware="1.0")}, None),
        ({"applied": 7, "wanted": Wanted(7, MADE, MADE, configuration="s-1")}, Reason.UPKEEP),
    ],
)
def test_the_first_reason_that_explains_it_is_told(told: dict[str, Any], reason: Reason | None) -> None:
    given: dict[str, Any] = {
        "unit": "u-1", "wanted": Wanted(7, MADE, MADE), "applied": 6, "connected": True, "presence_at": MADE,
        "reported": GOOD, "faults": set(), "now": NOW,
    }  # fmt: skip
    found = of(**given | told)
    assert (found.reason, found.converged) == (reason, reason is None)


def test_the_lag_counts_from_when_the_plan_was_made_and_is_never_less_than_nothing() -> None:
    found = of(
        unit="u-1", wanted=Wanted(7, MADE, MADE), applied=None, connected=False, presence_at=None, reported={},
        faults=(), now=NOW,
    )  # fmt: skip
    assert found.lag(NOW) == timedelta(hours=1)
    assert found.lag(MADE - timedelta(days=1)) == timedelta(0)
