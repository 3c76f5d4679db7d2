"""How a cluster is, from what is known of its unit: a pure rule of what was seen and the time (design, issue 6).

Four questions are kept apart, because each can be no while the one before is yes: is it *connected*, does it *report*,
is it *able to sound*, was it *heard*. What cannot be known at the moment is unknown, and leaves as it was what was
known before: a unit that went away with a hot cabinet has not cooled down by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from broadcasts.domain.ear import Answer
from broadcasts.domain.fault_classes import BY_THE_UNIT, CLASSES, SPEAKER_WIRE, Code, Question
from broadcasts.domain.horn_baseline import Horns

HEARTBEAT = timedelta(minutes=15)
"""What units say at least (CONTRACT.md, section 9)."""
STALE = timedelta(minutes=65)
"""Numbers that are older tell nothing of now: four heartbeats and a little. They may be lost on their way (QoS 0), and
three that are lost one after the other are ordinary weather."""


@dataclass(frozen=True)
class Limits:
    """From where on a number is trouble, and below which it is not any more."""

    hot_c: float = 75.0
    cool_c: float = 65.0
    free_mb: int = 20
    enough_mb: int = 60
    weak_dbm: int = -108
    strong_dbm: int = -103
    low_volts: float = 11.6
    charged_volts: float = 12.2
    """Of a battery of 12 V; of one of 24 V twice that."""
    least_mains: float = 90.0
    most_mains: float = 250.0
    """R-072 trips above 240 V; a meter that is off by a little must not send anybody out."""
    skew: timedelta = timedelta(minutes=5)
    flaps: int = 12
    flaps_in: timedelta = timedelta(hours=2)
    calm_flaps: int = 3
    boots: int = 6
    boots_in: timedelta = timedelta(hours=6)
    quota_near: float = 0.9
    dead_ma: int = 5
    """An amplifier that lives draws more with nobody to drive."""
    heard_for: timedelta = timedelta(days=3)
    """Older proof of sound says nothing of today."""


@dataclass(frozen=True)
class Numbers:
    """The last telemetry. `said_at` by the unit's clock, `came_at` by ours."""

    came_at: datetime
    said_at: datetime
    on_mains: bool
    volts: float
    temperature_c: float
    signal_dbm: int
    storage_free_mb: int
    data_mb: int | None = None


@dataclass(frozen=True)
class Proof:
    """The last thing that says whether there was sound: a sounding or a quiet test."""

    at: datetime
    sounded: bool
    ma: int | None = None
    what: str = "play"
    """`play`, `test`, or `ear`: the ear denied what the amplifier took for good."""


@dataclass(frozen=True)
class Seen:
    """All that is known of one unit."""

    enrolled_at: datetime | None = None
    connected: bool | None = None
    presence_at: datetime | None = None
    last_sign: datetime | None = None
    numbers: Numbers | None = None
    raised: Mapping[str, tuple[datetime, str]] = field(default_factory=dict)
    """Codes that stand in its journal, or that another step of ours raised: since, detail."""
    clock_trusted: bool | None = None
    reported_at: datetime | None = None
    connections: Sequence[datetime] = ()
    """When it came anew, the newest last."""
    boots: Sequence[datetime] = ()
    proof: Proof | None = None
    horns: Horns = field(default_factory=Horns)
    quota_mb: int | None = None


@dataclass(frozen=True)
class Sign:
    """One symptom at this moment. `here`: none when nobody can tell."""

    here: bool | None
    since: datetime | None = None
    detail: str = ""
    floor: datetime | None = None
    """What was remembered from before counts no more: nobody listened in between."""


@dataclass(frozen=True)
class Told:
    answer: Answer
    since: datetime | None = None
    reasons: tuple[str, ...] = ()
    """Codes, or `old_numbers`, `never`, `no_play`, `away`."""


AWAY = Sign(None)


def look(
    now: datetime, seen: Seen, listening_since: datetime | None, standing: frozenset[str], limits: Limits
) -> dict[Code, Sign]:
    """Every symptom. `listening_since`: from when on we would have heard it; none while we hear nobody: then silence
    is ours, and no unit is blamed for it. `standing`: faults that stand, which have to go below the lower mark."""
    found = {code: Sign(False) for code in CLASSES}
    found |= _link(now, seen, listening_since, limits)
    found |= _numbers(now, seen, standing, limits)
    found |= _told(seen)
    found |= _sound(seen, standing, limits)
    found |= _often(now, seen, standing, limits)
    if found[Code.CLOCK_WRONG].here is False:
        found[Code.CLOCK_WRONG] = _clock(now, seen, limits)
    return found


def _link(now: datetime, seen: Seen, listening: datetime | None, limits: Limits) -> dict[Code, Sign]:
    if listening is None:
        return {Code.OFFLINE: AWAY, Code.MUTE: AWAY, Code.QUOTA_USED: AWAY}
    if seen.connected is None:
        return {}
    if not seen.connected:
        since = max(seen.presence_at or listening, listening)
        used = _quota(seen)
        if used is not None and used >= 1:
            return {Code.QUOTA_USED: Sign(True, since, f"{used:.0%}", listening), Code.MUTE: AWAY}
        numbers = seen.numbers
        detail = "battery" if numbers is not None and not numbers.on_mains else ""
        return {Code.OFFLINE: Sign(True, since, detail, listening), Code.MUTE: AWAY}
    silent_since = max(seen.last_sign or listening, seen.presence_at or listening, listening)
    return {Code.MUTE: Sign(now - silent_since >= HEARTBEAT, silent_since, floor=listening)}


def _quota(seen: Seen) -> float | None:
    if seen.quota_mb is None or seen.quota_mb <= 0 or seen.numbers is None or seen.numbers.data_mb is None:
        return None
    return seen.numbers.data_mb / seen.quota_mb


def _numbers(now: datetime, seen: Seen, standing: frozenset[str], limits: Limits) -> dict[Code, Sign]:
    told = seen.numbers
    codes = (
        *(Code.MAINS_LOST, Code.BATTERY_LOW, Code.SUPPLY_BAD, Code.CABINET_HOT, Code.STORAGE_FULL, Code.SIGNAL_WEAK),
        Code.QUOTA_NEAR,
    )
    if told is None or not seen.connected or now - told.came_at > STALE:
        return dict.fromkeys(codes, AWAY)
    at = told.came_at
    scale = 2 if told.volts > 16 else 1
    low = (limits.charged_volts if Code.BATTERY_LOW in standing else limits.low_volts) * scale
    hot = limits.cool_c if Code.CABINET_HOT in standing else limits.hot_c
    full = limits.enough_mb if Code.STORAGE_FULL in standing else limits.free_mb
    weak = limits.strong_dbm if Code.SIGNAL_WEAK in standing else limits.weak_dbm
    used = _quota(seen)
    bad = told.on_mains and not limits.least_mains <= told.volts <= limits.most_mains
    return {
        Code.MAINS_LOST: Sign(not told.on_mains, at, f"{told.volts:g} V"),
        Code.BATTERY_LOW: Sign(not told.on_mains and told.volts < low, at, f"{told.volts:g} V"),
        Code.SUPPLY_BAD: Sign(bad, at, f"{told.volts:g} V"),
        Code.CABINET_HOT: Sign(told.temperature_c >= hot, at, f"{told.temperature_c:g} °C"),
        Code.STORAGE_FULL: Sign(told.storage_free_mb < full, at, f"{told.storage_free_mb} MB"),
        Code.SIGNAL_WEAK: Sign(told.signal_dbm < weak, at, f"{told.signal_dbm} dBm"),
        Code.QUOTA_NEAR: Sign(used is not None and used >= limits.quota_near, at, f"{used or 0:.0%}"),
    }


def _told(seen: Seen) -> dict[Code, Sign]:
    """What it says itself; what it does not say leaves the numbers their word."""
    found: dict[Code, Sign] = {}
    for name, (since, detail) in seen.raised.items():
        if name == SPEAKER_WIRE:
            continue
        code = BY_THE_UNIT.get(name, Code.OTHER)
        text = detail if code is not Code.OTHER else f"{name} {detail}".strip()
        if code not in found:
            # Its clock may be what is wrong: what has to last is counted by ours.
            found[code] = Sign(True, None if CLASSES[code].raise_after else since, text)
    return found


def _sound(seen: Seen, standing: frozenset[str], limits: Limits) -> dict[Code, Sign]:
    """The cause is blamed, not the sound that was missing for it: an amplifier that draws nothing is dead, one that
    idles has lost its line, and where all seems well the sound itself is what failed."""
    proof = seen.proof
    found: dict[Code, Sign] = {}
    if proof is None:
        found = dict.fromkeys((Code.AMPLIFIER_DEAD, Code.LINE_OPEN, Code.FAILED_TO_SOUND), AWAY)
    else:
        current = f"{proof.ma} mA" if proof.ma is not None else ""
        known = next((Code(each) for each in (Code.AMPLIFIER_DEAD, Code.LINE_OPEN) if each in standing), None)
        if proof.sounded:
            blamed = None
        elif proof.what == "ear":
            blamed = Code.FAILED_TO_SOUND
        elif proof.ma is None:
            blamed = known or Code.LINE_OPEN
        else:
            blamed = Code.AMPLIFIER_DEAD if proof.ma < limits.dead_ma else Code.LINE_OPEN
        if blamed is not None:
            found[blamed] = Sign(True, proof.at, current)
    weak = seen.horns.weak()
    drift = seen.horns.drift()
    silent = proof is not None and not proof.sounded
    found[Code.HORN_WEAK] = Sign(
        None if weak is None or silent else weak[0], seen.horns.last_at, weak[1] if weak else ""
    )
    lower = None if drift is None or silent else drift[0] and not (weak and weak[0])
    found[Code.HORN_DRIFT] = Sign(lower, seen.horns.last_at, drift[1] if drift else "")
    return found


def _often(now: datetime, seen: Seen, standing: frozenset[str], limits: Limits) -> dict[Code, Sign]:
    came = [at for at in seen.connections if now - at <= limits.flaps_in]
    most = limits.calm_flaps if Code.LINK_FLAPPING in standing else limits.flaps
    booted = [at for at in seen.boots if now - at <= limits.boots_in]
    often = limits.calm_flaps if Code.RESTARTS in standing else limits.boots
    restarts = len(booted) >= often
    return {
        # A unit that boots again and again comes anew each time: that is not its link.
        Code.LINK_FLAPPING: Sign(len(came) - len(booted) >= most, came[0] if came else None, str(len(came))),
        Code.RESTARTS: Sign(restarts, booted[0] if booted else None, str(len(booted))),
    }


def _clock(now: datetime, seen: Seen, limits: Limits) -> Sign:
    told = seen.numbers
    if not seen.connected:
        return AWAY
    # What it said at its boot, before it had learned the time, is over once it says that it has.
    learned = seen.clock_trusted and told is not None and seen.reported_at and seen.reported_at > told.came_at
    if (
        told is not None
        and not learned
        and now - told.came_at <= STALE
        and abs(told.came_at - told.said_at) > limits.skew
    ):
        seconds = round((told.said_at - told.came_at).total_seconds())
        return Sign(True, told.came_at, f"{seconds:+d} s")
    if seen.clock_trusted is False:
        return Sign(True, seen.reported_at, "")
    return Sign(False)


def answers(
    now: datetime, seen: Seen, listening_since: datetime | None, standing: Mapping[str, datetime], limits: Limits
) -> dict[Question, Told]:
    """The four answers. `standing`: faults that stand, and since when."""
    against = {question: [code for code in standing if question in CLASSES[Code(code)].denies] for question in Question}
    return {
        Question.CONNECTED: _connected(seen, listening_since),
        Question.REPORTING: _reporting(now, seen, listening_since),
        Question.ABLE: _able(now, seen, listening_since, against[Question.ABLE], standing),
        Question.HEARD: _heard(now, seen, against[Question.HEARD], standing, limits),
    }


def _connected(seen: Seen, listening: datetime | None) -> Told:
    if seen.connected is None:
        return Told(Answer.UNKNOWN, seen.enrolled_at, ("never",))
    if listening is None:
        return Told(Answer.UNKNOWN, None, ("not_listening",))
    return Told(Answer.YES if seen.connected else Answer.NO, seen.presence_at)


def _reporting(now: datetime, seen: Seen, listening: datetime | None) -> Told:
    if seen.last_sign is None:
        return Told(Answer.UNKNOWN, seen.enrolled_at, ("never",))
    if listening is None:
        return Told(Answer.UNKNOWN, None, ("not_listening",))
    if not seen.connected:
        return Told(Answer.NO, seen.last_sign, ("away",))
    if now - max(seen.last_sign, listening) > STALE:
        return Told(Answer.NO, seen.last_sign, (Code.MUTE,))
    return Told(Answer.YES, seen.last_sign)


def _able(
    now: datetime, seen: Seen, listening: datetime | None, against: Sequence[str], standing: Mapping[str, datetime]
) -> Told:
    if against:
        return Told(Answer.NO, min(standing[code] for code in against), tuple(against))
    told = seen.numbers
    if told is None or not seen.connected or listening is None or now - told.came_at > STALE:
        return Told(Answer.UNKNOWN, told.came_at if told else None, ("old_numbers" if told else "never",))
    return Told(Answer.YES, told.came_at)


def _heard(now: datetime, seen: Seen, against: Sequence[str], standing: Mapping[str, datetime], limits: Limits) -> Told:
    if against:
        return Told(Answer.NO, min(standing[code] for code in against), tuple(against))
    if seen.proof is None or now - seen.proof.at > limits.heard_for or seen.proof.what == "test":
        return Told(Answer.UNKNOWN, seen.proof.at if seen.proof else None, ("no_play",))
    return Told(Answer.YES if seen.proof.sounded else Answer.NO, seen.proof.at)
