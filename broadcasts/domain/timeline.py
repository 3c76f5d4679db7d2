"""What one cluster will sound: the slots that want its horn in, what becomes of each of them out (design, section 5).

It says what a unit does that has power, the right time and all its files, and hears no emergency: each of those makes
less, or something else, sound, and none of them is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from broadcasts.domain.model import Late, OnPreempt, Slot
from broadcasts.domain.priority import order
from broadcasts.domain.regulation import Regulation
from broadcasts.ids import DeliveryId

ON_TIME = timedelta(seconds=1)
"""A start within it is a start on the second; so much missing at the end counts as whole; a horn that is free within it
displaces nobody (CONTRACT.md, section 5)."""
TICK = timedelta(milliseconds=1)
ZERO = timedelta(0)


class Outcome(StrEnum):
    WHOLE = "whole"
    """On the second, from beginning to end."""
    MOVED = "moved"
    """Whole, but later: it had to wait, or to begin again."""
    RESUMED = "resumed"
    """To its end, with a part missing while another had the horn."""
    CUT = "cut"
    """Begun, and taken off the horn for good."""
    DISPLACED = "displaced"
    """Not a sound of it: another had the horn."""
    QUIET = "quiet"
    """Not (or not again): it would not lie inside the hours of the regulation."""
    LATE = "late"
    """The horn was free too late for it."""


@dataclass(frozen=True)
class Stretch:
    """One piece of sound, [start, end), from `offset` into the recording."""

    start: datetime
    end: datetime
    offset: timedelta
    volume: int


@dataclass(frozen=True)
class Fate:
    """`by`: who took the horn from it, in order."""

    slot: Slot
    outcome: Outcome
    sounds: tuple[Stretch, ...]
    by: tuple[DeliveryId, ...]


def timeline(slots: Iterable[Slot], rule: Regulation, zone: tzinfo) -> list[Fate]:
    """The fate of each slot of ONE cluster, in order of planned start. Instants count in whole milliseconds."""
    wishes = [_Wish(slot) for slot in sorted(slots, key=lambda slot: slot.start)]
    horn = _Horn(rule, zone)
    coming, now = 0, wishes[0].slot.start if wishes else None
    while now is not None:
        horn.stop(now)
        while coming < len(wishes) and wishes[coming].slot.start <= now:
            horn.waiting.append(wishes[coming])
            coming += 1
        while horn.decide(now):
            pass
        marks = horn.marks(now)
        if coming < len(wishes):
            marks.append(wishes[coming].slot.start)
        now = min(marks, default=None)
    return [wish.fate(rule, zone) for wish in wishes]


@dataclass(eq=False)
class _Wish:
    """A slot and how it has fared so far. `origin`: where its beginning lies on the clock."""

    slot: Slot
    origin: datetime = field(init=False)
    sounds: list[tuple[datetime, datetime, timedelta]] = field(default_factory=list)
    by: list[DeliveryId] = field(default_factory=list)
    lost: bool = False
    done: bool = False
    """It came to its end."""
    quiet: bool = False

    def __post_init__(self) -> None:
        self.origin = self.slot.start

    def chance(self, now: datetime) -> tuple[timedelta, datetime] | None:
        """If the horn were free now: from where in the recording, and until when that stands; none: it is over."""
        slot = self.slot
        if self.lost:
            match slot.on_preempt:
                case OnPreempt.RESUME:
                    end = self.origin + slot.duration
                    return (max(ZERO, now - self.origin), end - TICK) if now < end else None
                case OnPreempt.DROP:
                    return None
            until = slot.not_after or slot.start
            return (ZERO, until) if now <= until else None
        not_after, length = slot.not_after or slot.start, slot.duration
        if slot.late is Late.SHIFT:
            until = max(not_after, slot.start + min(ON_TIME, length))
            return (ZERO, until) if now <= until else None
        if now < slot.end:
            until = slot.end - TICK if slot.late is Late.DROP else max(slot.end - TICK, not_after)
            return (ZERO if now <= slot.start + ON_TIME else now - slot.start, until)
        return (ZERO, not_after) if slot.late is Late.PLAY and now <= not_after else None

    def fate(self, rule: Regulation, zone: tzinfo) -> Fate:
        heard = [
            piece
            for begin, end, offset in self.sounds
            for piece in _by_volume(self.slot, begin, end, offset, rule, zone)
        ]
        return Fate(self.slot, self._outcome(), tuple(heard), tuple(self.by))

    def _outcome(self) -> Outcome:
        if self.done:
            begin, _, offset = self.sounds[-1]
            if offset == ZERO:
                on_time = len(self.sounds) == 1 and begin <= self.slot.start + ON_TIME
                return Outcome.WHOLE if on_time else Outcome.MOVED
            return Outcome.RESUMED
        if self.quiet:
            return Outcome.QUIET
        if self.sounds:
            return Outcome.CUT
        return Outcome.DISPLACED if self.by else Outcome.LATE


class _Horn:
    def __init__(self, rule: Regulation, zone: tzinfo) -> None:
        self._rule, self._zone = rule, zone
        self.waiting: list[_Wish] = []
        """All that are due and not settled, but the one that sounds."""
        self._running: tuple[_Wish, datetime, timedelta] | None = None
        """What sounds, since when, from where in the recording."""

    def stop(self, now: datetime) -> None:
        if self._running is not None and now >= self._ends():
            self._running[0].done = True
            self._silence(now)

    def decide(self, now: datetime) -> bool:
        """One change of hands; whether there was one."""
        ready: list[tuple[_Wish, timedelta]] = []
        for wish in list(self.waiting):
            chance = wish.chance(now)
            fits = chance is not None and self._rule.allows(now, wish.slot.duration - chance[0], self._zone)
            if chance is None or not fits:
                wish.quiet = chance is not None
                self.waiting.remove(wish)
            else:
                ready.append((wish, chance[0]))
        if not ready:
            return False
        best, offset = min(ready, key=lambda each: order(each[0].slot))
        running = self._running
        if running is None or order(best.slot) < order(running[0].slot):
            if running is not None:
                self._take_from(running[0], best, now)
            self.waiting.remove(best)
            self._running, best.origin = (best, now, offset), now - offset
            return True
        changed = False
        if self._ends() - now > ON_TIME:
            for wish, _ in ready:
                if not wish.lost:
                    wish.lost, changed = True, True
                    wish.by.append(running[0].slot.delivery)
        return changed

    def _take_from(self, loser: _Wish, winner: _Wish, now: datetime) -> None:
        loser.done = self._ends() - now <= ON_TIME
        self._silence(now)
        if not loser.done:
            loser.lost = True
            loser.by.append(winner.slot.delivery)
            self.waiting.append(loser)

    def _silence(self, now: datetime) -> None:
        assert self._running is not None
        wish, begin, offset = self._running
        if now > begin:
            wish.sounds.append((begin, now, offset))
        self._running = None

    def _ends(self) -> datetime:
        assert self._running is not None
        wish, begin, offset = self._running
        return begin + wish.slot.duration - offset

    def marks(self, now: datetime) -> list[datetime]:
        """When something here may change by itself."""
        found = [self._ends()] if self._running is not None else []
        for wish in self.waiting:
            if (chance := wish.chance(now)) is not None:
                found.append(chance[1] + TICK)
                found += _closings(self._rule, now, wish.slot.duration - chance[0], chance[1], self._zone)
        return [mark for mark in found if mark > now]


def _closings(rule: Regulation, now: datetime, length: timedelta, until: datetime, zone: tzinfo) -> Sequence[datetime]:
    """The instants up to `until` at which a whole sound of this length begins to reach past the end of some hours."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        mark
        for day in range((until - now).days + 3)
        for window in rule.hours_on((midnight + timedelta(days=day)).date())
        if now < (mark := midnight + timedelta(days=day, minutes=window.end) - length + TICK) <= until
    ]


def _by_volume(
    slot: Slot, begin: datetime, end: datetime, offset: timedelta, rule: Regulation, zone: tzinfo
) -> Iterable[Stretch]:
    """Cut where a ceiling changes while it sounds."""
    start = begin
    midnight = begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = {mark for ceiling in rule.ceilings for mark in (ceiling.window.start, ceiling.window.end)}
    marks = sorted(
        mark
        for day in range((end - begin).days + 2)
        for minute in minutes
        if begin < (mark := midnight + timedelta(days=day, minutes=minute)) < end
    )
    volume = min(slot.volume, rule.ceiling(start, TICK, zone))
    for mark in marks:
        after = min(slot.volume, rule.ceiling(mark, TICK, zone))
        if after != volume:
            yield Stretch(start, mark.astimezone(begin.tzinfo), offset + (start - begin), volume)
            start, volume = mark.astimezone(begin.tzinfo), after
    yield Stretch(start, end, offset + (start - begin), volume)
