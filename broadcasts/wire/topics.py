"""Every topic of contract version 1, and who may do what with it. No topic string exists anywhere else.

`{unit}` is a unit id, `{scope}` a standing scope (province, commune or single unit).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broadcasts.errors import ContractViolation
from broadcasts.ids import NAME

ROOT = "loa/v1"
TRUST = f"{ROOT}/trust"
CANARY = f"{ROOT}/canary"
"""Retained by the controller for itself: when it is gone, the broker lost its store (design, decision 8)."""


class In(StrEnum):
    """What a unit is told, under `loa/v1/u/{unit}/in/`."""

    PLAN = "plan"
    JOURNAL_ACK = "journal-ack"
    COMMAND = "command"
    TIME = "time"


class Out(StrEnum):
    """What a unit says, under `loa/v1/u/{unit}/out/`."""

    REPORTED = "reported"
    PRESENCE = "presence"
    TELEMETRY = "telemetry"
    JOURNAL = "journal"
    CLIP = "clip"
    TIME_ASK = "time-ask"


class ScopeTopic(StrEnum):
    """What a standing scope is told, under `loa/v1/s/{scope}/`."""

    ALERT = "alert"
    DRILL = "drill"
    LIVE = "live"


@dataclass(frozen=True)
class Manner:
    """How a message travels."""

    qos: int
    retain: bool
    max_bytes: int


KIB = 1024
MANNERS: dict[In | Out | ScopeTopic, Manner] = {
    In.PLAN: Manner(1, True, 64 * KIB),
    In.JOURNAL_ACK: Manner(1, True, 2 * KIB),
    In.COMMAND: Manner(1, False, 8 * KIB),
    In.TIME: Manner(1, False, 2 * KIB),
    Out.REPORTED: Manner(1, True, 16 * KIB),
    Out.PRESENCE: Manner(1, True, 1 * KIB),
    Out.TELEMETRY: Manner(0, False, 4 * KIB),
    Out.JOURNAL: Manner(1, False, 32 * KIB),
    Out.CLIP: Manner(1, False, 32 * KIB),
    Out.TIME_ASK: Manner(1, False, 1 * KIB),
    ScopeTopic.ALERT: Manner(1, True, 64 * KIB),
    ScopeTopic.DRILL: Manner(1, True, 64 * KIB),
    ScopeTopic.LIVE: Manner(0, False, 4 * KIB),
}
TRUST_MANNER = Manner(1, True, 16 * KIB)
CANARY_MANNER = Manner(1, True, 1 * KIB)
MAX_BYTES = 64 * KIB
"""No message of the contract is larger: a broker may refuse what is."""


def to_unit(unit: str, kind: In) -> str:
    return f"{ROOT}/u/{unit}/in/{kind}"


def from_unit(unit: str, kind: Out) -> str:
    return f"{ROOT}/u/{unit}/out/{kind}"


def to_scope(scope: str, kind: ScopeTopic) -> str:
    return f"{ROOT}/s/{scope}/{kind}"


@dataclass(frozen=True)
class Address:
    """A parsed topic: `about` names the unit or scope ("" for trust and canary)."""

    kind: In | Out | ScopeTopic | None
    about: str
    topic: str


def parse(topic: str) -> Address:
    """Raises ContractViolation("unknown_topic") on anything that is not in this contract."""
    if topic in (TRUST, CANARY):
        return Address(None, "", topic)
    parts = topic.split("/")
    if len(parts) >= 5 and "/".join(parts[:2]) == ROOT and NAME.fullmatch(parts[3]):
        try:
            match parts[2], parts[4:]:
                case "u", ["in", kind]:
                    return Address(In(kind), parts[3], topic)
                case "u", ["out", kind]:
                    return Address(Out(kind), parts[3], topic)
                case "s", [kind]:
                    return Address(ScopeTopic(kind), parts[3], topic)
        except ValueError:
            pass
    raise ContractViolation("unknown_topic", topic[:120])


def unit_filters(unit: str) -> tuple[str, ...]:
    """What a unit subscribes to, at QoS 0 (design, section 6: correctness does not depend on it)."""
    return (f"{ROOT}/u/{unit}/in/#", f"{ROOT}/u/{unit}/out/{Out.PRESENCE}", TRUST, f"{ROOT}/s/#")


def unit_may_write(unit: str) -> tuple[str, ...]:
    return (f"{ROOT}/u/{unit}/out/#",)


CONTROLLER_FILTERS = (f"{ROOT}/u/+/out/#", CANARY)
"""What the controller lives by, at QoS 1."""
CONTROLLER_LOOKBACK = (
    TRUST,
    f"{ROOT}/u/+/in/{In.PLAN}",
    f"{ROOT}/s/+/{ScopeTopic.ALERT}",
    f"{ROOT}/s/+/{ScopeTopic.DRILL}",
)
"""Its own retained documents, read back once after a connect: versions must outrank what is already out there."""
CONTROLLER_MAY_READ = (*CONTROLLER_FILTERS, *CONTROLLER_LOOKBACK)
CONTROLLER_MAY_WRITE = (TRUST, CANARY, f"{ROOT}/u/+/in/#", f"{ROOT}/s/#")


def matches(pattern: str, topic: str) -> bool:
    """MQTT 3.1.1 section 4.7: `+` is one level, a final `#` is the level above and all below; neither of them
    reaches a topic of the broker's own (`$SYS/...`) from the first level."""
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    want, have = pattern.split("/"), topic.split("/")
    for depth, level in enumerate(want):
        if level == "#":
            return True
        if depth >= len(have) or (level != "+" and level != have[depth]):
            return False
    return len(want) == len(have)


def covers(pattern: str, asked: str) -> bool:
    """Whether everything that the filter `asked` can match is also matched by `pattern`."""
    if asked.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    want, have = pattern.split("/"), asked.split("/")
    for depth, level in enumerate(want):
        if level == "#":
            return True
        if depth >= len(have) or have[depth] == "#":
            return False
        if level != "+" and level != have[depth]:
            return False
    return len(want) == len(have)


def may_write(writable: tuple[str, ...], topic: str) -> bool:
    return any(matches(pattern, topic) for pattern in writable)


def may_read(readable: tuple[str, ...], asked: str) -> bool:
    return any(covers(pattern, asked) for pattern in readable)
