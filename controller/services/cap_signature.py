"""Whether a CAP document is signed by a certificate that we were given (XML Signature 1.1; CAP 1.2, 3.3.2.1).

Only the certificate of the feed's settings counts; what the document brings along about keys is not looked at. What is
read afterwards is the element that the signature covers, as the verifier hands it back, and it has to be an alert: a
valid signature over something else beside the alert proves nothing about the alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from broadcasts.domain import cap
from broadcasts.errors import Refused
from controller.services.cap_xml import SIGNATURE

MOST_CERTIFICATES = 4
LEAST_RSA_BITS = 2048
_ROOT = f"{{{cap.NAMESPACE}}}alert"
_METHODS = frozenset(
    {
        *(SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512),
        *(SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1),
        *(SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512),
    }
)
"""No SHA-1, no secret shared by both sides, no DSA."""
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


class Seal(StrEnum):
    """What a document's signature came to."""

    VALID = "valid"
    NONE = "none"
    UNCHECKED = "unchecked"
    """Signed, but the feed has no certificate to hold it against."""
    BROKEN = "broken"


def certificates(pem: str) -> list[x509.Certificate]:
    """Those of a feed's settings. Raises Refused("cap.certificate")."""
    if not pem.strip():
        return []
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise Refused("cap.certificate") from error
    if len(found) > MOST_CERTIFICATES or not all(_strong(each) for each in found):
        raise Refused("cap.certificate")
    return found


def _strong(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS
    )


def check(root: etree._Element, trusted: Sequence[x509.Certificate], now: datetime) -> tuple[Seal, etree._Element]:
    """And the element to read: of a valid signature the signed one, else the whole."""
    signatures = [each for each in root.iter() if each.tag == SIGNATURE]
    if not signatures:
        return Seal.NONE, root
    if not trusted:
        return Seal.UNCHECKED, root
    if len(signatures) > 1 or signatures[0].getparent() is not root:
        return Seal.BROKEN, root
    for certificate in trusted:
        signed = _signed(root, certificate, now)
        if signed is not None:
            return Seal.VALID, signed
    return Seal.BROKEN, root


def _signed(root: etree._Element, certificate: x509.Certificate, now: datetime) -> etree._Element | None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return None
    expected = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True,
        verification_time=now,
    )
    try:
        found = XMLVerifier().verify(root, x509_cert=certificate, expect_config=expected)
    except (SignXMLException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError):
        return None  # whatever is wrong with it, it is not valid
    except (UnsupportedAlgorithm, etree.LxmlError):
        return None
    if isinstance(found, list) or found.signed_xml is None or found.signed_xml.tag != _ROOT:
        return None
    signed: etree._Element = found.signed_xml
    return signed
