"""Plans that differ only in names are made once, as a form, and filled in for each pole.

A thousand poles that play the same have a thousand plans with the same rules, times and files. Checked and written is
the one of a unit that does not exist, by the long way (`plan_document.build`); each of the others takes its bytes,
with its own names in their places. A test compares both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

from broadcasts.clock import from_unix_ms, unix_ms
from broadcasts.ids import NAME
from broadcasts.wire import plan as wire
from controller.db.tables import Asset, Station
from controller.services import other_codecs, plan_document, wanting

_UNIT, _CLUSTER, _SINCE, _ITEM = "loa-form-unit", "loa-form-cluster", 1_234_567_890_123, "loa-form-item"
_PLACES = re.compile(f'"{_UNIT}"|"{_CLUSTER}"|(?<="since":){_SINCE}(?=}})|"{_ITEM}-[0-9]{{4}}"'.encode())
_HEAD = [f'"{_UNIT}"', f'"{_CLUSTER}"', f"{_SINCE}", f'"{_UNIT}"']
"""What stands before the items, in the order of the contract's fields: the unit itself, its assignment, and the unit as
the last of its scopes."""
_IDS = re.compile(r"[A-Za-z0-9._-]+\Z")
_LATEST = 9_999_999_999_999
_MOST_ITEMS = 9_999
_SHARED = attrgetter("start", "not_after", "asset_sha256", "priority", "rank", "volume", "on_preempt", "late")
"""All of a delivery that its poles may share."""
_ORDER = attrgetter("start", "id")


@dataclass(frozen=True)
class Said:
    """A plan without version and times, and the deliveries that it names."""

    body: bytes
    named: Sequence[str]


@dataclass(frozen=True)
class _Form:
    """Of `parts` one stands before each name and one after the last; `items`: which of the deliveries, in order of
    start, are in it."""

    parts: Sequence[bytes]
    items: Sequence[int]


@dataclass(frozen=True)
class Common:
    """What the plans of a batch are made of."""

    assets: dict[str, Asset]
    relays: plan_document.Relays
    others: other_codecs.Encodings
    now: datetime
    policies: dict[tuple[str, str], wire.Policy] = field(default_factory=dict)
    """Of the stations and kinds of site so far, each said once."""
    forms: dict[Any, _Form | None] = field(default_factory=dict)
    """None: plans of this kind have none, and go the long way."""


@dataclass
class Draft:
    """One unit's plan, made when its turn comes. `fit` gives the deliveries that may be in it. Its methods raise
    ValueError where a row says what no plan can."""

    common: Common
    unit: str
    assignment: tuple[str, datetime]
    """Cluster, and since when."""
    station: Station
    site: str
    scopes: Sequence[str]
    """Those above the unit's own."""
    emergency: plan_document.Preloaded
    wants: wanting.Wants | None
    codecs: Sequence[str] | None
    fit: Callable[[], Sequence[Any]]

    @cached_property
    def _rows(self) -> Sequence[Any]:
        return self.fit()

    def plan(self) -> wire.Plan:
        """The long way, each field checked."""
        return self._built(self.unit, self.assignment, self._rows)

    def say(self) -> Said:
        """By a form where there is one."""
        found = None if self.wants is not None else self._filled()
        if found is None:
            plan = self.plan()
            found = Said(plan_document.body(plan), [item.id for item in plan.items])
        return found

    def _built(self, unit: str, assignment: tuple[str, datetime], rows: Sequence[Any]) -> wire.Plan:
        common, name = self.common, (self.station.id, self.site)
        if name not in common.policies:
            common.policies[name] = plan_document.policy(self.station, self.scopes, common.now, self.site)
        policy = common.policies[name].model_copy(update={"scopes": [*self.scopes, unit]})
        wants = self.wants or wanting.Wants()
        plan = plan_document.build(unit, assignment, policy, rows, common.assets, self.emergency, wants, common.relays)
        return common.others.given(plan, self.codecs)

    def _filled(self) -> Said | None:
        rows = sorted(self._rows, key=_ORDER)
        cluster, since = self.assignment[0], unix_ms(self.assignment[1])
        ids = [row.id for row in rows]
        # What is put in without a check is looked at here: our own names, which need no escape in JSON.
        plain = NAME.match(self.unit) and NAME.match(cluster) and 0 <= since <= _LATEST
        if not plain or not all(_IDS.match(name) for name in ids) or any(row.relayed is not None for row in rows):
            return None
        shared = tuple(map(_SHARED, rows))
        codecs = None if self.codecs is None else tuple(self.codecs)
        key = (self.station.id, self.site, codecs, shared)
        forms = self.common.forms
        if key not in forms:
            forms[key] = self._form(shared)
        if (form := forms[key]) is None:
            return None
        named = [ids[n] for n in form.items]
        unit = f'"{self.unit}"'
        names = [unit, f'"{cluster}"', str(since), unit, *(f'"{name}"' for name in named)]
        pieces = [form.parts[0]]
        for name, part in zip(names, form.parts[1:], strict=True):
            pieces += (name.encode(), part)
        return Said(b"".join(pieces), named)

    def _form(self, shared: Sequence[tuple[Any, ...]]) -> _Form | None:
        """Made by the long way for a unit that does not exist."""
        if len(shared) > _MOST_ITEMS:
            return None
        rows = [_Occurrence(f"{_ITEM}-{n:04}", *told) for n, told in enumerate(shared)]
        body = plan_document.body(self._built(_UNIT, (_CLUSTER, from_unix_ms(_SINCE)), rows))
        found = [place.decode() for place in _PLACES.findall(body)]
        head, items = found[: len(_HEAD)], [int(place.strip('"').rpartition("-")[2]) for place in found[len(_HEAD) :]]
        whole = head == _HEAD and items == sorted(set(items))
        return _Form(_PLACES.split(body), items) if whole else None


@dataclass(frozen=True)
class _Occurrence:
    """What `plan_document.item` asks of a delivery."""

    id: str
    start: datetime
    not_after: datetime
    asset_sha256: str
    priority: int
    rank: int
    volume: int
    on_preempt: str
    late: str
    relayed: Mapping[str, Any] | None = None
