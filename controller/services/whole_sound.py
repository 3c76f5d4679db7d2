"""A programme to listen to in one piece, before it is handed in or decided on: its parts in order, each where it will
begin."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from broadcasts.audio.chain import OPUS
from broadcasts.audio.sequence import sequence
from broadcasts.domain.programme import MOST_PARTS, length, offsets
from broadcasts.errors import Refused
from controller.db.tables import Asset
from controller.services.context import Context
from controller.services.listening import heard_among
from controller.services.rights import Actor, Right

LONGEST = timedelta(hours=2)
"""Held in memory while it is put together: 22 MB."""
COLUMNS = 240


def playable(assets: Sequence[Asset | None]) -> bool:
    """Whether there is one sound of them."""
    there = [each for each in assets if each is not None]
    codecs = {each.codec for each in there}
    lasts = length([timedelta(milliseconds=each.duration_ms) for each in there])
    return bool(there) and len(there) == len(assets) <= MOST_PARTS and codecs == {OPUS.name} and lasts <= LONGEST


def name_of(parts: Sequence[str]) -> str:
    """The same for the same sound."""
    return hashlib.sha256("\n".join(("programme", *parts)).encode()).hexdigest()


def joined(ctx: Context, actor: Actor, parts: Sequence[str]) -> bytes:
    """Ogg Opus. Raises Refused("asset.unknown": one is not there, or none of this person's business;
    "programme.whole": too long, too many, or of another codec), Fault (the store is away)."""
    actor = actor.need(Right.LOOK)
    with ctx.db.read() as session:
        heard = heard_among(session, actor, parts)
        assets = {name: session.get(Asset, name) for name in heard}
    foreign = next((name for name in parts if assets.get(name) is None), None)
    if foreign is not None:
        raise Refused("asset.unknown", asset=foreign[:80])
    found = [asset for name in parts if (asset := assets[name]) is not None]
    if not playable(found):
        raise Refused("programme.whole")
    data = {name: ctx.audio.open(name).read_bytes() for name in heard}
    begins = offsets([timedelta(milliseconds=each.duration_ms) for each in found])
    return sequence([(data[name], at // timedelta(milliseconds=1)) for name, at in zip(parts, begins, strict=True)])


def peaks(assets: Sequence[Asset]) -> bytes:
    """Its shape, as of one recording: pairs of signed bytes."""
    lasts = [timedelta(milliseconds=each.duration_ms) for each in assets]
    begins, whole = offsets(lasts), length(lasts)
    found = bytearray()
    for column in range(COLUMNS):
        at = whole * (column + 0.5) / COLUMNS
        number = max((place for place, begin in enumerate(begins) if begin <= at), default=0)
        inside = (at - begins[number]) / lasts[number] if lasts[number] else 1.0
        pairs = len(assets[number].peaks) // 2
        place = 2 * min(pairs - 1, int(inside * pairs))
        found += assets[number].peaks[place : place + 2] if pairs and inside < 1 else b"\x00\x00"
    return bytes(found)
