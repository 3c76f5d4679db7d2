"""One delivery: why it came to its verdict, and what the ear at the pole says of it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError
from controller.services import clipping
from controller.services.rights import Right
from controller.services.views import ears
from controller.services.views.why import chain
from controller.web import live
from controller.web.chain_words import sentence
from controller.web.desk import Desk, PersonDesk, PersonForm

router = APIRouter()


@router.get("/deliveries/{delivery_id}")
def why(desk: PersonDesk, delivery_id: str) -> Response:
    return _page(desk, delivery_id)


@router.get("/deliveries/{delivery_id}/rows")
def ear_rows(desk: PersonDesk, delivery_id: str) -> Response:
    return live.rows(desk, "_ear.html", f"/deliveries/{delivery_id}", {}, ear=_ear(desk, delivery_id))


@router.get("/deliveries/{delivery_id}/live")
def ear_live(desk: PersonDesk, delivery_id: str) -> Response:
    _ear(desk, delivery_id)
    return live.stream(desk, lambda: desk.text("_ear.html", ear=_ear(desk, delivery_id)))


@router.post("/deliveries/{delivery_id}/clip")
def clip(desk: PersonForm, delivery_id: str) -> Response:
    """Ten seconds of sound for a machine to compare; nobody can listen to them."""
    try:
        clipping.ask(desk.office.ctx, desk.actor, delivery_id)
    except LoaError as error:
        if error.key in ("no_right", "not_yours"):
            raise
        return _page(desk, delivery_id, error)
    return desk.go(f"/deliveries/{delivery_id}?done=clip#ear")


def _page(desk: Desk, delivery_id: str, error: LoaError | None = None) -> Response:
    desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        it = chain(session, desk.actor, delivery_id)
    told = [(step.at, sentence(desk.words, step)) for step in it.steps]
    return desk.page(
        "delivery.html",
        desk.status(error) if error else 200,
        delivery=it.delivery,
        it=it,
        told=told,
        cluster=it.cluster,
        live=live.inside(desk, "_ear.html", f"/deliveries/{delivery_id}", {}, ear=_ear(desk, delivery_id)),
        done="clip" if desk.request.query_params.get("done") == "clip" else "",
        error=error,
    )


def _ear(desk: Desk, delivery_id: str) -> ears.EarPage:
    with desk.office.ctx.db.read() as session:
        return ears.of(session, desk.actor, delivery_id, desk.office.ctx.clock.now())
