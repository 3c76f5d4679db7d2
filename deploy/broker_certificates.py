"""Certificates for Mosquitto, the controller and the units, from an authority of the station's own.

`python -m deploy.broker_certificates FOLDER --broker NAME… [--units ID…] [--fleet FILE] [--revoke ID…]`

Whatever is missing or about to expire is made, the rest stays as it is, so the same line may run again. In FOLDER:
`authority.crt` for everybody, `server.crt` and `server.key` for Mosquitto, `revoked.crl` for Mosquitto too, and under
`clients` a pair for the controller and for each unit. `authority.key` is for nobody: who has it can be any unit.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from broadcasts.clock import SystemClock
from broadcasts.ids import NAME
from controller.mqtt.broker_users import CONTROLLER
from deploy import local_ca


def provide(
    folder: Path, names: Sequence[str], units: Sequence[str], now: datetime, revoked: Sequence[str] = ()
) -> local_ca.Certificates:
    """`names` are those by which controller and units call the broker; what is revoked is not issued again.

    Raises ValueError for a name that no unit can have, OSError when the folder cannot be written.
    """
    for unit in (*units, *revoked):
        if not NAME.fullmatch(unit):
            raise ValueError(f"{unit} is no name of a unit")
    made = local_ca.ensure(folder, names, now)
    local_ca.revoke(folder, revoked, now)
    for name in (CONTROLLER, *units):
        if name not in revoked:
            local_ca.issue(folder, name, now)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.broker_certificates", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the authority's; nobody else may read it")
    parser.add_argument("--broker", nargs="+", required=True, metavar="NAME", help="names and addresses of the broker")
    parser.add_argument("--units", nargs="*", default=[], metavar="ID")
    parser.add_argument("--fleet", type=Path, metavar="FILE", help="also for every unit of this file of `loa seed`")
    parser.add_argument("--revoke", nargs="*", default=[], metavar="ID", help="whose certificate counts no longer")
    asked = parser.parse_args(arguments)
    try:
        told = json.loads(asked.fleet.read_bytes())["units"] if asked.fleet is not None else []
        units = list(dict.fromkeys([*asked.units, *(str(each["unit"]) for each in told)]))
        made = provide(asked.folder, asked.broker, units, SystemClock().now(), asked.revoke)
    except (OSError, ValueError, KeyError, TypeError) as failure:
        print(f"broker_certificates: {failure}", file=sys.stderr)
        return 1
    clients = asked.folder / local_ca.CLIENTS
    print(f"for everybody: {made.authority}\n  SHA-256 {made.fingerprint}")
    print(f"for Mosquitto: {made.chain} {made.key} {asked.folder / local_ca.REVOKED}")
    print(f"LOA_BROKER_CA={made.authority}")
    print(f"LOA_BROKER_CERT={clients / CONTROLLER}.crt\nLOA_BROKER_KEY={clients / CONTROLLER}.key")
    print(f"{len(units)} units: {clients}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
