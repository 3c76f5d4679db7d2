"""What somebody asks for who sounds an emergency: data alone, so that a page, a command, a gateway and a message of
another system say the same thing in the same words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from broadcasts.wire.alert import AlertKind, Repeat
from controller.services.targets import Target

WAITING, ISSUED, CANCELLED, LAPSED, SILENCED = "waiting", "issued", "cancelled", "lapsed", "silenced"
"""States of an emergency."""


@dataclass(frozen=True)
class Content:
    """What sounds. Nothing: the preloaded recordings of the kind, where a commune's own words go before the province's.
    `recordings`: (language, asset) in the order of playing, prepared before. `text`: read aloud by `voice` (none: the
    one that a form offers first) when it is pressed, with the time of issue before it (R-061)."""

    recordings: tuple[tuple[str, str], ...] = ()
    text: str = ""
    language: str = "vi"
    voice: str = ""
    inline: bool | None = None
    """The sound travels in the document itself: no unit has to fetch it. At most 30 s, still well understood on a horn.
    None: where it was typed, and is short enough for it."""


PRELOADED = Content()


@dataclass(frozen=True)
class Call:
    """One emergency. `lasts`: to the hard end, 10 s to 24 h. `rule`: by which it repeats
    (`broadcasts.domain.alert_rules.Rule`); `repeat` says it freely instead; neither: as the kind's template has it.
    `volume`: percent; none: the template's.

    `confirmed`: what was typed in where the reach is wide (`Reach.word`). `ends`: alerts that this one takes back in
    the same publication; an all-clear without any takes back every alert that its clusters hear.
    """

    kind: AlertKind
    target: Target
    content: Content = PRELOADED
    reason: str = ""
    lasts: timedelta | None = None
    repeat: Repeat | None = None
    rule: str = ""
    level: int | None = None
    """Of the disaster risk, 1 to 5, by which the template's rule repeats more or less often (R-058, R-062)."""
    volume: int | None = None
    confirmed: str = ""
    ends: tuple[str, ...] = field(default=())
    press: str = ""
    """Of one press of a button: the same person's second call with the same one is the first come twice."""
    origin: str = ""
    """Who asked for it, where that was no person at a page: told in the log ("cap", "cli", "sms")."""
