"""How warnings repeat by law, and when a unit that follows the contract sounds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.domain.alert_rules import TEMPLATES, WAYS, Rule, repetition, rule_at
from broadcasts.wire.alert import Alert, AlertKind, Repeat
from device_sim.alerts import due_at

STORM = datetime(2026, 11, 3, 9, 55, tzinfo=UTC)
"""16:55 in Viet Nam."""
MINUTES = 60


def starts(repeat: Repeat | None, hours: float, length_s: int = 30, woke_s: int = 0) -> list[int]:
    """Seconds after the issue at which a unit begins that woke so long after it, each sounding `length_s` long."""
    base, asset = unix_ms(STORM), {"sha256": "0" * 64, "size": 1, "codec": "opus", "duration_ms": 1, "path": "a/0"}
    part = {"language": "vi", "asset": asset | {"chunk_size": 4096, "chunks": ["n4bQgYhMfWWaL-qgxVrQFQ"]}}
    alert = Alert.model_validate(
        {
            "id": "a-1", "kind": AlertKind.STORM, "target": "all", "content": [part], "repeat": repeat, "volume": 100,
            "issued_at": base, "not_before": base, "hard_end": base + 86_400_000, "max_blind_s": 600, "reason": "Bão",
        }
    )  # fmt: skip
    found: list[int] = []
    free, last = base + woke_s * 1000, 0
    while (due := due_at(alert, len(found), len(found), last)) is not None:
        last = max(due, free)
        if last > base + hours * 3_600_000:
            break
        found.append((last - base) // 1000)
        free = last + length_s * 1000
    return found


def spoken(rule: Rule, **ordered: object) -> Repeat | None:
    told = repetition(rule, STORM, VIETNAM, **ordered)  # type: ignore[arg-type]
    if told.every is None and len(told.opening) == 1:
        return None
    opening = [int(each.total_seconds()) for each in told.opening]
    every = int((told.every or timedelta(hours=1)).total_seconds())
    times = told.times if told.every is not None else len(opening)
    return Repeat(every_s=every, times=times, opening_s=opening if len(opening) > 1 else None)


@pytest.mark.requirement("R-060")
def test_urgent_storm_news_sounds_twice_at_once_and_then_on_every_full_hour() -> None:
    assert starts(spoken(Rule.NEWS_URGENT), 3) == [0, 30, 5 * MINUTES, 65 * MINUTES, 125 * MINUTES]


@pytest.mark.requirement("R-060")
def test_ordinary_storm_news_sounds_every_two_hours_on_the_hour() -> None:
    assert starts(spoken(Rule.NEWS), 6) == [0, 65 * MINUTES, 185 * MINUTES, 305 * MINUTES]


@pytest.mark.requirement("R-058")
def test_command_documents_repeat_every_three_hours_and_above_level_3_every_hour() -> None:
    assert starts(spoken(Rule.COMMAND), 7) == [0, 180 * MINUTES, 360 * MINUTES]
    assert [rule_at(Rule.COMMAND, level) for level in (3, 4)] == [Rule.COMMAND, Rule.COMMAND_SEVERE]
    assert starts(spoken(Rule.COMMAND_SEVERE), 2) == [0, 60 * MINUTES, 120 * MINUTES]


@pytest.mark.requirement("R-062")
def test_a_tsunami_is_told_at_once_twice_more_five_minutes_apart_then_every_thirty_or_twenty_minutes() -> None:
    opening = [0, 5 * MINUTES, 10 * MINUTES]
    assert starts(spoken(Rule.TSUNAMI), 1.2) == [*opening, 40 * MINUTES, 70 * MINUTES]
    assert starts(spoken(Rule.TSUNAMI_SEVERE), 1) == [*opening, 30 * MINUTES, 50 * MINUTES]
    assert [rule_at(TEMPLATES["tsunami"].rule, level) for level in (1, 2, 3)] == [
        Rule.TSUNAMI, Rule.TSUNAMI, Rule.TSUNAMI_SEVERE,
    ]  # fmt: skip


@pytest.mark.requirement("R-059", "R-063")
def test_what_a_committee_or_the_issuing_body_orders_is_free_and_begins_at_once() -> None:
    ordered = spoken(Rule.ORDERED, every=timedelta(minutes=45), times=3)
    assert starts(ordered, 24) == [0, 45 * MINUTES, 90 * MINUTES]
    assert spoken(Rule.ORDERED) is None


def test_an_all_clear_sounds_twice_and_once_is_once() -> None:
    assert starts(spoken(Rule.TWICE), 24, length_s=45) == [0, 45]
    assert starts(spoken(Rule.ONCE), 24) == [0]


def test_a_unit_that_wakes_late_says_what_is_owed_at_once_and_makes_up_for_nothing_else() -> None:
    assert starts(spoken(Rule.NEWS_URGENT), 3, woke_s=40 * MINUTES) == [2400, 2430, 65 * MINUTES, 125 * MINUTES]
    assert starts(spoken(Rule.TSUNAMI), 1.2, woke_s=7 * MINUTES) == [420, 600, 40 * MINUTES, 70 * MINUTES]


def test_a_sounding_longer_than_the_gap_puts_off_the_next_and_loses_the_grid_never() -> None:
    assert starts(Repeat(every_s=60), 0.1, length_s=90) == [0, 90, 180, 270, 360]
    assert starts(Repeat(every_s=60, opening_s=[0, 0, 120]), 0.09, length_s=70) == [0, 70, 140, 210, 280]


def test_each_kind_of_alert_has_a_template_that_names_its_rule() -> None:
    assert TEMPLATES.keys() == {str(kind) for kind in AlertKind}
    for template in TEMPLATES.values():
        assert template.requirement
        assert timedelta(seconds=10) <= template.lasts <= timedelta(hours=24)
        assert template.every is not None or WAYS[template.rule].every is not None or template.rule is Rule.TWICE


@pytest.mark.parametrize("opening", [[5, 10], [0, 300, 60], [0], [0] * 13])
def test_an_opening_begins_at_once_and_goes_forward(opening: list[int]) -> None:
    with pytest.raises(ValueError, match="opening"):
        Repeat(every_s=60, opening_s=opening)
