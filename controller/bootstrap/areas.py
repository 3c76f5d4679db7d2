"""`loa area`: administrative units by date, and communes that become one, for whoever sits at the machine itself."""

from __future__ import annotations

import argparse
import json

from broadcasts.clock import VIETNAM
from controller.bootstrap.people import TERMINAL
from controller.bootstrap.service import opened
from controller.services import areas, merging
from controller.services.context import Context
from controller.settings import Settings


def area(settings: Settings, given: argparse.Namespace) -> int:
    """Raises Refused: "area.unknown", and those of `merging.merge`."""
    with opened(settings) as ctx:
        if given.act == "merge":
            _merge(ctx, given)
        else:
            _list(ctx, given)
    return 0


def _list(ctx: Context, given: argparse.Namespace) -> None:
    today = given.on or ctx.clock.now().astimezone(VIETNAM).date()
    with ctx.db.read() as session:
        found = areas.history(session, areas.every_area(session), given.find, today)
    told = [
        {
            "id": line.area.id,
            "kind": line.area.kind,
            "code": line.area.code,
            "name": line.area.name,
            "from": line.area.valid_from.isoformat(),
            "to": line.area.valid_to.isoformat() if line.area.valid_to else None,
            "now": line.heir or None,
            "formerly": list(line.formerly),
            "clusters": line.clusters,
        }
        for line in found
        if line.stands or given.all
    ]
    if given.json:
        print(json.dumps(told, ensure_ascii=False))
        return
    for row in told:
        became = f"  until {row['to']}" + (f", now {row['now']}" if row["now"] else "") if row["to"] else ""
        print(f"{row['id']:14} {row['kind']:9} {row['code']:6} {row['clusters']:5} clusters  {row['name']}{became}")


def _merge(ctx: Context, given: argparse.Namespace) -> None:
    with ctx.db.read() as session:
        old = merging.found(session, given.old)
    wish = merging.Wish(old, given.into, given.code, given.on, given.by)
    seen = merging.outlook(ctx, None, wish)
    made = "" if given.dry_run else merging.merge(ctx, TERMINAL, wish)
    for unit in seen.old:
        stations = ", ".join(unit.stations) or "no station"
        print(f"{unit.area.id:14} {unit.area.code:6} {unit.area.name}: {unit.clusters} clusters, {stations}")
    print(f"become {wish.name} ({wish.code}) of {seen.parent} on {wish.day}: {seen.clusters} clusters")
    print(f"{seen.on_air} approved broadcasts go on as they are, {seen.waiting} that wait have to name the new unit")
    print(f"{seen.grants} rights and {seen.groups} saved groups stay where they were given")
    print(made or "nothing was changed")
