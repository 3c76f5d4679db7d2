"""/api/v1/playings: each bulletin at each cluster with all that is known of it (R-099)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from controller.api.deps import Caller, TheOffice
from controller.api.patterns import Day, Instant
from controller.services.views.playing import Playing
from controller.services.views.playings import MOST, page

router = APIRouter(prefix="/api/v1")


@router.get("/playings")
def every(
    request: Request,
    response: Response,
    office: TheOffice,
    caller: Caller,
    first: Day,
    last: Day,
    area: str = "",
    since: Instant | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> list[Playing]:
    """Of local days, both included, at most a quarter of a year, page by page: while there is more, the header `Link`
    (RFC 8288) has the address of the next page, `rel="next"`. A page ends between two instants: it has more than
    `limit` lines only where one instant alone has, and no line stands on two pages or on none."""
    with office.ctx.db.read() as session:
        found = page(session, caller, first, last, office.ctx.clock.now(), area, since, limit)
    if found.next is not None:
        told = request.url.include_query_params(since=found.next.isoformat())
        response.headers["link"] = f'<{told.path}?{told.query}>; rel="next"'
    return list(found.lines)
