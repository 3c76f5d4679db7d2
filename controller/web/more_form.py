"""The rest of the form of a bulletin: whose it is, further languages, and targets beyond areas and clusters."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from broadcasts.clock import VIETNAM
from broadcasts.domain import polygon
from broadcasts.domain.content import Category, Origin, Translation
from broadcasts.errors import LoaError
from controller.services.composing import Draft
from controller.web.upload import Posted


@dataclass(frozen=True)
class MoreForm:
    """As typed. `second` is the language of the recording that is being added."""

    translations: tuple[Translation, ...] = ()
    second: str = ""
    second_title: str = ""
    second_text: str = ""
    origin: str = "own"
    source: str = ""
    category: str = ""
    issued: str = ""
    tags: str = ""
    groups: tuple[str, ...] = ()
    shape: str = ""
    also_later: bool = False

    ORIGINS = tuple(each for each in Origin if each is not Origin.RELAY)
    """A relay names its source (`relay_form`)."""
    CATEGORIES = tuple(Category)

    @property
    def carried(self) -> list[str]:
        """The translations, each for a hidden field."""
        return [json.dumps(vars(each), ensure_ascii=False) for each in self.translations]

    @property
    def beyond(self) -> bool:
        return bool(self.tags or self.groups or self.shape)

    @property
    def unread(self) -> list[LoaError]:
        try:
            polygon.read(self.shape)
        except LoaError as error:
            return [error]
        return []

    def values(self) -> dict[str, Any]:
        """For a Draft. What cannot be read is left out, and said in `unread`."""
        return {
            "more": self.translations,
            "origin": self.origin,
            "source": self.source,
            "category": self.category,
            "issued_at": _instant(self.issued),
            "tags": tags_of(self.tags),
            "groups": self.groups,
            "polygon": () if self.unread else polygon.read(self.shape),
            "also_later": self.also_later,
        }

    def with_recording(self, sha256: str) -> MoreForm:
        """The recording that came with the form is the one in `second`; in place of one in the same language."""
        new = Translation(self.second, sha256, self.second_title, self.second_text)
        others = tuple(each for each in self.translations if each.language != self.second)
        return replace(self, translations=(*others, new), second="", second_title="", second_text="")


NOTHING_MORE = MoreForm()


def tags_of(typed: str) -> tuple[str, ...]:
    """As typed in one line, with commas between them."""
    return tuple(tag for each in typed.split(",") if (tag := each.strip()))


def typed(posted: Posted) -> MoreForm:
    gone = set(posted.all("less"))
    told = [each for text in posted.all("more") if (each := _translation(text)) is not None]
    return MoreForm(
        translations=tuple(each for each in told if each.language not in gone),
        second=posted.get("second"),
        second_title=posted.get("second_title"),
        second_text=posted.get("second_text").replace("\r\n", "\n"),
        origin=posted.get("origin", "own"),
        source=posted.get("source"),
        category=posted.get("category"),
        issued=posted.get("issued"),
        tags=posted.get("tags"),
        groups=tuple(posted.all("groups")),
        shape=posted.get("shape"),
        also_later=posted.get("also_later") == "1",
    )


def shown(draft: Draft) -> MoreForm:
    issued = draft.issued_at.astimezone(VIETNAM).strftime("%Y-%m-%dT%H:%M") if draft.issued_at else ""
    return MoreForm(
        translations=draft.more,
        origin="own" if draft.relay else draft.origin,
        source="" if draft.relay else draft.source,
        category=draft.category,
        issued=issued,
        tags=", ".join(draft.tags),
        groups=draft.groups,
        shape=polygon.told(draft.polygon),
        also_later=draft.also_later,
    )


def _translation(text: str) -> Translation | None:
    try:
        told = json.loads(text)
        return Translation(**{name: str(told[name]) for name in ("language", "asset", "title", "text")})
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 2000 <= found.year <= 2100:
        return None
    return found.replace(tzinfo=VIETNAM) if found.tzinfo is None else found
