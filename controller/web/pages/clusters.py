"""The clusters, the worst first, and the health of one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain.content import FIRST_CLASS
from broadcasts.errors import LoaError, Refused
from controller.services import describing
from controller.services.commanding import issue
from controller.services.rights import Right
from controller.services.stations import SITES
from controller.services.views import commands, faults
from controller.services.views.clusters import FILTERS, counts, health, lines
from controller.web import live
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.pages.orders import args_of

router = APIRouter()
AT_ONCE = 100
"""Clusters on one page: the worst are on the first."""


@router.get("/clusters")
def every(desk: PersonDesk) -> Response:
    told = _lines(desk)
    rows = live.inside(desk, "_clusters.html", "/clusters", _query(desk), **told)
    return desk.page("clusters.html", live=rows, done=done_of(desk))


@router.get("/clusters/rows")
def every_rows(desk: PersonDesk) -> Response:
    return live.rows(desk, "_clusters.html", "/clusters", _query(desk), **_lines(desk))


@router.get("/clusters/live")
def every_live(desk: PersonDesk) -> Response:
    _lines(desk)
    return live.stream(desk, lambda: desk.text("_clusters.html", **_lines(desk)))


@router.get("/clusters/{cluster_id}")
def one(desk: PersonDesk, cluster_id: str) -> Response:
    return _one(desk, cluster_id)


@router.post("/clusters/{cluster_id}/commands")
def command(desk: PersonForm, cluster_id: str) -> Response:
    """`kind` and its arguments as in the contract; `sure` for a reboot."""
    kind, sure = desk.posted.get("kind"), desk.posted.get("sure") == "yes"
    try:
        issue(desk.office.ctx, desk.actor, cluster_id, kind, args_of(desk, kind), sure=sure)
    except LoaError as error:
        if error.key in ("no_right", "cluster.unknown"):
            raise
        return _one(desk, cluster_id, error)
    return desk.go(f"/clusters/{cluster_id}?done=command#commands")


@router.post("/clusters/{cluster_id}/description")
def describe(desk: PersonForm, cluster_id: str) -> Response:
    """Languages in order, tags, and from those who may: hamlet and kind of site."""
    ctx, told = desk.office.ctx, desk.posted
    desk.actor.need(Right.COMPOSE, Right.PLACES)
    with ctx.db.read() as session:
        had = describing.described(health(session, desk.actor, cluster_id, ctx.clock.now()).cluster)
    wanted = describing.Description(
        languages=tuple(one for one in told.all("languages") if one),
        tags=tuple(told.get("tags").split(",")),
        hamlet=told.get("hamlet", had.hamlet),
        site=told.get("site", had.site),
    )
    try:
        describing.describe(ctx, desk.actor, cluster_id, wanted, told.get("revision"))
    except LoaError as error:
        if error.key in ("no_right", "cluster.unknown"):
            raise
        return _one(desk, cluster_id, error, wanted)
    return desk.go(f"/clusters/{cluster_id}?done=described#description")


@router.get("/clusters/{cluster_id}/commands/rows")
def command_rows(desk: PersonDesk, cluster_id: str) -> Response:
    return live.rows(desk, "_commands.html", f"/clusters/{cluster_id}/commands", {}, commands=_said(desk, cluster_id))


@router.get("/clusters/{cluster_id}/commands/live")
def command_live(desk: PersonDesk, cluster_id: str) -> Response:
    _said(desk, cluster_id)
    return live.stream(desk, lambda: desk.text("_commands.html", commands=_said(desk, cluster_id)))


def _one(
    desk: Desk, cluster_id: str, error: LoaError | None = None, described: describing.Description | None = None
) -> Response:
    actor, now = desk.actor, desk.office.ctx.clock.now()
    with desk.office.ctx.db.read() as session:
        it = health(session, actor, cluster_id, now)
        cuts = commands.cut_by_reboot(session, cluster_id, now)
        planned = describing.planned_until(session, cluster_id, now)
        answers, troubles = faults.answers_of(session, cluster_id, now, desk.office.link_up())
    said = _said(desk, cluster_id)
    told = desk.request.query_params.get("done", "")
    return desk.page(
        "cluster.html",
        desk.status(error) if error else 200,
        it=it,
        answers=answers,
        troubles=troubles,
        may_command=it.station.area_id in actor.within(Right.COMMAND),
        may_describe=it.station.area_id in actor.within(Right.COMPOSE) | actor.within(Right.PLACES),
        may_place=it.station.area_id in actor.within(Right.PLACES),
        form=described or describing.described(it.cluster),
        revision=desk.posted.get("revision") if described else describing.revision_of(it.cluster),
        described=described,
        planned=planned,
        told_done=told == "described",
        SITES=SITES,
        LANGUAGES_SPOKEN=FIRST_CLASS,
        cuts=cuts,
        live=live.inside(desk, "_commands.html", f"/clusters/{cluster_id}/commands", {}, commands=said),
        error=error,
        done=told if told in ("command", "described") else "",
    )


def _said(desk: Desk, cluster_id: str) -> list[commands.CommandLine]:
    with desk.office.ctx.db.read() as session:
        return commands.history(session, desk.actor, cluster_id, desk.office.ctx.clock.now())


def _query(desk: Desk) -> dict[str, str]:
    told = desk.request.query_params
    return {name: told[name] for name in ("show", "from") if told.get(name)}


def _lines(desk: Desk) -> dict[str, Any]:
    desk.actor.need(Right.HEALTH)
    chosen = desk.request.query_params.get("show", "all")
    if chosen not in FILTERS:
        raise Refused("choice.unknown", name="show", value=chosen[:20])
    with desk.office.ctx.db.read() as session:
        found = lines(session, desk.actor, desk.office.ctx.clock.now())
    passing = [line for line in found if line.passes(chosen)]
    told = desk.request.query_params.get("from", "0")
    if not (told.isascii() and told.isdecimal() and len(told) <= 6):
        raise Refused("choice.unknown", name="from", value=told[:20])
    begin = min(int(told), max(0, len(passing) - 1)) // AT_ONCE * AT_ONCE
    return {
        "lines": passing[begin : begin + AT_ONCE],
        "passing": len(passing),
        "begin": begin,
        "at_once": AT_ONCE,
        "counts": counts(found),
        "chosen": chosen,
        "filters": FILTERS,
    }
