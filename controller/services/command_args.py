"""What a person may tell with each kind of command; a unit would refuse the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping

from broadcasts.errors import Refused
from broadcasts.wire.status import (
    CAPTURE_DEFAULT_S,
    CAPTURE_MOST_S,
    VOLUME_LEAST,
    VOLUME_MINUTES,
    VOLUME_MINUTES_MOST,
    CommandKind,
)

_HASH = re.compile(r"[0-9a-f]{64}")


def kind_of(told: str) -> CommandKind:
    """Raises Refused("choice.unknown")."""
    if told == CommandKind.OTHER or told not in set(CommandKind):
        raise Refused("choice.unknown", name="kind", value=told[:20])
    return CommandKind(told)


def arguments(kind: CommandKind, args: Mapping[str, str]) -> dict[str, str]:
    """Raises Refused("choice.unknown")."""
    known = {
        CommandKind.CAPTURE: {"seconds"},
        CommandKind.AMPLIFIER: {"power"},
        CommandKind.VOLUME: {"percent", "minutes"},
        CommandKind.REFETCH: {"asset"},
    }.get(kind, set())
    strange = next(iter(args.keys() - known), None)
    if strange is not None:
        raise Refused("choice.unknown", name="args", value=strange[:20])
    match kind:
        case CommandKind.CAPTURE:
            return {"seconds": _number(args, "seconds", CAPTURE_DEFAULT_S, 1, CAPTURE_MOST_S)}
        case CommandKind.AMPLIFIER:
            if args.get("power") not in ("on", "off"):
                raise Refused("choice.unknown", name="power", value=args.get("power", "")[:20])
            return {"power": args["power"]}
        case CommandKind.VOLUME:
            return {
                "percent": _number(args, "percent", 0, VOLUME_LEAST, 100),
                "minutes": _number(args, "minutes", VOLUME_MINUTES, 1, VOLUME_MINUTES_MOST),
            }
        case CommandKind.REFETCH if "asset" in args:
            if not _HASH.fullmatch(args["asset"]):
                raise Refused("choice.unknown", name="asset", value=args["asset"][:20])
            return {"asset": args["asset"]}
    return {}


def _number(args: Mapping[str, str], name: str, plain: int, least: int, most: int) -> str:
    told = args.get(name, str(plain))
    if not (told.isascii() and told.isdigit()) or len(told) > 4 or not least <= int(told) <= most:
        raise Refused("choice.unknown", name=name, value=told[:20])
    return str(int(told))
