"""Series in a furnished house: proposals, and evidence by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from support.services import HERE, UPLOADERS, House

from broadcasts.clock import VIETNAM
from broadcasts.domain.campaign import Status
from broadcasts.domain.series import Wish
from controller.db.tables import Delivery, Station
from controller.services import campaigns
from controller.services.campaigns import Proposal
from controller.services.views.campaigns import Report, report


def at(day: int, hour: int = 17, minute: int = 0, second: int = 0) -> datetime:
    """March 2026, in Viet Nam."""
    return datetime(2026, 3, day, hour, minute, second, tzinfo=VIETNAM)


def proposal(house: House, template: str = "democracy", *, first: datetime | None = None, **told: Any) -> Proposal:
    """Handed in at noon of 3 March; what a `Wish` knows, the rest is of the draft."""
    known = {name: told.pop(name) for name in list(told) if name in Wish.__dataclass_fields__}
    own = {name: told.pop(name) for name in ("spoken", "announced", "other_forms") if name in told}
    wish = Wish(first or at(4), **({"issued_at": house.now - timedelta(hours=1)} | known))
    return Proposal(template, house.draft(**told), wish, **({"spoken": True} | own))


def begin(house: House, template: str = "democracy", *, by: str = "author", approved: bool = True, **told: Any) -> str:
    """The id of a series that was handed in, and approved."""
    if by not in UPLOADERS:
        house.add_as(by)
    campaign = campaigns.create(house.ctx, house.actor(by), proposal(house, template, **told))
    if approved:
        house.approve(broadcast(house, campaign))
    return campaign


def broadcast(house: House, campaign: str) -> str:
    """Its first one."""
    with house.ctx.db.read() as session:
        return campaigns.broadcasts_of(session, campaign)[0].id


def told(house: House, campaign: str, by: str = "author") -> Report:
    with house.ctx.db.read() as session:
        return report(session, house.actor(by), campaign, house.now)


def statuses(house: House, campaign: str) -> list[Status]:
    """Of the hamlets, in order of their names."""
    return [hamlet.status for hamlet in told(house, campaign).hamlets]


def gaps(house: House, campaign: str) -> list[str]:
    """`Ấp mẫu 3, ngày 2: power_off`."""
    return [
        f"{hamlet.name}, ngày {gap.day}: {gap.cause}"
        for hamlet in told(house, campaign).hamlets
        for place in hamlet.places
        for gap in place.found.gaps
    ]


def settle(house: House, campaign: str, *days: int, cluster: int | None = None, only: str = "", **values: Any) -> None:
    """Deliveries of these days of March as if units had told; heard whole unless `values` say otherwise."""
    heard = {"state": "played", "verdict": "heard", "reason": None, "coverage": 1.0} | values
    query = update(Delivery).where(Delivery.broadcast_id == (only or broadcast(house, campaign)))
    if cluster is not None:
        query = query.where(Delivery.cluster_id == f"cl-{HERE}-{cluster}")
    with house.ctx.db.write() as session:
        for day in days:
            session.execute(query.where(Delivery.start >= at(day, 0), Delivery.start < at(day + 1, 0)).values(**heard))


def open_day_and_night(house: House) -> None:
    """The station's regulation allows all hours, and finds none of them unusual."""
    with house.ctx.db.write() as session:
        station = session.get_one(Station, f"s-{HERE}")
        station.hours, station.rules = [[0, 1440]], {"normal": [[0, 1440]]}
