"""Units that do not decode what we make first are given the same sound in a codec of their own.

A delivery, an approval, an emergency set and an alert name the first file, whatever the units decode: its other
encodings are made of it when the first unit needs them, stand in that unit's plan in its place, and count as it when
the unit says what it holds and what it played.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.wire import alert, plan
from controller.db.tables import Asset, Encoding, UnitPlan, UnitStatus
from controller.services.library import FIRMWARE
from controller.services.plan_document import asset as wire_asset

PLAYS = ("opus", "mp3")
"""What a unit decodes that says nothing of it (CONTRACT.md, section 7)."""
SETTLES = timedelta(minutes=10)


@dataclass(frozen=True)
class Encodings:
    """Files by what they are an encoding of and by codec."""

    files: Mapping[tuple[str, str], Asset] = field(default_factory=dict)

    def given(self, document: plan.Plan, codecs: Sequence[str] | None) -> plan.Plan:
        """The plan for a unit that decodes `codecs`. What there is no encoding of yet waits for a later plan; a relay
        does not wait for its fallback."""
        foreign = [each for each in document.assets if each.codec not in (*(codecs or PLAYS), FIRMWARE)]
        if not foreign:
            return document
        own = {each.sha256: self._first(each.sha256, codecs or PLAYS) for each in foreign}
        items = []
        for item in document.items:
            instead = own.get(item.asset)
            if instead is not None:
                items.append(item.model_copy(update={"asset": instead.sha256}))
            elif item.asset not in own or item.relay is not None:
                items.append(item)
        named = {item.asset for item in items}
        files: dict[str, plan.Asset] = {}
        for each in document.assets:
            instead = own.get(each.sha256)
            if instead is not None:
                files[instead.sha256] = instead
            if each.sha256 not in own or each.sha256 in named:
                files[each.sha256] = each
        held = [instead.sha256 if (instead := own.get(name)) else name for name in document.emergency_set]
        kept = [name for name in held if name in files]
        place = {name: n for n, name in enumerate(kept)}
        names = {said: place[held[n]] for said, n in document.preloaded.items() if held[n] in place}
        changed = {"items": items, "assets": list(files.values()), "emergency_set": kept, "preloaded": names}
        return document.model_copy(update=changed)

    def _first(self, sha256: str, codecs: Sequence[str]) -> plan.Asset | None:
        found = next((self.files[sha256, codec] for codec in codecs if (sha256, codec) in self.files), None)
        return None if found is None else wire_asset(found)


NONE = Encodings()


def known(session: Session, names: Collection[str], codecs: Iterable[Sequence[str] | None]) -> Encodings:
    """The encodings of these recordings, as far as one of the units needs any: `codecs` are what they report."""
    if all(each is None for each in codecs):
        return NONE
    rows = session.execute(
        select(Encoding.asset_sha256, Encoding.codec, Asset)
        .join(Asset, Encoding.encoded_sha256 == Asset.sha256)
        .where(Encoding.asset_sha256.in_(names))
    )
    return Encodings({(sha256, codec): asset for sha256, codec, asset in rows})


def firsts(session: Session, names: Collection[str]) -> dict[str, str]:
    """Of these files, those that are an encoding of another one: of which."""
    if not names:
        return {}
    rows = session.execute(
        select(Encoding.encoded_sha256, Encoding.asset_sha256).where(Encoding.encoded_sha256.in_(names))
    )
    return {row.encoded_sha256: row.asset_sha256 for row in rows}


def same_sound(session: Session, sha256: str) -> list[str]:
    """What a plan, a set or an alert may name where this file is given out: itself, and what it is an encoding of."""
    return [sha256, *firsts(session, [sha256]).values()]


def held(session: Session, statuses: Mapping[str, UnitStatus]) -> dict[str, set[str]]:
    """By unit, what it holds; where that is an encoding, also the recording that it stands for."""
    found = {unit: set(status.held) for unit, status in statuses.items()}
    simple = [found[unit] for unit, status in statuses.items() if status.codecs is not None]
    if simple:
        of = firsts(session, set().union(*simple))
        for names in simple:
            names.update([of[name] for name in names & of.keys()])
    return found


def taught(session: Session, status: UnitStatus, codecs: Sequence[str] | None, at: datetime) -> bool:
    """Whether the unit decodes other things than it said before, and its plan was marked to name other files. One that
    says now this and now that gets another plan every `SETTLES` at most."""
    told = None if codecs is None else list(codecs)
    if status.codecs == told:
        return False
    status.codecs = told
    plans = update(UnitPlan).where(UnitPlan.unit_id == status.unit_id)
    if status.codecs_at is not None and at < status.codecs_at + SETTLES:
        later = status.codecs_at + SETTLES
        session.execute(plans.where(UnitPlan.due_again > later).values(due_again=later))
        return False
    status.codecs_at = at
    session.execute(plans.values(dirty_since=at))
    return True


def rendition(session: Session, language: str, asset: Asset) -> alert.Rendition:
    """For an alert: one document serves the units of a whole province, so it names every encoding that there is."""
    rows = session.scalars(
        select(Asset)
        .join(Encoding, Encoding.encoded_sha256 == Asset.sha256)
        .where(Encoding.asset_sha256 == asset.sha256)
        .order_by(Encoding.codec)
    )
    return alert.Rendition(language=language, asset=wire_asset(asset), also=[wire_asset(row) for row in rows] or None)
