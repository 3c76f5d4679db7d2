"""The frame of every page on which something is put together for the air: one form, its recordings, its buttons, and
what it would do, shown while it is filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from fastapi.responses import Response
from sqlalchemy.orm import Session

from broadcasts.errors import LoaError
from controller.db.tables import Asset
from controller.services.library import add_recording
from controller.services.listening import find_heard
from controller.services.recordings import add_sample
from controller.services.rights import Right
from controller.services.views.places import everywhere, not_offered, places
from controller.web.desk import Desk

RECORDING = "recording"
"""The field of the form's own recording: why it was not taken is said beside it."""


class Typed(Protocol):
    @property
    def asset(self) -> str: ...
    @property
    def areas(self) -> tuple[str, ...]: ...


F = TypeVar("F", bound=Typed)


@dataclass(frozen=True)
class Composer(Generic[F]):
    """`page` is the template of the whole, `piece` of what stands below the form, with what `ahead` tells it; `more` is
    what else the page wants. `uploads`: by name of a file's field, how its recording gets into the form. `save` hands
    the form in and gives the address of what came of it; it raises LoaError."""

    page: str
    piece: str
    uploads: Mapping[str, Callable[[F, str], F]]
    ahead: Callable[[Desk, F], dict[str, Any]]
    save: Callable[[Desk, F], str]
    more: Callable[[Desk, Session, F], dict[str, Any]] = lambda desk, session, form: {}
    acts: Callable[[Composer[F], Desk, F, str], Response | None] = lambda composer, desk, form, act: None
    """What further buttons of the form do; none for a button that is not theirs."""

    def look(self, desk: Desk, form: F, *, again: str = "") -> Response:
        """Only the piece below the form. `again`: the event at which the page's script asks once more."""
        answer = desk.page(self.piece, **self.ahead(desk, form))
        if again:
            answer.headers["HX-Trigger-After-Swap"] = again
        return answer

    def take(self, desk: Desk, form: F) -> Response:
        """One form, four buttons: upload, sample and preview are for browsers without script."""
        act = desk.posted.get("act", "submit")
        for field, put in self.uploads.items():
            asset, failure = recording_of(desk, sample=act == "sample" and field == RECORDING, field=field)
            if failure is not None:
                if field == RECORDING:
                    return self.show(desk, form, recording_error=failure)
                return self.show(desk, form, error=failure)
            if asset is not None:
                form = put(form, asset.sha256)
        if (answer := self.acts(self, desk, form, act)) is not None:
            return answer
        if act != "submit":
            return self.show(desk, form)
        try:
            address = self.save(desk, form)
        except LoaError as error:
            return self.show(desk, form, error=error)
        return desk.go(address)

    def show(
        self,
        desk: Desk,
        form: F,
        *,
        error: LoaError | None = None,
        recording_error: LoaError | None = None,
        ahead: dict[str, Any] | None = None,
        **told: Any,
    ) -> Response:
        """The whole page, with everything that was typed. `ahead`: in place of a look."""
        with desk.office.ctx.db.read() as session:
            actor = desk.actor.need(Right.COMPOSE)
            offered = places(session, actor, desk.today)
            top = everywhere(session, actor, desk.today) if len(offered) > 1 else ""
            gone = not_offered(session, form.areas, offered, top)
            asset = find_heard(session, actor, form.asset)
            more = self.more(desk, session, form)
        failure = error or recording_error
        frame = {
            "form": form,
            "places": offered,
            "top": top,
            "gone": gone,
            "asset": asset,
            "error": error,
            "recording_error": recording_error,
            "max_bytes": desk.office.max_upload_bytes,
            "fresh": False,
            "kept": False,
            "looked": True,
        }
        status = desk.status(failure) if failure else 200
        below = self.ahead(desk, form) if ahead is None else ahead
        return desk.page(self.page, status, **{**frame, **more, **told, **below})


def recording_of(desk: Desk, *, sample: bool = False, field: str = RECORDING) -> tuple[Asset | None, LoaError | None]:
    """What was uploaded with this form as an asset, or why not; neither when there was no file."""
    ctx, posted = desk.office.ctx, desk.posted
    if (failure := posted.failures.get(field)) is not None:
        return None, failure
    try:
        if sample:
            return add_sample(ctx, desk.actor, desk.office.upload_folder), None
        if field in posted.files:
            path, name = posted.files[field]
            return add_recording(ctx, desk.actor, path, name), None
    except LoaError as error:
        return None, error
    return None, None
