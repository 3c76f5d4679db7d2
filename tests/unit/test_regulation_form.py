"""A regulation as somebody types it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.services.regulating import Rules
from controller.web.regulation_form import from_rules

RULES = Rules("02/QC-UBND", None, ((300, 420), (1000, 1260)), ceilings=((300, 360, 50),), early="NQ 5/2026")


@pytest.mark.parametrize("weekend", [None, (), ((480, 600),)])
@pytest.mark.parametrize("normal", [None, (), ((360, 420), (1020, 1080))])
def test_what_is_shown_and_handed_in_again_is_the_same(
    weekend: tuple[tuple[int, int], ...] | None, normal: tuple[tuple[int, int], ...] | None
) -> None:
    rules = replace(RULES, weekend=weekend, normal=normal, special=((0, 1440, 40),), session=20, day=30)
    assert from_rules(rules, 0, ()).rules() == rules


def test_a_dash_is_never_and_nothing_is_as_usual() -> None:
    form = from_rules(RULES, 0, ())
    assert (form.weekend, form.normal) == ("", "")
    assert replace(form, weekend=" - ").rules().weekend == ()
