"""The door for everything signed: who said it, is it for us, is it newer. CONTRACT.md, section 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from broadcasts.errors import ContractViolation
from broadcasts.wire import topics
from broadcasts.wire.alert import AlertDocument
from broadcasts.wire.codec import unseal
from broadcasts.wire.drill import DrillDocument
from broadcasts.wire.journal import JournalAck
from broadcasts.wire.jws import PublicKey, Typ, digest, key_name
from broadcasts.wire.live import FRESH_MS, LiveSession, open_session
from broadcasts.wire.plan import MAX_AHEAD_MS, VALID_AFTER_HORIZON_MS, Plan
from broadcasts.wire.status import Command, RefusalReason, Time
from broadcasts.wire.topics import Address, In
from broadcasts.wire.trigger import Trigger
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
    "not_for_me": RefusalReason.NOT_FOR_ME,
}

_BY_TIME = (RefusalReason.FAR_FUTURE, RefusalReason.EXPIRED, RefusalReason.KEY_NOT_TRUSTED)


@dataclass
class Texted:
    """What triggers of one scope said above its document, and the version up to which none is taken any more."""

    floor: int = 0
    triggers: list[Trigger] = field(default_factory=list)


@dataclass
class DocumentStore:
    """What is on the disk: the documents that stand."""

    trust: Trust | None = None
    plan: Plan | None = None
    plan_hash: str | None = None
    alerts: dict[str, AlertDocument] = field(default_factory=dict)
    drills: dict[str, DrillDocument] = field(default_factory=dict)
    texted: dict[str, Texted] = field(default_factory=dict)
    """By scope."""


@dataclass(frozen=True)
class Refused:
    document: str
    reason: RefusalReason
    version: int | None = None


Signed = Trust | Plan | AlertDocument | DrillDocument | Trigger | LiveSession | JournalAck | Command | Time


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
        self.alerts_shown: set[str] = set()
        """Scopes whose alerts the link has shown since the boot, as they stand or newer."""
        self.drills_shown: set[str] = set()
        """Scopes whose drills the link has shown since the boot: no other drill begins."""
        self._by_time: set[str] = set()
        """Where something retained was refused that another clock might have taken, and nothing was taken since."""
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
            read = self._read(address, payload, name, now, trusted)
            self._by_time.discard(topic)
            return read
        except ContractViolation as failure:
            reason, version = _REASONS.get(failure.reason, RefusalReason.MALFORMED), None
        except _No as no:
            reason, version = no.reason, no.version
        if reason in _BY_TIME and _is_retained(address):
            self._by_time.add(topic)
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

    def misjudged(self) -> bool:
        """The clock was corrected: whether something that is retained deserves another look. It is not held back here:
        the newest says what stands."""
        again, self._by_time = bool(self._by_time), set()
        if again:
            self._bad.clear()
        return again

    def _concerns(self, address: Address, payload: bytes) -> bool:
        match address.kind:
            case None:
                return address.topic == topics.TRUST
            case In():
                return address.about == self._unit
            case topics.ScopeTopic.ALERT | topics.ScopeTopic.DRILL:
                plan = self._store.plan
                if plan is None:
                    self._wait(address.topic, payload)
                    return False
                return address.about in plan.policy.scopes
            case topics.ScopeTopic.LIVE:
                return self._store.plan is not None and address.about in self._store.plan.policy.scopes
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
            case topics.ScopeTopic.LIVE:
                return self._live(address.about, payload, now, trusted)
            case topics.ScopeTopic.DRILL:
                return self._drill(address.about, payload, now, trusted)
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
            self.alerts_shown.add(scope)
            return None
        if held is not None and document.version < held.version:
            raise _No(RefusalReason.OLDER, document.version)
        if trusted and max(document.version, document.issued_at) > now + MAX_AHEAD_MS:
            raise _No(RefusalReason.FAR_FUTURE, document.version)
        self.alerts_shown.add(scope)
        self._store.alerts[scope] = document
        return document

    def _live(self, scope: str, payload: bytes, now: int, trusted: bool) -> LiveSession | None:
        """Without trusted time it is for whoever knows the sessions to say what is old."""
        trust = self._store.trust
        known: tuple[tuple[Typ, str, str], ...] = ()
        if trust is not None:
            mine = (Typ.LIVE, Typ.LIVE_ALERT)
            known = tuple((typ, key.kid, key.x) for typ in mine for key in trust.keys if trust.key(key.kid, typ, now))
        session = _opened(payload, scope, known)
        if not session.meant_for(self._unit):
            return None
        if trusted and session.said_at < now - FRESH_MS:
            raise _No(RefusalReason.EXPIRED)
        if trusted and session.said_at > now + FRESH_MS:
            raise _No(RefusalReason.FAR_FUTURE)
        return session

    def _drill(self, scope: str, payload: bytes, now: int, trusted: bool) -> DrillDocument | None:
        held = self._store.drills.get(scope)
        document = unseal(DrillDocument, payload, Typ.DRILL, self._keys(Typ.DRILL, now), topics.MAX_BYTES)
        if document.scope != scope:
            raise _No(RefusalReason.NOT_FOR_ME, document.version)
        if held is not None and document.version < held.version:
            raise _No(RefusalReason.OLDER, document.version)
        if trusted and max(document.version, document.issued_at) > now + MAX_AHEAD_MS:
            raise _No(RefusalReason.FAR_FUTURE, document.version)
        if held is not None and document.version == held.version and scope in self.drills_shown:
            return None
        self.drills_shown.add(scope)
        self._store.drills[scope] = held if held is not None and held.version == document.version else document
        return self._store.drills[scope]

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


@lru_cache(maxsize=64)
def _opened(payload: bytes, scope: str, known: tuple[tuple[Typ, str, str], ...]) -> LiveSession:
    """Poles of one process that know the same keys hear the same document: it is opened once. Raises
    ContractViolation, each time."""
    keys = {(typ, kid): PublicKey(kid, x) for typ, kid, x in known}
    return open_session(payload, scope, lambda typ: lambda kid: keys.get((typ, kid)))


def _most(address: Address | In) -> int:
    kind = address.kind if isinstance(address, Address) else address
    return topics.MANNERS[kind].max_bytes if kind is not None else topics.MAX_BYTES


def _is_retained(address: Address) -> bool:
    return address.kind is None or topics.MANNERS[address.kind].retain


def _name(address: Address) -> str:
    return "trust" if address.kind is None else str(address.kind)
