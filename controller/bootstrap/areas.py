"""`loa area`: administrative units by date, and communes that become one, for whoever sits at the machine itself."""

from __future__ import annotations

import argparse
import json

from broadcasts.clock import VIETNAM
from controller.bootstrap.people import TERMINAL
from controller.bootstrap.service import opened
from controller.services import areas, ending_districts, merging, unmerging
from controller.services.context import Context
from controller.settings import Settings


def area(settings: Settings, given: argparse.Namespace) -> int:
    """Raises Refused: "area.unknown", and those of `merging.merge`, `unmerging.undo` and `ending_districts.end`."""
    with opened(settings) as ctx:
        if given.act == "merge":
            _merge(ctx, given)
        elif given.act == "unmerge":
            _unmerge(ctx, given)
        elif given.act == "end-districts":
            _end_districts(ctx, given)
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


def _unmerge(ctx: Context, given: argparse.Namespace) -> None:
    with ctx.db.read() as session:
        (area,) = merging.found(session, [given.area])
    seen = unmerging.outlook(ctx, None, area)
    if not given.dry_run:
        unmerging.undo(ctx, TERMINAL, area, given.by)
    print(f"{', '.join(each.name for each in seen.old)} stand again, {seen.area.name} never stood")
    for unit in seen.units:
        print(f"{unit.area.id:14} {unit.area.code:6} {unit.area.name}: {unit.clusters} clusters")
    print(f"approved broadcasts keep their clusters until they are edited: {'; '.join(seen.on_air) or 'none'}")
    print(f"so do those that wait: {'; '.join(seen.waiting) or 'none'}")
    print(f"rights end of: {', '.join(seen.people) or 'nobody'}")
    print(f"saved groups go to {seen.parent}: {'; '.join(seen.groups) or 'none'}")
    for name, count in seen.dies.items():
        print(f"used by nobody any more: {count} {name}")
    print("nothing was changed" if given.dry_run else area)


def _end_districts(ctx: Context, given: argparse.Namespace) -> None:
    wish = ending_districts.Wish(given.on, given.by)
    seen = ending_districts.outlook(ctx, None, wish) if given.dry_run else ending_districts.end(ctx, TERMINAL, wish)
    for each in seen.districts:
        print(
            f"{each.area.id:14} {each.area.code:6} {each.area.name}: {len(each.communes)} communes go to {each.parent}"
        )
    print(f"approved broadcasts keep their clusters until they are edited: {'; '.join(seen.on_air) or 'none'}")
    print(f"so do those that wait: {'; '.join(seen.waiting) or 'none'}")
    print(f"rights end of: {', '.join(seen.people) or 'nobody'}")
    print(f"saved groups go to the province: {'; '.join(seen.groups) or 'none'}")
    print("nothing was changed" if given.dry_run else f"no districts from {wish.day} on")
