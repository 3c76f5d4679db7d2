"""A feed of warnings and a standing rule, as they are typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from broadcasts.clock import VIETNAM
from controller.db.tables import CapFeed
from controller.services.cap_feeds import Told
from controller.services.cap_standing import Wish
from controller.web.upload import Posted


@dataclass(frozen=True)
class FeedForm:
    """`senders` and `systems` with commas or one a line."""

    name: str = ""
    area: str = ""
    url: str = ""
    senders: str = ""
    systems: str = "VN-GSO"
    certificate: str = ""
    signed: bool = False
    every: str = "60"

    def told(self) -> Told:
        return Told(
            self.name,
            self.area,
            self.url,
            _several(self.senders),
            _several(self.systems),
            self.certificate,
            self.signed,
            whole(self.every),
        )


@dataclass(frozen=True)
class RuleForm:
    area: str = ""
    kind: str = "storm"
    severity: str = "Extreme"
    urgency: str = "Immediate"
    certainty: str = "Observed"
    minutes: str = "30"
    until: str = ""
    events: str = ""

    def wish(self, feed: str) -> Wish:
        """`until` is the last day; what is no day is one that is refused in words."""
        return Wish(
            feed,
            self.area,
            self.kind,
            self.severity,
            self.urgency,
            self.certainty,
            whole(self.minutes),
            _end_of(self.until),
            _several(self.events),
        )


def feed_form(posted: Posted) -> FeedForm:
    return FeedForm(
        name=posted.get("name")[:200],
        area=posted.get("area")[:40],
        url=posted.get("url")[:400],
        senders=posted.get("senders")[:5_000],
        systems=posted.get("systems")[:5_000],
        certificate=posted.get("certificate")[:30_000],
        signed=posted.get("signed") == "on",
        every=posted.get("every", "60")[:8],
    )


def feed_typed(row: CapFeed) -> FeedForm:
    return FeedForm(
        row.name,
        row.area_id,
        row.url,
        "\n".join(row.senders),
        "\n".join(row.systems),
        row.certificate,
        row.signed,
        str(row.every_s),
    )


def rule_form(posted: Posted) -> RuleForm:
    names = ("kind", "severity", "urgency", "certainty", "minutes", "until")
    told = {name: posted.get(name)[:40] for name in names}
    return RuleForm(area=posted.get("area")[:40], events=posted.get("events")[:5_000], **told)


def whole(text: str) -> int:
    told = text.strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 6 else -1


def _several(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for line in text.splitlines() for each in line.split(",") if each.strip())


def _end_of(text: str) -> datetime:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = date(2000, 1, 1)
    day = min(day, date(9000, 1, 1))
    return datetime.combine(day + timedelta(days=1), time(), VIETNAM)
