"""New bulletin and edit: one form, looked ahead while it is filled in, handed in for approval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from broadcasts.domain.programme import PartKind
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Broadcast
from controller.services import kept_forms, programmes, sounds
from controller.services.approving import draft_of
from controller.services.composing import Draft, Preview, preview, schedule_of, submit
from controller.services.edit_effect import Effect, effect
from controller.services.groups import groups
from controller.services.listening import find_heard
from controller.services.previewing import without_foreign
from controller.services.relaying import usable
from controller.services.rescheduling import Extent, change, draft_for, span_of
from controller.services.rights import Right
from controller.services.views.broadcast import whole
from controller.services.views.places import places
from controller.web import schedule_words
from controller.web.airtime_words import change_lines, unusual_times
from controller.web.composer import RECORDING, Composer
from controller.web.desk import AuthorDesk, AuthorForm, Desk
from controller.web.draft_form import (
    DraftForm,
    clash_lines,
    copy_of,
    fresh,
    from_draft,
    split,
    typed,
    whole_number,
)
from controller.web.kept_form import KeepingAuthorForm
from controller.web.pages import speech
from controller.web.part_sounds import sounds_of
from controller.web.upload import Posted

router = APIRouter()


@router.get("/broadcasts/new")
def new(desk: AuthorDesk, copy: str = "", recording: str = "", language: str = "vi") -> Response:
    """`copy`: of which broadcast, as a new one. `recording`: one that was just made, in this language."""
    if (back := _kept(desk)) is not None:
        return back
    form = _copied(desk, copy) if copy else _fresh(desk)
    if recording:
        form = speech.with_recording(desk, form, recording, language)
    return composer_of(form).show(desk, form, fresh=not copy)


@router.get("/programmes/new")
def new_programme(desk: AuthorDesk) -> Response:
    form = replace(_fresh(desk), programme=True, chime="", when="once")
    return PROGRAMME.show(desk, form, fresh=True)


@router.post("/programmes/parts")
def parts(desk: AuthorForm) -> Response:
    """Only the list of parts, as a button of it left it."""
    return PARTS.look(desk, replace(typed(desk.posted), programme=True), again="recorded")


@router.get("/broadcasts/{broadcast_id}/edit")
def edit(desk: AuthorDesk, broadcast_id: str, extent: str = "", start: str = "") -> Response:
    """Of a series: `extent` and `start` say which part."""
    with desk.office.ctx.db.read() as session:
        whole(session, desk.actor.need(Right.COMPOSE), broadcast_id)
    if (back := _kept(desk, broadcast_id)) is not None:
        return back
    with desk.office.ctx.db.read() as session:
        broadcast = session.get_one(Broadcast, broadcast_id)
        if extent:
            part, actor = _part(extent, start), desk.actor.need(Right.COMPOSE)
            draft = draft_for(session, actor, broadcast_id, *part, desk.office.ctx.clock.now())
        else:
            draft = draft_of(session, broadcast, frozen=False)
        form = from_draft(draft, broadcast, extent, start)
    return composer_of(form).show(desk, form, fresh=True)


@router.post("/broadcasts")
def hand_in(desk: KeepingAuthorForm) -> Response:
    form = typed(desk.posted)
    return composer_of(form).take(desk, form)


@router.post("/broadcasts/preview")
def look(desk: AuthorForm) -> Response:
    # A script sends the button along that was pressed last: a look presses none.
    desk.posted.fields = [(name, value) for name, value in desk.posted.fields if name != "act"]
    return BULLETIN.look(desk, typed(desk.posted))


def _kept(desk: Desk, editing: str = "") -> Response | None:
    """What this person handed in when the session was over."""
    fields = kept_forms.take(desk.office.ctx, desk.actor, editing)
    if fields is None:
        return None
    form = typed(Posted(fields))
    return composer_of(form).show(desk, form, kept=True)


def _fresh(desk: Desk) -> DraftForm:
    actor = desk.actor.need(Right.COMPOSE)
    with desk.office.ctx.db.read() as session:
        offered, chime = places(session, actor, desk.today), sounds.chime_of(session, actor)
        return fresh(actor, offered, desk.office.ctx.clock.now(), chime)


def _copied(desk: Desk, broadcast_id: str) -> DraftForm:
    """Raises Refused("not_yours")."""
    with desk.office.ctx.db.read() as session:
        it = whole(session, desk.actor.need(Right.COMPOSE), broadcast_id)
        form = from_draft(draft_of(session, it.broadcast, frozen=False), it.broadcast)
    return copy_of(form, desk.office.ctx.clock.now())


def _part(extent: str, start: str) -> tuple[Extent, datetime | None]:
    """Raises Refused("choice.unknown")."""
    if extent not in set(Extent):
        raise Refused("choice.unknown", name="extent", value=extent[:20])
    try:
        found = datetime.fromisoformat(start) if start else None
    except ValueError:
        found = None
    if start and (found is None or found.tzinfo is None):
        raise Refused("choice.unknown", name="start", value=start[:40])
    return Extent(extent), found


def _revision(form: DraftForm) -> int | None:
    """None: of whichever is the newest; nonsense is of none at all."""
    return whole_number(form.revision) if form.revision else None


def _save(desk: Desk, form: DraftForm) -> str:
    draft = form.draft(desk.office.ctx.clock.now())
    if form.unread:
        raise form.unread[0]
    if form.editing:
        part = _part(form.extent or Extent.ALL, form.start)
        found = change(desk.office.ctx, desk.actor, form.editing, draft, *part, _revision(form))
    else:
        found = submit(desk.office.ctx, desk.actor, draft)
    return f"/broadcasts/{found}?done=submitted"


def _more(desk: Desk, session: Session, form: DraftForm) -> dict[str, Any]:
    actor = desk.actor.need(Right.COMPOSE)
    return {
        "spoken": [(each, find_heard(session, actor, each.asset)) for each in form.more.translations],
        "saved": groups(session, desk.actor),
        "kept_sounds": sounds.offered(session, desk.actor),
        "own_chime": sounds.chime_of(session, desk.actor),
        "known": sounds.bulletins(session, desk.actor) if form.programme else [],
        "sources": usable(session, desk.actor),
    } | speech.offered(desk, session, form)


def _ahead(desk: Desk, form: DraftForm) -> dict[str, Any]:
    draft = form.draft(desk.office.ctx.clock.now())
    span = span_of(*_part(form.extent, form.start)) if form.extent else None
    seen = preview(desk.office.ctx, desk.actor, draft, form.editing or None, span)
    told = what_comes(desk, draft, seen) | {"effect": _effect(desk, form, draft)}
    wrong = [*form.unread, *told["problems"]]
    found = {"form": form, **told, "problems": wrong}
    if not form.programme:
        return found
    with desk.office.ctx.db.read() as session:
        mine = without_foreign(session, desk.actor.need(Right.COMPOSE), draft)
        return found | {
            "steps": programmes.steps(session, mine.parts, draft.relay.slot if draft.relay else None),
            "sources": usable(session, desk.actor),
            "limit": programmes.session_limit(session, seen.clusters),
            "wrong_parts": _wrong_parts(draft, wrong),
        }


def _effect(desk: Desk, form: DraftForm, draft: Draft) -> Effect | None:
    """Of an edit. What is refused is said once, among the problems or when it is handed in."""
    if not form.editing:
        return None
    try:
        return effect(desk.office.ctx, desk.actor, form.editing, draft, *_part(form.extent or Extent.ALL, form.start))
    except LoaError:
        return None


def _wrong_parts(draft: Draft, wrong: Sequence[LoaError]) -> dict[int, LoaError]:
    """By number of the part that it is about."""
    found = {number: each for each in wrong if isinstance(number := each.fields.get("number"), int)}
    of_relay = next((each for each in wrong if each.key.startswith("relay.")), None)
    if of_relay is not None:
        found |= {number: of_relay for number, part in enumerate(draft.parts, 1) if part.kind is PartKind.RELAY}
    return found


def what_comes(desk: Desk, draft: Draft, seen: Preview) -> dict[str, Any]:
    """For `_preview.html`: author and approver are told the same, by the same template."""
    missing, wrong = split(seen.problems)
    said = schedule_words.told(desk.words, schedule_of(draft)) if seen.starts else ""
    return {
        "seen": seen,
        "missing": missing,
        "problems": wrong,
        "clashes": clash_lines(seen, draft),
        "changed": change_lines(seen.air.changes),
        "unusual": unusual_times(desk.words, seen.air.unusual) if seen.air.unusual else "",
        **sounds_of(desk, draft.parts),
        "repeats": draft.repeat != "once" or len(seen.coming) > 1,
        "repeat_words": said,
    }


BULLETIN = Composer(
    page="broadcast_form.html",
    piece="_preview.html",
    uploads={
        RECORDING: lambda form, asset: replace(form, asset=asset),
        "second_recording": lambda form, asset: replace(form, more=form.more.with_recording(asset)),
    },
    ahead=_ahead,
    save=_save,
    more=_more,
    acts=speech.acts,
)
PROGRAMME = replace(
    BULLETIN,
    page="programme_form.html",
    piece="_parts_form.html",
    uploads={
        "new_recording": lambda form, asset: replace(form, parts=form.parts.with_recording(asset)),
        "second_recording": BULLETIN.uploads["second_recording"],
    },
)


PARTS = replace(PROGRAMME, piece="_parts_answer.html")


def composer_of(form: DraftForm) -> Composer[DraftForm]:
    return PROGRAMME if form.programme else BULLETIN
