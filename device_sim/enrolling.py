"""How a simulated unit joins (CONTRACT.md, section 1a): keys of its own, a request, patience, and its certificate kept
where `loasim run` finds it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broadcasts.clock import unix_ms
from broadcasts.errors import ContractViolation, Refused
from broadcasts.wire import codec, enrol
from broadcasts.wire.enrol import EnrolAnswer, EnrolRequest, EnrolState, RenewRequest
from broadcasts.wire.jws import SigningKey, Typ

PATH = "/api/v1/enrolments"
FLEET = "fleet.json"


@dataclass(frozen=True)
class Newborn:
    """A unit that has keys and no name. `folder` is its own, mode 0700."""

    serial: str
    folder: Path
    key: SigningKey
    secret: str

    @classmethod
    def at(cls, folder: Path, serial: str) -> Newborn:
        """The same at each start. Raises OSError, ValueError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = folder / "unit.json"
        if not kept.exists():
            made = {"key": SigningKey.generate(enrol.NEWCOMER).to_jwk(), "secret": secrets.token_urlsafe(32)}
            _keep(kept, json.dumps({"serial": serial} | made))
        told = json.loads(kept.read_bytes())
        return cls(told["serial"], folder, SigningKey.from_jwk(told["key"]), told["secret"])

    @property
    def fingerprint(self) -> str:
        return enrol.fingerprint_of(self.key.public.x)

    @property
    def label(self) -> str:
        return enrol.label_of(self.serial, self.fingerprint)

    @property
    def code(self) -> str:
        return enrol.code_of(self.fingerprint)

    def request(self) -> bytes:
        told = EnrolRequest(
            serial=self.serial,
            vendor="loasim",
            firmware="loasim-1",
            key_x=self.key.public.x,
            secret_sha256=sha256(self.secret.encode()).hexdigest(),
            request=self._csr(self.folder / "tls.key"),
        )
        return codec.seal(told, Typ.ENROL, self.key)

    def renewal(self, unit: str, now: datetime) -> bytes:
        """With a new key for TLS, which counts only once its certificate is there."""
        known = SigningKey.from_jwk(json.dumps(json.loads(self.key.to_jwk()) | {"kid": unit}))
        (self.folder / "next.key").unlink(missing_ok=True)
        told = RenewRequest(unit=unit, at=unix_ms(now), request=self._csr(self.folder / "next.key"))
        return codec.seal(told, Typ.RENEW, known)

    def keep(self, told: EnrolAnswer) -> str:
        """Certificate, key and a fleet file of this one unit. Raises Refused("sim_enrol") for an answer that is not for
        this unit's key."""
        if told.unit is None or told.certificate is None or told.root_kid is None or told.root_x is None:
            raise Refused("sim_enrol", why="the answer names no unit")
        fresh = self.folder / "next.key"
        certificates = self.folder / "certificates"
        certificates.mkdir(mode=0o700, exist_ok=True)
        private = (fresh if fresh.exists() else self.folder / "tls.key").read_bytes()
        own = x509.load_pem_x509_certificates(told.certificate.encode())[0]
        if own.public_key() != serialization.load_pem_private_key(private, None).public_key():
            raise Refused("sim_enrol", why="the certificate is not for our key")
        _keep(certificates / f"{told.unit}.key", private.decode())
        if fresh.exists():
            fresh.replace(self.folder / "tls.key")
        _keep(certificates / f"{told.unit}.crt", told.certificate)
        if told.trust is not None:
            _keep(self.folder / "broker-ca.crt", told.trust)
        _keep(self.folder / FLEET, json.dumps(self._fleet(told), indent=1))
        return told.unit

    def _fleet(self, told: EnrolAnswer) -> dict[str, Any]:
        broker = urlsplit(told.broker or "mqtt://127.0.0.1:1883")
        member = {"cluster": "-", "unit": told.unit, "secret": self.secret, "key_jwk": self._named(told.unit or "")}
        tls = broker.scheme == "mqtts"
        place: dict[str, Any] = {"host": broker.hostname, "port": broker.port, "tls": tls}
        return {
            "renew_after": told.renew_after,
            "broker": place | ({"certificates": "certificates"} if tls else {}),
            "files": told.files or "",
            "root": {"kid": told.root_kid, "x": told.root_x},
            "units": [member],
        }

    def _named(self, unit: str) -> str:
        return json.dumps(json.loads(self.key.to_jwk()) | {"kid": unit})

    def _csr(self, path: Path) -> str:
        if not path.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            private = made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            _keep(path, private.decode())
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path} is no key of P-256")
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "unit")])
        made_request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        return made_request.public_bytes(serialization.Encoding.PEM).decode()


def join(newborn: Newborn, client: httpx.Client, pause: Callable[[int], bool]) -> str:
    """Ask until somebody has decided; the unit's id. `pause` waits so many seconds and says whether to go on.

    Raises Refused("sim_enrol", why).
    """
    while True:
        told = _post(client, PATH, newborn.request())
        if told.state is EnrolState.ACCEPTED:
            return newborn.keep(told)
        if told.state is EnrolState.REFUSED:
            raise Refused("sim_enrol", why=f"refused: {told.reason or '-'}")
        if not pause(told.poll_after_s):
            raise Refused("sim_enrol", why="nobody accepted it")


def renew(newborn: Newborn, client: httpx.Client, unit: str, now: datetime) -> str:
    """A new certificate, and a new key for it. Raises Refused("sim_enrol", why)."""
    return newborn.keep(_post(client, f"{PATH}/renewals", newborn.renewal(unit, now)))


def enrolled(newborn: Newborn) -> tuple[str, int] | None:
    """The unit's id, and from which Unix ms on it renews; none for one that has not joined."""
    try:
        told = json.loads((newborn.folder / FLEET).read_bytes())
        return str(told["units"][0]["unit"]), int(told["renew_after"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _post(client: httpx.Client, path: str, document: bytes) -> EnrolAnswer:
    try:
        answer = client.post(path, content=document, headers={"content-type": "application/jose"})
        if answer.status_code in (200, 202, 403):
            return codec.decode(EnrolAnswer, answer.content)
        raise Refused("sim_enrol", why=f"{answer.status_code} {answer.text[:200]}")
    except (httpx.HTTPError, ContractViolation) as failure:
        raise Refused("sim_enrol", why=failure) from None


def _keep(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
