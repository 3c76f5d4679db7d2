"""Before the services of compose.yaml: certificates, secrets, the broker's passwords, the database's shape.

Runs as root in a container of its own, makes what is missing and touches nothing else, so it may run at every start.
The broker's password file is made of `fleet.json`, where there is one: only hashes are kept anywhere else.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from broadcasts.clock import SystemClock
from controller.mqtt.broker_users import CONTROLLER, new_secret, write_mosquitto_passwords, write_private
from deploy import local_ca

OWN_NAMES = ("controller", "mosquitto", "localhost", "127.0.0.1")


def prepare(environment: Mapping[str, str]) -> None:
    """Raises OSError, KeyError for a variable that compose.yaml should have set."""
    data, broker, metrics = Path("/var/lib/loa"), Path("/broker"), Path("/metrics")
    loa = pwd.getpwnam("loa").pw_uid
    names = [name for name in environment.get("NAMES", "").split() if name]
    tls = local_ca.ensure(data / "tls", [*names, *OWN_NAMES], SystemClock().now())
    secrets = data / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    for name in ("broker", "metrics"):
        if not (secrets / name).exists():
            write_private(secrets / name, new_secret())
    password = environment["POSTGRES_PASSWORD"]
    write_private(secrets / "database", f"postgresql+psycopg://loa:{password}@postgres:5432/loa")
    _own(data, loa)

    for source in (tls.authority, tls.chain, tls.key):
        shutil.copyfile(source, broker / source.name)
    known = [(CONTROLLER, (secrets / "broker").read_text(encoding="utf-8").strip())]
    if (data / "fleet.json").exists():
        units = json.loads((data / "fleet.json").read_text(encoding="utf-8"))["units"]
        known += [(unit["unit"], unit["secret"]) for unit in units]
    write_mosquitto_passwords(broker / "passwords", known)
    _own(broker, int(environment["MOSQUITTO_UID"]))

    shutil.copyfile(tls.authority, metrics / "authority.crt")
    shutil.copyfile(secrets / "metrics", metrics / "token")
    _own(metrics, int(environment["PROMETHEUS_UID"]))
    subprocess.run(["loa", "migrate"], user=loa, group=loa, extra_groups=[], check=True)
    print(f"prepared: {len(known)} names for the broker; authority {tls.fingerprint}")


def _own(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)
        path.chmod(0o700 if path.is_dir() else 0o600)


if __name__ == "__main__":
    prepare(os.environ)
