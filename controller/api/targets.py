"""/api/v1/groups, and what a cluster is and hears: what targets are made of."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from controller.api.deps import Caller, TheOffice
from controller.db.tables import Cluster, ClusterGroup
from controller.services import describing, groups

router = APIRouter(prefix="/api/v1")


class GroupOut(BaseModel):
    """`area` owns it; `clusters` by id."""

    id: str
    area: str
    name: str
    clusters: list[str]
    revision: str

    @classmethod
    def of(cls, group: ClusterGroup) -> GroupOut:
        return cls(
            id=group.id,
            area=group.area_id,
            name=group.name,
            clusters=group.clusters,
            revision=groups.revision_of(group),
        )


class GroupIn(BaseModel):
    """Nothing is required here, so that who has no right to ask hears that first. Without an area: the widest in which
    the caller writes; a change keeps the one it has. `revision`: of the group that is changed, as it was read; without
    it, whichever is the newest is overwritten."""

    name: str = ""
    area: str = ""
    clusters: list[str] = []
    revision: str | None = None


class HearingIn(BaseModel):
    """Languages as ISO 639 codes, in the order in which they are played. `revision`: of the description that is
    changed, as it was read; without it, whichever is the newest is overwritten."""

    languages: list[str] = []
    tags: list[str] = []
    revision: str | None = None


class DescriptionIn(HearingIn):
    """`site`: ordinary, hospital, school, pagoda. What is left out stays as it is."""

    hamlet: str | None = None
    site: str | None = None


class DescriptionOut(BaseModel):
    languages: list[str]
    tags: list[str]
    hamlet: str
    site: str
    revision: str


@router.get("/groups")
def every(office: TheOffice, caller: Caller) -> list[GroupOut]:
    with office.ctx.db.read() as session:
        return [GroupOut.of(group) for group in groups.groups(session, caller)]


@router.post("/groups", status_code=201)
def add(office: TheOffice, caller: Caller, told: GroupIn) -> GroupOut:
    return _one(office, groups.keep(office.ctx, caller, told.name, told.clusters, told.area))


@router.put("/groups/{group_id}")
def change(office: TheOffice, caller: Caller, group_id: str, told: GroupIn) -> GroupOut:
    return _one(office, groups.keep(office.ctx, caller, told.name, told.clusters, "", group_id, told.revision))


@router.post("/groups/{group_id}/drop", status_code=204)
def drop(office: TheOffice, caller: Caller, group_id: str) -> Response:
    groups.drop(office.ctx, caller, group_id)
    return Response(status_code=204)


@router.put("/clusters/{cluster_id}/hearing", status_code=204)
def hearing(office: TheOffice, caller: Caller, cluster_id: str, told: HearingIn) -> Response:
    describing.set_hearing(office.ctx, caller, cluster_id, told.languages, told.tags, told.revision)
    return Response(status_code=204)


@router.get("/clusters/{cluster_id}/description")
def as_described(office: TheOffice, caller: Caller, cluster_id: str) -> DescriptionOut:
    found, revision = describing.look(office.ctx, caller, cluster_id)
    return DescriptionOut(**{**vars(found), "revision": revision})


@router.put("/clusters/{cluster_id}/description", status_code=204)
def description(office: TheOffice, caller: Caller, cluster_id: str, told: DescriptionIn) -> Response:
    with office.ctx.db.read() as session:
        cluster = session.get(Cluster, cluster_id)
        had = describing.described(cluster) if cluster is not None else describing.Description(())
    wanted = describing.Description(
        languages=tuple(told.languages),
        tags=tuple(told.tags),
        hamlet=had.hamlet if told.hamlet is None else told.hamlet,
        site=had.site if told.site is None else told.site,
    )
    describing.describe(office.ctx, caller, cluster_id, wanted, told.revision)
    return Response(status_code=204)


def _one(office: TheOffice, group_id: str) -> GroupOut:
    with office.ctx.db.read() as session:
        return GroupOut.of(session.get_one(ClusterGroup, group_id))
