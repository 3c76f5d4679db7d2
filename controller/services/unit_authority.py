"""The authority that gives units their certificates. Pure: key, request and time are handed in.

Certificates of ECDSA P-256 over keys of P-256 or Ed25519: what OpenSSL 3 and Debian's Mosquitto take, tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broadcasts.errors import Refused

EARLIER = timedelta(hours=1)
"""A unit's clock may be behind ours."""
_MINUTE = timedelta(minutes=10)

_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)

Key = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class Certified:
    """`serial` in hexadecimal; `pem` is the certificate alone."""

    serial: str
    pem: str
    until: datetime


def usage(**may: bool) -> x509.KeyUsage:
    """What a key may be used for, by the names of RFC 5280, section 4.2.1.3, and for nothing else."""
    return x509.KeyUsage(**dict.fromkeys(_USES, False) | may)


class UnitAuthority:
    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate, self._key = certificate, key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def certify(self, request: str, unit: str, now: datetime, lasts: timedelta) -> Certified:
        """`request` is PKCS#10 in PEM; only its key is taken from it. Raises Refused("enrolment.request")."""
        return self.sign(key_of_request(request), unit, now, lasts)

    def sign(self, key: Key, unit: str, now: datetime, lasts: timedelta) -> Certified:
        until = min(now + lasts, self.certificate.not_valid_after_utc)
        serial = x509.random_serial_number()
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unit)]))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(now - EARLIER)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Certified(f"{serial:x}", made.public_bytes(serialization.Encoding.PEM).decode(), until)

    def stand_in(self, unit: str, now: datetime) -> tuple[str, str]:
        """Certificate and key, PEM, with which we try for ten minutes what a revoked unit could do."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self.sign(key.public_key(), unit, now, _MINUTE).pem, private.decode()

    def revoked(self, serials: Iterable[tuple[str, datetime]], now: datetime) -> bytes:
        """The list of revoked certificates, PEM; `serials` with when each was revoked. One past its date would shut
        everybody out, so it lasts as long as the authority."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - EARLIER)  # a list that begins tomorrow by the broker's clock shuts everybody out
            .next_update(self.certificate.not_valid_after_utc)
        )
        for serial, at in sorted(serials):
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(at).build()
            made = made.add_revoked_certificate(entry)
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_of_request(request: str) -> Key:
    """Raises Refused("enrolment.request") for what is no request, is not signed by its own key, or has a key of another
    kind."""
    try:
        read = x509.load_pem_x509_csr(request.encode())
        key = read.public_key()
        taken = isinstance(key, ed25519.Ed25519PublicKey) or (
            isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        )
        # The kind first: a stranger chooses how long the arithmetic of other kinds of keys takes.
        fine = taken and read.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise Refused("enrolment.request") from None
    if not fine or not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise Refused("enrolment.request")
    return key


def is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
