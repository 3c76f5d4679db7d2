"""How units speak TLS to the broker: whom they trust, and the certificate with which each of them shows who it is."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from broadcasts.errors import Refused

OTHERS = 0o007


@dataclass(frozen=True)
class Tls:
    common: ssl.SSLContext
    """For whoever has no certificate of their own, and says a name and a secret instead."""
    own: Mapping[str, ssl.SSLContext] = field(default_factory=dict)

    def of(self, unit: str) -> ssl.SSLContext:
        return self.own.get(unit, self.common)


def trusting(ca: Path | None) -> ssl.SSLContext:
    """The broker's name is verified, at least TLS 1.2; `ca` none: those that the machine trusts. Raises `sim_ca`."""
    try:
        made = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as failure:  # missing, or no certificate in it
        raise Refused("sim_ca", path=ca, why=failure.strerror or failure) from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def with_certificates(ca: Path | None, folder: Path, units: Iterable[str], now: datetime) -> Tls:
    """`folder` holds `{unit}.crt` and `{unit}.key` for each unit, the unit's id being the certificate's common name.

    Raises Refused: `sim_ca`, `sim_certificate` (missing, broken, another's, out of date, or the key is not its key).
    """
    return Tls(trusting(ca), {unit: _with_certificate(ca, folder, unit, now) for unit in units})


def _with_certificate(ca: Path | None, folder: Path, unit: str, now: datetime) -> ssl.SSLContext:
    certificate, key = folder / f"{unit}.crt", folder / f"{unit}.key"

    def refused(why: object) -> Refused:
        return Refused("sim_certificate", unit=unit, path=certificate, why=why)

    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        if key.stat().st_mode & OTHERS:
            raise refused(f"others may read {key.name}: chmod 600 it")
        names = [str(each.value) for each in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [unit]:
            raise refused(f"it names {', '.join(names) or 'nobody'}")
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise refused(f"valid {found.not_valid_before_utc:%Y-%m-%d} to {found.not_valid_after_utc:%Y-%m-%d}")
        made = trusting(ca)
        made.load_cert_chain(certificate, key, password=b"")  # else OpenSSL would ask at the terminal
    except ssl.SSLError as failure:
        raise refused("its key is not its key" if failure.reason == "KEY_VALUES_MISMATCH" else failure) from None
    except OSError as failure:
        raise refused(f"{failure.filename}: {failure.strerror}") from None
    except ValueError:
        raise refused("no certificate in PEM") from None
    return made
