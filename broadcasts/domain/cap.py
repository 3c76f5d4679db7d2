"""A warning as the Common Alerting Protocol says it (OASIS CAP 1.2), once it is read: what it is, whom it takes back.

Nothing here sounds anything. A message's words are those of its sender; what becomes of it is `cap_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from broadcasts.domain.polygon import Ring

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
DEFAULT_LANGUAGE = "en-US"
"""What the standard takes where no language is said (3.2.2)."""
WITHOUT_END = timedelta(hours=24)
"""How long a message holds that names no end: the standard leaves that to who receives it."""


class Status(StrEnum):
    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"


class MsgType(StrEnum):
    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Scope(StrEnum):
    PUBLIC = "Public"
    RESTRICTED = "Restricted"
    PRIVATE = "Private"


class Category(StrEnum):
    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


class ResponseType(StrEnum):
    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


class Urgency(StrEnum):
    """The most urgent first; so in the two below."""

    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Certainty(StrEnum):
    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, order=True)
class Reference:
    """What names a message: nothing less does (3.2.1, `references`)."""

    sender: str
    identifier: str
    sent: datetime

    def __str__(self) -> str:
        return f"{self.sender},{self.identifier},{self.sent.isoformat(timespec='seconds')}"


@dataclass(frozen=True)
class Circle:
    """Degrees of WGS 84, kilometres."""

    latitude: float
    longitude: float
    km: float


@dataclass(frozen=True)
class Place:
    """One `area`: all that its shapes go round and its codes name, together."""

    description: str
    polygons: tuple[Ring, ...] = ()
    """(longitude, latitude), as everywhere in this house; CAP writes them the other way round."""
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()
    """(system, code)"""


@dataclass(frozen=True)
class Info:
    event: str
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    categories: tuple[Category, ...]
    language: str = DEFAULT_LANGUAGE
    response_types: tuple[ResponseType, ...] = ()
    event_codes: tuple[tuple[str, str], ...] = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    areas: tuple[Place, ...] = ()

    @property
    def speaks(self) -> str:
        """The language without its country: "vi" of "vi-VN"."""
        return self.language.partition("-")[0].lower()


@dataclass(frozen=True)
class Message:
    identifier: str
    sender: str
    sent: datetime
    status: Status
    msg_type: MsgType
    scope: Scope
    infos: tuple[Info, ...] = ()
    references: tuple[Reference, ...] = ()
    source: str = ""
    restriction: str = ""
    addresses: str = ""
    note: str = ""
    incidents: str = ""

    @property
    def name(self) -> Reference:
        return Reference(self.sender, self.identifier, self.sent)

    @property
    def end(self) -> datetime:
        """When all of it is over; `WITHOUT_END` after it was sent where one part names no end."""
        ends = [info.expires or self.sent + WITHOUT_END for info in self.infos]
        return max(ends, default=self.sent + WITHOUT_END)

    @property
    def places(self) -> tuple[Place, ...]:
        """Each place once: languages repeat them."""
        return tuple(dict.fromkeys(place for info in self.infos for place in info.areas))

    def standing(self, now: datetime) -> tuple[Info, ...]:
        """The parts that are not over."""
        return tuple(info for info in self.infos if (info.expires or self.sent + WITHOUT_END) > now)


def spoken(infos: Iterable[Info], most: int = 10_000) -> dict[str, str]:
    """By language, what a voice would read: headline, what it is, what to do. Where the parts of a language are about
    different places, each names its own. What is longer than `most` characters goes without what it is, then without
    what to do: a warning is short, because it is repeated. What is too long even then is not read at all."""
    by_language: dict[str, list[Info]] = {}
    for info in infos:
        by_language.setdefault(info.speaks, []).append(info)
    found: dict[str, str] = {}
    for language, parts in by_language.items():
        differ = len({part.areas for part in parts}) > 1
        tries = ("\n".join(dict.fromkeys(_text(part, differ, left) for part in parts)).strip() for left in range(3))
        found[language] = next((text for text in tries if len(text) <= most), "")
    return {language: text for language, text in found.items() if text}


def _text(info: Info, with_places: bool, left_out: int) -> str:
    places = "; ".join(place.description for place in info.areas) if with_places else ""
    more = (info.description, info.instruction)[left_out:] if left_out < 2 else ()
    said = (places, info.headline or info.event, *more)
    ended = (text if text.endswith((".", "!", "?", "…")) else f"{text}." for text in map(_tidy, said) if text)
    return "\n".join(dict.fromkeys(ended))


def _tidy(text: str) -> str:
    return " ".join(text.split())
