"""A real SMTP server on 127.0.0.2, which is no name of this machine for what sends there, with or without TLS."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.ports import free_port

from broadcasts.clock import SystemClock

HOST = "127.0.0.2"


@dataclass(frozen=True)
class Mail:
    subject: str
    tls: bool
    user: str


@dataclass
class PostOffice:
    port: int
    mails: list[Mail] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Names that tried to log in."""

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        told = message_from_bytes(content, policy=policy.default)
        user = (session.auth_data or b"").decode()
        self.mails.append(Mail(str(told["Subject"]), session.ssl is not None, user))
        return "250 taken"


@contextmanager
def post_office(tls: ssl.SSLContext | None, accounts: Mapping[str, str]) -> Iterator[PostOffice]:
    """With `tls` nothing is taken before STARTTLS; without it STARTTLS is not offered, and a log-in in the clear is."""
    office = PostOffice(free_port())

    def known(server: Any, session: Session, envelope: Envelope, mechanism: str, told: Any) -> AuthResult:
        assert isinstance(told, LoginPassword)
        office.asked.append(told.login.decode())
        good = accounts.get(told.login.decode()) == told.password.decode()
        return AuthResult(success=good, handled=False, auth_data=told.login if good else None)

    server = Controller(
        office, HOST, office.port, tls_context=tls, require_starttls=tls is not None, authenticator=known,
        auth_required=tls is not None, auth_require_tls=tls is not None,
    )  # fmt: skip
    server.start()
    try:
        yield office
    finally:
        server.stop()


def certified(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server on `HOST`; this process believes its certificate from now on."""
    key, now = ec.generate_private_key(ec.SECP256R1()), SystemClock().now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "server.crt", folder / "server.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(chain, secret)
    return found
