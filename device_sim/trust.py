"""The door for everything signed: who said it, is it for us, is it newer. CONTRACT.md, section 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from broadcasts.errors import ContractViolation
from broadcasts.wire import topics
from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.codec import unseal
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import PublicKey, Typ, digest, key_name
from broadcasts.wire.plan import MAX_AHEAD_MS, VALID_AFTER_HORIZON_MS, Plan
from broadcasts.wire.status import Command, RefusalReason, Time
from broadcasts.wire.topics import Address, In
from broadcasts.wire.trust import Trust

WAITING_DOCUMENTS = 48
WAITING_BYTES = 256 * 1024
REMEMBERED = 256
"""Refused documents known by their hash: a replayed frame costs one hash, not one signature."""

_REASONS = {
    "oversized": RefusalReason.TOO_LARGE,
    "malformed": RefusalReason.MALFORMED,
    "unknown_version": RefusalReason.MALFORMED,
    "empty": RefusalReason.MALFORMED,
    "not_signed": RefusalReason.BAD_SIGNATURE,
    "bad_header": RefusalReason.BAD_SIGNATURE,
    "bad_signature": RefusalReason.BAD_SIGNATURE,
    "key_not_trusted": RefusalReason.KEY_NOT_TRUSTED,
}


@dataclass
class DocumentStore:
    """What is on the disk: the documents that stand."""

    trust: Trust | None = None
    plan: Plan | None = None
    plan_hash: str | None = None
    alerts: dict[str, AlertDocument] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    document: str
    reason: RefusalReason
    version: int | None = None


Signed = Trust | Plan | AlertDocument | JournalAck | Command | Time


_M = TypeVar("_M", Plan, JournalAck, Command, Time)


class _No(Exception):
    def __init__(self, reason: RefusalReason, version: int | None = None) -> None:
        self.reason, self.version = reason, version


class Door:
    def __init__(self, store: DocumentStore, unit: str, root: PublicKey) -> None:
        self._store = store
        self._unit = unit
        self._root = root
        self._waiting: dict[str, bytes] = {}
        """Topic to the last payload that may become right with a newer trust document, a plan, or the time."""
        self._bad: dict[str, None] = {}

    def admit(self, topic: str, payload: bytes, now: int, trusted: bool) -> Signed | Refused | None:
        """The verified message, applied to the store when it is a document; a refusal; none when there is nothing to
        do (known, not ours, an empty payload)."""
        try:
            address = topics.parse(topic)
        except ContractViolation:
            return None
        if not payload or not self._concerns(address, payload):
            return None
        name = digest(payload)
        if name in self._bad or name == self._store.plan_hash:
            return None
        try:
            return self._read(address, payload, name, now, trusted)
        except ContractViolation as failure:
            reason, version = _REASONS.get(failure.reason, RefusalReason.MALFORMED), None
        except _No as no:
            reason, version = no.reason, no.version
        if reason is RefusalReason.KEY_NOT_TRUSTED:
            self._wait(topic, payload)
            if self._store.trust is None:
                return None
        if len(self._bad) >= REMEMBERED:
            del self._bad[next(iter(self._bad))]
        self._bad[name] = None
        return Refused(_name(address), reason, version)

    def again(self) -> list[tuple[str, bytes]]:
        """After a new trust document, a new plan or trusted time: what waited for it."""
        waiting, self._waiting = list(self._waiting.items()), {}
        self._bad.clear()
        return waiting

    def _concerns(self, address: Address, payload: bytes) -> bool:
        match address.kind:
            case None:
                return address.topic == topics.TRUST
            case In():
                return address.about == self._unit
            case topics.ScopeTopic.ALERT:
                plan = self._store.plan
                if plan is None:
                    self._wait(address.topic, payload)
                    return False
                return address.about in plan.policy.scopes
        return False

    def _wait(self, topic: str, payload: bytes) -> None:
        used = sum(map(len, self._waiting.values()))
        if topic in self._waiting or (len(self._waiting) < WAITING_DOCUMENTS and used + len(payload) <= WAITING_BYTES):
            self._waiting[topic] = payload

    def _read(self, address: Address, payload: bytes, name: str, now: int, trusted: bool) -> Signed | None:
        match address.kind:
            case None:
                return self._trust(payload, now, trusted)
            case In.PLAN:
                return self._plan(address.topic, payload, name, now, trusted)
            case In.JOURNAL_ACK:
                ack = unseal(JournalAck, payload, Typ.JOURNAL_ACK, self._keys(Typ.JOURNAL_ACK, now), _most(address))
                return self._ours(ack)
            case In.COMMAND:
                return self._command(address.topic, payload, now, trusted)
            case In.TIME:
                return self._time(payload)
            case topics.ScopeTopic.ALERT:
                return self._alert(address.about, payload, now, trusted)
        return None

    def _trust(self, payload: bytes, now: int, trusted: bool) -> Trust | None:
        held = self._store.trust
        trust = unseal(
            Trust, payload, Typ.TRUST, lambda kid: self._root if kid == self._root.kid else None,
            topics.TRUST_MANNER.max_bytes,
        )  # fmt: skip
        if held is not None and trust.version == held.version:
            return None
        if held is not None and trust.version < held.version:
            raise _No(RefusalReason.OLDER, trust.version)
        if trusted and max(trust.version, trust.issued_at) > now + MAX_AHEAD_MS:
            raise _No(RefusalReason.FAR_FUTURE, trust.version)
        self._store.trust = trust
        return trust

    def _plan(self, topic: str, payload: bytes, name: str, now: int, trusted: bool) -> Plan | None:
        held = self._store.plan
        plan = self._ours(unseal(Plan, payload, Typ.PLAN, self._keys(Typ.PLAN, now), _most(In.PLAN)))
        if held is not None and plan.version == held.version:
            return None
        if held is not None and plan.version < held.version:
            raise _No(RefusalReason.OLDER, plan.version)
        if max(plan.version, plan.issued_at) > now + MAX_AHEAD_MS:
            if not trusted:
                self._wait(topic, payload)
                return None
            raise _No(RefusalReason.FAR_FUTURE, plan.version)
        if plan.horizon_end + VALID_AFTER_HORIZON_MS <= now:
            raise _No(RefusalReason.EXPIRED, plan.version)
        self._store.plan, self._store.plan_hash = plan, name
        return plan

    def _command(self, topic: str, payload: bytes, now: int, trusted: bool) -> Command | None:
        """Without trusted time nobody can say whether it has expired: it waits."""
        command = self._ours(unseal(Command, payload, Typ.COMMAND, self._keys(Typ.COMMAND, now), _most(In.COMMAND)))
        if not trusted:
            self._wait(topic, payload)
            return None
        if max(command.seq, command.issued_at) > now + MAX_AHEAD_MS:
            raise _No(RefusalReason.FAR_FUTURE, command.seq)
        return command

    def _alert(self, scope: str, payload: bytes, now: int, trusted: bool) -> AlertDocument | None:
        held = self._store.alerts.get(scope)
        document = unseal(AlertDocument, payload, Typ.ALERT, self._keys(Typ.ALERT, now), topics.MAX_BYTES)
        if document.scope != scope:
            raise _No(RefusalReason.NOT_FOR_ME, document.version)
        if held is not None and document.version == held.version:
            return None
        if held is not None and document.version < held.version:
            raise _No(RefusalReason.OLDER, document.version)
        if trusted and max(document.version, document.issued_at) > now + MAX_AHEAD_MS:
            raise _No(RefusalReason.FAR_FUTURE, document.version)
        self._store.alerts[scope] = document
        return document

    def _time(self, payload: bytes) -> Time:
        """Judged at the instant it claims: a unit without time must be able to learn it."""
        trust = self._store.trust
        listed = {key.kid: PublicKey(key.kid, key.x) for key in trust.keys} if trust is not None else {}
        answer = self._ours(unseal(Time, payload, Typ.TIME, listed.get, _most(In.TIME)))
        if trust is None or trust.key(key_name(payload, Typ.TIME), Typ.TIME, answer.now) is None:
            raise _No(RefusalReason.KEY_NOT_TRUSTED)
        return answer

    def _keys(self, typ: Typ, now: int) -> Callable[[str], PublicKey | None]:
        trust = self._store.trust
        return lambda kid: trust.key(kid, typ, now) if trust is not None else None

    def _ours(self, message: _M) -> _M:
        if message.unit != self._unit:
            raise _No(RefusalReason.NOT_FOR_ME, getattr(message, "version", None))
        return message


def _most(address: Address | In) -> int:
    kind = address.kind if isinstance(address, Address) else address
    return topics.MANNERS[kind].max_bytes if kind is not None else topics.MAX_BYTES


def _name(address: Address) -> str:
    return "trust" if address.kind is None else str(address.kind)
