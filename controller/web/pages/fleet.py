"""How the fleet is: all communes, one commune, one pole's past, trends; each as a file too."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import Refused
from controller.db.tables import Area
from controller.services import sheet_files
from controller.services.exporting import exported
from controller.services.history_keeping import midnight
from controller.services.rights import Right
from controller.services.views import fleet, past, trends
from controller.web import fleet_words, lanes
from controller.web.desk import Desk, PersonDesk

router = APIRouter()
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@router.get("/fleet")
def whole(desk: PersonDesk) -> Response:
    with desk.office.ctx.db.read() as session:
        found = fleet.overview(session, desk.actor, desk.office.ctx.clock.now())
    return _whole(desk, found, None, ())


@router.get("/fleet.csv")
def whole_csv(desk: PersonDesk) -> Response:
    return _overview(desk, "csv")


@router.get("/fleet.xlsx")
def whole_sheet(desk: PersonDesk) -> Response:
    return _overview(desk, "xlsx")


@router.get("/fleet/trends")
def how_it_went(desk: PersonDesk, area: str = "", by: str = "week") -> Response:
    found = _trends(desk, area, by)
    head, rows = fleet_words.trends(desk.words, found)
    shares = [
        ("sounded", lanes.columns([each.sounded / each.due if each.due else None for each in found])),
        ("availability", lanes.columns([each.there / each.known if each.known else None for each in found])),
    ]
    with desk.office.ctx.db.read() as session:
        areas = fleet.overview(session, desk.actor, desk.office.ctx.clock.now()).lines
    return desk.page(
        "fleet_trends.html", head=head, rows=rows, shares=shares, by=by, area=area, steps=trends.STEPS,
        areas=sorted(areas, key=lambda each: each.name),
    )  # fmt: skip


@router.get("/fleet/trends.csv")
def trends_csv(desk: PersonDesk, area: str = "", by: str = "week") -> Response:
    return _file(desk, "trends", area, fleet_words.trends(desk.words, _trends(desk, area, by)), "csv")


@router.get("/fleet/trends.xlsx")
def trends_sheet(desk: PersonDesk, area: str = "", by: str = "week") -> Response:
    return _file(desk, "trends", area, fleet_words.trends(desk.words, _trends(desk, area, by)), "xlsx")


@router.get("/fleet/{area_id}.csv")
def commune_csv(desk: PersonDesk, area_id: str) -> Response:
    return _commune(desk, area_id, "csv")


@router.get("/fleet/{area_id}.xlsx")
def commune_sheet(desk: PersonDesk, area_id: str) -> Response:
    return _commune(desk, area_id, "xlsx")


@router.get("/fleet/{area_id}/history.csv")
def commune_past_csv(desk: PersonDesk, area_id: str, days: int = 1, until: str = "") -> Response:
    return _file(desk, "history", area_id, _commune_past(desk, area_id, days, until), "csv")


@router.get("/fleet/{area_id}/history.xlsx")
def commune_past_sheet(desk: PersonDesk, area_id: str, days: int = 1, until: str = "") -> Response:
    return _file(desk, "history", area_id, _commune_past(desk, area_id, days, until), "xlsx")


@router.get("/fleet/{area_id}")
def one_commune(desk: PersonDesk, area_id: str) -> Response:
    with desk.office.ctx.db.read() as session:
        area, found = fleet.commune(session, desk.actor, area_id, desk.office.ctx.clock.now())
    return _whole(desk, found, area, past.SPANS)


@router.get("/clusters/{cluster_id}/history")
def one_past(desk: PersonDesk, cluster_id: str, days: int = 1, until: str = "") -> Response:
    it = _past(desk, cluster_id, days, until)
    head, rows = fleet_words.history(desk.words, it)
    last = it.end.astimezone(midnight(desk.today).tzinfo)
    return desk.page(
        "cluster_history.html", it=it, days=days, spans=past.SPANS, until=until, head=head, rows=rows[-500:],
        left_out=max(0, len(rows) - 500), lanes=fleet_words.lanes(desk.words, it),
        marks=fleet_words.marks(desk.words, it), wide=lanes.WIDE,
        before=(last - timedelta(days=days)).date().isoformat(),
    )  # fmt: skip


@router.get("/clusters/{cluster_id}/history.csv")
def past_csv(desk: PersonDesk, cluster_id: str, days: int = 1, until: str = "") -> Response:
    it = _past(desk, cluster_id, days, until)
    return _file(desk, "history", cluster_id, fleet_words.history(desk.words, it), "csv")


@router.get("/clusters/{cluster_id}/history.xlsx")
def past_sheet(desk: PersonDesk, cluster_id: str, days: int = 1, until: str = "") -> Response:
    it = _past(desk, cluster_id, days, until)
    return _file(desk, "history", cluster_id, fleet_words.history(desk.words, it), "xlsx")


def _past(desk: Desk, cluster_id: str, days: int, until: str) -> past.Past:
    begin, end = _stretch(desk, days, until)
    with desk.office.ctx.db.read() as session:
        return past.past(session, desk.actor, cluster_id, begin, end)


def _stretch(desk: Desk, days: int, until: str) -> tuple[datetime, datetime]:
    desk.actor.need(Right.HEALTH)
    if days not in past.SPANS:
        raise Refused("choice.unknown", name="days", value=str(days)[:20])
    now = desk.office.ctx.clock.now()
    end = min(now, midnight(_day(until)) + timedelta(days=1)) if until else now
    return end - timedelta(days=days), end


def _day(told: str) -> date:
    try:
        day = date.fromisoformat(told)
    except ValueError:
        raise Refused("choice.unknown", name="until", value=told[:20]) from None
    if not 2000 <= day.year <= 2100:
        raise Refused("choice.unknown", name="until", value=told[:20])
    return day


def _trends(desk: Desk, area: str, by: str) -> list[trends.Period]:
    ctx = desk.office.ctx
    with ctx.db.read() as session:
        return list(trends.trends(session, desk.actor, area, by, ctx.clock.now(), ctx.history_keep))


def _whole(desk: Desk, found: fleet.Overview, area: Area | None, spans: tuple[int, ...]) -> Response:
    return desk.page("fleet.html", it=found, area=area, percent=fleet_words.percent, spans=spans)


def _commune(desk: Desk, area_id: str, kind: str) -> Response:
    with desk.office.ctx.db.read() as session:
        _, found = fleet.commune(session, desk.actor, area_id, desk.office.ctx.clock.now())
    return _file(desk, "commune", area_id, fleet_words.overview(desk.words, found), kind)


def _commune_past(desk: Desk, area_id: str, days: int, until: str) -> fleet_words.Table:
    """Of every pole of the commune, pole after pole."""
    begin, end = _stretch(desk, days, until)
    with desk.office.ctx.db.read() as session:
        _, found = fleet.commune(session, desk.actor, area_id, end)
        pasts = [past.past(session, desk.actor, line.id, begin, end) for line in found.lines]
    return fleet_words.histories(desk.words, sorted(pasts, key=lambda it: (it.cluster.name, it.cluster.id)))


def _overview(desk: Desk, kind: str) -> Response:
    with desk.office.ctx.db.read() as session:
        found = fleet.overview(session, desk.actor, desk.office.ctx.clock.now())
    return _file(desk, "fleet", desk.actor.area, fleet_words.overview(desk.words, found), kind)


def _file(desk: Desk, what: str, about: str, table: fleet_words.Table, kind: str) -> Response:
    head, rows = table
    write = sheet_files.write_csv if kind == "csv" else sheet_files.write_spreadsheet
    data = write(head, rows)
    exported(desk.office.ctx, desk.actor, what, about or desk.actor.area, kind, len(rows))
    name = f'attachment; filename="loa-{what}-{desk.today.isoformat()}.{kind}"'
    return Response(data, media_type=_TYPES[kind], headers={"content-disposition": name, "cache-control": "no-store"})
