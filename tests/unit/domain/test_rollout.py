"""Who gets a new firmware next: no number of units, hours and failures makes it ask where it must not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcasts.clock import VIETNAM
from broadcasts.domain import rollout
from broadcasts.domain.rollout import (
    MOST_TRIES,
    OVER,
    Busy,
    Member,
    State,
    Terms,
    decide,
    failed_share,
    in_window,
    last_wave,
    waves_of,
    window_begins,
)

NIGHT = datetime(2027, 3, 2, 2, 0, tzinfo=VIETNAM).astimezone(UTC)
MINUTE = timedelta(minutes=1)
ANY_TIME = Terms(window=None, soak=timedelta())


def member(name: str, wave: int = 0, state: State = State.WAITING, **fields: object) -> Member:
    return Member(name, wave, state, NIGHT - timedelta(hours=1), **fields)  # type: ignore[arg-type]


def test_the_canary_goes_first_and_waves_are_shares_of_all() -> None:
    waves = waves_of("r-1", [f"u-{n}" for n in range(80)], Terms(canary=4, waves=(10, 50, 100)))
    assert [list(waves.values()).count(wave) for wave in range(4)] == [4, 4, 32, 40]
    assert waves == waves_of("r-1", [f"u-{n}" for n in reversed(range(80))], Terms(canary=4, waves=(10, 50, 100)))
    other = waves_of("r-2", [f"u-{n}" for n in range(80)], Terms(canary=4, waves=(10, 50, 100)))
    assert {u for u, w in waves.items() if not w} != {u for u, w in other.items() if not w}, "not always the same poles"


def test_a_canary_larger_than_the_fleet_takes_all_of_it() -> None:
    assert set(waves_of("r", ["a", "b"], Terms(canary=5)).values()) == {0}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"waves": (50, 10, 100)}, "waves"),
        ({"waves": (10, 50)}, "waves"),
        ({"waves": ()}, "waves"),
        ({"canary": 0}, "canary"),
        ({"per_minute": 0}, "per_minute"),
        ({"window": (60, 60)}, "window"),
        ({"window": (-1, 60)}, "window"),
        ({"most_failed": 90}, "most_failed"),
        ({"clear": timedelta(minutes=1)}, "clear"),
        ({"soak": timedelta(days=-1)}, "soak"),
        ({}, None),
    ],
)  # fmt: skip
def test_terms_that_make_no_sense_are_named(change: dict[str, object], wrong: str | None) -> None:
    assert Terms(**change).check() == wrong  # type: ignore[arg-type]


def test_a_window_may_lie_over_midnight() -> None:
    def at(hour: int) -> datetime:
        return datetime(2027, 3, 2, hour, 30, tzinfo=VIETNAM).astimezone(UTC)

    assert [in_window(at(hour), (22 * 60, 4 * 60)) for hour in (21, 22, 3, 4)] == [False, True, True, False]
    assert window_begins(at(5), (22 * 60, 4 * 60)) == datetime(2027, 3, 2, 22, 0, tzinfo=VIETNAM)
    assert window_begins(at(23), (22 * 60, 4 * 60)) == datetime(2027, 3, 3, 22, 0, tzinfo=VIETNAM)


def test_outside_its_window_it_waits_for_the_next() -> None:
    noon = NIGHT + timedelta(hours=10)
    decision = decide(Terms(), [member("a")], 0, [], {}, noon)
    assert (decision.ask, decision.again) == ((), datetime(2027, 3, 3, 1, 0, tzinfo=VIETNAM))


def test_the_next_wave_waits_for_a_person_and_for_the_soak() -> None:
    terms = Terms(window=None, soak=timedelta(hours=2))
    told = [member("a", 0, State.CONFIRMED), member("b", 1)]
    early = decide(terms, told, 0, [], {}, NIGHT)
    assert (early.ask, early.waits, early.again) == ((), False, NIGHT + timedelta(hours=1))
    assert decide(terms, told, 0, [], {}, NIGHT + timedelta(hours=1)).waits
    alone = decide(Terms(window=None, soak=timedelta(hours=2), pauses=False), told, 0, [], {}, NIGHT + 60 * MINUTE)
    assert (alone.waits, alone.opens) == (False, 1)


def test_too_many_failures_stop_it_and_few_do_not() -> None:
    good = [member(f"g-{n}", 0, State.CONFIRMED) for n in range(9)]
    one = [*good, member("bad", 0, State.FAILED, failures=1)]
    assert not decide(ANY_TIME, one, 0, [], {}, NIGHT).stops, "one of ten is the ten per cent that may be"
    assert decide(ANY_TIME, [*one, member("worse", 0, State.FAILED, failures=1)], 0, [], {}, NIGHT).stops
    two = [member("x", 0, State.FAILED, failures=1), member("y", 0, State.FAILED, failures=1)]
    assert not decide(ANY_TIME, two, 0, [], {}, NIGHT).stops, "two are no sample"


def test_a_canary_that_failed_opens_no_wave_by_itself_however_small_it_is() -> None:
    terms = Terms(window=None, soak=timedelta(), pauses=False, canary=2, least_sample=3)
    bad = [member(name, 0, State.LEFT, failures=2) for name in ("x", "y")]
    told = decide(terms, [*bad, member("next", 1)], 0, [], {}, NIGHT)
    assert (told.opens, told.waits, told.ask) == (None, True, ())
    good = [member(name, 0, State.CONFIRMED) for name in ("x", "y")]
    assert decide(terms, [*good, member("next", 1)], 0, [], {}, NIGHT).opens == 1


def test_who_does_not_answer_has_failed_and_who_is_away_waits() -> None:
    long_ago = NIGHT - rollout.ANSWER - MINUTE
    told = [
        Member("mute", 0, State.ASKED, long_ago),
        Member("away", 0, State.ASKED, long_ago, connected=False),
        Member("lost", 0, State.TRIAL, long_ago - rollout.TRIAL, connected=False),
    ]
    assert decide(ANY_TIME, told, 0, [], {}, NIGHT).silent == ("mute", "lost")


def test_a_pole_that_sounds_soon_or_just_now_is_left_alone() -> None:
    for begins, ends, asks in ((-10, 10, False), (14, 20, False), (-30, -14, False), (15, 20, True), (-30, -15, True)):
        busy = {"a": [Busy(NIGHT + begins * MINUTE, NIGHT + ends * MINUTE)]}
        assert bool(decide(ANY_TIME, [member("a")], 0, [], busy, NIGHT).ask) == asks


def test_it_is_done_when_the_last_wave_has_ended() -> None:
    told = [member("a", 3, State.CONFIRMED), member("b", 2, State.LEFT, failures=2), member("c", 1, State.GONE)]
    assert decide(Terms(least_sample=5), told, 3, [], {}, NIGHT).done


STATES = st.sampled_from(list(State))


@st.composite
def fleets(draw: st.DrawFn) -> list[Member]:
    count = draw(st.integers(0, 30))
    found = []
    for number in range(count):
        state = draw(STATES)
        failures = draw(st.integers(1, 2)) if state in (State.FAILED, State.LEFT) else draw(st.integers(0, 1))
        since = NIGHT - draw(st.integers(0, 400)) * MINUTE
        found.append(Member(f"u-{number}", draw(st.integers(0, 3)), state, since, failures, draw(st.booleans())))
    return found


TERMS = st.builds(
    Terms,
    canary=st.integers(1, 5),
    per_minute=st.integers(1, 10),
    window=st.sampled_from([None, (60, 240), (1380, 120), (600, 700)]),
    most_failed=st.integers(0, 50),
    least_sample=st.integers(1, 10),
    soak=st.sampled_from([timedelta(), timedelta(hours=1)]),
    pauses=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(
    TERMS,
    fleets(),
    st.integers(0, 3),
    st.lists(st.integers(0, 200), max_size=12),
    st.dictionaries(st.integers(0, 29), st.tuples(st.integers(-60, 60), st.integers(1, 60)), max_size=30),
    st.integers(0, 1439),
)
def test_whatever_stands_nobody_is_asked_who_must_not_be(
    terms: Terms,
    fleet: list[Member],
    wave: int,
    ago: list[int],
    sounds: dict[int, tuple[int, int]],
    minute: int,
) -> None:
    now = NIGHT + minute * MINUTE
    asked = [now - timedelta(seconds=each) for each in ago]
    busy = {f"u-{n}": [Busy(now + b * MINUTE, now + (b + lasts) * MINUTE)] for n, (b, lasts) in sounds.items()}
    decision = decide(terms, fleet, wave, asked, busy, now)
    by_name = {each.unit: each for each in fleet}
    assert len(decision.ask) + sum(at > now - MINUTE for at in asked) <= max(
        terms.per_minute, sum(at > now - MINUTE for at in asked)
    ), "never above the cap"
    if decision.ask:
        assert in_window(now, terms.window)
        bad, counted = failed_share(fleet)
        assert counted < terms.least_sample or bad * 100 <= terms.most_failed * counted
    for name in decision.ask:
        told = by_name[name]
        assert told.wave <= wave
        assert told.connected
        assert told.state in (State.WAITING, State.FAILED)
        for each in busy.get(name, ()):
            assert not each.begins - terms.clear < now < each.ends + terms.clear
    assert not (decision.done and any(each.state not in OVER for each in fleet if each.wave <= wave))
    assert decision.opens is None or wave < decision.opens <= last_wave(terms)
    assert MOST_TRIES == 2
