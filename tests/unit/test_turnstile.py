"""Who is one address where nobody has to say who they are."""

from __future__ import annotations

import pytest
from support.services import raises

from broadcasts.clock import SystemClock
from broadcasts.errors import Refused
from controller.services.turnstile import Turnstile, place_of


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("x" * 100, "x" * 45),
        ("", ""),
    ],
)
def test_of_a_long_address_the_half_that_the_network_gave_counts(address: str, place: str) -> None:
    assert place_of(address) == place


def test_who_changes_the_other_half_is_still_the_same() -> None:
    gate, clock = Turnstile(most=3), _Still()
    for number in range(3):
        gate.enter(place_of(f"2001:db8::{number}"), clock)
    with raises(Refused, "enrolment.too_often"):
        gate.enter(place_of("2001:db8::ffff:9"), clock)
    gate.enter(place_of("2001:db8:0:1::9"), clock)


class _Still(SystemClock):
    def monotonic(self) -> float:
        return 0.0
