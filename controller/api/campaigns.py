"""/api/v1: series of the law, whether they were fulfilled, and what a quarter made public."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from broadcasts.domain.campaign import Gap
from broadcasts.domain.series import MOST_TIMES, Wish
from broadcasts.domain.statutes import TEMPLATES, Template
from controller.api.deps import Caller, TheOffice
from controller.api.models import ProblemOut
from controller.api.patterns import Day, Instant
from controller.services import campaigns
from controller.services.campaigns import LONGEST_NOTE, Ahead, Proposal, preview_series
from controller.services.composing import Draft
from controller.services.office import Office
from controller.services.rights import Actor, Right
from controller.services.views import campaigns as views
from controller.services.views.campaigns import Published, Report

router = APIRouter(prefix="/api/v1")


class TemplateOut(BaseModel):
    """As `broadcasts.domain.statutes.Template`."""

    name: str
    law: str
    article: str
    binds: str
    sure: list[str]
    kind: str
    days: int
    times: int
    within_hours: int | None
    working_days: int | None
    notice_days: int
    burst: int
    pause_minutes: int
    every_minutes: int | None
    on_the_hour: bool
    day_and_night: bool

    @classmethod
    def of(cls, one: Template) -> TemplateOut:
        return cls(**{name: getattr(one, name) for name in cls.model_fields if name != "sure"}, sure=list(one.sure))


class SeriesIn(BaseModel):
    """What the template leaves open (`broadcasts.domain.series.Wish`), and what is said where."""

    model_config = ConfigDict(extra="forbid")
    template: str = Field(max_length=40)
    title: str = Field(max_length=200)
    asset: str = Field(pattern="^[0-9a-f]{64}$")
    first: Instant
    field: int = 1
    language: str = Field("vi", pattern="^(vi|km)$")
    areas: list[str] = Field(default=[], max_length=500)
    clusters: list[str] = Field(default=[], max_length=5_000)
    priority: int = 3
    text: str = Field("", max_length=20_000)
    times: list[time] = Field(default=[], max_length=MOST_TIMES)
    days: int | None = None
    every_minutes: int | None = None
    issued_at: Instant | None = None
    event_on: Day | None = None
    ends_at: Instant | None = None
    within_hours: bool = False
    spoken: bool = False
    other_forms: str = Field("", max_length=LONGEST_NOTE)
    unusual: str = Field("", max_length=2_000)
    push_now: bool = False

    def proposal(self) -> Proposal:
        draft = Draft(
            title=self.title,
            field=self.field,
            language=self.language,
            asset=self.asset,
            areas=tuple(self.areas),
            clusters=tuple(self.clusters),
            priority=self.priority,
            text=self.text,
            unusual=self.unusual,
            push_now=self.push_now,
        )
        wish = Wish(
            self.first.replace(microsecond=0),
            times=tuple(each.replace(microsecond=0, tzinfo=None) for each in self.times),
            days=self.days,
            every_minutes=self.every_minutes,
            issued_at=self.issued_at,
            event_on=self.event_on,
            ends_at=self.ends_at,
            within_hours=self.within_hours,
        )
        return Proposal(self.template, draft, wish, self.spoken, self.other_forms)


class AheadOut(BaseModel):
    starts: list[datetime]
    left_out: list[datetime]
    clusters: list[str]
    problems: list[ProblemOut]
    notes: list[ProblemOut]
    unusual: str
    """What has to be sent back as `unusual` to confirm the hours; empty where nothing is unusual."""

    @classmethod
    def of(cls, ahead: Ahead) -> AheadOut:
        strange = ahead.preview.air.unusual
        return cls(
            starts=list(ahead.series.starts),
            left_out=list(ahead.series.left_out),
            clusters=[cluster.id for cluster in ahead.preview.clusters],
            problems=[ProblemOut.of(each) for each in ahead.problems],
            notes=[ProblemOut.of(each) for each in ahead.notes],
            unusual=strange.mark if strange is not None else "",
        )


class EndIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    how: str = Field(max_length=20)
    why: str = Field(max_length=LONGEST_NOTE)


class FormsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    other_forms: str = Field("", max_length=LONGEST_NOTE)


class GapOut(BaseModel):
    """`final` is false where evidence may still come."""

    cause: str
    at: datetime | None
    day: int
    since: datetime | None
    final: bool

    @classmethod
    def of(cls, gap: Gap) -> GapOut:
        return cls(**vars(gap))


class PlayingOut(BaseModel):
    delivery: str
    start: datetime
    end: datetime
    started_at: datetime | None
    asset: str
    state: str
    verdict: str | None
    reason: str | None
    coverage: float


class PlaceOut(BaseModel):
    cluster: str
    name: str
    hamlet: str
    station: str
    status: str
    sounded: int
    open: int
    gaps: list[GapOut]
    playings: list[PlayingOut]


class CampaignOut(BaseModel):
    id: str
    template: str
    title: str
    station: str
    issued_at: datetime | None
    event_on: date | None
    ended_at: datetime | None
    ended_how: str
    ended_why: str
    other_forms: str
    broadcasts: list[str]
    status: str
    """not_fulfilled, possible, fulfilled: of its worst hamlet"""
    places: list[PlaceOut]

    @classmethod
    def of(cls, it: Report) -> CampaignOut:
        own = {name: getattr(it.campaign, name) for name in cls.model_fields if hasattr(it.campaign, name)}
        found = [(hamlet, place) for hamlet in it.hamlets for place in hamlet.places]
        return cls(
            **own,
            station=it.station,
            broadcasts=[each.id for each in it.broadcasts],
            status=it.status.name.lower(),
            places=[
                PlaceOut(
                    cluster=place.cluster.id,
                    name=place.cluster.name,
                    hamlet=hamlet.name,
                    station=hamlet.station,
                    status=place.found.status.name.lower(),
                    sounded=place.found.sounded,
                    open=place.found.open,
                    gaps=[GapOut.of(gap) for gap in place.found.gaps],
                    playings=[
                        PlayingOut(
                            delivery=row.id,
                            asset=row.asset_sha256,
                            **{name: getattr(row, name) for name in PlayingOut.model_fields if hasattr(row, name)},
                        )
                        for row in place.playings
                    ],
                )
                for hamlet, place in found
            ],
        )


class LineOut(BaseModel):
    id: str
    template: str
    title: str
    station: str


class PublishedOut(BaseModel):
    campaign: str
    title: str
    law: str
    article: str
    decided_at: datetime | None
    other_forms: str
    """Beside the loudspeakers."""
    first: datetime
    last: datetime
    times: int
    station: str
    hamlets: list[str]
    relayed: list[str]
    """Names of the stations that were relayed in it."""
    status: str

    @classmethod
    def of(cls, line: Published) -> PublishedOut:
        it = line.report
        return cls(
            campaign=it.campaign.id,
            title=it.campaign.title,
            law=it.template.law,
            article=it.template.article,
            decided_at=it.campaign.issued_at,
            other_forms=it.campaign.other_forms,
            first=line.first,
            relayed=list(line.relayed),
            last=line.last,
            times=line.times,
            station=it.station,
            hamlets=[hamlet.name for hamlet in it.hamlets],
            status=it.status.name.lower(),
        )


@router.get("/campaigns")
def every(office: TheOffice, caller: Caller) -> list[LineOut]:
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        found = views.campaigns(session, caller)
    return [LineOut(id=one.id, template=one.template, title=one.title, station=station) for one, station in found]


@router.get("/campaigns/templates")
def templates(caller: Caller) -> list[TemplateOut]:
    caller.need(Right.LOOK)
    return [TemplateOut.of(each) for each in TEMPLATES.values()]


@router.post("/campaigns/preview")
def look_ahead(office: TheOffice, caller: Caller, series: SeriesIn) -> AheadOut:
    return AheadOut.of(preview_series(office.ctx, caller, series.proposal()))


@router.post("/campaigns", status_code=201)
def create(office: TheOffice, caller: Caller, series: SeriesIn) -> CampaignOut:
    return _outcome(office, caller, campaigns.create(office.ctx, caller, series.proposal()))


@router.get("/campaigns/{campaign_id}")
def one(office: TheOffice, caller: Caller, campaign_id: str) -> CampaignOut:
    caller.need(Right.LOOK)
    return _outcome(office, caller, campaign_id)


@router.post("/campaigns/{campaign_id}/end")
def end(office: TheOffice, caller: Caller, campaign_id: str, told: EndIn) -> CampaignOut:
    campaigns.end(office.ctx, caller, campaign_id, told.how, told.why)
    return _outcome(office, caller, campaign_id)


@router.post("/campaigns/{campaign_id}/forms")
def forms(office: TheOffice, caller: Caller, campaign_id: str, told: FormsIn) -> CampaignOut:
    campaigns.note_forms(office.ctx, caller, campaign_id, told.other_forms)
    return _outcome(office, caller, campaign_id)


@router.get("/published")
def published(
    office: TheOffice,
    caller: Caller,
    year: Annotated[int, Query(ge=2000, le=2100)],
    quarter: Annotated[int, Query(ge=1, le=4)],
    area: str = "",
) -> list[PublishedOut]:
    caller.need(Right.LOOK)
    with office.ctx.db.read() as session:
        found = views.published(session, caller, year, quarter, office.ctx.clock.now(), area)
    return [PublishedOut.of(line) for line in found]


def _outcome(office: Office, caller: Actor, campaign_id: str) -> CampaignOut:
    with office.ctx.db.read() as session:
        return CampaignOut.of(views.report(session, caller, campaign_id, office.ctx.clock.now()))
