"""CAP documents for tests: said by words, signed with a certificate of the test's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SENT = datetime(2026, 3, 3, 4, 55, tzinfo=UTC)
SENDER = "kttv@thu.vn"
AREA = (
    "<area><areaDesc>Ven biển</areaDesc><polygon>9.0,105.0 9.0,107.0 11.0,107.0 11.0,105.0 9.0,105.0</polygon></area>"
)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def info(
    language: str = "vi-VN",
    event: str = "Bão",
    *,
    severity: str = "Extreme",
    urgency: str = "Immediate",
    certainty: str = "Observed",
    expires: datetime | None = SENT + timedelta(hours=6),
    headline: str = "Bão số 5 đổ bộ đêm nay",
    area: str = AREA,
    more: str = "",
) -> str:
    end = f"<expires>{stamp(expires)}</expires>" if expires else ""
    return (
        f"<info><language>{language}</language><category>Met</category><event>{escape(event)}</event>"
        f"<urgency>{urgency}</urgency><severity>{severity}</severity><certainty>{certainty}</certainty>{end}"
        f"<headline>{escape(headline)}</headline><description>Gió giật cấp 12</description>"
        f"<instruction>Vào nhà kiên cố</instruction>{more}{area}</info>"
    )


def document(
    identifier: str = "bao-5.1",
    *,
    sender: str = SENDER,
    sent: datetime | str = SENT,
    status: str = "Actual",
    kind: str = "Alert",
    scope: str = "Public",
    references: str = "",
    infos: str | None = None,
    more: str = "",
    namespace: str = NAMESPACE,
) -> bytes:
    told = sent if isinstance(sent, str) else stamp(sent)
    named = f"<references>{references}</references>" if references else ""
    said = info() if infos is None else infos
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<alert xmlns="{namespace}"><identifier>{identifier}</identifier>'
        f"<sender>{sender}</sender><sent>{told}</sent><status>{status}</status><msgType>{kind}</msgType>"
        f"<scope>{scope}</scope>{more}{named}{said}</alert>"
    ).encode()


def reference(identifier: str = "bao-5.1", sent: datetime = SENT, sender: str = SENDER) -> str:
    return f"{sender},{identifier},{stamp(sent)}"


@dataclass(frozen=True)
class Signer:
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str = "KTTV", now: datetime = SENT, bits: int = 2048) -> Signer:
        key = rsa.generate_private_key(65537, bits)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
        )
        return cls(key, made.sign(key, hashes.SHA256()))

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, data: bytes, **how: Any) -> bytes:
        signer = XMLSigner(
            signature_algorithm=how.pop("signature", SignatureMethod.RSA_SHA256),
            digest_algorithm=how.pop("digest", DigestAlgorithm.SHA256),
        )
        signed = signer.sign(etree.fromstring(data), key=self.key, cert=[self.certificate], **how)
        return bytes(etree.tostring(signed))
