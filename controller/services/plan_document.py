"""From deliveries and a regulation to the document a unit holds: rules on one side, contract on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from broadcasts.clock import VIETNAM, unix_ms
from broadcasts.domain.regulation import Window
from broadcasts.wire import codec
from broadcasts.wire import plan as wire
from broadcasts.wire.relay import Relay
from controller.db.tables import Asset, Delivery, Station
from controller.services.stations import ORDINARY, regulation
from controller.services.wanting import Wants

TELEMETRY_IDLE_S = 900
TELEMETRY_PLAYING_S = 60
MAX_AUTONOMY_S = 7 * 86_400
_UNDATED = b'"version":0,"issued_at":0,"horizon_end":0'


def policy(station: Station, scopes: Sequence[str], now: datetime, site: str = ORDINARY) -> wire.Policy:
    rule = regulation(station, site)
    offset = VIETNAM.utcoffset(now.astimezone(VIETNAM).replace(tzinfo=None)) or timedelta(0)
    return wire.Policy(
        utc_offset_min=int(offset.total_seconds() // 60),
        hours=_windows(rule.hours),
        weekend_hours=None if rule.weekend is None else _windows(rule.weekend),
        ceilings=[
            wire.Ceiling(start=each.window.start, end=each.window.end, volume=each.volume) for each in rule.ceilings
        ],
        emergency_volume=station.emergency_volume,
        telemetry_idle_s=TELEMETRY_IDLE_S,
        telemetry_playing_s=TELEMETRY_PLAYING_S,
        max_autonomy_s=MAX_AUTONOMY_S,
        scopes=list(scopes),
    )


def _windows(told: Sequence[Window]) -> list[wire.Window]:
    return [wire.Window(start=window.start, end=window.end) for window in told]


Relays = Mapping[tuple[str, int], Mapping[str, Any]]
"""Of relays: what was approved (`relaying.facts`), by broadcast and revision."""
NO_RELAYS: Relays = {}


def item(delivery: Delivery, relays: Relays = NO_RELAYS) -> wire.Item:
    what = (delivery.start, delivery.not_after, delivery.asset_sha256, delivery.priority, delivery.rank)
    told = (*what, delivery.volume, delivery.on_preempt, delivery.late)
    if delivery.relayed is None:
        return _named(_sample(*told), delivery.id)
    approved = relays[delivery.broadcast_id, delivery.revision]
    live: dict[str, Any] = {"hard_end": unix_ms(delivery.end), "relay": _relay(approved, delivery.end - delivery.start)}
    return wire.Item(id=delivery.id, **_how(*told), **live)


def _relay(approved: Mapping[str, Any], slot: timedelta) -> Relay:
    return Relay(
        source=approved["source"],
        url=approved["url"] or None,
        frequency_khz=approved["frequency_khz"],
        length_ms=round(slot.total_seconds() * 1000),
        silence_s=approved["silence_s"],
    )


@lru_cache(maxsize=4096)
def _sample(*told: Any) -> wire.Item:
    """Of one occurrence, checked once: its poles share all but the name."""
    return wire.Item(id="sample", **_how(*told))


def _named(sample: wire.Item, name: str) -> wire.Item:
    """The same under the name of a delivery, which we gave ourselves (`ids.delivery_id`): what was checked once is not
    checked for each pole, half of the work of a plan otherwise. As `model_copy`, at a third of the price."""
    made = wire.Item.__new__(wire.Item)
    object.__setattr__(made, "__dict__", {**sample.__dict__, "id": name})
    object.__setattr__(made, "__pydantic_fields_set__", sample.__pydantic_fields_set__)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def _how(
    start: datetime, not_after: datetime, asset_sha256: str, level: int, rank: int, volume: int, preempt: str, late: str
) -> dict[str, Any]:
    """All of an item but its name."""
    return {
        "asset": asset_sha256,
        "start": unix_ms(start),
        "not_after": unix_ms(not_after),
        "level": level,
        "rank": rank,
        "volume": volume,
        "on_preempt": wire.OnPreempt(preempt),
        "deadline": unix_ms(not_after) if preempt == "next_slot" else None,
        "late": wire.Late(late),
    }


def asset(row: Asset) -> wire.Asset:
    return _asset(row.sha256, row.size, row.codec, row.duration_ms, row.chunk_size, tuple(row.chunks))


@lru_cache(maxsize=1024)
def _asset(
    sha256: str, size: int, codec: str, duration_ms: int, chunk_size: int, chunks: tuple[str, ...]
) -> wire.Asset:
    return wire.Asset(
        sha256=sha256,
        size=size,
        codec=codec,
        duration_ms=duration_ms,
        path=f"assets/{sha256}.{codec}",
        chunk_size=chunk_size,
        chunks=list(chunks),
    )


@dataclass(frozen=True)
class Preloaded:
    """What a unit holds for emergencies: files, and which of them speaks of what in which language (`storm/vi`)."""

    assets: Sequence[Asset] = ()
    names: Mapping[str, int] = field(default_factory=dict)


def build(
    unit: str,
    assignment: tuple[str, datetime],
    the_policy: wire.Policy,
    deliveries: Sequence[Delivery],
    assets: dict[str, Asset],
    emergency: Preloaded = Preloaded(),
    wants: Wants = Wants(),  # noqa: B008 - frozen
    relays: Relays = NO_RELAYS,
) -> wire.Plan:
    """A plan without version and times yet: `stamp` gives them. Items are in order of start, assets of first need; the
    last ones wait for a later plan where the contract's limits are reached."""
    items = _within_limits(
        sorted((item(delivery, relays) for delivery in deliveries), key=lambda entry: (entry.start, entry.id)),
        len(emergency.assets) + 1,
    )
    needed = list(dict.fromkeys([*(row.sha256 for row in emergency.assets), *(entry.asset for entry in items)]))
    held = {row.sha256: row for row in emergency.assets}
    image = wants.image
    if image is not None and image.sha256 not in needed:
        needed.append(image.sha256)  # after all that sounds
        held[image.sha256] = image
    cluster, since = assignment
    return wire.Plan(
        unit=unit,
        version=0,
        issued_at=0,
        horizon_end=0,
        assignment=wire.Assignment(cluster=cluster, since=unix_ms(since)),
        policy=the_policy,
        items=items,
        assets=[asset(held.get(name) or assets[name]) for name in needed],
        emergency_set=[row.sha256 for row in emergency.assets],
        preloaded=dict(emergency.names),
        firmware=_firmware(wants),
        configuration=_settings(wants),
    )


def _firmware(wants: Wants) -> wire.Wanted | None:
    if wants.firmware is None:
        return None
    image = wants.image.sha256 if wants.image is not None else None
    return wire.Wanted(version=wants.firmware, asset=image, manifest=wants.manifest)


def _settings(wants: Wants) -> wire.Wanted | None:
    if wants.settings is None or wants.configuration is None:
        return None
    return wire.Wanted(version=wants.configuration, values=dict(wants.settings))


def _within_limits(items: Sequence[wire.Item], other_assets: int) -> list[wire.Item]:
    used: set[str] = set()
    kept: list[wire.Item] = []
    for entry in items[: wire.MAX_ITEMS]:
        used.add(entry.asset)
        if len(used) + other_assets > wire.MAX_ASSETS:
            break
        kept.append(entry)
    return kept


def body(plan: wire.Plan) -> bytes:
    """What a plan says, as `build` made it, without version and times yet: two that have the same are the same plan."""
    return codec.encode(plan)


def dated(said: bytes, version: int, issued_at: datetime, horizon_end: datetime) -> bytes:
    """The bytes of the plan that `stamp` makes of the one that `said` is, so that they are made once."""
    head, mark, rest = said.partition(_UNDATED)
    if not mark:
        raise ValueError("no plan without version and times")
    times = f'"version":{version},"issued_at":{unix_ms(issued_at)},"horizon_end":{unix_ms(horizon_end)}'
    return head + times.encode() + rest


def stamp(plan: wire.Plan, version: int, issued_at: datetime, horizon_end: datetime) -> wire.Plan:
    return plan.model_copy(
        update={"version": version, "issued_at": unix_ms(issued_at), "horizon_end": unix_ms(horizon_end)}
    )


def shorter(plan: wire.Plan) -> wire.Plan:
    """The same plan with the later half of its items left for a later version."""
    items = plan.items[: len(plan.items) // 2]
    used = {entry.asset for entry in items} | set(plan.emergency_set)
    used |= {plan.firmware.asset} if plan.firmware and plan.firmware.asset else set()
    return plan.model_copy(update={"items": items, "assets": [a for a in plan.assets if a.sha256 in used]})
