"""TLS to an external broker: its certificate checked, ours shown. What is wrong with a file is said in one sentence,
here, because OpenSSL's own words name neither the file nor the setting."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from broadcasts.errors import Refused

CA, CERT, KEY = "LOA_BROKER_CA", "LOA_BROKER_CERT", "LOA_BROKER_KEY"
_STRANGERS = 0o007


def context(ca: Path | None, certificate: Path | None, key: Path | None, user: str, now: datetime) -> ssl.SSLContext:
    """At least TLS 1.2, the broker's name verified, `ca` alone trusted (none: those that the machine trusts).

    `user` must be the certificate's common name: the broker takes the rights from it. Raises Refused: "settings.file",
    "settings.pem", "settings.dates", "settings.key", "settings.pair", "settings.cert_name", "keys.open".
    """
    if ca is not None:
        authorities = _certificates(CA, ca)
        # Old and new may stand side by side while one takes the place of the other.
        if all(_outdated(each, now) for each in authorities):
            raise _dates(CA, ca, authorities[0], now)
    made = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        _check_pair(certificate, key, user, now)
        made.load_cert_chain(certificate, key)
    return made


def _check_pair(certificate: Path, key: Path, user: str, now: datetime) -> None:
    ours = _certificates(CERT, certificate)[0]
    try:
        private = serialization.load_pem_private_key(_read(KEY, key), None)
    except (ValueError, TypeError):  # TypeError: it wants a passphrase
        raise Refused("settings.key", name=KEY, path=str(key)) from None
    if key.stat().st_mode & _STRANGERS:
        raise Refused("keys.open", path=str(key))
    if ours.public_key() != private.public_key():
        raise Refused("settings.pair", certificate=str(certificate), private=str(key))
    if _outdated(ours, now):
        raise _dates(CERT, certificate, ours, now)
    names = [str(each.value) for each in ours.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [user]:
        raise Refused("settings.cert_name", path=str(certificate), found=", ".join(names) or "-", user=user)


def _certificates(name: str, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(name, path))
    except ValueError:
        raise Refused("settings.pem", name=name, path=str(path)) from None


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        raise Refused("settings.file", name=name, path=str(path), detail=failure.strerror or "") from failure


def _outdated(certificate: x509.Certificate, now: datetime) -> bool:
    return not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _dates(name: str, path: Path, certificate: x509.Certificate, now: datetime) -> Refused:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Refused(
        "settings.dates",
        name=name,
        path=str(path),
        begins=f"{begins:%Y-%m-%d}",
        ends=f"{ends:%Y-%m-%d}",
        today=f"{now:%Y-%m-%d}",
    )
