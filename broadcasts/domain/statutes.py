"""The series that law and rules ask for, as data: what is asked, by which article, and how sure we are of it.

Read from circular39.md (R-037 to R-042, R-058 to R-063); nothing here was made up. What binds broadcasters of the
state or of the province is a template for a commune and no duty, and says so (`binds`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    CONSECUTIVE = "consecutive"
    """On so many days in a row, so many times each."""
    SPREAD = "spread"
    """So many times in all, over at least so many days."""
    NOTICE = "notice"
    """At the latest so many days before an event."""
    REPEATS = "repeats"
    """At once, then again and again until somebody ends it."""


class Binds(StrEnum):
    COMMUNE = "commune"
    TEMPLATE = "template"
    """It binds others: a pattern to follow."""


@dataclass(frozen=True)
class Template:
    name: str
    row: str
    """Of circular39.md."""
    law: str
    """What templates are grouped by on pages."""
    article: str
    kind: Kind
    binds: Binds = Binds.COMMUNE
    sure: tuple[str, ...] = ("law",)
    """How far the source was read, and doubts: "law" the article itself, "unverified", "district" (names an office
    that is no more), "areas" (another rule for some areas was not found)."""
    days: int = 1
    times: int = 1
    """A day, or in all for `SPREAD`."""
    within_hours: int | None = None
    """On air no later than so many hours after the issue."""
    working_days: int | None = None
    """Begun within so many working days of the decision."""
    notice_days: int = 0
    burst: int = 1
    """How often at once, before the rhythm begins."""
    pause_minutes: int = 0
    """Between those; 0: one right after the other."""
    every_minutes: int | None = None
    """The rhythm; none: as the issuing body asks."""
    on_the_hour: bool = False
    day_and_night: bool = False

    @property
    def is_warning(self) -> bool:
        return self.kind is Kind.REPEATS

    @property
    def needs_issue_time(self) -> bool:
        """A repeat says when the bulletin was issued (R-061); a term that runs from a decision needs its time."""
        return self.is_warning or self.within_hours is not None or self.working_days is not None


GRASSROOTS = "Luật Thực hiện dân chủ ở cơ sở số 10/2022/QH15"
LEGAL_ACCESS = "Thông tư 09/2021/TT-BTP"
EPIDEMIC = "Nghị định 101/2010/NĐ-CP"
MEETINGS = "Nghị định 59/2023/NĐ-CP"
DISASTER = "Nghị định 66/2021/NĐ-CP"
FORECAST = "Quyết định 18/2021/QĐ-TTg"
_NEWS, _TSUNAMI, _ORDER = "Điều 36 khoản 1", "Điều 37 khoản 1", "Điều 4 khoản 1, 2"
_AS_TEMPLATE, _AGAIN = Binds.TEMPLATE, Kind.REPEATS

_ALL = (
    Template(
        "democracy", "R-037", GRASSROOTS, "Điều 13 khoản 3; Điều 12 khoản 2, 3",
        Kind.CONSECUTIVE, sure=("law", "areas"), days=3, working_days=5,
    ),
    Template("legal_access", "R-040", LEGAL_ACCESS, "Điều 3 khoản 1 điểm c", Kind.SPREAD, days=5, times=3),
    Template(
        "epidemic", "R-041", EPIDEMIC, "Điều 18 khoản 1 điểm a",
        Kind.CONSECUTIVE, sure=("law", "district", "unverified"), days=7, times=3, within_hours=6,
    ),
    Template("meeting", "R-042", MEETINGS, "Điều 3 khoản 3", Kind.NOTICE, notice_days=2),
    Template("household_vote", "R-042", MEETINGS, "Điều 4 khoản 4", Kind.NOTICE, notice_days=2),
    Template("hamlet_head", "R-042", MEETINGS, "Điều 6 khoản 1 điểm b", Kind.NOTICE, notice_days=7),
    Template("conference", "R-042", MEETINGS, "Điều 11 khoản 1 điểm c", Kind.NOTICE, notice_days=5),
    Template("command", "R-058", DISASTER, _ORDER, _AGAIN, _AS_TEMPLATE, every_minutes=180),
    Template("command_above_3", "R-058", DISASTER, _ORDER, _AGAIN, _AS_TEMPLATE, every_minutes=60),
    Template("station_order", "R-059", DISASTER, "Điều 4 khoản 3", _AGAIN),
    Template(
        "storm_news", "R-060", FORECAST, _NEWS, _AGAIN, _AS_TEMPLATE, burst=0, every_minutes=120, on_the_hour=True,
    ),
    Template(
        "storm_urgent", "R-060", FORECAST, _NEWS,
        _AGAIN, _AS_TEMPLATE, burst=2, every_minutes=60, on_the_hour=True, day_and_night=True,
    ),
    Template(
        "tsunami", "R-062", FORECAST, _TSUNAMI, _AGAIN, _AS_TEMPLATE, burst=3, pause_minutes=5, every_minutes=30,
    ),
    Template(
        "tsunami_3", "R-062", FORECAST, _TSUNAMI, _AGAIN, _AS_TEMPLATE, burst=3, pause_minutes=5, every_minutes=20,
    ),
    Template("other_hazard", "R-063", FORECAST, "Điều 39", _AGAIN, _AS_TEMPLATE),
)  # fmt: skip

TEMPLATES = {each.name: each for each in _ALL}
"""By name, in the order of the pages."""
RHYTHMS = (5, 10, 15, 20, 30, 60, 90, 120, 180, 240, 360, 720)
"""Minutes that divide a day: a rhythm goes on over midnight. For the free setting of R-059 and R-063."""
