"""Units that ask to be let in, as a test wants them: right, or wrong in one place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from broadcasts.wire import codec, enrol
from broadcasts.wire.enrol import EnrolRequest, RenewRequest
from broadcasts.wire.jws import SigningKey, Typ

TlsKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass
class Newcomer:
    serial: str = "SN-0001"
    vendor: str = "Hãng mẫu"
    key: SigningKey = field(default_factory=lambda: SigningKey.generate(enrol.NEWCOMER))
    tls: TlsKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: str = "a secret of 256 random bits, for a test"

    @property
    def fingerprint(self) -> str:
        return enrol.fingerprint_of(self.key.public.x)

    @property
    def code(self) -> str:
        return enrol.code_of(self.fingerprint)

    def csr(self, name: str = "whatever it likes") -> str:
        hashed = None if isinstance(self.tls, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.tls, hashed)
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def request(self, **other: object) -> EnrolRequest:
        told = EnrolRequest(
            serial=self.serial,
            vendor=self.vendor,
            key_x=self.key.public.x,
            secret_sha256=hashlib.sha256(self.secret.encode()).hexdigest(),
            request=self.csr(),
        )
        return told.model_copy(update=other)

    def asks(self, **other: object) -> bytes:
        return codec.seal(self.request(**other), Typ.ENROL, self.key)

    def renews(self, unit: str, at_ms: int, secret: str | None = None, key: SigningKey | None = None) -> bytes:
        known = key or SigningKey.from_jwk(self.key.to_jwk().replace(f'"{enrol.NEWCOMER}"', f'"{unit}"'))
        hashed = None if secret is None else hashlib.sha256(secret.encode()).hexdigest()
        told = RenewRequest(unit=unit, at=at_ms, request=self.csr(), secret_sha256=hashed)
        return codec.seal(told, Typ.RENEW, known)

    def private(self) -> bytes:
        return self.tls.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
