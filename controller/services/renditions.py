"""The languages of a bulletin: kept in order, laid out in time for each cluster.

Each language is a delivery of its own, one after the other, so that each has its own evidence and its own verdict: what
was heard in Khmer is proven for Khmer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from broadcasts.domain.content import Choice, Translation, choose
from broadcasts.domain.programme import Part, PartKind, length, offsets
from controller.db.tables import Asset, Broadcast, Cluster, Rendition
from controller.services.relaying import relay_of


@dataclass(frozen=True)
class Said:
    """One thing that sounds. `language` is "" for a part of a programme that is no bulletin; `part` and its `place`
    among all are none outside programmes."""

    asset: Asset
    language: str
    part: Part | None = None
    place: int | None = None
    slot: timedelta | None = None
    """Of a relay, whose recording only sounds where the source is silent."""

    @property
    def length(self) -> timedelta:
        return timedelta(milliseconds=self.asset.duration_ms) if self.slot is None else self.slot


@dataclass(frozen=True)
class Layout:
    """What clusters that want these languages hear, each piece with when it begins after the start."""

    wanted: tuple[str, ...]
    choice: Choice
    pieces: tuple[tuple[timedelta, Said], ...]

    @property
    def length(self) -> timedelta:
        """From the first sound to the last."""
        return length([said.length for _, said in self.pieces])


def of(session: Session, bulletin_id: str) -> list[Rendition]:
    """All languages, the one it was written in first."""
    return list(
        session.scalars(select(Rendition).where(Rendition.bulletin_id == bulletin_id).order_by(Rendition.position))
    )


def translations(others: Sequence[Rendition]) -> tuple[Translation, ...]:
    """All but the first, as a draft has them."""
    return tuple(Translation(each.language, each.asset_sha256, each.title, each.text) for each in others)


def keep(session: Session, bulletin_id: str, language: str, asset: str, text: str, more: Sequence[Translation]) -> None:
    """In place of those it had."""
    session.execute(delete(Rendition).where(Rendition.bulletin_id == bulletin_id))
    session.add_all(
        Rendition(
            bulletin_id=bulletin_id,
            position=place,
            language=each.language,
            title=each.title,
            text=each.text,
            asset_sha256=each.asset,
        )
        for place, each in enumerate((Translation(language, asset, "", text), *more))
    )


def wishes(clusters: Sequence[Cluster]) -> dict[str, tuple[str, ...]]:
    """By cluster: its languages in its order."""
    return {cluster.id: tuple(cluster.languages) for cluster in clusters}


def layouts(
    session: Session,
    wanted: Mapping[str, tuple[str, ...]],
    spoken: Sequence[tuple[str, str]],
    parts: Sequence[Part] = (),
    slot: timedelta | None = None,
) -> dict[tuple[str, ...], Layout]:
    """By list of languages: what such clusters hear. `spoken` are (language, recording), the bulletin's own first; in a
    programme they stand where its own recording does. Recordings that are not there are left out. `slot`: it is a
    relay, and lasts so long; in a programme only the part that is one does."""
    every = {sha for _, sha in spoken} | {part.asset for part in parts}
    assets = {each.sha256: each for each in session.scalars(select(Asset).where(Asset.sha256.in_(every)))}
    there = dict(spoken)
    found = {}
    for languages in set(wanted.values()):
        choice = choose(languages, list(there))
        bulletin = [(each, there[each]) for each in choice.languages]
        line: list[tuple[str, str, Part | None, int | None]] = []
        for place, part in enumerate(parts) if parts else ((None, None),):
            own = part is None or (part.asset == spoken[0][1] and part.kind is not PartKind.RELAY)
            line += [(*each, part, place) for each in (bulletin if own or part is None else [("", part.asset)])]
        said = [
            Said(assets[sha], language, part, place, slot if part is None or part.kind is PartKind.RELAY else None)
            for language, sha, part, place in line
            if sha in assets
        ]
        begins = offsets([each.length for each in said])
        found[languages] = Layout(languages, choice, tuple(zip(begins, said, strict=True)))
    return found


def laid_out(
    session: Session, broadcast: Broadcast, clusters: Sequence[str], parts: Sequence[Part]
) -> list[tuple[Layout, list[str]]]:
    """What sounds of a broadcast, with the clusters where it sounds so."""
    rows = session.execute(select(Cluster.id, Cluster.languages).where(Cluster.id.in_(clusters)))
    wanted = {name: tuple(languages) for name, languages in rows}
    spoken = [(each.language, each.asset_sha256) for each in of(session, broadcast.bulletin_id)]
    groups: dict[tuple[str, ...], list[str]] = {}
    for cluster in clusters:
        groups.setdefault(wanted.get(cluster, ()), []).append(cluster)
    relay = relay_of(broadcast)
    found = layouts(session, dict.fromkeys(clusters, ()) | wanted, spoken, parts, relay.slot if relay else None)
    return [(found[languages], several) for languages, several in groups.items()]


@dataclass(frozen=True)
class Hearing:
    """Clusters that hear the same, by name."""

    layout: Layout
    clusters: tuple[str, ...]


def hearings(clusters: Sequence[Cluster], heard: Mapping[tuple[str, ...], Layout]) -> list[Hearing]:
    """What is heard where, the most clusters first. Lists of languages that come to the same are one."""
    groups: dict[Choice, Hearing] = {}
    for cluster in clusters:
        layout = heard[tuple(cluster.languages)]
        key = layout.choice
        names = groups[key].clusters if key in groups else ()
        groups[key] = Hearing(layout, (*names, cluster.name))
    return sorted(groups.values(), key=lambda each: (-len(each.clusters), each.layout.choice.languages))
