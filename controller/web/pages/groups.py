"""Saved groups of clusters: made, changed, dropped by those who write bulletins there."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.domain import polygon
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Area
from controller.services import groups
from controller.services.rights import Right
from controller.services.views.places import everywhere, places
from controller.services.views.places_on_map import held
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of

router = APIRouter()
STAYS = ("group.name", "group.there", "group.changed", "target.empty")
"""What is said beside the form; all else is a page of its own."""


@dataclass(frozen=True)
class GroupForm:
    """As typed; `id` of one that is there already."""

    id: str = ""
    name: str = ""
    area: str = ""
    clusters: frozenset[str] = frozenset()
    revision: str = ""
    """Of the group as it was opened."""


@router.get("/groups")
def every(desk: PersonDesk) -> Response:
    with desk.office.ctx.db.read() as session:
        found = groups.groups(session, desk.actor)
        names = {row.id: row.name for each in found if (row := session.get(Area, each.area_id)) is not None}
        there = {
            cluster.id: cluster.name for place in places(session, desk.actor, desk.today) for cluster in place.clusters
        }
    lines = [(each, names[each.area_id], [there[name] for name in each.clusters if name in there]) for each in found]
    return desk.page("groups.html", lines=lines, done=done_of(desk))


@router.get("/groups/new")
def new(desk: PersonDesk, shape: str = "") -> Response:
    """`shape`: with the clusters that stand in it chosen already."""
    actor = desk.actor.need(Right.COMPOSE)
    with desk.office.ctx.db.read() as session:
        chosen = frozenset(cluster.id for cluster in held(session, actor, polygon.read(shape)))
    return _form(desk, GroupForm(area=actor.area, clusters=chosen))


@router.post("/groups")
def add(desk: PersonForm) -> Response:
    return _keep(desk, None)


@router.get("/groups/{group_id}")
def one(desk: PersonDesk, group_id: str) -> Response:
    with desk.office.ctx.db.read() as session:
        row = groups.one(session, desk.actor, group_id)
        form = GroupForm(row.id, row.name, row.area_id, frozenset(row.clusters), groups.revision_of(row))
    return _form(desk, form)


@router.post("/groups/{group_id}")
def change(desk: PersonForm, group_id: str) -> Response:
    """`act`: save or drop."""
    if desk.posted.get("act") == "drop":
        groups.drop(desk.office.ctx, desk.actor, group_id)
        return desk.go("/groups?done=group_dropped")
    with desk.office.ctx.db.read() as session:
        groups.one(session, desk.actor, group_id)
    return _keep(desk, group_id)


def _keep(desk: Desk, group_id: str | None) -> Response:
    told = desk.posted
    clusters, seen = frozenset(told.all("clusters")), told.get("revision")
    form = GroupForm(group_id or "", told.get("name"), told.get("area"), clusters, seen)
    try:
        groups.keep(desk.office.ctx, desk.actor, form.name, sorted(form.clusters), form.area, group_id, seen)
    except LoaError as error:
        if error.key not in STAYS:
            raise
        return _form(desk, form, error)
    return desk.go("/groups?done=group_kept")


def _form(desk: Desk, form: GroupForm, error: LoaError | None = None) -> Response:
    actor = desk.actor.need(Right.COMPOSE)
    with desk.office.ctx.db.read() as session:
        offered = places(session, actor, desk.today)
        top = everywhere(session, actor, desk.today)
        owner = session.get(Area, top) if top else None
        owners = [(owner.id, owner.name)] if owner is not None else []
        owners += [(place.area, place.name) for place in offered if place.area in actor.areas and place.area != top]
        if not owners:
            raise Refused("not_yours")
    return desk.page(
        "group.html", desk.status(error) if error else 200, form=form, places=offered, owners=owners, error=error
    )
