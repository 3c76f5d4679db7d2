"""A broadcast that is a relay: what its form may say, how long its slot is, and what an approver decides on (R-024)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.domain.content import Origin, Translation
from broadcasts.domain.model import Late, OnPreempt
from broadcasts.domain.programme import Part, PartKind
from broadcasts.domain.relay import Relay, check_slot
from broadcasts.domain.routing import Routing
from broadcasts.errors import LoaError, Refused
from controller.db.tables import Broadcast, Bulletin, Cluster, RelaySource, Station
from controller.services.rights import Actor
from controller.services.stations import lines


def relay_of(broadcast: Broadcast) -> Relay | None:
    """What it says of its relay; none where it is none."""
    if broadcast.relay_source_id is None:
        return None
    return Relay(broadcast.relay_source_id, broadcast.relay_minutes or 0, broadcast.relay_silence_s or 0)


def name_of(session: Session, broadcast: Broadcast) -> str | None:
    """Of the station that is relayed, as it was approved; none where it is no relay."""
    if broadcast.relay_source_id is None:
        return None
    return session.get_one(Bulletin, broadcast.bulletin_id).source or broadcast.relay_source_id


def fill(broadcast: Broadcast, relay: Relay | None) -> None:
    broadcast.relay_source_id = relay.source if relay else None
    broadcast.relay_minutes = relay.minutes if relay else None
    broadcast.relay_silence_s = relay.silence_s if relay else None


def facts(session: Session, broadcast: Broadcast) -> dict[str, Any] | None:
    """Source, address, slot and silence; the fallback is the bulletin's recording. A plan says the address as it was
    approved (`valid_approvals.relays`). None where it is no relay."""
    told = (broadcast.relay_source_id, broadcast.relay_minutes, broadcast.relay_silence_s)
    if told == (None, None, None):
        return None
    source = session.get(RelaySource, broadcast.relay_source_id) if broadcast.relay_source_id else None
    return {
        "source": broadcast.relay_source_id,
        "kind": source.kind if source else "",
        "url": source.url if source else "",
        "frequency_khz": source.frequency_khz if source else None,
        "minutes": broadcast.relay_minutes,
        "silence_s": broadcast.relay_silence_s,
    }


def source_of(session: Session, relay: Relay | None) -> RelaySource | None:
    """The one that is named, if it may be relayed at all."""
    found = session.get(RelaySource, relay.source[:40]) if relay else None
    return found if found is not None and found.retired_at is None else None


def sound(session: Session, relay: Relay | None, asset: str) -> str:
    """What neighbours compare: the same station is the same voice, whatever the fallbacks are."""
    source = source_of(session, relay)
    return f"relay {source.name}" if source else asset


def problems(
    session: Session,
    relay: Relay | None,
    origin: str,
    clusters: Sequence[Cluster],
    parts: Sequence[Part],
    more: Sequence[Translation],
    manners: tuple[str, str, str],
) -> list[LoaError]:
    """`manners`: late, on_preempt, routing. Refused: "relay.missing" (it calls itself a relay, or has a part that is
    one, and names no source), "relay.origin", "relay.source" (unknown or retired), "relay.elsewhere" (not meant for
    these communes), "relay.alone" (further languages, parts none or several of which are relays), "relay.manner" (what
    another station says now is not said later), and those of `domain.relay.check_slot`."""
    relayed = [part for part in parts if part.kind is PartKind.RELAY]
    if relay is None:
        return [Refused("relay.missing")] if origin == Origin.RELAY or relayed else []
    if origin != Origin.RELAY and not relayed:
        return [Refused("relay.origin")]
    bad: list[LoaError] = []
    source = source_of(session, relay)
    if source is None:
        bad.append(Refused("relay.source"))
    elif not _reaches(session, source, {cluster.station_id for cluster in clusters}):
        bad.append(Refused("relay.elsewhere", source=source.name))
    try:
        check_slot(relay.minutes, relay.silence_s)
    except Refused as error:
        bad.append(error)
    if len(relayed) > 1 or (parts and not relayed) or more:
        bad.append(Refused("relay.alone"))
    late, on_preempt, routing = manners
    later = on_preempt in (OnPreempt.RESTART, OnPreempt.NEXT_SLOT)
    if late != Late.DROP or later or routing == Routing.STACKED:
        bad.append(Refused("relay.manner"))
    return bad


def usable(session: Session, actor: Actor) -> list[RelaySource]:
    """What this person may relay somewhere, by name: those of the whole province, of an area above, or of one's own."""
    above = {each for line in lines(session, {grant.area for grant in actor.grants}).values() for each in line}
    near = or_(RelaySource.area_id.is_(None), RelaySource.area_id.in_(above | actor.areas))
    rows = session.scalars(select(RelaySource).where(RelaySource.retired_at.is_(None), near))
    return sorted(rows, key=lambda row: (row.kind, row.name))


def _reaches(session: Session, source: RelaySource, stations: Collection[str]) -> bool:
    if source.area_id is None:
        return True
    areas = set(session.scalars(select(Station.area_id).where(Station.id.in_(stations))))
    return all(source.area_id in line for line in lines(session, areas).values())
