"""Mosquitto's password file, for who does without certificates: `python -m deploy.broker_passwords --to FILE …`

One name for the controller and one for each unit of the fleet files. The controller's secret is made when its file is
missing. Names that already stand in the file and are not named here stay as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.mqtt.broker_users import CONTROLLER, mosquitto_line, new_secret, write_private


def write(to: Path, secrets_by_name: dict[str, str]) -> int:
    """How many names the file holds now."""
    lines = to.read_text(encoding="utf-8").splitlines() if to.exists() else []
    held = {line.partition(":")[0]: line for line in lines if ":" in line}
    held |= {name: mosquitto_line(name, secret) for name, secret in secrets_by_name.items()}
    write_private(to, "".join(f"{line}\n" for line in held.values()))
    return len(held)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.broker_passwords", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="Mosquitto's password_file")
    parser.add_argument("--secret", type=Path, required=True, metavar="FILE", help="LOA_BROKER_SECRET_FILE")
    parser.add_argument("--fleet", type=Path, nargs="*", default=[], metavar="FILE", help="from `loa seed`")
    asked = parser.parse_args(arguments)
    try:
        if not asked.secret.exists():
            write_private(asked.secret, new_secret())
        secrets = {CONTROLLER: asked.secret.read_text(encoding="utf-8").strip()}
        for fleet in asked.fleet:
            secrets |= {each["unit"]: each["secret"] for each in json.loads(fleet.read_bytes())["units"]}
        names = write(asked.to, secrets)
    except (OSError, ValueError, KeyError, TypeError) as failure:
        print(f"broker_passwords: {failure}", file=sys.stderr)
        return 1
    print(f"{names} names in {asked.to}; now: systemctl reload mosquitto")
    return 0


if __name__ == "__main__":
    sys.exit(main())
