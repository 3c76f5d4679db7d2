"""A plan is put together in short ways; what comes of it is what the long way makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.signed import asset_of, opus, policy
from support.signed import item as written

from broadcasts.wire import codec
from broadcasts.wire import plan as wire
from controller.db.tables import Delivery
from controller.services import plan_document

NOON = datetime(2026, 3, 3, 5, tzinfo=UTC)
RECORDING = asset_of(opus(1_000), 1_000)


def delivery(name: str, **told: object) -> Delivery:
    plain = {"priority": 3, "rank": 0, "volume": 70, "on_preempt": "resume", "late": "drop"}
    times = {"start": NOON, "end": NOON + timedelta(seconds=1), "not_after": NOON + timedelta(hours=1)}
    return Delivery(id=name, asset_sha256=RECORDING.sha256, **plain | times | told)


@given(
    st.sampled_from(("resume", "restart", "drop", "next_slot")),
    st.sampled_from(("drop", "shift", "play")),
    st.integers(1, 3),
    st.integers(0, 100),
)
def test_an_item_is_the_one_that_the_contract_checks_field_by_field(
    on_preempt: str, late: str, level: int, volume: int
) -> None:
    for name in ("d-1", "d-2"):
        row = delivery(name, on_preempt=on_preempt, late=late, priority=level, volume=volume)
        made = plan_document.item(row)
        checked = wire.Item.model_validate_json(made.model_dump_json(exclude_none=True))
        assert (made.id, made.level, made.volume, made.on_preempt, made.late) == (name, level, volume, on_preempt, late)
        assert made == checked
        assert made.model_dump_json() == checked.model_dump_json()


@pytest.mark.parametrize("wrong", [{"volume": 101}, {"rank": -1}, {"not_after": NOON - timedelta(seconds=1)}])
def test_what_no_plan_can_say_is_refused_for_each_pole_again(wrong: dict[str, object]) -> None:
    for name in ("d-1", "d-2"):
        with pytest.raises(ValueError, match="validation error"):
            plan_document.item(delivery(name, **wrong))


def test_a_plan_that_is_dated_afterwards_has_the_bytes_of_one_that_was_dated_at_once() -> None:
    tricky = written("d-1", RECORDING, 5)
    assignment = wire.Assignment(cluster="c-1", since=0)
    told = {"unit": "u-1", "assignment": assignment, "policy": policy(), "items": [tricky], "assets": [RECORDING]}
    undated = wire.Plan(version=0, issued_at=0, horizon_end=0, note='"version":0,"issued_at":0', **told)
    times = (17, NOON, NOON + timedelta(days=7))
    stamped = plan_document.stamp(undated, *times)
    assert plan_document.dated(plan_document.body(undated), *times) == codec.encode(stamped)
    with pytest.raises(ValueError, match="without version"):
        plan_document.dated(codec.encode(stamped), *times)
