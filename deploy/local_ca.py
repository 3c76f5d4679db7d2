"""A certificate authority for one machine or one office network, where no public one will sign.

`ensure` makes what is missing or about to expire, and leaves the rest as it is. Private keys are files of mode 0600.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import secrets
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broadcasts.clock import SystemClock

AUTHORITY_LASTS = timedelta(days=3650)
SERVER_LASTS = timedelta(days=397)
"""Browsers refuse server certificates of more than 398 days (Baseline Requirements 6.3.2)."""
CLIENT_LASTS = timedelta(days=1826)
"""Of a unit or a controller at the broker: a pole is visited rarely, and `revoke` ends it before its time."""
CLIENTS = "clients"
"""Folder below the authority's: no client's name can be that of the authority or the server."""
REVOKED = "revoked.crl"
RENEW_BEFORE = timedelta(days=30)
EARLIER = timedelta(hours=1)
"""A phone's clock may be behind ours."""
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
HERE = ("localhost", "127.0.0.1", "::1")


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True)
class Certificates:
    """`authority` is for others to trust; `chain` and `key` are for the server. All PEM."""

    authority: Path
    chain: Path
    key: Path
    fingerprint: str
    """SHA-256 of the authority, as browsers show it."""


def ensure(folder: Path, names: Sequence[str], now: datetime) -> Certificates:
    """`names`: host names and addresses that the server is called by, the first becomes its common name.

    Raises OSError when the folder cannot be written, ValueError when `names` is empty.
    """
    if not names:
        raise ValueError("a certificate needs a name")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _load(folder / "authority.crt", folder / "authority.key")
    if authority is None or _expires_soon(authority[0], now):
        authority = _store(folder, "authority", _make_authority(now))
    ca, ca_key = authority
    server = _load(folder / "server.crt", folder / "server.key")
    if (
        server is None
        or _expires_soon(server[0], now)
        or not _is_for(server[0], names)
        or not _signed_by(server[0], ca)
    ):
        _store(folder, "server", _make_server(ca, ca_key, names, now))
    fingerprint = ca.fingerprint(hashes.SHA256()).hex(":").upper()
    return Certificates(folder / "authority.crt", folder / "server.crt", folder / "server.key", fingerprint)


def issue(folder: Path, name: str, now: datetime) -> tuple[Path, Path]:
    """Certificate and key with which `name` shows itself to a server that trusts the authority in `folder`: made when
    missing, about to expire, revoked, or of another authority.

    Raises ValueError when there is no authority yet, OSError when the folder cannot be written.
    """
    ca, ca_key = _authority(folder)
    clients = folder / CLIENTS
    clients.mkdir(mode=0o700, exist_ok=True)
    certificate, key = clients / f"{name}.crt", clients / f"{name}.key"
    held = _load(certificate, key)
    gone = {each.serial_number for each in _revoked(folder)}
    if held is None or _expires_soon(held[0], now) or not _signed_by(held[0], ca) or held[0].serial_number in gone:
        _store(clients, name, _make_client(ca, ca_key, name, now))
    return certificate, key


def revoke(folder: Path, names: Iterable[str], now: datetime) -> Path:
    """Add the certificates of `names` to the list of revoked ones; without names only makes sure that there is one.

    Raises ValueError when there is no authority or no certificate of that name.
    """
    ca, ca_key = _authority(folder)
    serials = {each.serial_number: each.revocation_date_utc for each in _revoked(folder)}
    for name in names:
        certificate = folder / CLIENTS / f"{name}.crt"
        try:
            serials[x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number] = now
        except OSError:
            raise ValueError(f"no certificate was issued for {name}: there is no {certificate}") from None
    # A list past its date would shut everybody out, so it lasts as long as its authority; each change makes a new one.
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.subject).last_update(now - EARLIER)
    builder = builder.next_update(ca.not_valid_after_utc)
    for serial, at in sorted(serials.items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(entry)
    listed = builder.sign(ca_key, hashes.SHA256())
    _replace(folder / REVOKED, listed.public_bytes(serialization.Encoding.PEM), 0o644)
    return folder / REVOKED


def _authority(folder: Path) -> _Pair:
    found = _load(folder / "authority.crt", folder / "authority.key")
    if found is None:
        raise ValueError(f"there is no authority in {folder}")
    return found


def _revoked(folder: Path) -> list[x509.RevokedCertificate]:
    path = folder / REVOKED
    return list(x509.load_pem_x509_crl(path.read_bytes())) if path.exists() else []


def names_of(host: str) -> list[str]:
    """By which names and addresses a server on `host` may be called: itself, this machine from here, and, when it
    listens everywhere, every address of this machine."""
    names = [] if host in EVERYWHERE else [host]
    if host in EVERYWHERE:
        names += [socket.gethostname(), *own_addresses()]
    return list(dict.fromkeys([*names, *HERE]))


def own_addresses() -> list[str]:
    """This machine's addresses that others may reach, IPv4 and IPv6, without loopback and link-local ones."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        found += [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # TEST-NET-1: chooses the way out, sends nothing
        found.append(str(probe.getsockname()[0]))
    for _, interface in socket.if_nameindex():
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # SIOCGIFADDR of Linux; elsewhere the two ways above have to do.
            told = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", interface.encode()[:15]))
            found.append(socket.inet_ntoa(told[20:24]))
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines():
            found.append(str(ipaddress.IPv6Address(int(line.split()[0], 16))))
    given = [ipaddress.ip_address(address.split("%")[0]) for address in dict.fromkeys(found)]
    return [
        str(one) for one in dict.fromkeys(given) if not (one.is_loopback or one.is_link_local or one.is_unspecified)
    ]


def _make_authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # The random part tells two authorities apart in a browser's list.
    name = _named(f"Loa local authority {secrets.token_hex(3)}")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(name, name, key, now, AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _make_server(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime
) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _leaf(_named(names[0][:64]), ca, ca_key, key, now, SERVER_LASTS, ExtendedKeyUsageOID.SERVER_AUTH)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    return builder.sign(ca_key, hashes.SHA256()), key


def _make_client(ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, name: str, now: datetime) -> _Pair:
    """Its common name is the name at the broker (Mosquitto: `use_identity_as_username`)."""
    key = ec.generate_private_key(ec.SECP256R1())
    lasts = min(CLIENT_LASTS, ca.not_valid_after_utc - now)
    builder = _leaf(_named(name), ca, ca_key, key, now, lasts, ExtendedKeyUsageOID.CLIENT_AUTH)
    return builder.sign(ca_key, hashes.SHA256()), key


def _leaf(
    subject: x509.Name,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lasts: timedelta,
    purpose: x509.ObjectIdentifier,
) -> x509.CertificateBuilder:
    return (
        _builder(subject, ca.subject, key, now, lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + lasts)
    )


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii"))


def _is_for(certificate: x509.Certificate, names: Sequence[str]) -> bool:
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(held) == {_general(name) for name in names}


def _signed_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - of several kinds; each means: make a new one
        return False
    return True


def _expires_soon(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc - now < RENEW_BEFORE


def _load(certificate: Path, key: Path) -> _Pair | None:
    """None when one of the two is missing, broken, or does not fit the other."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or loaded.public_key() != private.public_key():
        return None
    return loaded, private


def _store(folder: Path, name: str, pair: _Pair) -> _Pair:
    certificate, key = pair
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # The key first: a certificate without its key is made anew, the other way round too.
    _replace(folder / f"{name}.key", private, 0o600)
    _replace(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return pair


def _replace(path: Path, content: bytes, mode: int) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def main(arguments: Sequence[str]) -> int:
    """`python -m deploy.local_ca FOLDER NAME...`"""
    if len(arguments) < 2:
        print("usage: python -m deploy.local_ca FOLDER NAME...", file=sys.stderr)
        return 2
    made = ensure(Path(arguments[0]), arguments[1:], SystemClock().now())
    print(f"for others to trust: {made.authority}\n  SHA-256 {made.fingerprint}")
    print(f"LOA_TLS_CERT={made.chain}\nLOA_TLS_KEY={made.key}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
