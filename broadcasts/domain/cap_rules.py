"""What becomes of the messages of one feed: which waits to be confirmed, which takes back another, which is only kept.

The answer follows from all messages together and from nothing else, so that the order in which they arrive, or arriving
twice, changes nothing: a Cancel that overtakes its Alert takes it back all the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from broadcasts.domain.cap import (
    Certainty,
    Info,
    Message,
    MsgType,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)

AHEAD = timedelta(minutes=10)
"""So far a sender's clock may be ahead of ours."""
OLD = timedelta(hours=24)
"""What was sent longer ago before it came here is history, whatever end it names."""


class Fate(StrEnum):
    DRAFT = "draft"
    """Waits for a person, or is sounded under a standing rule."""
    EXERCISE = "exercise"
    """A person may make a drill of it; never an alert."""
    CANCEL = "cancel"
    """Took back what it names."""
    KEPT = "kept"
    """Only shown, with the reason."""


class Why(StrEnum):
    """Why a message is only kept."""

    SENDER = "sender"
    UNSIGNED = "unsigned"
    SIGNATURE = "signature"
    DUPLICATE = "duplicate"
    REUSED = "reused"
    STATUS = "status"
    SCOPE = "scope"
    KIND = "kind"
    FUTURE = "future"
    OLD = "old"
    EXPIRED = "expired"
    EMPTY = "empty"
    NO_REFERENCE = "no_reference"
    FOREIGN_REFERENCE = "foreign_reference"
    UNKNOWN_REFERENCE = "unknown_reference"
    EARLIER_REFERENCE = "earlier_reference"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Come:
    """A message as it came: `at` this instant, under this name of ours. `refused`: what the feed's own rules say
    against it (sender, signature); such a one takes back nothing. `signed`: with a signature that holds; what is
    signed is taken back by what is signed."""

    id: str
    message: Message
    at: datetime
    refused: Why | None = None
    signed: bool = False


@dataclass(frozen=True)
class Judged:
    """`by`: our name of the message that took this one back. `over`: ours of those that this one takes back."""

    fate: Fate
    why: Why | None = None
    by: str = ""
    over: tuple[str, ...] = ()


def judge(come: Sequence[Come], now: datetime) -> Mapping[str, Judged]:
    """By our name, of the messages of one feed in the order in which they came."""
    first: dict[tuple[str, str], Come] = {}
    repeated: dict[str, Why] = {}
    for one in come:
        if one.refused is not None:
            continue
        key = (one.message.sender, one.message.identifier)
        if key not in first:
            first[key] = one
        else:
            repeated[one.id] = Why.DUPLICATE if first[key].message == one.message else Why.REUSED
    by_name = {one.message.name: one for one in first.values()}
    unfit = {one.id: _unfit(one, repeated, by_name) for one in come}
    takes: dict[str, list[tuple[str, MsgType]]] = {}
    for one in first.values():
        if one.message.msg_type in (MsgType.UPDATE, MsgType.CANCEL) and unfit[one.id] is None:
            for other in _named(one, by_name):
                takes.setdefault(other.id, []).append((one.id, one.message.msg_type))
    ended = _ended(takes)
    return {
        one.id: _judged(one, unfit[one.id], takes.get(one.id, []), ended.get(one.id, ""), by_name, now) for one in come
    }


def _ended(takes: Mapping[str, Sequence[tuple[str, MsgType]]]) -> Mapping[str, str]:
    """By whose Cancel each is over. A Cancel of an Update is the end of what that took the place of too: senders name
    the newest only, and the older one may be what sounds. Where another Update stands it is not."""
    found = {one: next((by for by, kind in told if kind is MsgType.CANCEL), "") for one, told in takes.items()}
    named: dict[str, list[str]] = {}
    for one, told in takes.items():
        for by, _ in told:
            named.setdefault(by, []).append(one)
    look = [one for one, by in found.items() if by]
    while look:
        newer = look.pop()
        for one in named.get(newer, []):
            if not found[one] and all(found.get(by) for by, _ in takes[one]):
                found[one] = found[newer]
                look.append(one)
    return {one: by for one, by in found.items() if by}


def _unfit(one: Come, repeated: Mapping[str, Why], known: Mapping[Reference, Come]) -> Why | None:
    """What is wrong with it whatever others say."""
    it = one.message
    if one.refused is not None:
        return one.refused
    if one.id in repeated:
        return repeated[one.id]
    if it.status not in (Status.ACTUAL, Status.EXERCISE):
        return Why.STATUS
    if it.msg_type in (MsgType.ACK, MsgType.ERROR):
        return Why.KIND
    if it.scope is not Scope.PUBLIC:
        return Why.SCOPE
    if it.sent > one.at + AHEAD:
        return Why.FUTURE
    return None if it.msg_type is MsgType.ALERT else _unfit_references(one, known)


def _unfit_references(one: Come, known: Mapping[Reference, Come]) -> Why | None:
    it = one.message
    if not it.references:
        return Why.NO_REFERENCE
    if any(each.sender != it.sender for each in it.references):
        return Why.FOREIGN_REFERENCE
    if any(each.sent > it.sent for each in it.references):
        return Why.EARLIER_REFERENCE
    return None if _named(one, known) else Why.UNKNOWN_REFERENCE


def _named(one: Come, known: Mapping[Reference, Come]) -> list[Come]:
    """Those that it may take back: of the same sender and the same status, so that no exercise ends an alarm, and never
    a signed one by what anybody may have written."""
    found = (known.get(each) for each in one.message.references)
    return [each for each in found if each is not None and each.id != one.id and _alike(each, one)]


def _alike(older: Come, newer: Come) -> bool:
    a, b = older.message, newer.message
    return (a.sender, a.status) == (b.sender, b.status) and newer.signed >= older.signed


def _judged(
    one: Come,
    unfit: Why | None,
    taken: Sequence[tuple[str, MsgType]],
    ended: str,
    known: Mapping[Reference, Come],
    now: datetime,
) -> Judged:
    it = one.message
    if unfit is not None and unfit is not Why.UNKNOWN_REFERENCE:
        return Judged(Fate.KEPT, unfit)
    over = tuple(each.id for each in _named(one, known)) if it.msg_type is not MsgType.ALERT else ()
    if it.msg_type is MsgType.CANCEL:
        return Judged(Fate.KEPT, unfit) if unfit else Judged(Fate.CANCEL, over=over)
    if taken:
        return Judged(Fate.KEPT, Why.CANCELLED if ended else Why.SUPERSEDED, ended or taken[0][0], over)
    # An Update of what never came here says all there is to know: it waits as any warning does.
    if not it.infos:
        return Judged(Fate.KEPT, Why.EMPTY, over=over)
    if it.sent < one.at - OLD:
        return Judged(Fate.KEPT, Why.OLD, over=over)
    if it.end <= now:
        return Judged(Fate.KEPT, Why.EXPIRED, over=over)
    return Judged(Fate.DRAFT if it.status is Status.ACTUAL else Fate.EXERCISE, over=over)


@dataclass(frozen=True)
class Threshold:
    """From when on a standing rule acts. `events`: as the sender writes them, or their codes, as `plain`; none: any."""

    events: frozenset[str]
    severity: Severity
    urgency: Urgency
    certainty: Certainty

    def reached(self, infos: Iterable[Info], now: datetime) -> tuple[Info, ...]:
        """Those parts that reach it, each in all that is asked. What holds only later (`effective`) does not, and what
        says that all is well never does."""
        return tuple(info for info in infos if self._one(info, now))

    def _one(self, info: Info, now: datetime) -> bool:
        said = {plain(info.event), *(plain(code) for _, code in info.event_codes)}
        return (
            (not self.events or bool(said & self.events))
            and _at_least(list(Severity), info.severity, self.severity)
            and _at_least(list(Urgency), info.urgency, self.urgency)
            and _at_least(list(Certainty), info.certainty, self.certainty)
            and (info.effective is None or info.effective <= now + AHEAD)
            and ResponseType.ALL_CLEAR not in info.response_types
        )


def plain(text: str) -> str:
    """A name of an event for comparing: Vietnamese letters are written in more than one way (NFC, NFD)."""
    return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", text).casefold().split()))


def _at_least(order: Sequence[StrEnum], told: StrEnum, asked: StrEnum) -> bool:
    return order.index(told) <= order.index(asked)
