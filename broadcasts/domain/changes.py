"""What an edit makes sound, no longer sound, or sound at another time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo


@dataclass(frozen=True)
class Change:
    """At these clusters. `was`: the start before; none for one that is added. `at`: none for one that is removed."""

    was: datetime | None
    at: datetime | None
    clusters: frozenset[str]

    @property
    def kind(self) -> str:
        if self.was is None:
            return "added"
        return "removed" if self.at is None else "moved"

    @property
    def when(self) -> datetime:
        found = self.at or self.was
        assert found is not None
        return found


def changes(
    before: Mapping[str, Collection[datetime]], after: Mapping[str, Collection[datetime]], zone: tzinfo
) -> list[Change]:
    """By cluster the starts before and after, in order of time. What goes and comes on the same local day, the first
    with the first, has moved."""
    found: dict[tuple[datetime | None, datetime | None], set[str]] = defaultdict(set)
    for cluster in {*before, *after}:
        old, new = set(before.get(cluster, ())), set(after.get(cluster, ()))
        gone, come = _by_day(old - new, zone), _by_day(new - old, zone)
        for day in {*gone, *come}:
            went, came = gone.get(day, []), come.get(day, [])
            pairs = min(len(went), len(came))
            for was, at in zip(went[:pairs], came[:pairs], strict=True):
                found[was, at].add(cluster)
            for was in went[pairs:]:
                found[was, None].add(cluster)
            for at in came[pairs:]:
                found[None, at].add(cluster)
    made = [Change(was, at, frozenset(clusters)) for (was, at), clusters in found.items()]
    return sorted(made, key=lambda change: (change.when, change.kind, sorted(change.clusters)))


def _by_day(starts: Collection[datetime], zone: tzinfo) -> dict[date, list[datetime]]:
    days: dict[date, list[datetime]] = defaultdict(list)
    for start in sorted(starts):
        days[start.astimezone(zone).date()].append(start)
    return days
