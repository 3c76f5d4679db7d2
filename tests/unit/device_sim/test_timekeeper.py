"""The unit's idea of now, whatever its clock does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device_sim.events import Reading
from device_sim.timekeeper import ClockStore, Timekeeper

DEEDS = ["look", "jump", "sync", "slow", "boot", "lost", "word"]
steps = st.lists(
    st.tuples(st.integers(1, 7_200_000), st.sampled_from(DEEDS), st.integers(-(10**7), 10**7)), max_size=40
)


@given(steps)
def test_now_is_never_below_the_lower_bound_and_signed_time_always_helps(order: list[tuple[int, str, int]]) -> None:
    true, error, booted = 1_800_000_000_000, 0, 1_800_000_000_000
    store = ClockStore()
    clock = Timekeeper(store, battery=True)
    clock.boot(Reading(true, 0))
    for elapsed, deed, amount in order:
        true += elapsed
        match deed:
            case "jump":
                error += amount
            case "lost":
                error = -true
            case "word":
                clock.verified(true - abs(amount))
            case "boot":
                clock = Timekeeper(store, battery=True)
                booted = true
                clock.boot(Reading(true + error, 0))
            case "sync" | "slow":
                clock.observe(Reading(true + error, true - booted))
                clock.asked("nonce")
                true += 400 if deed == "sync" else 11_000
                reading = Reading(true + error, true - booted)
                clock.observe(reading)
                used = clock.answer("nonce", true - 200, reading)
                assert (used is None) == (deed == "slow")
                if deed == "sync":
                    assert clock.trusted
                    assert abs(clock.now - true) <= 200
                    assert clock.error_ms() == 200
        clock.observe(Reading(true + error, true - booted))
        assert clock.now >= clock.lower_ms
        assert clock.error_ms() is None or clock.trusted


def test_a_nonce_is_good_for_one_answer() -> None:
    clock = Timekeeper(ClockStore(), battery=True)
    clock.boot(Reading(1_000_000, 0))
    clock.asked("nonce")
    assert clock.answer("other", 2_000_000, Reading(1_000_100, 100)) is None
    assert clock.answer("nonce", 2_000_000, Reading(1_000_100, 100)) == 0
    assert clock.answer("nonce", 9_000_000, Reading(1_000_200, 200)) is None
    assert clock.now == 2_000_050
