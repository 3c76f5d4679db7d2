"""What `loasim prove` asks of a controller: the words of a port, found by entry point, never imported.

A controller registers `loasim.counterpart` entry points: `open(setting: Setting) -> Counterpart`. Only plain values
cross the port, so that any controller, in any style, can be proven.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict, runtime_checkable


class Enrolment(TypedDict):
    """What a unit knows from the day it was set up (CONTRACT.md, section 1)."""

    unit: str
    cluster: str
    secret: str
    key_jwk: NotRequired[str]
    """The unit's private key as a JWK with `kid` = unit id (the simulator stands in for the hardware that made it)."""
    password_only: NotRequired[bool]
    """It has no key: its journal is unsigned."""
    root_x: str
    """The root public key, base64url."""
    root_kid: str
    ear: NotRequired[str]
    """line_out, microphone or none (without a word): where the hardware hears its own sound."""


class Account(TypedDict):
    """The controller's answer for one delivery: what was due, and what it says became of it."""

    delivery: str
    cluster: str
    unit: str
    asset: str
    start: int
    end: int
    """Unix ms, planned."""
    level: int
    approved: bool
    state: str
    verdict: str | None
    """heard, played, failed_to_sound, not_played, unknown; none while it is open."""
    reason: str | None
    relay: NotRequired[str]
    """The source of a slot that relays; `asset` is its fallback, and [start, end) the slot."""


class FaultAccount(TypedDict):
    """One fault that the controller told of, at one cluster."""

    cluster: str
    unit: str
    code: str
    since: int
    raised: int
    gone: int | None
    """Unix ms; when it was sure, and when it was over."""
    within_ms: int
    """The controller's own promise for this class: told at the latest so long after it shows."""
    shows: str
    """at_once, play, two_plays or many_plays: what it has to wait for first."""
    grouped: bool
    """Told as one with others."""


class Siren(TypedDict):
    """One emergency or drill that anybody decided on, whatever became of it. Times are Unix ms."""

    id: str
    """As units name it."""
    drill: bool
    silent: bool
    units: list[str]
    """Whom it was meant for."""
    released: int | None
    """When the first unit could hear of it: the press and the cancel interval; none: it was cancelled, or lapsed."""
    begins: int
    """`not_before`"""
    hard_end: int
    times: int | None
    """How often it sounds in all; none: until `hard_end`."""
    blind_ms: int
    lengths: dict[str, int]
    """ms of each sound that it may be heard in, by hash."""


@dataclass(frozen=True)
class Setting:
    """The world a counterpart is opened in."""

    units: int
    days: int
    seed: int
    start: datetime
    folder: Path
    watched: bool = False
    """The controller looks after the health of its fleet, and officers do nothing but play the same every day."""


class Counterpart(Protocol):
    """A controller in virtual time, with its officers: `step` also writes, edits, approves and rejects bulletins,
    pushes at the last minute, sounds and silences an alert, all from the seed."""

    def enrolments(self) -> Sequence[Enrolment]: ...

    def attach(self, publish: Callable[[str, bytes, int, bool], bool]) -> None:
        """`publish(topic, payload, qos, retain)` says whether the broker took it."""
        ...

    def connection(self, up: bool, now: datetime) -> None: ...

    def filters(self) -> Sequence[tuple[str, int]]:
        """What it subscribes to, with QoS, on a session the broker keeps."""
        ...

    def receive(self, topic: str, payload: bytes, retained: bool, now: datetime) -> None: ...

    def step(self, now: datetime) -> datetime:
        """Do all that is due; return when to be called next at the latest."""
        ...

    def get(self, unit: str, secret: str, path: str, offset: int) -> tuple[int, bytes]:
        """An HTTP GET with `Range: bytes=offset-`: status and body."""
        ...

    def kill(self) -> None:
        """As kill -9: everything that was not committed is gone."""
        ...

    def restart(self, now: datetime) -> None: ...

    def accounts(self) -> Sequence[Account]:
        """One line for each delivery it ever planned."""
        ...

    def approved_sounds(self) -> set[tuple[str, str]]:
        """(unit, sound) pairs that some approval or alert ever allowed to sound there: the hash of an asset, or
        `relay:{source}` for a station that somebody approved to be relayed there, or `live:{session}` for somebody who
        was allowed to speak there."""
        ...

    def sirens(self) -> Sequence[Siren]:
        """Every emergency and every drill that its officers decided on."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Watchful(Protocol):
    """A counterpart that finds faults: what `loasim detect` asks of it besides."""

    def promises(self) -> Mapping[str, tuple[int, str]]:
        """By code: told within so many ms after it shows, and what shows it (`FaultAccount`)."""
        ...

    def faults(self) -> Sequence[FaultAccount]:
        """Every fault that it ever told of, one line for each cluster."""
        ...
