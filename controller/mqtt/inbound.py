"""Bytes from the broker to what the services understand. Nothing here raises towards the network: what is not the
contract is counted and put aside."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.exc import InterfaceError, OperationalError

from broadcasts.clock import unix_ms
from broadcasts.errors import ContractViolation, Fault
from broadcasts.wire import codec, jws, topics
from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.base import Message
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.ear import Clip
from broadcasts.wire.journal import JournalBatch
from broadcasts.wire.plan import Plan
from broadcasts.wire.status import Presence, Reported, Telemetry, Time, TimeAsk
from broadcasts.wire.topics import In, Out, ScopeTopic
from broadcasts.wire.trust import Use
from controller.db.tables import Unit
from controller.services import acknowledging, alerting, drill_lists
from controller.services.context import Context
from controller.services.heard import Bad, Heard, Tally
from controller.services.ingesting import apply
from controller.services.ports import Link

_LOG = logging.getLogger("loa.inbound")
_KNOWN = select(Unit.id, Unit.key_x, Unit.password_only).where(
    Unit.id.in_(bindparam("names", expanding=True)), Unit.revoked_at.is_(None)
)
_MODELS: dict[Out, type[Message]] = {
    Out.PRESENCE: Presence,
    Out.REPORTED: Reported,
    Out.TELEMETRY: Telemetry,
    Out.TIME_ASK: TimeAsk,
    Out.JOURNAL: JournalBatch,
    Out.CLIP: Clip,
}
MANY, OWED_S = 50, 1.0
"""When so many units tell of something at once, it is because of one thing that others are still about to do, an alert
for example: their acknowledgements, each a signature to verify, leave when it is quiet again, or after so long."""
_SOUND = f"/out/{Out.CLIP}"
_SIGNED = {Out.JOURNAL: jws.Typ.JOURNAL, Out.CLIP: jws.Typ.CLIP}


@dataclass(frozen=True)
class Received:
    """One message as it came, and when."""

    topic: str
    payload: bytes
    retained: bool
    at: datetime


class Inbound:
    """Reads batches."""

    def __init__(self, ctx: Context, link: Link, *, gathers: bool = False) -> None:
        """`gathers`: a crowd of journals is acknowledged by whoever calls `settle`; else each at once."""
        self._ctx = ctx
        self._link = link
        self._gathers = gathers
        self._owed: set[str] = set()
        """Units whose journals are safe here, and who wait to be told."""
        self._owed_since = 0.0
        self._units: dict[str, jws.PublicKey | None] = {}
        """Who may speak, and the key that must have signed its journal; none: enrolled without one."""

    def consume(self, batch: Sequence[Received]) -> tuple[Tally, list[Bad]]:
        """Verify outside, write inside one transaction, answer at once what asks for the time."""
        heard: list[Heard] = []
        bad: list[Bad] = []
        seen: dict[str, int] = {}
        self._units = self._meet(batch)
        for received in batch:
            try:
                one = self._read(received, seen)
            except ContractViolation as refused:
                bad.append(_put_aside(received, refused.reason, refused.detail))
                continue
            except (Fault, OperationalError, InterfaceError):
                raise  # ours, not the message's
            except Exception as failure:  # noqa: BLE001 - no message may stop the consumer
                _LOG.exception("a message on %s could not be read", ascii(received.topic))
                bad.append(_put_aside(received, "unreadable", type(failure).__name__))
                continue
            if one is not None:
                heard.append(one)
        tally = Tally()
        if heard or bad or seen:
            try:
                with self._ctx.db.write() as session:
                    tally = apply(session, heard, bad, seen)
            except (Fault, OperationalError, InterfaceError):
                raise  # nothing is wrong with the messages: they are tried again
            except Exception:  # noqa: BLE001 - any bug of one message
                _LOG.exception("a batch of %d could not be stored, now one by one", len(batch))
                tally = self._one_by_one(heard, bad, seen)
        if tally.outranked or tally.commands_due or tally.plays_other:
            self._ctx.wake()
        if tally.envelopes:
            self._ctx.hear_soon()
        for seconds in tally.applied:
            self._ctx.measures.applied(seconds)
        for seconds in tally.sirens:
            self._ctx.measures.siren(seconds)
        if journals := {one.unit for one in heard if isinstance(one.message, JournalBatch)}:
            if not self._owed:
                self._owed_since = self._ctx.clock.monotonic()
            self._owed |= journals
            if not self._gathers or len(self._owed) < MANY:
                self.settle(quiet=True)
        return tally, bad

    def settle(self, *, quiet: bool) -> None:
        """Acknowledge what is owed; while it is not `quiet` only what has been for long. What is never told, because we
        end, the reconciler tells: the marks say so."""
        if not self._owed or not (quiet or self._ctx.clock.monotonic() - self._owed_since >= OWED_S):
            return
        units, self._owed = self._owed, set()
        with self._ctx.db.read() as session:
            marks = [mark for mark in acknowledging.missing(session) if mark.unit_id in units]
        acknowledging.acknowledge(self._ctx, self._link, marks)

    def _one_by_one(self, heard: Sequence[Heard], bad: list[Bad], seen: dict[str, int]) -> Tally:
        """One message that no table takes must not hold up all others for ever: it is put aside."""
        total = Tally()
        for one in heard:
            try:
                with self._ctx.db.write() as session:
                    tally = apply(session, [one])
            except (Fault, OperationalError, InterfaceError):
                raise
            except Exception as failure:  # noqa: BLE001 - whatever it was, the consumer goes on
                kind = type(one.message).__name__
                bad.append(Bad(f"{one.unit}: {kind}", "unstorable", type(failure).__name__, b"", one.at))
                continue
            total.add(tally)
        try:
            with self._ctx.db.write() as session:
                tally = apply(session, [], bad, seen)
            total.add(tally)
        except (Fault, OperationalError, InterfaceError):
            raise
        except Exception:  # noqa: BLE001 - dropped rather than tried for ever
            _LOG.exception("what was put aside could not be kept: %d messages", len(bad))
        return total

    def _meet(self, batch: Sequence[Received]) -> dict[str, jws.PublicKey | None]:
        """The keys of the units that speak, as of now: a unit that was revoked is not known any more."""
        names = {received.topic.split("/")[3] for received in batch if received.topic.count("/") >= 4}
        with self._ctx.db.read() as session:
            rows = session.connection().execute(_KNOWN, {"names": list(names)})
            return {name: None if keyless else jws.PublicKey(name, x) for name, x, keyless in rows}

    def _read(self, received: Received, seen: dict[str, int]) -> Heard | None:
        address = topics.parse(received.topic)
        if isinstance(address.kind, In | ScopeTopic):
            self._own(address, received, seen)
            return None
        if not isinstance(address.kind, Out):
            return None
        if address.about not in self._units:
            if not received.payload:
                return None  # what a revoked unit had left was taken off
            raise ContractViolation("unknown_unit", address.about)
        key = self._units[address.about]
        model, limit = _MODELS[address.kind], topics.MANNERS[address.kind].max_bytes
        # What decides is how the unit was enrolled, never what the message looks like: whoever took its password, or
        # the broker, could leave a signature away.
        typ = _SIGNED.get(address.kind)
        signed = typ is not None and key is not None
        if typ is not None and key is not None:
            message = codec.unseal(model, received.payload, typ, lambda kid: key if kid == key.kid else None, limit)
        else:
            message = codec.decode(model, received.payload, limit)
        if getattr(message, "unit", None) != address.about:
            raise ContractViolation("not_for_me", "unit differs from topic")
        if isinstance(message, TimeAsk):
            if not received.retained:
                self._tell_time(message)
            return None
        if isinstance(message, Clip):
            if not received.retained:
                self._ctx.clips.put(message, signed, received.at)
                self._ctx.hear_soon()
            return None
        return Heard(address.about, message, received.at, received.retained, signed)

    def _tell_time(self, ask: TimeAsk) -> None:
        answer = Time(unit=ask.unit, nonce=ask.nonce, now=unix_ms(self._ctx.clock.now()))
        document = codec.seal(answer, jws.Typ.TIME, self._ctx.keys.signer(Use.TIME))
        manner = topics.MANNERS[In.TIME]
        self._link.publish(topics.to_unit(ask.unit, In.TIME), document, qos=manner.qos, retain=manner.retain)

    def _own(self, address: topics.Address, received: Received, seen: dict[str, int]) -> None:
        """One of our own documents, read back: only its version matters, and only when we really signed it."""
        if not received.retained or not received.payload:
            return
        if address.kind is In.PLAN:
            key = self._ctx.keys.signer(Use.PLAN).public
            plan = codec.unseal(Plan, received.payload, jws.Typ.PLAN, lambda kid: key if kid == key.kid else None)
            if plan.unit != address.about:
                raise ContractViolation("not_for_me", "unit differs from topic")
            if plan.unit in self._units:  # a database older than the unit does not know it
                seen[plan.unit] = max(plan.version, seen.get(plan.unit, 0))
        elif address.kind is ScopeTopic.ALERT:
            key = self._ctx.keys.signer(Use.ALERT).public
            document = codec.unseal(
                AlertDocument, received.payload, jws.Typ.ALERT, lambda kid: key if kid == key.kid else None
            )
            if document.scope != address.about:
                raise ContractViolation("not_for_me", "scope differs from topic")
            alerting.outrank(self._ctx, address.about, document.version, received.at)
        elif address.kind is ScopeTopic.DRILL:
            key = self._ctx.keys.signer(Use.DRILL).public
            drills = codec.unseal(
                DrillDocument, received.payload, jws.Typ.DRILL, lambda kid: key if kid == key.kid else None
            )
            if drills.scope != address.about:
                raise ContractViolation("not_for_me", "scope differs from topic")
            drill_lists.outrank(self._ctx, address.about, drills.version, received.at)


def _put_aside(received: Received, reason: str, detail: str) -> Bad:
    # Of what may be the sound of a street not a byte is kept.
    head = b"" if received.topic.endswith(_SOUND) else received.payload[:512]
    return Bad(received.topic, reason, detail, head, received.at)
