"""A scene of the virtual world as a TOML file, checked before anything runs.

units = 80
days = 7
seed = 1
calm_hours = 12
scale = 1.0

[per_day]          # how often a fault strikes: each unit, or broker and controller
power_cut = 0.5

[odds]             # from 0 to 1
fetch_broken = 0.1
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from broadcasts.errors import Refused
from device_sim.faults import Fault, Odds

MOST_UNITS = 10_000
MOST_DAYS = 400


@dataclass(frozen=True)
class Scene:
    units: int = 80
    days: int = 7
    seed: int = 1
    calm_hours: float = 12.0
    """At the end of the run nothing new breaks, so that everything settles."""
    scale: float = 1.0
    per_day: Mapping[Fault, float] = field(default_factory=dict)
    odds: Odds = field(default_factory=Odds)


def read(path: Path) -> Scene:
    """Raises Refused: `sim_scene` with `path`, `field`, `why`."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        raise Refused("sim_scene", path=path, field="", why=str(failure)) from None
    try:
        return scene(told)
    except Refused as failure:
        raise Refused("sim_scene", **{**failure.fields, "path": path}) from None


def scene(told: Mapping[str, object]) -> Scene:
    """Raises Refused: `sim_scene` with `field` and `why`."""
    _known(told, {each.name for each in fields(Scene)}, "")
    plain = Scene()
    return Scene(
        units=int(_number(told, "units", plain.units, 1, MOST_UNITS, whole=True)),
        days=int(_number(told, "days", plain.days, 1, MOST_DAYS, whole=True)),
        seed=int(_number(told, "seed", plain.seed, 0, 2**63 - 1, whole=True)),
        calm_hours=_number(told, "calm_hours", plain.calm_hours, 1, 24 * MOST_DAYS),
        scale=_number(told, "scale", plain.scale, 0, 100),
        per_day=_rates(_table(told, "per_day")),
        odds=_odds(_table(told, "odds")),
    )


def _rates(table: Mapping[str, object]) -> dict[Fault, float]:
    _known(table, {str(fault) for fault in Fault}, "per_day.")
    return {Fault(name): _number(table, name, 0, 0, 1_000, "per_day.") for name in table}


def _odds(table: Mapping[str, object]) -> Odds:
    names = {each.name for each in fields(Odds)}
    _known(table, names, "odds.")
    return Odds(**{name: _number(table, name, 0, 0, 1, "odds.") for name in table})


def _known(table: Mapping[str, object], names: set[str], where: str) -> None:
    for name in table:
        if name not in names:
            raise Refused("sim_scene", field=f"{where}{name}", why=f"unknown; one of {', '.join(sorted(names))}")


def _table(told: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = told.get(name, {})
    if not isinstance(table, dict):
        raise Refused("sim_scene", field=name, why="not a table")
    return table


def _number(
    table: Mapping[str, object],
    name: str,
    plain: float,
    least: float,
    most: float,
    where: str = "",
    whole: bool = False,
) -> float:
    value = table.get(name, plain)
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and not isinstance(value, int)):
        raise Refused("sim_scene", field=f"{where}{name}", why="not a whole number" if whole else "not a number")
    if not least <= value <= most:
        raise Refused("sim_scene", field=f"{where}{name}", why=f"not between {least:g} and {most:g}")
    return value
