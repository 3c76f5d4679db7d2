"""Clusters and their papers as a table: out, and in again after a look at what it would change."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.errors import LoaError, Refused
from controller.services import sheet_files, sheets
from controller.services.rights import Right
from controller.web.desk import Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.placer import PlacerForm
from controller.web.sheet_words import labels

router = APIRouter()
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_SHOWN = 200


@router.get("/inventory")
def ask(desk: PersonDesk) -> Response:
    desk.actor.need(Right.PLACES)
    return _page(desk)


@router.get("/inventory.csv")
def as_csv(desk: PersonDesk) -> Response:
    data = sheet_files.write_csv(sheets.COLUMNS, sheets.table(desk.office.ctx, desk.actor))
    return _file(data, "text/csv; charset=utf-8", "csv")


@router.get("/inventory.xlsx")
def as_spreadsheet(desk: PersonDesk) -> Response:
    data = sheet_files.write_spreadsheet(sheets.COLUMNS, sheets.table(desk.office.ctx, desk.actor))
    return _file(data, _SHEET, "xlsx")


@router.post("/inventory")
def bring(desk: PlacerForm) -> Response:
    try:
        if (failure := desk.posted.failures.get("table")) is not None:
            raise failure
        if "table" not in desk.posted.files:
            raise Refused("sheet.empty")
        path, name = desk.posted.files["table"]
        with path.open("rb") as file:
            data = file.read(sheet_files.MOST_BYTES + 1)
        kept = sheets.bring(desk.office.ctx, desk.actor, data, name, labels())
    except LoaError as error:
        return _page(desk, error)
    return desk.go(f"/inventory/{kept}")


@router.get("/inventory/{import_id}")
def look(desk: PersonDesk, import_id: str) -> Response:
    return _page(desk, kept=import_id, seen=sheets.look(desk.office.ctx, desk.actor, import_id))


@router.post("/inventory/{import_id}")
def take(desk: PersonForm, import_id: str) -> Response:
    try:
        sheets.take(desk.office.ctx, desk.actor, import_id, desk.posted.get("seen"))
    except LoaError as error:
        if error.key not in ("sheet.changed", "sheet.refused", "sheet.nothing"):
            raise
        return _page(desk, error, import_id, sheets.look(desk.office.ctx, desk.actor, import_id))
    return desk.go("/inventory?done=imported")


def _page(desk: Desk, error: LoaError | None = None, kept: str = "", seen: sheets.Outlook | None = None) -> Response:
    return desk.page(
        "inventory.html",
        desk.status(error) if error else 200,
        kept=kept,
        seen=seen,
        most=MOST_SHOWN,
        error=error,
        done=done_of(desk) if error is None else "",
    )


def _file(data: bytes, kind: str, ending: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="loa-clusters.{ending}"', "cache-control": "no-store"}
    return Response(data, media_type=kind, headers=headers)
