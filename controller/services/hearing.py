"""Proof by ear: what units heard of their own sound is held against the files, in the background.

Taking in only files the envelopes away and marks their delivery (`take_in`); the step computes, outside of any
transaction, and has the delivery judged again. The rule of what an ear proves is `broadcasts.domain.ear`.
"""

from __future__ import annotations

import base64
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.audio.envelope import AssetEnvelope
from broadcasts.audio.hearing import Decision, Match, Part, Why, match
from broadcasts.audio.steadiness import is_steady
from broadcasts.clock import from_unix_ms
from broadcasts.errors import Fault, Refused
from broadcasts.wire.ear import ENVELOPE_PART_MS
from broadcasts.wire.journal import Envelope
from controller.db.tables import Asset, AssetSound, Command, Delivery, EnvelopePart, Hearing
from controller.services import evidence, other_codecs
from controller.services.clip_box import Waiting
from controller.services.context import Context
from controller.services.heard import Heard, Tally

_LOG = logging.getLogger("loa.hearing")
LOOK_AGAIN = timedelta(minutes=10)
AFTER_TROUBLE = timedelta(seconds=30)
A_TIME = 50
"""Deliveries matched before somebody else gets a turn."""
KEPT_ENVELOPES = 16
"""Of assets, in memory: a fleet plays the same few files at the same time."""
KEPT_MATCHES = 256
MOST_PARTS = 50
"""Of one play, and two for each 5 minutes of it: more is a unit gone wild, and each costs work at every look."""
CLEAN_EVERY = timedelta(hours=6)

_DUE = select(Hearing).where(Hearing.due_since.is_not(None)).order_by(Hearing.due_since).limit(A_TIME)
_PARTS = (
    select(EnvelopePart)
    .where(EnvelopePart.delivery_id == bindparam("delivery"))
    .order_by(EnvelopePart.unit_id, EnvelopePart.started_at, EnvelopePart.offset_ms, EnvelopePart.seq)
)
_COUNT = (
    select(EnvelopePart.delivery_id, func.count())
    .where(EnvelopePart.delivery_id.in_(bindparam("names", expanding=True)))
    .group_by(EnvelopePart.delivery_id)
)
_KEEP = {
    name: insert(EnvelopePart.__table__).on_conflict_do_nothing()  # type: ignore[arg-type]
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}


def take_in(session: Session, one: Heard, journal_id: str, entries: Sequence[Envelope]) -> int:
    """Envelopes that were not here before; how many were about a delivery of ours. One whose data is no envelope is
    nobody's evidence, and spoils nothing else."""
    named = {entry.item for entry in entries}
    known = {
        row.id: row
        for row in session.scalars(select(Delivery).where(Delivery.id.in_(named), Delivery.relayed.is_(None)))
    }
    room = _room(session, known)
    rows: list[dict[str, Any]] = []
    for entry in entries:
        delivery, data = known.get(entry.item), _bytes(entry.data)
        if delivery is None or not data or not evidence.served(session, one.unit, delivery):
            continue
        if room[entry.item] <= 0:
            continue
        room[entry.item] -= 1
        rows.append(
            {
                "unit_id": one.unit,
                "journal_id": journal_id,
                "seq": entry.seq,
                "delivery_id": entry.item,
                "asset_sha256": entry.asset,
                "started_at": from_unix_ms(entry.started_at),
                "offset_ms": entry.offset_ms,
                "frames": entry.frames,
                "source": str(entry.source),
                "level_dbfs": entry.level_dbfs,
                "data": data,
                "signed": one.signed,
                "received_at": one.at,
            }
        )
    if not rows:
        return 0
    session.connection().execute(_KEEP[session.get_bind().dialect.name], rows)
    for name in sorted({row["delivery_id"] for row in rows}):
        _mark(session, name, one.at)
    return len(rows)


def _room(session: Session, known: Mapping[str, Delivery]) -> dict[str, int]:
    """How many more parts of each are kept."""
    kept = {row[0]: int(row[1]) for row in session.execute(_COUNT, {"names": list(known)})}
    length = timedelta(milliseconds=ENVELOPE_PART_MS)
    return {name: MOST_PARTS + 2 * ((row.end - row.start) // length) - kept.get(name, 0) for name, row in known.items()}


def _mark(session: Session, delivery: str, at: datetime) -> Hearing:
    found = session.get(Hearing, delivery)
    if found is None:
        found = Hearing(delivery_id=delivery)
        session.add(found)
    found.due_since = at if found.due_since is None else max(at, found.due_since + timedelta(microseconds=1))
    session.flush()
    return found


@dataclass(frozen=True)
class _Due:
    """One delivery of which something new came."""

    delivery: str
    since: datetime | None
    sound: str
    parts: Sequence[EnvelopePart]


@dataclass
class Listener:
    """The step, with what it remembers from one call to the next: a loss costs nothing but time."""

    ctx: Context
    _sounds: OrderedDict[str, AssetEnvelope | None] = field(default_factory=OrderedDict)
    _matches: OrderedDict[tuple[str, tuple[Part, ...]], Match] = field(default_factory=OrderedDict)
    _clean_at: datetime | None = None

    def step(self, now: datetime) -> datetime:
        """Match what came in. Returns when to look again; whoever takes something in wakes us (`Context.hear_soon`)."""
        for waiting in self.ctx.clips.take(now):
            self._clip(waiting, now)
        self._clean(now)
        with self.ctx.db.read() as session:
            due = [self._read(session, row) for row in session.scalars(_DUE).all()]
        found: list[tuple[_Due, Match | None]] = []
        later: dict[str, list[_Due]] = {}
        for each in due:
            try:
                if each.sound not in later:
                    found.append((each, self._matched(each, now)))
                    continue
            except Fault as failure:
                _LOG.warning("the envelope of file %s could not be computed: %s", each.sound[:12], failure)
            later.setdefault(each.sound, []).append(each)
        if due:
            self._settle(found, [each for some in later.values() for each in some], now)
        if later:
            return now + AFTER_TROUBLE
        return now if len(due) == A_TIME else now + LOOK_AGAIN

    # --- envelopes

    def _read(self, session: Session, row: Hearing) -> _Due:
        sound = session.get_one(Delivery, row.delivery_id).asset_sha256
        parts = session.scalars(_PARTS, {"delivery": row.delivery_id}).all()
        firsts = other_codecs.firsts(session, {part.asset_sha256 for part in parts} - {sound})
        mine = [part for part in parts if firsts.get(part.asset_sha256, part.asset_sha256) == sound]
        return _Due(row.delivery_id, row.due_since, sound, mine)

    def _matched(self, due: _Due, now: datetime) -> Match | None:
        """None where there is nothing to match. Raises Fault."""
        began = self.ctx.wall.monotonic()
        sound = self._sound(due.sound, now) if due.parts else None
        if sound is None:
            return None
        found = _whole([self._match(due.sound, each, sound) for each in _soundings(due.parts)])
        self.ctx.measures.listened(str(found.decision), self.ctx.wall.monotonic() - began)
        return found

    def _match(self, name: str, parts: tuple[Part, ...], sound: AssetEnvelope) -> Match:
        """Good line-outs of a whole fleet hear the same."""
        known = (name, parts)
        if known not in self._matches:
            self._matches[known] = _believed(match(parts, sound), sound)
            while len(self._matches) > KEPT_MATCHES:
                self._matches.popitem(last=False)
        return self._matches[known]

    def _settle(self, found: Sequence[tuple[_Due, Match | None]], later: Sequence[_Due], now: datetime) -> None:
        """`later`: what could not be matched now goes to the end of the line, so that it holds up no other."""
        tally = Tally()
        with self.ctx.db.write() as session:
            for one in later:
                _mark(session, one.delivery, now)
            for one, said in found:
                row = session.get_one(Hearing, one.delivery)
                if row.due_since != one.since:
                    continue  # more came meanwhile: the next look takes all of it
                row.due_since = None
                if said is not None:
                    _note(row, said, one.parts, now)
                    session.flush()
                    evidence.judge_again(session, one.delivery, now, tally)

    def _sound(self, sha256: str, now: datetime) -> AssetEnvelope | None:
        """Of an asset; none where it has none. Raises Fault."""
        if sha256 in self._sounds:
            self._sounds.move_to_end(sha256)
            return self._sounds[sha256]
        with self.ctx.db.read() as session:
            kept = session.get(AssetSound, sha256)
            codec = session.get_one(Asset, sha256).codec
        found = _read(kept.envelope) if kept is not None else None
        if found is None and (kept is None or kept.envelope):
            found = self._compute(sha256, codec, now)
        self._sounds[sha256] = found
        while len(self._sounds) > KEPT_ENVELOPES:
            self._sounds.popitem(last=False)
        return found

    def _compute(self, sha256: str, codec: str, now: datetime) -> AssetEnvelope | None:
        try:
            found: AssetEnvelope | None = self.ctx.audio.envelope(sha256, codec)
        except Refused as refusal:
            _LOG.warning("asset %s has no envelope: %s", sha256[:12], refusal)
            found = None
        with self.ctx.db.write() as session:
            session.merge(AssetSound(sha256=sha256, envelope=b"" if found is None else found.to_bytes(), made_at=now))
        return found

    # --- clips

    def _clip(self, waiting: Waiting, now: datetime) -> None:
        """Ten seconds that we asked for; what nobody asked for, or asked for otherwise, is dropped unheard."""
        clip = waiting.clip
        with self.ctx.db.read() as session:
            command = session.get(Command, clip.command)
            delivery = session.get(Delivery, clip.item)
            codec = session.get_one(Asset, delivery.asset_sha256).codec if delivery is not None else ""
            sound = other_codecs.firsts(session, {clip.asset}).get(clip.asset, clip.asset)
            kept = session.get(Hearing, clip.item)
        asked = command is not None and delivery is not None and _asked_for(waiting, command, delivery, sound)
        if asked and command is not None and kept is not None and kept.clip_at is not None:
            asked = kept.clip_at < command.issued_at  # else it was matched already
        if delivery is None or not asked:
            _LOG.warning("a clip of %s that nobody asked for was dropped", clip.unit)
            self.ctx.measures.clipped("dropped")
            return
        try:
            found = self.ctx.audio.match_clip(_bytes(clip.data), sound, codec, clip.offset_ms)
        except (Refused, Fault) as failure:
            _LOG.warning("a clip of %s could not be matched: %s", clip.unit, failure)
            self.ctx.measures.clipped("dropped")
            return
        with self.ctx.db.write() as session:
            kept = session.get(Hearing, delivery.id)
            if kept is None:
                kept = Hearing(delivery_id=delivery.id)
                session.add(kept)
            kept.clip_answer, kept.clip_why = str(found.decision), str(found.why)
            kept.clip_score, kept.clip_from_ms = round(found.score, 1), clip.offset_ms
            kept.clip_source, kept.clip_signed, kept.clip_at = str(clip.source), waiting.signed, now
        self.ctx.measures.clipped(str(found.decision))

    # --- retention

    def _clean(self, now: datetime) -> None:
        """Envelopes are evidence for as long as somebody may ask; what they came to stays with the delivery."""
        if self._clean_at is not None and now < self._clean_at:
            return
        self._clean_at = now + CLEAN_EVERY
        old = EnvelopePart.received_at < now - self.ctx.ear_keep
        with self.ctx.db.write() as session:
            session.execute(delete(EnvelopePart).where(old))


def _asked_for(waiting: Waiting, command: Command, delivery: Delivery, sound: str) -> bool:
    clip, args = waiting.clip, command.args
    return (
        (command.unit_id, args.get("item"), args.get("offset_ms")) == (clip.unit, clip.item, str(clip.offset_ms))
        and sound == delivery.asset_sha256
        and command.issued_at <= waiting.at < command.expires_at + timedelta(minutes=1)
    )


def _believed(found: Match, sound: AssetEnvelope) -> Match:
    """A siren that does not match, here or there, may be the siren all the same; that nothing came is believed."""
    whole = found.decision is Decision.YES and all(each.heard for each in found.stretches)
    if whole or found.why is Why.SILENT or not is_steady(sound):
        return found
    return Match(Decision.UNKNOWN, Why.TOO_NOISY, found.score, listened_ms=found.listened_ms)


def _soundings(parts: Sequence[EnvelopePart]) -> list[tuple[Part, ...]]:
    """Parts of one sounding have begun at the same instant."""
    return [
        tuple(Part(each.offset_ms, each.frames, _text(each.data), each.level_dbfs, each.source) for each in some)
        for _, some in groupby(parts, key=lambda each: (each.unit_id, each.started_at))
    ]


def _whole(found: Sequence[Match]) -> Match:
    """Of a delivery that sounded in several pieces: what was heard of each counts together."""
    if len(found) == 1:
        return found[0]
    order = (Decision.YES, Decision.NO, Decision.UNKNOWN)
    best = min(found, key=lambda each: (order.index(each.decision), -each.listened_ms))
    told = [each for each in found if each.decision is not Decision.UNKNOWN] or list(found)
    return Match(
        best.decision,
        best.why,
        best.score,
        best.lag_ms,
        sum(each.heard_ms for each in told if each.decision is Decision.YES),
        sum(each.listened_ms for each in told),
        tuple(stretch for each in told for stretch in each.stretches),
    )


def _note(row: Hearing, found: Match, parts: Sequence[EnvelopePart], now: datetime) -> None:
    row.answer, row.why, row.score = str(found.decision), str(found.why), round(found.score, 3)
    row.heard_ms, row.listened_ms = found.heard_ms, found.listened_ms
    row.stretches = [[each.from_ms, each.to_ms, int(each.heard)] for each in found.stretches]
    row.source, row.signed, row.matched_at = parts[-1].source, all(each.signed for each in parts), now


def _read(kept: bytes) -> AssetEnvelope | None:
    """None: not computed by this version."""
    try:
        return AssetEnvelope.from_bytes(kept) if kept else None
    except ValueError:
        return None


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
