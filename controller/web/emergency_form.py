"""The form of an emergency, or of a drill, as typed, and what it means. Nothing typed is ever lost on the way back."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from broadcasts.domain import polygon
from broadcasts.domain.polygon import Polygon
from broadcasts.errors import LoaError, Refused
from broadcasts.wire.alert import AlertKind, Repeat
from controller.services.targets import Target
from controller.web.more_form import tags_of
from controller.web.upload import Posted

MINUTES = (10, 30, 60, 120, 180, 360, 720, 1440)
VOLUMES = (100, 80, 60, 40)
REPEATS = {
    "once": Repeat(every_s=3600, times=1),
    "5": Repeat(every_s=300),
    "15": Repeat(every_s=900),
    "30": Repeat(every_s=1800),
    "60": Repeat(every_s=3600),
    "180": Repeat(every_s=3 * 3600),
}
ICONS = {
    "storm": "tropical-storm",
    "flood": "water",
    "surge": "tsunami",
    "salt": "droplet-half",
    "tsunami": "tsunami",
    "fire": "fire",
    "epidemic": "virus",
    "missing": "person-exclamation",
    "all_clear": "check-circle-fill",
    "other": "exclamation-triangle-fill",
}
CLIP, TEXT = "clip", "text"


@dataclass(frozen=True)
class EmergencyForm:
    """Empty `minutes`, `repeat`, `volume`: as the template of the kind has it."""

    kind: str = ""
    areas: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: str = ""
    shape: str = ""
    voice: str = CLIP
    text: str = ""
    asset: str = ""
    reason: str = ""
    minutes: str = ""
    repeat: str = ""
    volume: str = ""
    count: str = ""
    loud: bool = False
    press: str = ""
    """Of this form as it was shown."""

    @property
    def once(self) -> str:
        """The same when the same is handed in twice, by a double press or a browser that tries again; another one when
        something else was typed."""
        told = replace(self, asset="", count="")
        return hashlib.sha256(repr(told).encode()).hexdigest() if self.press else ""

    @property
    def target(self) -> Target:
        """Raises Refused("target.polygon")."""
        return Target(self.areas, self.clusters, tags_of(self.tags), self.groups, self._polygon())

    def _polygon(self) -> Polygon:
        return polygon.read(self.shape) if self.shape.strip() else ()

    @property
    def which(self) -> AlertKind:
        """Raises Refused("emergency.kind")."""
        if self.kind not in {str(each) for each in AlertKind}:
            raise Refused("emergency.kind")
        return AlertKind(self.kind)

    @property
    def lasts(self) -> timedelta | None:
        return timedelta(minutes=int(self.minutes)) if self.minutes in {str(each) for each in MINUTES} else None

    @property
    def percent(self) -> int | None:
        return int(self.volume) if self.volume in {str(each) for each in VOLUMES} else None

    @property
    def every(self) -> Repeat | None:
        return REPEATS.get(self.repeat)

    @property
    def missing(self) -> list[LoaError]:
        """What nobody has said yet, in the order of the page."""
        found: list[LoaError] = []
        if not self.kind:
            found.append(Refused("emergency.kind"))
        if not (self.areas or self.clusters or self.groups or tags_of(self.tags) or self.shape.strip()):
            found.append(Refused("target.empty"))
        if self.voice == TEXT and not self.text.strip():
            found.append(Refused("speech.empty"))
        if not self.reason.strip():
            found.append(Refused("emergency.reason"))
        return found


def with_press(form: EmergencyForm) -> EmergencyForm:
    return form if form.press else replace(form, press=secrets.token_hex(8))


def typed(posted: Posted) -> EmergencyForm:
    """All of it: what is too long is refused in words, never cut."""
    return EmergencyForm(
        kind=posted.get("kind")[:20],
        areas=tuple(posted.all("areas")),
        clusters=tuple(posted.all("clusters")),
        groups=tuple(posted.all("groups")),
        tags=posted.get("tags")[:300],
        shape=posted.get("shape"),
        voice=TEXT if posted.get("voice") == TEXT else CLIP,
        text=posted.get("text").replace("\r\n", "\n"),
        asset=posted.get("asset")[:64],
        reason=posted.get("reason")[:300],
        minutes=posted.get("minutes"),
        repeat=posted.get("repeat"),
        volume=posted.get("volume"),
        count=posted.get("count")[:80],
        loud=posted.get("loud") == "1",
        press=posted.get("press")[:40],
    )
