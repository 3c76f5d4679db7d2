"""Who may connect to the broker: one name and one random secret per unit, and one for the controller.

A secret is 256 random bits, so nobody can guess it from its hash: the plain SHA-256 that the HTTP side checks is
enough, and slow password hashing would only make a fleet's reconnect slow. Only hashes are kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from broadcasts.wire import topics

_SALT_BYTES = 12
_MOSQUITTO_ROUNDS = 101
"""What mosquitto_passwd writes; more rounds add nothing to 256 random bits."""


CONTROLLER = "controller"
"""The controller's own user name; no unit may have it (deploy/mosquitto/acl names it too)."""
CHECK = "loa-check"
"""In whose branch `loa check` tries our rights; no unit may have this name either."""


class Role(StrEnum):
    UNIT = "unit"
    CONTROLLER = "controller"


@dataclass(frozen=True)
class BrokerUser:
    """`name` is user name and client id in one; `sha256` is `secret_hash` of its secret."""

    name: str
    sha256: str
    role: Role = Role.UNIT

    def may_read(self) -> tuple[str, ...]:
        """MQTT filters."""
        return topics.unit_filters(self.name) if self.role is Role.UNIT else topics.CONTROLLER_MAY_READ

    def may_write(self) -> tuple[str, ...]:
        """MQTT filters."""
        return topics.unit_may_write(self.name) if self.role is Role.UNIT else topics.CONTROLLER_MAY_WRITE

    def has(self, secret: str) -> bool:
        return hmac.compare_digest(self.sha256, secret_hash(secret))


def new_secret() -> str:
    """256 random bits, 43 characters that need no quoting in a file, a URL or a header."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """64 lower-case hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def mosquitto_line(name: str, secret: str) -> str:
    """One line of a Mosquitto 2 password file (PBKDF2-HMAC-SHA512)."""
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _MOSQUITTO_ROUNDS)
    salted, hashed = base64.b64encode(salt).decode(), base64.b64encode(digest).decode()
    return f"{name}:$7${_MOSQUITTO_ROUNDS}${salted}${hashed}"


def write_mosquitto_passwords(path: Path, secrets_by_name: Iterable[tuple[str, str]]) -> None:
    """Replace a Mosquitto password file at once, mode 0600. Mosquitto reads it again on SIGHUP."""
    text = "".join(mosquitto_line(name, secret) + "\n" for name, secret in secrets_by_name)
    write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; readable by its owner only from its first byte."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
