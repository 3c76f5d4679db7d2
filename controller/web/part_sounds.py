"""What a page plays of a programme: each part with its shape, and the whole in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from broadcasts.domain.programme import Part, length
from controller.db.tables import Asset
from controller.services import whole_sound
from controller.services.listening import heard_among
from controller.services.rights import Right
from controller.web.desk import Desk


def sounds_of(desk: Desk, parts: Sequence[Part]) -> dict[str, Any]:
    """`recordings`: by SHA-256, of the parts that this person may hear; `whole`: none where it is no single sound, or
    not all of it may be heard."""
    names = [part.asset for part in parts]
    with desk.office.ctx.db.read() as session:
        heard = heard_among(session, desk.actor.need(Right.LOOK), names) if names else ()
        found = {name: asset for name in heard if (asset := session.get(Asset, name)) is not None}
    return {"recordings": found, "whole": _whole(names, found)}


def _whole(names: Sequence[str], found: dict[str, Asset]) -> dict[str, Any] | None:
    assets = [found[name] for name in names if name in found]
    if len(names) < 2 or len(assets) != len(names) or not whole_sound.playable(assets):
        return None
    lasts = length([timedelta(milliseconds=each.duration_ms) for each in assets])
    return {"parts": names, "peaks": whole_sound.peaks(assets), "length": lasts // timedelta(milliseconds=1)}
