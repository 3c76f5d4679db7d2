"""On which terms units join, from settings and files: the authority's key, and whom units are to trust."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broadcasts.errors import Fault, Refused
from controller.mqtt.broker_users import write_private
from controller.services.unit_authority import UnitAuthority, is_authority, usage
from controller.services.unit_terms import UnitTerms
from controller.settings import Settings

NAME = "LOA_UNIT_AUTHORITY"
CERTIFICATE, KEY = "authority.crt", "authority.key"
LASTS = timedelta(days=3650)
_OTHERS = 0o077


def folder_of(settings: Settings) -> Path:
    """Where the authority is: with the other keys, unless one is given."""
    return settings.unit_authority or settings.data / "keys" / "units"


def unit_terms(settings: Settings, now: datetime) -> UnitTerms:
    """Makes the authority at the first start; one that is given must be there. Raises Fault("keys.missing",
    "keys.open"), Refused("settings.file", "settings.pem", "settings.dates")."""
    folder = folder_of(settings)
    if settings.unit_authority is None and not (folder / CERTIFICATE).exists():
        make(folder, now)
    broker = settings.unit_broker or _own_broker(settings)
    return UnitTerms(
        authority=read(folder, now),
        broker=broker,
        trust=_trust(settings) if broker.startswith("mqtts:") else "",
        files=settings.unit_files_url,
        waits=timedelta(days=settings.enrolment_days),
        lasts=timedelta(days=settings.unit_cert_days),
    )


def make(folder: Path, now: datetime) -> None:
    """A new authority; whoever has its key can be any unit."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Loa units {secrets.token_hex(3)}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(folder / KEY, private.decode())
    write_private(folder / CERTIFICATE, made.public_bytes(serialization.Encoding.PEM).decode())


def read(folder: Path, now: datetime) -> UnitAuthority:
    certificate, key = folder / CERTIFICATE, folder / KEY
    try:
        if key.stat().st_mode & _OTHERS:
            raise Fault("keys.open", path=str(key))
        held = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except OSError as failure:
        raise Fault("keys.missing", path=str(failure.filename)) from None
    except (ValueError, TypeError):
        raise Refused("settings.pem", name=NAME, path=str(folder)) from None
    if (
        not isinstance(private, ec.EllipticCurvePrivateKey)
        or private.public_key() != held.public_key()
        or not is_authority(held)
    ):
        raise Refused("settings.pem", name=NAME, path=str(folder))
    if not held.not_valid_before_utc <= now <= held.not_valid_after_utc:
        raise Refused(
            "settings.dates",
            name=NAME,
            path=str(certificate),
            begins=f"{held.not_valid_before_utc:%Y-%m-%d}",
            ends=f"{held.not_valid_after_utc:%Y-%m-%d}",
            today=f"{now:%Y-%m-%d}",
        )
    return UnitAuthority(held, private)


def _own_broker(settings: Settings) -> str:
    return f"mqtt://127.0.0.1:{settings.broker_port}" if settings.broker == "embedded" else settings.broker


def _trust(settings: Settings) -> str:
    if settings.broker_ca is None:
        return ""
    try:
        return settings.broker_ca.read_text(encoding="ascii")
    except (OSError, ValueError) as failure:
        raise Refused(
            "settings.file", name="LOA_BROKER_CA", path=str(settings.broker_ca), detail=str(failure)
        ) from None
