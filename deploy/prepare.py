"""Before the services of compose.yaml: certificates, secrets, the names at the broker.

Runs as root in a container of its own, makes what is missing and touches nothing else, so it may run at every start.
The broker's password file is made of `fleet.json`, where there is one: only hashes are kept anywhere else. Each service
sees the folder with its own secrets and no other; nobody chose, or has to keep, any of these passwords.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from broadcasts.clock import SystemClock
from controller.bootstrap import unit_terms
from controller.mqtt.broker_users import CONTROLLER, new_secret, write_mosquitto_passwords, write_private
from deploy import local_ca

OWN_NAMES = ("controller", "mosquitto", "files", "localhost", "127.0.0.1")
REVOKED = "revoked.crl"


def prepare(
    environment: Mapping[str, str],
    root: Path = Path("/var/lib/loa"),
    secrets: Path = Path("/secrets"),
    broker: tuple[Path, Path] = (Path("/broker"), Path("/mosquitto")),
) -> str:
    """Returns a line to print. `broker`: the store, and the files of deploy/mosquitto. Raises OSError, KeyError for a
    variable that compose.yaml should have set."""
    now = SystemClock().now()
    data, own = root / "data", root / "secrets"
    for folder in (data, own):
        folder.mkdir(mode=0o700, exist_ok=True)
    take_over(root, data, own)
    names = environment.get("NAMES", "").split()
    tls = local_ca.ensure(data / "tls", [*names, *OWN_NAMES], now)
    for name in ("broker", "metrics", "postgres", "grafana"):
        if not (own / name).exists():
            write_private(own / name, new_secret())
    write_private(own / "database", f"postgresql+psycopg://loa:{_read(own / 'postgres')}@postgres:5432/loa")
    units = data / "keys" / "units"
    if not (units / unit_terms.CERTIFICATE).exists():
        unit_terms.make(units, now)
    loa = pwd.getpwnam("loa").pw_uid if os.geteuid() == 0 else os.geteuid()
    _own(root, loa)
    _let_sound_be_read(root, data)

    _hand(secrets / "database", {"password": own / "postgres"}, 0)
    _hand(secrets / "grafana", {"password": own / "grafana"}, int(environment["GRAFANA_UID"]))
    pair = {"authority.crt": tls.authority, "server.crt": tls.chain, "server.key": tls.key}
    _hand(secrets / "files", pair, int(environment["NGINX_UID"]))
    watching = {"authority.crt": tls.authority, "token": own / "metrics"}
    _hand(secrets / "metrics", watching, int(environment["PROMETHEUS_UID"]))
    mosquitto = int(environment["MOSQUITTO_UID"])
    known = _names(data, own)
    write_mosquitto_passwords(secrets / "broker" / "passwords", known)
    (secrets / "broker" / REVOKED).write_bytes(_revoked(units, now))
    _hand(secrets / "broker", {**pair, "units.crt": units / unit_terms.CERTIFICATE}, mosquitto)
    store, settings = broker
    if not (store / "dynamic-security.json").exists():  # whom we revoked stays in it
        shutil.copyfile(settings / "dynamic-security.json", store / "dynamic-security.json")
    _own(store, mosquitto)
    return f"prepared: {len(known)} names for the broker; authority {tls.fingerprint}"


def take_over(root: Path, data: Path, own: Path) -> None:
    """An older version kept its data in `root` itself, and its database has the password that somebody chose: new keys
    would be strangers to every unit, and a new password to the database."""
    if not (data / "keys").exists() and (root / "keys" / "root.pub").exists():
        stays = {data.name, own.name, "sim"}
        moves = [path for path in root.iterdir() if path.name not in stays and path.suffix != ".tar"]
        for path in sorted(moves, key=lambda path: path.name == "keys"):  # last: what is cut short begins again
            path.rename(data / path.name)
    if not (own / "postgres").exists() and (own / "database").exists():
        write_private(own / "postgres", urlsplit(_read(own / "database")).password or "")


def _names(data: Path, own: Path) -> list[tuple[str, str]]:
    known = [(CONTROLLER, _read(own / "broker"))]
    if (data / "fleet.json").exists():
        told = json.loads((data / "fleet.json").read_text(encoding="utf-8"))["units"]
        known += [(unit["unit"], unit["secret"]) for unit in told]
    return known


def _revoked(units: Path, now: datetime) -> bytes:
    """The controller's list; before it wrote one, an empty one: without any Mosquitto does not start."""
    path = units / REVOKED
    return path.read_bytes() if path.exists() else unit_terms.read(units, now).revoked([], now)


def _let_sound_be_read(root: Path, data: Path) -> None:
    """nginx is another user: it may pass through, and read what poles fetch. Keys and secrets stay their owner's."""
    for folder in (root, data):
        folder.chmod(0o711)
    if (audio := data / "audio").is_dir():
        audio.chmod(0o711)
    if (assets := audio / "assets").is_dir():
        for path in (assets, *assets.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def _hand(folder: Path, files: Mapping[str, Path], user: int) -> None:
    for name, source in files.items():
        shutil.copyfile(source, folder / name)
    _own(folder, user)


def _own(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, user, user, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    print(prepare(os.environ))
