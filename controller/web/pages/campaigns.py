"""Series of the law: choose a template, see what it makes, hand it in, watch whether it was fulfilled, end it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broadcasts.clock import VIETNAM
from broadcasts.domain.statutes import RHYTHMS
from broadcasts.errors import LoaError, Refused
from controller.services import campaigns, issue_time, sounds
from controller.services.campaigns import Proposal, preview_series, template_of
from controller.services.rights import Right
from controller.services.views import campaigns as views
from controller.services.views.campaigns import quarter_of
from controller.services.views.places import areas_by_name, places
from controller.web import series_form, series_words
from controller.web.composer import RECORDING, Composer
from controller.web.desk import AuthorDesk, AuthorForm, Desk, PersonDesk, PersonForm
from controller.web.pages.home import done_of
from controller.web.part_sounds import sounds_of
from controller.web.schedule_form import YEARS
from controller.web.schedule_words import told as told_schedule
from controller.web.series_form import SeriesForm

router = APIRouter()


@router.get("/campaigns")
def every(desk: PersonDesk) -> Response:
    desk.actor.need(Right.LOOK)
    with desk.office.ctx.db.read() as session:
        found = views.campaigns(session, desk.actor)
    return desk.page("campaigns.html", campaigns=found, laws=series_words.by_law(), done=done_of(desk))


@router.get("/campaigns/new")
def new(desk: AuthorDesk, template: str = "") -> Response:
    chosen = template_of(template)
    with desk.office.ctx.db.read() as session:
        actor = desk.actor.need(Right.COMPOSE)
        offered, chime = places(session, desk.actor, desk.today), sounds.chime_of(session, actor)
        form = series_form.fresh(chosen, actor, offered, desk.office.ctx.clock.now(), chime)
    nothing_yet: dict[str, Any] = {
        "form": form,
        "chosen": chosen,
        "ahead": None,
        "problems": [],
        "said": "",
        "looked": False,
    }
    return COMPOSER.show(desk, form, ahead=nothing_yet)


@router.post("/campaigns")
def hand_in(desk: AuthorForm) -> Response:
    form = series_form.typed(desk.posted)
    template_of(form.template)
    return COMPOSER.take(desk, form)


@router.post("/campaigns/preview")
def look(desk: AuthorForm) -> Response:
    return COMPOSER.look(desk, series_form.typed(desk.posted))


@router.get("/campaigns/{campaign_id}")
def one(desk: PersonDesk, campaign_id: str) -> Response:
    return _report(desk, campaign_id)


@router.post("/campaigns/{campaign_id}/end")
def finish(desk: PersonForm, campaign_id: str) -> Response:
    told = desk.posted
    try:
        campaigns.end(desk.office.ctx, desk.actor, campaign_id, told.get("how"), told.get("why"))
    except Refused as error:
        if error.key != "reason.missing":
            raise
        return _report(desk, campaign_id, error)
    return desk.go(f"/campaigns/{campaign_id}?done=withdrawn")


@router.post("/campaigns/{campaign_id}/forms")
def forms(desk: PersonForm, campaign_id: str) -> Response:
    told = desk.posted.get("other_forms").replace("\r\n", "\n")
    campaigns.note_forms(desk.office.ctx, desk.actor, campaign_id, told)
    return desk.go(f"/campaigns/{campaign_id}")


@router.get("/published")
def published(desk: PersonDesk) -> Response:
    year, quarter, area, lines = _quarter(desk)
    with desk.office.ctx.db.read() as session:
        areas = areas_by_name(session, desk.actor, desk.today)
    rows = series_words.cells(desk.words, lines)
    names = [line.report.campaign.id for line in lines]
    return desk.page(
        "published.html",
        year=year,
        quarter=quarter,
        area=area,
        areas=areas,
        rows=list(zip(names, rows, strict=True)),
        columns=series_words.COLUMNS,
        dated=series_words.dated,
        before=_step(year, quarter, -1),
        after=_step(year, quarter, 1),
    )


@router.get("/published.csv")
def as_table(desk: PersonDesk) -> Response:
    year, quarter, _, lines = _quarter(desk)
    headers = {"content-disposition": f'attachment; filename="cong-khai-{year}-quy-{quarter}.csv"'}
    data = series_words.as_csv(desk.words, lines)
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers | {"cache-control": "no-store"})


def _quarter(desk: Desk) -> tuple[int, int, str, list[views.Published]]:
    """Year, quarter, area, what was made public. Raises Refused("no_right", "choice.unknown", "area.unknown")."""
    desk.actor.need(Right.LOOK)
    now = desk.office.ctx.clock.now()
    told, (year, quarter) = desk.request.query_params, quarter_of(now.astimezone(VIETNAM).date())
    year, quarter = _chosen("year", told.get("year", str(year))), _chosen("quarter", told.get("quarter", str(quarter)))
    if year not in YEARS or quarter not in (1, 2, 3, 4):
        raise Refused("choice.unknown", name="quarter", value=f"{quarter}/{year}")
    with desk.office.ctx.db.read() as session:
        area = told.get("area", "")
        return year, quarter, area, views.published(session, desk.actor, year, quarter, now, area)


def _chosen(name: str, told: str) -> int:
    if not (told.isascii() and told.isdigit() and len(told) <= 4):
        raise Refused("choice.unknown", name=name, value=told[:20])
    return int(told)


def _step(year: int, quarter: int, by: int) -> tuple[int, int]:
    count = year * 4 + quarter - 1 + by
    return count // 4, count % 4 + 1


def _report(desk: Desk, campaign_id: str, error: LoaError | None = None) -> Response:
    desk.actor.need(Right.LOOK)
    now = desk.office.ctx.clock.now()
    with desk.office.ctx.db.read() as session:
        found = views.report(session, desk.actor, campaign_id, now)
    return desk.page(
        "campaign.html",
        desk.status(error) if error else 200,
        it=found,
        status_words=series_words.STATUS,
        dated=series_words.dated,
        gap_told=lambda gap: series_words.gap_told(desk.words, gap),
        error=error,
        done=done_of(desk),
    )


def _save(desk: Desk, form: SeriesForm) -> str:
    made = campaigns.create(desk.office.ctx, desk.actor, _proposal(desk, form))
    return f"/campaigns/{made}?done=submitted"


def _proposal(desk: Desk, form: SeriesForm) -> Proposal:
    """With the issue time spoken, where that was asked for. Raises Refused, and Fault where no voice speaks."""
    proposal = form.proposal(desk.office.ctx.clock.now())
    issued = proposal.wish.issued_at
    if not form.announce or issued is None:
        return proposal
    told = issue_time.spoken(desk.office.ctx, desk.actor, issued, desk.office.upload_folder)
    return replace(proposal, announced=told)


def _ahead(desk: Desk, form: SeriesForm) -> dict[str, Any]:
    """What the piece below the form shows."""
    template = template_of(form.template)
    desk.actor.need(Right.COMPOSE)
    try:
        ahead = preview_series(desk.office.ctx, desk.actor, _proposal(desk, form))
    except LoaError as error:
        return {"form": form, "chosen": template, "ahead": None, "problems": [error], "said": ""}
    said = told_schedule(desk.words, ahead.series.schedule) if ahead.series.schedule else ""
    once = {(each.key, str(each.fields)): each for each in ahead.problems}
    told = {"form": form, "chosen": template, "ahead": ahead, "problems": list(once.values()), "said": said}
    return told | sounds_of(desk, ahead.draft.parts)


COMPOSER = Composer(
    page="campaign_form.html",
    piece="_series.html",
    uploads={RECORDING: lambda form, asset: replace(form, asset=asset)},
    ahead=_ahead,
    save=_save,
    more=lambda desk, session, form: {
        "rhythms": RHYTHMS,
        "kept_sounds": sounds.offered(session, desk.actor),
        "own_chime": sounds.chime_of(session, desk.actor),
    },
)
