"""The fleet file: which units there are, what each knows from enrolment, where the broker and the files are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from broadcasts.errors import Refused
from broadcasts.wire.ear import Source
from device_sim.cache import BOTH
from device_sim.unit import Enrolled

OTHERS = 0o077
EARS = ("none", *(str(source) for source in Source))


@dataclass(frozen=True)
class Member:
    cluster: str
    enrolled: Enrolled
    ear: str = "none"
    """Where the unit hears its own sound: line_out, microphone, or none."""
    codecs: tuple[str, ...] = BOTH
    """What its player decodes."""


@dataclass(frozen=True)
class FleetFile:
    host: str
    port: int
    files: str
    """Base address of downloads: a path of a plan is appended to it."""
    members: tuple[Member, ...]
    tls: bool | None = None
    """Whether the broker speaks TLS; none: it does when somebody says which certificates to trust, or to show."""
    certificates: Path | None = None
    """Folder with `{unit}.crt` and `{unit}.key` of each unit; none: a unit says its name and its secret."""

    def at(self, broker: str | None, files: str | None, certificates: Path | None = None) -> FleetFile:
        """With the broker (`host:port`, `mqtt://…` for surely plain, `mqtts://…` for TLS), the files and the units'
        certificates elsewhere.

        Raises Refused: `sim_address`, `sim_certificates_plain`.
        """
        here = self if certificates is None else replace(self, certificates=certificates)
        if broker is not None:
            scheme, _, place = broker.rpartition("://")
            if scheme not in ("", "mqtt", "mqtts"):
                raise Refused("sim_address", address=broker)
            if scheme:
                here = replace(here, tls=scheme == "mqtts")
            host, _, port = place.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise Refused("sim_address", address=broker)
            here = replace(here, host=host.strip("[]"), port=int(port))
        if here.certificates is not None and here.tls is False:
            raise Refused("sim_certificates_plain", address=f"{here.host}:{here.port}")
        return here if files is None else replace(here, files=files)


def read_fleet(path: Path) -> FleetFile:
    """Raises Refused: `sim_fleet_missing`, `sim_fleet_open` (others may read it), `sim_fleet_broken`."""
    try:
        if path.stat().st_mode & OTHERS:
            raise Refused("sim_fleet_open", path=path)
        told = json.loads(path.read_bytes())
        root = {"root_kid": told["root"]["kid"], "root_x": told["root"]["x"]} if "root" in told else {}
        members = tuple(
            Member(str(each["cluster"]), Enrolled.read({**root, **each}), ear_of(each), codecs_of(each))
            for each in told["units"]
        )
        folder = told["broker"].get("certificates")
        host, port, files = str(told["broker"]["host"]), int(told["broker"]["port"]), str(told["files"])
    except FileNotFoundError:
        raise Refused("sim_fleet_missing", path=path) from None
    except OSError as failure:
        raise Refused("sim_fleet_broken", path=path, why=failure.strerror) from None
    except KeyError as missing:
        raise Refused("sim_fleet_broken", path=path, why=f"{missing.args[0]} is missing") from None
    except (ValueError, TypeError, AttributeError) as failure:
        raise Refused("sim_fleet_broken", path=path, why=failure) from None
    if len({member.enrolled.unit for member in members}) != len(members):
        raise Refused("sim_fleet_broken", path=path, why="a unit stands twice")
    certificates = None if folder is None else path.parent / str(folder)
    return FleetFile(host, port, files, members, told["broker"].get("tls"), certificates)


def codecs_of(told: Mapping[str, Any]) -> tuple[str, ...]:
    """What a description of hardware says of the player. Raises ValueError for codecs that no player here has."""
    codecs = tuple(str(each) for each in told.get("codecs", BOTH))
    if not codecs or not set(codecs) <= set(BOTH):
        raise ValueError(f"codecs {str(codecs)[:40]} are not among {', '.join(BOTH)}")
    return codecs


def ear_of(told: Mapping[str, Any]) -> str:
    """What a description of hardware says of the ear. Raises ValueError for a word that nobody knows."""
    ear = str(told.get("ear", "none"))
    if ear not in EARS:
        raise ValueError(f"ear {ear[:20]} is none of {', '.join(EARS)}")
    return ear
