"""One order to many clusters: asked, shown in numbers before it leaves, followed, taken back."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain.command_life import State
from broadcasts.errors import LoaError
from broadcasts.wire.status import CommandKind
from controller.services import command_orders, csv_table
from controller.services.rights import Right
from controller.services.targets import Target
from controller.services.views import command_orders as views
from controller.services.views import faults
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()
KINDS = tuple(kind for kind in CommandKind if kind is not CommandKind.OTHER)
_ARGS = {"amplifier": ("power",), "volume": ("percent", "minutes")}
MOST_SAVED = 100_000


def args_of(desk: Desk, kind: str) -> dict[str, str]:
    return {name: desk.posted.get(name) for name in _ARGS.get(kind, ()) if desk.posted.get(name)}


@router.get("/orders")
def every(desk: PersonDesk) -> Response:
    return _list(desk)


@router.post("/orders")
def ask(desk: PersonForm) -> Response:
    """`kind`, its arguments, `area`, `tags`; without `count` it is only shown what it would come to."""
    desk.actor.need(Right.COMMAND)
    posted, ctx = desk.posted, desk.office.ctx
    kind, where = posted.get("kind"), _where(desk)
    told = posted.get("count")
    count = int(told) if told.isascii() and told.isdigit() and len(told) < 7 else None
    try:
        if posted.get("sure") != "yes":
            reach = command_orders.look(ctx, desk.actor, kind, where)
            return desk.page("order_confirm.html", reach=reach, form=posted, args=args_of(desk, kind))
        name = command_orders.issue(
            ctx, desk.actor, kind, where, args_of(desk, kind), count=-1 if count is None else count, sure=True,
            reason=posted.get("reason"),
        )  # fmt: skip
    except LoaError as error:
        if error.key == "no_right":
            raise
        return _list(desk, error)
    return desk.go(f"/orders/{name}?done=ordered")


@router.get("/orders/{order_id}")
def one(desk: PersonDesk, order_id: str) -> Response:
    shown = desk.request.query_params.get("state", "")
    with desk.office.ctx.db.read() as session:
        it = views.one(session, desk.actor, order_id, desk.office.ctx.clock.now(), shown)
    return desk.page("order.html", it=it, states=list(State), done=done_of(desk))


@router.get("/orders/{order_id}/executions.csv")
def saved(desk: PersonDesk, order_id: str) -> Response:
    with desk.office.ctx.db.read() as session:
        it = views.one(session, desk.actor, order_id, desk.office.ctx.clock.now(), most=MOST_SAVED)
    words = desk.words
    head = [desk.words.t(f"order.column.{name}") for name in ("cluster", "unit", "state", "sent", "answered", "answer")]
    rows = [
        [
            each.cluster, each.command.unit_id, words.t(f"command.state.{each.state}"),
            words.when(each.command.sent_at) if each.command.sent_at else "",
            words.when(each.command.answered_at) if each.command.answered_at else "",
            words.answer(each.command.detail) if each.command.detail else "",
        ]
        for each in it.executions
    ]  # fmt: skip
    headers = {"content-disposition": f'attachment; filename="lenh-{order_id}.csv"', "cache-control": "no-store"}
    return Response(csv_table.sheet(head, rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/orders/{order_id}/cancel")
def cancel(desk: PersonForm, order_id: str) -> Response:
    command_orders.cancel(desk.office.ctx, desk.actor, order_id)
    return desk.go(f"/orders/{order_id}?done=order_cancelled")


def _where(desk: Desk) -> Target:
    posted = desk.posted
    tags = tuple(tag for tag in (each.strip() for each in posted.get("tags").split(",")) if tag)
    clusters = tuple(name for name in posted.get("clusters").split() if name)
    # A tag or a list narrows nothing: where one is told, the area is not meant besides.
    area = posted.get("area")
    return Target(areas=(area,) if area and not (tags or clusters) else (), tags=tags, clusters=clusters)


def _list(desk: Desk, error: LoaError | None = None) -> Response:
    now = desk.office.ctx.clock.now()
    desk.actor.need(Right.HEALTH)
    may = desk.actor.may(Right.COMMAND)
    with desk.office.ctx.db.read() as session:
        found = views.lines(session, desk.actor, now)
        areas = faults.places(session, desk.actor)[0] if may else []
    return desk.page(
        "orders.html", desk.status(error) if error else 200, lines=found, areas=areas, kinds=KINDS, may=may,
        error=error, form=desk.posted, done=done_of(desk),
    )  # fmt: skip
