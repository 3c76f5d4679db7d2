"""One mast down is one fault with fourteen clusters: what began together, near each other, in the same way, has one
cause (issue 6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Grouping:
    """Thresholds, as data."""

    window: timedelta = timedelta(minutes=12)
    """They began within so long of each other: last wills come up to one and a half keep-alives apart."""
    least: int = 3
    share: float = 0.3
    """Of the clusters of the area."""


@dataclass(frozen=True)
class Case:
    """One cluster in trouble, told or about to be."""

    cluster: str
    area: str
    province: str
    code: str
    since: datetime


@dataclass(frozen=True)
class Group:
    area: str
    code: str
    cases: tuple[Case, ...]


def group(cases: Sequence[Case], sizes: Mapping[str, int], rules: Grouping) -> list[Group]:
    """The groups; what is in none stands alone. `sizes`: clusters of each area."""
    by_area: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        by_area[case.code, case.area].append(case)
    local = [
        Group(area, code, together)
        for (code, area), found in sorted(by_area.items())
        for together in _together(found, rules.window)
        if len(together) >= rules.least and len(together) >= rules.share * sizes.get(area, len(together))
    ]
    return _widen(local, rules)


def _together(cases: Sequence[Case], window: timedelta) -> list[tuple[Case, ...]]:
    runs: list[list[Case]] = []
    for case in sorted(cases, key=lambda each: (each.since, each.cluster)):
        if runs and case.since - runs[-1][0].since <= window:
            runs[-1].append(case)
        else:
            runs.append([case])
    return [tuple(run) for run in runs]


def _widen(local: Sequence[Group], rules: Grouping) -> list[Group]:
    """Two areas of a province or more at the same time: the operator, the power company, our broker."""
    wide: list[Group] = []
    for each in sorted(local, key=lambda one: (one.code, one.cases[0].province, one.cases[0].since)):
        last = wide[-1] if wide else None
        first = each.cases[0]
        if (
            last is not None
            and (last.code, last.cases[0].province) == (each.code, first.province)
            and first.since - last.cases[0].since <= rules.window
        ):
            wide[-1] = Group(first.province, each.code, (*last.cases, *each.cases))
        else:
            wide.append(each)
    return wide
