"""A station that may be relayed, and relays of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from support.services import House

from broadcasts.domain.relay import Relay
from controller.services import approving, relay_sources
from controller.services.relay_sources import Told

STREAM = Told("Đài ví dụ", "vov", url="https://phat.example.vn/vov1")
TUNER = Told("Đài tỉnh ví dụ", "province", frequency_khz=100_000)
SLOT, SILENCE = 15, 20


def a_source(house: House, by: str = "tinh", **changed: Any) -> str:
    """Its id; `STREAM` but for what is `changed`."""
    return relay_sources.add(house.ctx, house.actor(by), replace(STREAM, **changed))


def a_relay(house: House, source: str = "", minutes: int = SLOT, silence_s: int = SILENCE) -> dict[str, Any]:
    """What makes a draft a relay."""
    return {"origin": "relay", "relay": Relay(source or a_source(house), minutes, silence_s)}


def on_air(house: House, days: int = 2, **changed: Any) -> str:
    """A relay that is submitted, and approved for so many days."""
    broadcast = house.submit(**({} if "relay" in changed else a_relay(house)) | changed)
    approve(house, broadcast, house.now + timedelta(days=days))
    return broadcast


def approve(house: House, broadcast: str, until: datetime, by: str = "boss") -> None:
    approving.approve(house.ctx, house.actor(by), broadcast, house.seen(broadcast, by), until=until)
