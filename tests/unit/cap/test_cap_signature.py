"""Signatures on CAP documents: only the feed's own certificate counts, and only what it covers is read."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from support.cap import NAMESPACE, SENT, Signer, document

from broadcasts.errors import Refused
from controller.services import cap_signature, cap_xml
from controller.services.cap_signature import Seal

DS = "{http://www.w3.org/2000/09/xmldsig#}Signature"


@pytest.fixture(scope="module")
def theirs() -> Signer:
    return Signer.make()


@pytest.fixture(scope="module")
def stranger() -> Signer:
    return Signer.make("Người lạ")


def _check(data: bytes, *trusted: Signer, later: timedelta = timedelta()) -> tuple[Seal, cap_xml.Message]:
    root = cap_xml.parse(data)
    seal, signed = cap_signature.check(root, [each.certificate for each in trusted], SENT + later)
    return seal, cap_xml.read(signed)


def test_what_their_certificate_signed_is_valid(theirs: Signer, stranger: Signer) -> None:
    seal, message = _check(theirs.sign(document()), stranger, theirs)
    assert (seal, message.identifier) == (Seal.VALID, "bao-5.1")


def test_without_a_signature_or_a_certificate_nothing_is_proven(theirs: Signer) -> None:
    assert _check(document(), theirs)[0] is Seal.NONE
    assert _check(theirs.sign(document()))[0] is Seal.UNCHECKED


def test_a_strangers_signature_is_broken_though_it_brings_its_own_certificate(theirs: Signer, stranger: Signer) -> None:
    assert _check(stranger.sign(document()), theirs)[0] is Seal.BROKEN


def test_one_letter_changed_breaks_it(theirs: Signer) -> None:
    assert _check(theirs.sign(document()).replace(b"Extreme", b"Minor"), theirs)[0] is Seal.BROKEN


def test_an_expired_certificate_proves_nothing_more(theirs: Signer) -> None:
    assert _check(theirs.sign(document()), theirs, later=timedelta(days=400))[0] is Seal.BROKEN


def test_sha1_is_refused(theirs: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = theirs.sign(document())
    old = signed.replace(SignatureMethod.RSA_SHA256.value.encode(), SignatureMethod.RSA_SHA1.value.encode())
    assert old != signed
    assert _check(old, theirs)[0] is Seal.BROKEN
    digest = signed.replace(DigestAlgorithm.SHA256.value.encode(), DigestAlgorithm.SHA1.value.encode())
    assert digest != signed
    assert _check(digest, theirs)[0] is Seal.BROKEN
    monkeypatch.setattr("signxml.signer.XMLSigner.check_deprecated_methods", lambda self: None)
    true = theirs.sign(document(), signature=SignatureMethod.RSA_SHA1, digest=DigestAlgorithm.SHA1)
    assert _check(true, theirs)[0] is Seal.BROKEN


def test_a_signed_alert_wrapped_in_a_false_one_is_never_read_as_the_false_one(theirs: Signer) -> None:
    """The signature is moved up and still covers the true alert by its Id; the false one stands around it."""
    true = etree.fromstring(document())
    true.set("Id", "that")
    signed = etree.fromstring(theirs.sign(etree.tostring(true), reference_uri="#that"))
    seal = signed.find(DS)
    assert seal is not None
    false = etree.fromstring(document("gia-mao", status="Actual"))
    inner = copy.deepcopy(signed)
    taken = inner.find(DS)
    assert taken is not None
    inner.remove(taken)
    for place in (0, len(false)):
        wrapped = copy.deepcopy(false)
        wrapped.insert(place, copy.deepcopy(seal))
        holder = etree.SubElement(wrapped, f"{{{NAMESPACE}}}note")
        holder.append(copy.deepcopy(inner))
        found, read = cap_signature.check(cap_xml.parse(etree.tostring(wrapped)), [theirs.certificate], SENT)
        assert (found, read.findtext(f"{{{NAMESPACE}}}identifier")) == (Seal.VALID, "bao-5.1")


def test_a_signature_that_covers_only_a_part_proves_nothing_about_the_alert(theirs: Signer) -> None:
    root = etree.fromstring(document())
    part = root.find(f"{{{NAMESPACE}}}info")
    assert part is not None
    part.set("Id", "part")
    signed = theirs.sign(etree.tostring(root), reference_uri="#part")
    assert _check(signed, theirs)[0] is Seal.BROKEN


def test_a_second_signature_makes_it_unclear_who_signed_what(theirs: Signer, stranger: Signer) -> None:
    signed = etree.fromstring(theirs.sign(document()))
    other = etree.fromstring(stranger.sign(document())).find(DS)
    assert other is not None
    signed.append(other)
    assert _check(etree.tostring(signed), theirs)[0] is Seal.BROKEN


def test_a_signature_deeper_inside_is_none_of_the_alerts(theirs: Signer) -> None:
    signed = etree.fromstring(theirs.sign(document()))
    seal = signed.find(DS)
    part = signed.find(f"{{{NAMESPACE}}}info")
    assert seal is not None
    assert part is not None
    part.append(seal)
    root = cap_xml.parse(etree.tostring(signed))
    assert cap_signature.check(root, [theirs.certificate], SENT)[0] is Seal.BROKEN


def test_a_feed_takes_certificates_only_with_keys_that_hold(theirs: Signer) -> None:
    assert cap_signature.certificates("  ") == []
    assert len(cap_signature.certificates(theirs.pem)) == 1
    for bad in ("none", Signer.make(bits=1024).pem, theirs.pem * 5):
        with pytest.raises(Refused, match=r"cap\.certificate"):
            cap_signature.certificates(bad)
