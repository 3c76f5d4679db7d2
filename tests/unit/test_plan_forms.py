"""A plan that is filled in has the bytes of one that was made alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.wire import codec
from broadcasts.wire import plan as wire
from controller.db.tables import Asset, Delivery, Station
from controller.services import other_codecs, plan_document, plan_forms, wanting

NOON = datetime(2026, 3, 3, 5, tzinfo=UTC)
SOUNDS = [f"{n:064x}" for n in range(4)]


def file(sha256: str, coding: str = "opus") -> Asset:
    chunks = ["A" * 22]
    return Asset(sha256=sha256, size=9_000, codec=coding, duration_ms=5_000, chunk_size=65_536, chunks=chunks)


ASSETS = {name: file(name) for name in SOUNDS}
STATION = Station(
    id="s-1",
    area_id="c-1",
    scope="st-1",
    name='Đài "Một"',
    hours=[[300, 1260]],
    ceilings=[[300, 360, 50]],
    rules={},
    emergency_volume=90,
    volume=70,
)


def row(name: str, minute: int, sound: int = 0, **told: object) -> Delivery:
    start = NOON + timedelta(minutes=minute)
    times = {"start": start, "end": start + timedelta(seconds=5), "not_after": start + timedelta(seconds=5)}
    plain = {"priority": 3, "rank": 0, "volume": 70, "on_preempt": "resume", "late": "drop"}
    return Delivery(id=name, asset_sha256=SOUNDS[sound], **plain | times | told)


def common(**told: object) -> plan_forms.Common:
    return plan_forms.Common(**{"assets": ASSETS, "relays": {}, "others": other_codecs.NONE, "now": NOON} | told)  # type: ignore[arg-type]


def draft(shared: plan_forms.Common, pole: int, rows: Sequence[Delivery], **told: object) -> plan_forms.Draft:
    plain = {
        "unit": f"u-{pole}",
        "assignment": (f"cl-{pole}", NOON - timedelta(days=pole)),
        "station": STATION,
        "site": "ordinary",
        "scopes": ["p-94", "st-1"],
        "emergency": plan_document.Preloaded([file("e" * 64)], {"storm/vi": 0}),
        "wants": None,
        "codecs": None,
    }
    return plan_forms.Draft(shared, fit=lambda: rows, **plain | told)  # type: ignore[arg-type]


OTHER = Station(
    id="s-2",
    area_id="c-2",
    scope="st-2",
    name="Đài Hai",
    hours=[[330, 1200]],
    ceilings=[],
    rules={},
    emergency_volume=100,
    volume=50,
)
WHERE = [
    {"station": STATION},
    {"station": OTHER, "scopes": ["p-94", "st-2"], "emergency": plan_document.Preloaded([file("f" * 64)], {})},
]
CODECS = [None, ["opus"], ["mp3"]]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "minute": st.integers(0, 4),
            "sound": st.integers(0, 3),
            "priority": st.integers(1, 3),
            "rank": st.integers(0, 2),
            "volume": st.sampled_from([0, 50, 100]),
            "on_preempt": st.sampled_from([str(each) for each in wire.OnPreempt]),
            "late": st.sampled_from([str(each) for each in wire.Late]),
        }
    ),
    max_size=8,
)


@given(ROWS, st.permutations(range(8)))
def test_poles_that_play_the_same_get_what_each_would_have_got_alone(
    told: list[dict[str, Any]], order: list[int]
) -> None:
    """In whatever order their deliveries come, and however their names sort where starts are the same; beside poles of
    another station, and others that decode less."""
    shared = common(others=other_codecs.Encodings({(SOUNDS[1], "mp3"): file("d" * 64, "mp3")}))
    for pole in range(1, 13):
        rows = [row(f"d-{(order[n] * pole) % 8}-{n}-{pole}", **each) for n, each in enumerate(told)]
        one = draft(shared, pole, rows, codecs=CODECS[pole % 3], **WHERE[pole % 2])
        plan = one.plan()
        said = one.say()
        assert said.body == plan_document.body(plan)
        assert list(said.named) == [item.id for item in plan.items]
        assert wire.Plan.model_validate_json(said.body) == plan


def test_the_long_way_is_gone_once_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, built = common(), []
    original = plan_document.build
    monkeypatch.setattr(plan_document, "build", lambda *told: built.append(told[0]) or original(*told))  # type: ignore[func-returns-value]
    for pole in range(5):
        draft(shared, pole, [row(f"d-{pole}-{n}", n) for n in range(3)]).say()
    assert len(built) == 1


def test_a_unit_that_lacks_a_codec_is_told_of_no_file_that_it_cannot_play() -> None:
    given = file("f" * 64, "mp3")
    shared = common(others=other_codecs.Encodings({(SOUNDS[1], "mp3"): given}))
    rows = [row("d-1", 1, 0), row("d-2", 2, 1)]
    for codecs, names in ((["mp3"], ["d-2"]), (["opus"], ["d-1", "d-2"]), (None, ["d-1", "d-2"])):
        one = draft(shared, 1, rows, codecs=codecs)
        assert list(one.say().named) == names
        assert one.say().body == plan_document.body(one.plan())


def test_what_is_wanted_of_a_unit_and_what_is_relayed_stands_in_its_own_plan() -> None:
    shared = common(relays={("b-1", 1): {"source": "vov", "url": "", "frequency_khz": 90_000, "silence_s": 10}})
    relay = row("d-1", 1, broadcast_id="b-1", revision=1, relayed="vov")
    for one in (
        draft(shared, 1, [row("d-1", 1)]),
        draft(shared, 2, [row("d-2", 1)], wants=wanting.Wants(settings={"gain": "3"})),
        draft(shared, 3, [relay]),
    ):
        assert one.say().body == plan_document.body(one.plan())


@pytest.mark.parametrize("wrong", [{"unit": 'u","x":"'}, {"unit": "U 1"}, {"assignment": ("c 1", NOON)}])
def test_a_name_that_no_plan_can_say_is_refused_and_not_filled_in(wrong: dict[str, object]) -> None:
    shared = common()
    draft(shared, 1, [row("d-1", 1)]).say()
    with pytest.raises(ValueError, match="validation error"):
        draft(shared, 2, [row("d-2", 1)], **wrong).say()


def test_a_delivery_whose_name_would_need_an_escape_is_written_with_it() -> None:
    shared, odd = common(), 'd-"2"'
    draft(shared, 1, [row("d-1", 1)]).say()
    said = draft(shared, 2, [row(odd, 1)]).say()
    assert said.named == [odd]
    assert b'"d-\\"2\\""' in said.body


def test_a_number_that_no_plan_can_say_is_refused_for_each_pole() -> None:
    shared = common()
    for pole in (1, 2):
        with pytest.raises(ValueError, match="validation error"):
            draft(shared, pole, [row(f"d-{pole}", 1, volume=101)]).say()


def test_more_items_than_the_contract_allows_are_left_for_a_later_plan() -> None:
    shared = common()
    for pole in (1, 2):
        rows = [row(f"d-{pole}-{n:04}", n) for n in range(wire.MAX_ITEMS + 3)]
        said = draft(shared, pole, rows).say()
        assert said.named == [each.id for each in rows[: wire.MAX_ITEMS]]
        assert [item.id for item in codec.decode(wire.Plan, said.body, len(said.body)).items] == said.named
