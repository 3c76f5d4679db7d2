"""What the forms say of relays: the part of a bulletin's form, and a line of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from broadcasts.domain.content import Origin
from broadcasts.domain.relay import USUAL_SILENCE, Relay
from controller.db.tables import RelaySource
from controller.services.previewing import Draft
from controller.services.relay_sources import Told
from controller.web.upload import Posted

USUAL_MINUTES = 30


@dataclass(frozen=True)
class RelayForm:
    """As typed. Without a `source` the bulletin is no relay."""

    source: str = ""
    minutes: str = str(USUAL_MINUTES)
    silence: str = str(USUAL_SILENCE)

    def values(self) -> dict[str, Any]:
        """For a Draft. What is no number is one that is refused in words."""
        if not self.source:
            return {}
        return {"origin": str(Origin.RELAY), "relay": Relay(self.source, _whole(self.minutes), _whole(self.silence))}


NO_RELAY = RelayForm()


def typed(posted: Posted) -> RelayForm:
    return RelayForm(
        source=posted.get("relay_source")[:40],
        minutes=posted.get("relay_minutes", str(USUAL_MINUTES)),
        silence=posted.get("relay_silence", str(USUAL_SILENCE)),
    )


def shown(draft: Draft) -> RelayForm:
    it = draft.relay
    return RelayForm(it.source, str(it.minutes), str(it.silence_s)) if it else NO_RELAY


@dataclass(frozen=True)
class SourceForm:
    """One line of the registry as typed. `megahertz` as people say it: 99,9 or 99.9."""

    name: str = ""
    kind: str = "vov"
    url: str = ""
    megahertz: str = ""
    area: str = ""

    def told(self) -> Told:
        return Told(self.name, self.kind, self.url, kilohertz(self.megahertz), self.area)


def source_form(posted: Posted) -> SourceForm:
    return SourceForm(
        name=posted.get("name"),
        kind=posted.get("kind", "vov"),
        url=posted.get("url"),
        megahertz=posted.get("megahertz"),
        area=posted.get("area")[:40],
    )


def source_typed(row: RelaySource) -> SourceForm:
    """As it would be typed."""
    return SourceForm(row.name, row.kind, row.url, megahertz(row.frequency_khz), row.area_id or "")


def kilohertz(told: str) -> int | None:
    """None where nothing was typed; 0, which no band has, for what is no number."""
    text = told.strip().replace(",", ".")
    if not text:
        return None
    whole, _, part = text.partition(".")
    fine = whole.isascii() and whole.isdigit() and len(whole) <= 3 and len(part) <= 3
    if not fine or (part and not (part.isascii() and part.isdigit())):
        return 0
    return int(whole) * 1000 + int(part.ljust(3, "0") or "0")


def megahertz(khz: int | None) -> str:
    """ "99,9"; "" where there is none."""
    return "" if khz is None else f"{khz / 1000:.3f}".rstrip("0").rstrip(".").replace(".", ",")


def _whole(text: str) -> int:
    told = text.strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 5 else -1
