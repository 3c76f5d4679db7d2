"""/api/v1/clusters/…: which unit serves a cluster, its papers, and the pole itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Response
from pydantic import BaseModel

from broadcasts.clock import VIETNAM, unix_ms
from controller.api.deps import Caller, TheOffice
from controller.services import hardware, placing, swapping
from controller.services.hardware import Papers
from controller.services.placing import Place
from controller.services.rights import Right
from controller.services.views.clusters import health

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

router = APIRouter(prefix="/api/v1/clusters")


class SwapIn(BaseModel):
    """`unit`: its code, typed or scanned; `seen`: the unit that stood there, "" for none; without it, whichever."""

    unit: str = ""
    seen: str | None = None
    why: str = ""
    keeps_sim: bool = False


class ReleaseIn(BaseModel):
    seen: str | None = None
    why: str = ""


class TakeDownIn(BaseModel):
    sure: bool = False
    why: str = ""


@dataclass(frozen=True)
class PlaceIn(Place):
    """`revision`: of what was changed; without it, whichever is the newest."""

    name: str = ""
    revision: str | None = None


@dataclass(frozen=True)
class NewIn(PlaceIn):
    station: str = ""


@dataclass(frozen=True)
class PapersIn(Papers):
    revision: str | None = None


def _only(kind: type[T], told: T) -> T:
    """What the services know, without what only the request says."""
    return kind(**{each.name: getattr(told, each.name) for each in fields(kind)})


@router.post("", status_code=201)
def put_up(office: TheOffice, caller: Caller, told: NewIn) -> dict[str, str]:
    return {"id": placing.put_up(office.ctx, caller, told.station, _only(Place, told))}


@router.get("/{cluster_id}/hardware")
def look(office: TheOffice, caller: Caller, cluster_id: str) -> dict[str, Any]:
    """The unit, its papers, those before it, and what somebody should look at."""
    actor, now = caller.need(Right.HEALTH), office.ctx.clock.now()
    with office.ctx.db.read() as session:
        cluster, _ = swapping.there(session, actor, cluster_id)
        unit = swapping.serving(session, cluster.id)
        papers = hardware.of_unit(session, unit) if unit is not None else None
        place = placing.place_of(cluster)
        held = health(session, actor, cluster.id, now).convergence
        concerns = hardware.warnings(session, cluster, unit, now.astimezone(VIETNAM).date())
        formers = swapping.formers(session, [cluster.id], now)
    return {
        "unit": unit,
        "papers": None if papers is None else asdict(papers),
        "papers_revision": None if papers is None else hardware.revision_of(unit or "", papers),
        "convergence": {
            "reason": held.reason,
            "since": None if held.since is None else _ms(held.since),
            "lag_s": round(held.lag(now).total_seconds()),
            "detail": held.detail,
        },
        "place": asdict(place),
        "place_revision": placing.revision_of(place),
        "concerns": [{"kind": each.key, **dict(each.told)} for each in concerns],
        "before": [
            {name: _ms(value) if isinstance(value, datetime) else value for name, value in asdict(each).items()}
            for each in formers
        ],
    }


@router.post("/{cluster_id}/swap")
def swap(office: TheOffice, caller: Caller, cluster_id: str, told: SwapIn) -> dict[str, str]:
    how: dict[str, Any] = {"why": told.why, "keeps_sim": told.keeps_sim}
    return {"unit": swapping.swap(office.ctx, caller, cluster_id, told.unit, told.seen, **how)}


@router.post("/{cluster_id}/release", status_code=204)
def release(office: TheOffice, caller: Caller, cluster_id: str, told: ReleaseIn) -> Response:
    swapping.release(office.ctx, caller, cluster_id, told.seen, why=told.why)
    return Response(status_code=204)


@router.put("/{cluster_id}/place", status_code=204)
def alter(office: TheOffice, caller: Caller, cluster_id: str, told: PlaceIn) -> Response:
    placing.alter(office.ctx, caller, cluster_id, _only(Place, told), told.revision)
    return Response(status_code=204)


@router.put("/{cluster_id}/hardware", status_code=204)
def put_papers(office: TheOffice, caller: Caller, cluster_id: str, told: PapersIn) -> Response:
    hardware.put(office.ctx, caller, cluster_id, _only(Papers, told), told.revision)
    return Response(status_code=204)


@router.post("/{cluster_id}/take-down", status_code=204)
def take_down(office: TheOffice, caller: Caller, cluster_id: str, told: TakeDownIn) -> Response:
    placing.take_down(office.ctx, caller, cluster_id, sure=told.sure, why=told.why)
    return Response(status_code=204)


def _ms(instant: datetime) -> int:
    return unix_ms(instant)
