"""Who gets a new firmware or new settings next: pure, from what is known at this instant.

One unit after the other is asked, never more a minute than the cap, never outside the window, never around anything
that sounds at its pole. A wave opens when a person says so (or, where he asked for that, by itself) and the one before
has been watched for the time of soaking. Too many failures stop it; only a person lets it go on. peers.md 6.7, row
"staged rollout".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum

LOCAL = timezone(timedelta(hours=7))
"""Vietnam has one time, all the year."""
MINUTE = timedelta(minutes=1)
DAY_MIN = 1440
RETRY = timedelta(minutes=30)
"""After a failure the unit rests so long before it is asked once more."""
MOST_TRIES = 2
"""A unit that failed so often is left as it is, for a person."""
ANSWER = timedelta(hours=2)
"""So long a connected unit may be silent about what it was asked, quiet moments included."""
TRIAL = timedelta(minutes=30)
"""So long a unit may be away that is trying its new firmware: its own bounds are far below."""


class State(StrEnum):
    WAITING = "waiting"
    ASKED = "asked"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    INSTALLED = "installed"
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    """Rolled back, refused or never answered; it is asked once more."""
    LEFT = "left"
    """Failed as often as it may."""
    UNDONE = "undone"
    """Was asked to go back to what it had, by a person."""
    GONE = "gone"
    """Stands nowhere any more, or was revoked."""


MOVING = frozenset({State.ASKED, State.DOWNLOADING, State.VERIFIED, State.INSTALLED, State.TRIAL})
"""Under way at this moment."""
BOOTING = frozenset({State.INSTALLED, State.TRIAL})
"""Near a boot: such a unit is not called back any more."""
OVER = frozenset({State.CONFIRMED, State.LEFT, State.UNDONE, State.GONE})


@dataclass(frozen=True)
class Terms:
    """What a person decided beforehand. `waves` are percentages of all units, rising, the last one 100; before them
    goes the canary of so many units."""

    canary: int = 2
    waves: tuple[int, ...] = (10, 50, 100)
    soak: timedelta = timedelta(hours=24)
    """After the last of a wave has confirmed."""
    pauses: bool = True
    """A person opens each wave."""
    per_minute: int = 2
    window: tuple[int, int] | None = (60, 240)
    """Minutes of the local day, over midnight when the end comes first; none: at any time."""
    most_failed: int = 10
    """Per cent of those who have come to an end; more stop it."""
    least_sample: int = 3
    """Before so many have come to an end no rate is told; then the first look is taken."""
    clear: timedelta = timedelta(minutes=15)
    """Nothing may sound so shortly before or after a unit is asked."""

    def check(self) -> str | None:
        """The name of the first term that makes no sense; none: all of them do."""
        rising = all(before < after for before, after in zip(self.waves, self.waves[1:], strict=False))
        sound = {
            "canary": 1 <= self.canary <= 1000,
            "waves": 1 <= len(self.waves) <= 8 and rising and self.waves[-1] == 100 and self.waves[0] >= 1,
            "soak": timedelta() <= self.soak <= timedelta(days=30),
            "per_minute": 1 <= self.per_minute <= 600,
            "window": self.window is None
            or (all(0 <= end < DAY_MIN for end in self.window) and self.window[0] != self.window[1]),
            "most_failed": 0 <= self.most_failed <= 50,
            "least_sample": 1 <= self.least_sample <= 100,
            "clear": timedelta(minutes=5) <= self.clear <= timedelta(hours=6),
        }
        return next((name for name, good in sound.items() if not good), None)


@dataclass(frozen=True)
class Member:
    unit: str
    wave: int
    """0 is the canary."""
    state: State
    since: datetime
    """Of this state."""
    failures: int = 0
    connected: bool = True

    @property
    def ended(self) -> bool:
        """Counts for the rate: it has shown what the new one does to it."""
        return self.state is State.CONFIRMED or self.failures > 0


@dataclass(frozen=True)
class Busy:
    """What a pole sounds, or an alert that concerns it: [begins, ends)."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Decision:
    ask: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    """Asked too long ago without a word: a failure each."""
    opens: int | None = None
    """This wave may be opened by itself."""
    waits: bool = False
    """Everything that is open has ended and soaked: a person decides about the next wave."""
    stops: bool = False
    done: bool = False
    again: datetime | None = None
    """Look again then, if nothing happens before; none: when something happens."""


def waves_of(rollout: str, units: Sequence[str], terms: Terms) -> dict[str, int]:
    """Unit to its wave. By a hash, so that the canary is not always the poles at the head of the list."""
    order = sorted(units, key=lambda unit: hashlib.sha256(f"{rollout} {unit}".encode()).digest())
    bounds = [terms.canary, *(max(terms.canary, -(-len(order) * share // 100)) for share in terms.waves)]
    return {unit: next(wave for wave, end in enumerate(bounds) if place < end) for place, unit in enumerate(order)}


def last_wave(terms: Terms) -> int:
    return len(terms.waves)


def in_window(now: datetime, window: tuple[int, int] | None) -> bool:
    if window is None:
        return True
    local = now.astimezone(LOCAL)
    minute = local.hour * 60 + local.minute
    begins, ends = window
    return begins <= minute < ends if begins < ends else minute >= begins or minute < ends


def window_begins(now: datetime, window: tuple[int, int]) -> datetime:
    """The next beginning after `now`."""
    local = now.astimezone(LOCAL).replace(second=0, microsecond=0)
    begins = local.replace(hour=window[0] // 60, minute=window[0] % 60)
    return (begins if begins > now else begins + timedelta(days=1)).astimezone(now.tzinfo)


def failed_share(members: Sequence[Member]) -> tuple[int, int]:
    """(units with a failure, units that count)"""
    ended = [member for member in members if member.ended]
    return sum(member.failures > 0 for member in ended), len(ended)


def quiet(now: datetime, busy: Sequence[Busy], clear: timedelta) -> bool:
    return all(now + clear <= each.begins or now >= each.ends + clear for each in busy)


def decide(
    terms: Terms,
    members: Sequence[Member],
    wave: int,
    asked: Sequence[datetime],
    busy: Mapping[str, Sequence[Busy]],
    now: datetime,
) -> Decision:
    """Of a rollout that runs. `wave`: the last one that is open; `asked`: when anybody was asked in the last minute, in
    any rollout: the cap is of the network, not of one act."""
    silent = tuple(member.unit for member in members if _silent(member, now))
    bad, counted = failed_share(members)
    bad += sum(member.unit in silent and not member.failures for member in members)
    counted += sum(member.unit in silent and not member.ended for member in members)
    if counted >= terms.least_sample and bad * 100 > terms.most_failed * counted:
        return Decision(silent=silent, stops=True)
    mine = [member for member in members if member.wave <= wave]
    if all(member.state in OVER for member in mine):
        return _wave_over(terms, members, mine, wave, now)
    if not in_window(now, terms.window):
        assert terms.window is not None
        return Decision(silent=silent, again=window_begins(now, terms.window))
    return Decision(ask=_next(terms, mine, silent, asked, busy, now), silent=silent, again=now + MINUTE)


def _silent(member: Member, now: datetime) -> bool:
    """One that is offline waits, unless it went away with the new firmware in its slot."""
    if member.state in BOOTING:
        return now - member.since > (ANSWER if member.connected else TRIAL + ANSWER)
    return member.state in MOVING and member.connected and now - member.since > ANSWER


def _wave_over(terms: Terms, members: Sequence[Member], mine: Sequence[Member], wave: int, now: datetime) -> Decision:
    if wave >= last_wave(terms):
        return Decision(done=True)
    soaked = max((member.since for member in mine), default=now) + terms.soak
    if now < soaked:
        return Decision(again=soaked)
    if not any(member.wave > wave and member.state not in OVER for member in members):
        return Decision(opens=last_wave(terms))
    bad, counted = failed_share(members)
    # A canary may be smaller than the least sample: what failed in it is for a person to judge.
    by_itself = not terms.pauses and bad * 100 <= terms.most_failed * counted
    return Decision(opens=wave + 1) if by_itself else Decision(waits=True)


def _next(
    terms: Terms,
    mine: Sequence[Member],
    silent: Sequence[str],
    asked: Sequence[datetime],
    busy: Mapping[str, Sequence[Busy]],
    now: datetime,
) -> tuple[str, ...]:
    room = terms.per_minute - sum(now - MINUTE < at <= now for at in asked)
    able = [
        member
        for member in mine
        if (member.state is State.WAITING or (member.state is State.FAILED and now - member.since >= RETRY))
        and member.connected
        and member.unit not in silent
        and quiet(now, busy.get(member.unit, ()), terms.clear)
    ]
    able.sort(key=lambda member: (member.wave, member.failures, member.since, member.unit))
    # One that fails is known soon: while the sample is small no more go than it takes to have one.
    under_way = sum(member.state in MOVING for member in mine)
    bad, counted = failed_share(mine)
    if counted < terms.least_sample:
        room = min(room, terms.least_sample - under_way)
    elif bad:
        room = min(room, max(1, counted) - under_way)
    return tuple(member.unit for member in able[: max(0, room)])
