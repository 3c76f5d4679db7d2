"""Foreign CAP documents: what is read of a good one, and one sentence for each bad one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cap import AREA, SENT, document, info, reference

from broadcasts.domain import cap_values
from broadcasts.domain.cap import Circle, MsgType, Reference, Scope, Severity, Status
from broadcasts.errors import Refused
from controller.services import cap_xml

DTD = '<!DOCTYPE alert [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


def _with(old: bytes, new: bytes) -> bytes:
    found = document().replace(old, new)
    assert found != document()
    return found


def _round(circle: str) -> bytes:
    return document(infos=info(area=f"<area><areaDesc>x</areaDesc><circle>{circle}</circle></area>"))


def _read(data: bytes) -> cap_xml.Message:
    return cap_xml.read(cap_xml.parse(data))


def test_a_good_document_says_all_that_it_says() -> None:
    circle = "<area><areaDesc>Bến cá</areaDesc><circle>9.5,106.0 12.5</circle><geocode><valueName>VN</valueName>"
    circle += "<value>31825</value></geocode></area>"
    found = _read(
        document(infos=info(area=AREA + circle) + info("km", headline="ព្យុះ"), references=reference("bao-5.0"))
    )
    assert (found.status, found.msg_type, found.scope) == (Status.ACTUAL, MsgType.ALERT, Scope.PUBLIC)
    assert found.sent == SENT
    assert found.references == (Reference("kttv@thu.vn", "bao-5.0", SENT),)
    vietnamese, khmer = found.infos
    assert (vietnamese.speaks, khmer.speaks, khmer.headline) == ("vi", "km", "ព្យុះ")
    assert vietnamese.severity is Severity.EXTREME
    drawn, named = vietnamese.areas
    assert drawn.polygons == (((105.0, 9.0), (107.0, 9.0), (107.0, 11.0), (105.0, 11.0)),)
    assert (named.circles, named.geocodes) == ((Circle(9.5, 106.0, 12.5),), (("VN", "31825"),))


MANY = " ".join(["0,0", *(f"{n % 90},{n // 90}" for n in range(1_990)), "0,0"])


HOSTILE: dict[str, tuple[bytes, str]] = {
    "a bomb of entities": (_with(b"<alert", f"{DTD}<alert".encode()), "cap.dtd"),
    "a file of ours as an entity": (
        _with(b"<alert", b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert'),
        "cap.dtd",
    ),
    "a DTD from elsewhere": (_with(b"<alert", b'<!DOCTYPE alert SYSTEM "http://127.0.0.1/x.dtd"><alert'), "cap.dtd"),
    "an entity that nobody declared": (_with("Gió".encode(), b"&nobody;"), "cap.xml"),
    "another encoding, declared": (_with(b"UTF-8", b"UTF-7"), "cap.encoding"),
    "another encoding, in its bytes": (document().decode().encode("utf-16"), "cap.encoding"),
    "half a character": (_with("Gió".encode(), b"Gi\xc3"), "cap.encoding"),
    "no XML": (b"<alert", "cap.xml"),
    "nothing": (b"", "cap.xml"),
    "too large": (document(more="<note>" + "x" * 600_000 + "</note>"), "cap.large"),
    "too many elements": (document(more="<code>x</code>" * 21_000), "cap.many"),
    "too deep": (b"<a>" * 5_000 + b"</a>" * 5_000, "cap.xml"),
    "CAP 1.1": (document(namespace="urn:oasis:names:tc:emergency:cap:1.1"), "cap.version"),
    "CAP 1.0": (document(namespace="http:" + "//www.incident.com/cap/1.0"), "cap.version"),
    "no CAP at all": (b"<html/>", "cap.root"),
    "a namespace of nobody's": (document(namespace="urn:x"), "cap.root"),
    "two statuses": (_with(b"<status>", b"<status>Test</status><status>"), "cap.element"),
    "an element of nobody's": (document(more="<sound>now</sound>"), "cap.element"),
    "an element inside a text": (_with(b"Actual", b"<b>Actual</b>"), "cap.element"),
    "no identifier": (_with(b"<identifier>bao-5.1</identifier>", b""), "cap.missing"),
    "an identifier with a comma": (document("bao,5"), "cap.name"),
    "an identifier with a blank": (document("bao 5"), "cap.name"),
    "a status of nobody's": (document(status="Real"), "cap.value"),
    "a status in small letters": (document(status="actual"), "cap.value"),
    "a time without an offset": (document(sent="2026-03-03T12:00:00"), "cap.time"),
    "a time that never was": (document(sent="2026-02-31T12:00:00+07:00"), "cap.time"),
    "a time at the end of all years": (document(sent="9999-12-31T23:59:59-23:59"), "cap.time"),
    "a time with fractions": (document(sent="2026-03-03T12:00:00.5+07:00"), "cap.time"),
    "references that name nothing": (document(references="bao-5.0"), "cap.references"),
    "references without end": (document(references=" ".join(reference(f"x{n}") for n in range(101))), "cap.many"),
    "private, to nobody": (document(scope="Private"), "cap.missing"),
    "restricted, by nothing": (document(scope="Restricted"), "cap.missing"),
    "a polygon that is open": (_with(b" 9.0,105.0</polygon>", b"</polygon>"), "cap.polygon"),
    "a polygon of two points": (
        _with(b"9.0,105.0 9.0,107.0 11.0,107.0 11.0,105.0 9.0,105.0", b"9,105 9,107 9,105"),
        "cap.polygon",
    ),
    "a polygon with NaN": (_with(b"9.0,107.0", b"nan,107.0"), "cap.polygon"),
    "a polygon off the Earth": (_with(b"9.0,107.0", b"9.0,1070.0"), "cap.polygon"),
    "a polygon with an exponent": (_with(b"9.0,107.0", b"9.0,1e2"), "cap.polygon"),
    "a polygon of a hundred thousand points": (
        _with(b"9.0,107.0 ", b"9.0,107.0 " * 3_000),
        "cap.polygon",
    ),
    "polygons of more points than anybody counts": (
        document(infos=info(area="<area><areaDesc>x</areaDesc>" + f"<polygon>{MANY}</polygon>" * 6 + "</area>")),
        "cap.many",
    ),
    "a circle without a radius": (_round("9,105"), "cap.circle"),
    "a circle below nothing": (_round("9,105 -1"), "cap.circle"),
    "a circle without end": (_round("9,105 inf"), "cap.circle"),
    "a place without a name": (document(infos=info(area="<area><circle>9,105 1</circle></area>")), "cap.missing"),
    "a language of nobody's": (document(infos=info("việt")), "cap.value"),
    "infos without end": (document(infos=info(area="") * 41), "cap.many"),
    "a text without end": (document(infos=info(headline="x" * 30_000)), "cap.long"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_document_is_refused_with_one_reason(case: str) -> None:
    data, key = HOSTILE[case]
    with pytest.raises(Refused) as refused:
        _read(data)
    assert refused.value.key == key


def test_a_text_is_read_over_a_comment_and_never_ends_at_it() -> None:
    found = _read(_with("Bão số 5".encode(), "Bão <!-- giả -->số 5".encode()))
    assert found.infos[0].headline == "Bão số 5 đổ bộ đêm nay"


def test_zulu_is_no_letter_of_the_standard_but_leaves_no_doubt() -> None:
    assert cap_values.time("2026-03-03T05:00:00Z") == datetime(2026, 3, 3, 5, tzinfo=UTC)
    assert cap_values.time("2026-03-03T12:00:00+07:00") == datetime(2026, 3, 3, 5, tzinfo=UTC)


def _key(how: Callable[[Any], Any], told: object) -> str:
    try:
        how(told)
    except Refused as refused:
        return refused.key
    return "cap.read"


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for each in (data, document(more=data.decode("utf-8", "replace"))):
        assert _key(_read, each).startswith("cap.")


@given(st.text(max_size=80))
def test_whatever_is_told_for_a_value_is_read_or_refused(told: str) -> None:
    for how in (cap_values.time, cap_values.polygon, cap_values.circle, cap_values.references, cap_values.name):
        assert _key(how, told).startswith("cap.")
