"""What names a file."""

from __future__ import annotations

from support.services import House

from controller.services import naming


def test_everything_that_a_station_uses_is_named(house: House) -> None:
    """On both engines: a handed-in draft, a plan, a delivery. Only the recording that nobody uses is loose."""
    house.on_air()
    house.compile()
    with house.ctx.db.read() as session:
        assert naming.named(session, {house.bulletin.sha256, "f" * 64}) == {house.bulletin.sha256}
