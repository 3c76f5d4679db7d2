"""The parts of a programme as typed, in order: moved, taken out and added by buttons of the form, with or without
script."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from broadcasts.domain.programme import Part, PartKind
from controller.web.upload import Posted

KINDS = tuple(kind for kind in PartKind if kind is not PartKind.RELAY)
"""What a recording can be."""
FIRST_WORDS = 8


@dataclass(frozen=True)
class PartForm:
    """`key` names it while it is moved about, so that the focus of a keyboard goes with it."""

    key: str
    kind: str
    title: str
    asset: str


@dataclass(frozen=True)
class PartsForm:
    """`told`: what the last button did, for who does not see it: (its word, the place of the part now)."""

    parts: tuple[PartForm, ...] = ()
    told: tuple[str, int] | None = None
    new_kind: str = "bulletin"
    new_title: str = ""
    new_text: str = ""
    """Typed for a voice."""

    KINDS = KINDS

    def parts_told(self) -> tuple[Part, ...]:
        """For a Draft."""
        return tuple(Part(PartKind(each.kind), each.title.strip(), each.asset) for each in self.parts)

    @property
    def relays(self) -> bool:
        return any(each.kind == PartKind.RELAY for each in self.parts)

    @property
    def main(self) -> str:
        """The recording of the bulletin that the programme is about: its first; "" where there is nothing yet."""
        first = next((each for each in self.parts if each.kind == PartKind.BULLETIN), None)
        return (first or self.parts[0]).asset if self.parts else ""

    def with_recording(self, asset: str) -> PartsForm:
        """What was made or uploaded with the form comes last, as it was described beside it; without a name, a text's
        first words are its name."""
        title = self.new_title.strip() or " ".join(self.new_text.split()[:FIRST_WORDS])[:80]
        added = replace(self, parts=(*self.parts, _part(self.new_kind, title, asset)))
        return replace(added, told=("add", len(added.parts)), new_title="", new_text="")


NO_PARTS = PartsForm()


def typed(posted: Posted) -> PartsForm:
    """As the buttons left it: `act` is "up:KEY", "down:KEY", "drop:KEY", or for what is chosen in
    `add_known` "add", or "relay": it sounds where the station that is relayed is silent; or "made": what was just
    recorded or spoken in the form."""
    columns = (posted.all("part_key"), posted.all("part_kind"), posted.all("part_title"), posted.all("part_asset"))
    parts = [PartForm(*each) for each in zip(*columns, strict=False) if each[1] in set(PartKind)]
    form = PartsForm(
        new_kind=_kind(posted.get("new_kind", "bulletin")),
        new_title=posted.get("new_title"),
        new_text=posted.get("new_text").replace("\r\n", "\n"),
    )
    act, _, key = posted.get("act").partition(":")
    told = None
    if act in ("add", "relay") and (known := posted.get("add_known")):
        kind, _, rest = known.partition(" ")
        asset, _, title = rest.partition(" ")
        parts.append(_part(str(PartKind.RELAY) if act == "relay" else _kind(kind), title, asset))
        told = ("add", len(parts))
    if act == "made" and posted.get("asset"):
        form = replace(form, parts=tuple(parts)).with_recording(posted.get("asset"))
        parts, told = list(form.parts), ("made", len(parts) + 1)
    place = next((place for place, each in enumerate(parts) if each.key == key), None)
    if place is not None and act in ("up", "down"):
        to = max(0, min(len(parts) - 1, place + (1 if act == "down" else -1)))
        parts.insert(to, parts.pop(place))
        told = (act, to + 1)
    if place is not None and act == "drop":
        parts.pop(place)
        told = (act, place + 1)
    return replace(form, parts=tuple(parts), told=told)


def shown(parts: Sequence[Part]) -> PartsForm:
    return PartsForm(tuple(_part(each.kind, each.title, each.asset) for each in parts))


def _part(kind: str, title: str, asset: str) -> PartForm:
    return PartForm(secrets.token_hex(4), str(kind), title, asset)


def _kind(told: str) -> str:
    return told if told in set(KINDS) else str(PartKind.BULLETIN)


def chime_before(parts: Sequence[Part], asset: str) -> str | None:
    """The chime of a plain bulletin, "" without one; none where it is a programme."""
    if not parts:
        return ""
    plain = len(parts) == 2 and parts[0].kind == PartKind.CHIME and parts[1] == Part(PartKind.BULLETIN, "", asset)
    return parts[0].asset if plain else None


def with_chime(chime: str, asset: str) -> tuple[Part, ...]:
    """A chime and the bulletin are two parts: the chime is fetched once for all, and each has its own evidence."""
    return (Part(PartKind.CHIME, "", chime), Part(PartKind.BULLETIN, "", asset)) if chime and asset else ()
