"""A CAP 1.2 document of somebody else's, from bytes to a message, or a sentence that says why not.

No entity, no DTD, no other encoding than UTF-8 and no address in it is ever followed. What the schema allows once may
stand once: of two `status` elements each reader would believe another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from lxml import etree

from broadcasts.domain import cap, cap_values
from broadcasts.domain.cap import Info, Message, Place
from broadcasts.errors import Refused

MOST_BYTES = 512 * 1024
MOST_ELEMENTS = 20_000
MOST_INFOS = 40
MOST_PLACES = 500
MOST_SHAPES = 2_000
MOST_POINTS = 10_000
"""Of all polygons together: each pole is held against each side."""
LONGEST_TEXT = 20_000
LONGEST_POLYGON = 100_000
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_OLDER = re.compile(r"(?:urn:oasis:names:tc:emergency:cap:1\.[01]|https?:..www\.incident\.com/cap/1\.\d)\Z")
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([^"'>]{0,40})["']""", re.IGNORECASE)
_ALERT = {
    *("identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "code"),
    *("note", "references", "incidents", "info"),
}
_INFO = {
    *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience", "eventCode"),
    *("effective", "onset", "expires", "senderName", "headline", "description", "instruction", "web", "contact"),
    *("parameter", "resource", "area"),
}
_AREA = {"areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"}
_PAIR = {"valueName", "value"}
_MANY = {"code", "info", "category", "responseType", "eventCode", "parameter", "resource", "area"}
_MANY |= {"polygon", "circle", "geocode"}
_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


def parse(data: bytes) -> etree._Element:
    """The root of a document. Raises Refused: "cap.large", "cap.encoding", "cap.dtd", "cap.xml"."""
    if len(data) > MOST_BYTES:
        raise Refused("cap.large", most_kb=MOST_BYTES // 1024)
    text = data.removeprefix(b"\xef\xbb\xbf")
    declared = _DECLARED.match(text)
    if declared and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii", b"ascii"):
        raise Refused("cap.encoding")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("cap.encoding") from error
    if b"\0" in text:
        raise Refused("cap.encoding")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise Refused("cap.dtd")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, dtd_validation=False, no_network=True, huge_tree=False
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused("cap.xml", why=" ".join(str(error).split())[:120]) from error
    if next(root.iter(etree.Entity), None) is not None:
        raise Refused("cap.dtd")
    if sum(1 for _ in root.iter()) > MOST_ELEMENTS:
        raise Refused("cap.many", what="elements", most=MOST_ELEMENTS)
    return root


def read(root: etree._Element) -> Message:
    """Raises Refused: "cap.version" (an older CAP), "cap.root" (no CAP at all), "cap.element", "cap.missing",
    "cap.value", "cap.many", and what `domain.cap_values` raises."""
    name = etree.QName(root)
    if name.localname != "alert" or name.namespace != cap.NAMESPACE:
        if name.localname == "alert" and _OLDER.match(name.namespace or ""):
            raise Refused("cap.version")
        raise Refused("cap.root", value=name.localname[:40])
    it = _Part(root, _ALERT)
    infos = tuple(_info(each) for each in it.all("info", MOST_INFOS))
    places = {place for info in infos for place in info.areas}
    if sum(len(place.polygons) + len(place.circles) for place in places) > MOST_SHAPES:
        raise Refused("cap.many", what="polygon", most=MOST_SHAPES)
    if sum(len(ring) for place in places for ring in place.polygons) > MOST_POINTS:
        raise Refused("cap.many", what="points", most=MOST_POINTS)
    found = Message(
        identifier=cap_values.name(it.need("identifier")),
        sender=cap_values.name(it.need("sender")),
        sent=cap_values.time(it.need("sent")),
        status=it.one_of("status", cap.Status),
        msg_type=it.one_of("msgType", cap.MsgType),
        scope=it.one_of("scope", cap.Scope),
        infos=infos,
        references=cap_values.references(it.text("references")),
        source=it.text("source"),
        restriction=it.text("restriction"),
        addresses=it.text("addresses"),
        note=it.text("note"),
        incidents=it.text("incidents"),
    )
    if found.scope is cap.Scope.PRIVATE and not found.addresses:
        raise Refused("cap.missing", name="addresses")
    if found.scope is cap.Scope.RESTRICTED and not found.restriction:
        raise Refused("cap.missing", name="restriction")
    return found


def _info(node: etree._Element) -> Info:
    it = _Part(node, _INFO)
    language = it.text("language") or cap.DEFAULT_LANGUAGE
    if not re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}", language):
        raise Refused("cap.value", name="language", value=language[:40])
    categories = tuple(_choice("category", _text(each), cap.Category) for each in it.all("category"))
    if not categories:
        raise Refused("cap.missing", name="category")
    return Info(
        event=it.need("event"),
        urgency=it.one_of("urgency", cap.Urgency),
        severity=it.one_of("severity", cap.Severity),
        certainty=it.one_of("certainty", cap.Certainty),
        categories=categories,
        language=language,
        response_types=tuple(_choice("responseType", _text(each), cap.ResponseType) for each in it.all("responseType")),
        event_codes=tuple(_pair(each) for each in it.all("eventCode")),
        effective=it.maybe("effective", cap_values.time),
        onset=it.maybe("onset", cap_values.time),
        expires=it.maybe("expires", cap_values.time),
        sender_name=it.text("senderName"),
        headline=it.text("headline"),
        description=it.text("description"),
        instruction=it.text("instruction"),
        web=it.text("web"),
        contact=it.text("contact"),
        areas=tuple(_place(each) for each in it.all("area", MOST_PLACES)),
    )


def _place(node: etree._Element) -> Place:
    it = _Part(node, _AREA)
    return Place(
        description=it.need("areaDesc"),
        polygons=tuple(cap_values.polygon(_text(each, LONGEST_POLYGON)) for each in it.all("polygon")),
        circles=tuple(cap_values.circle(_text(each)) for each in it.all("circle")),
        geocodes=tuple(_pair(each) for each in it.all("geocode", MOST_SHAPES)),
    )


def _pair(node: etree._Element) -> tuple[str, str]:
    it = _Part(node, _PAIR)
    return it.need("valueName"), it.need("value")


class _Part:
    """The children of an element by name."""

    def __init__(self, node: etree._Element, known: set[str]) -> None:
        """Raises Refused("cap.element") for a child that the schema has not, or has once and stands twice."""
        self._found: dict[str, list[etree._Element]] = {}
        for child in _elements(node):
            name = etree.QName(child)
            if child.tag == SIGNATURE and known is _ALERT:
                continue
            if name.namespace != cap.NAMESPACE or name.localname not in known:
                raise Refused("cap.element", name=name.localname[:40])
            same = self._found.setdefault(name.localname, [])
            same.append(child)
            if len(same) > 1 and name.localname not in _MANY:
                raise Refused("cap.element", name=name.localname)

    def all(self, name: str, most: int = MOST_SHAPES) -> list[etree._Element]:
        found = self._found.get(name, [])
        if len(found) > most:
            raise Refused("cap.many", what=name, most=most)
        return found

    def text(self, name: str) -> str:
        return _text(self._found[name][0]) if name in self._found else ""

    def need(self, name: str) -> str:
        """Raises Refused("cap.missing")."""
        if not (told := self.text(name)):
            raise Refused("cap.missing", name=name)
        return told

    def one_of(self, name: str, kind: type[_E]) -> _E:
        return _choice(name, self.need(name), kind)

    def maybe(self, name: str, how: Callable[[str], datetime]) -> datetime | None:
        told = self.text(name)
        return how(told) if told else None


def _choice(name: str, told: str, kind: type[_E]) -> _E:
    try:
        return kind(told)
    except ValueError:
        raise Refused("cap.value", name=name, value=told[:40]) from None


def _elements(node: etree._Element) -> Iterator[etree._Element]:
    return (child for child in node if isinstance(child.tag, str))


def _text(node: etree._Element, most: int = LONGEST_TEXT) -> str:
    """All of it, over comments: who reads only up to the first comment reads what nobody signed. Raises
    Refused("cap.element") for elements inside, "cap.long"."""
    if next(_elements(node), None) is not None:
        raise Refused("cap.element", name=etree.QName(node).localname[:40])
    told = (node.text or "") + "".join(child.tail or "" for child in node)
    if len(told) > most:
        raise Refused("cap.long", name=etree.QName(node).localname, most=most)
    return "".join(one if one.isprintable() or one in "\n\t" else " " for one in told).strip()
