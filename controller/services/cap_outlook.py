"""What a warning of somebody else's would come to here: which clusters, what would be said in which language, of which
kind it probably is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.domain import cap
from broadcasts.domain.cap import Info, Message, ResponseType
from broadcasts.domain.cap_places import Found, Pole, find
from broadcasts.wire.alert import AlertKind
from controller.db.tables import Area, CapFeed, Cluster, Station
from controller.services import alert_speech
from controller.services.rights import below
from controller.services.stations import lines

ISSUE_TIME = 100
"""Characters that the time of issue before a text may take."""
WORDS: tuple[tuple[AlertKind, tuple[str, ...]], ...] = (
    (AlertKind.TSUNAMI, ("sóng thần", "tsunami")),
    (AlertKind.SURGE, ("triều cường", "nước dâng", "surge", "high tide", "coastal flood")),
    (AlertKind.SALT, ("xâm nhập mặn", "mặn", "salin", "salt")),
    (AlertKind.FLOOD, ("lũ", "ngập", "lụt", "flood")),
    (AlertKind.STORM, ("bão", "áp thấp", "dông", "lốc", "gió", "storm", "typhoon", "cyclone", "tornado", "wind")),
    (AlertKind.FIRE, ("cháy", "fire")),
    (AlertKind.EPIDEMIC, ("dịch", "epidemic", "outbreak", "disease")),
    (AlertKind.MISSING, ("mất tích", "missing", "amber")),
)
"""What stands in the name of an event, the more special first: only a proposal, a person chooses."""


@dataclass(frozen=True)
class Outlook:
    """`infos`: the parts that are not over. `texts` by language. `found`: clusters within the feed's area."""

    message: Message
    infos: tuple[Info, ...]
    texts: dict[str, str]
    found: Found
    kind: AlertKind
    end: datetime

    @property
    def placed(self) -> bool:
        """Whether everything that the message names is somewhere that we know."""
        return not self.found.unknown and not self.found.unplaced


def outlook(
    session: Session, feed: CapFeed, message: Message, now: datetime, only: Sequence[Info] | None = None
) -> Outlook:
    """`only`: of these parts alone, with their places and their end."""
    if only is not None:
        message = replace(message, infos=tuple(only))
    infos = message.standing(now) or message.infos
    places = tuple(dict.fromkeys(place for info in infos for place in info.areas))
    poles, codes = _poles(session, feed.area_id)
    found = find(places, poles, feed.systems, codes)
    return Outlook(
        message, infos, cap.spoken(infos, alert_speech.LONGEST - ISSUE_TIME), found, proposed(infos), message.end
    )


def within(session: Session, clusters: Sequence[str], area: str) -> list[str]:
    """Those of these clusters that stand in the area."""
    rows = session.scalars(
        select(Cluster.id)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(below(session, area)), Cluster.removed_at.is_(None))
    )
    inside = set(rows)
    return [each for each in clusters if each in inside]


def proposed(infos: Sequence[Info]) -> AlertKind:
    if infos and all(ResponseType.ALL_CLEAR in info.response_types for info in infos):
        return AlertKind.ALL_CLEAR
    for text in (" ".join(info.event for info in infos), " ".join(info.headline for info in infos)):
        said = text.casefold()
        for kind, words in WORDS:
            if any(word in said for word in words):
                return kind
    return AlertKind.OTHER


def _poles(session: Session, area: str) -> tuple[list[Pole], set[str]]:
    """Clusters in use below this area, and every code in it and above it."""
    rows = session.execute(
        select(Cluster.id, Cluster.latitude, Cluster.longitude, Station.area_id)
        .join(Station, Cluster.station_id == Station.id)
        .where(Station.area_id.in_(below(session, area)), Cluster.removed_at.is_(None))
        .order_by(Cluster.id)
    ).all()
    above = lines(session, {row.area_id for row in rows})
    ids = {each for line in above.values() for each in line}
    codes = {row.id: row.code for row in session.execute(select(Area.id, Area.code).where(Area.id.in_(ids)))}
    by_area = {place: frozenset(codes[each] for each in line) for place, line in above.items()}
    poles = [Pole(row.id, row.latitude, row.longitude, by_area[row.area_id]) for row in rows]
    return poles, set(codes.values())
