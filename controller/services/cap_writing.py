"""A message as a CAP 1.2 document, in the order of the schema, with times and numbers as the standard writes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lxml import etree

from broadcasts.clock import VIETNAM
from broadcasts.domain import cap
from broadcasts.domain.cap import Info, Message, Place
from broadcasts.domain.polygon import Ring


def write(message: Message) -> bytes:
    """What `cap_xml.read` reads the same again."""
    root = etree.Element(f"{{{cap.NAMESPACE}}}alert", nsmap={None: cap.NAMESPACE})  # type: ignore[dict-item]
    _put(root, "identifier", message.identifier)
    _put(root, "sender", message.sender)
    _put(root, "sent", time(message.sent))
    _put(root, "status", message.status)
    _put(root, "msgType", message.msg_type)
    _maybe(root, "source", message.source)
    _put(root, "scope", message.scope)
    _maybe(root, "restriction", message.restriction)
    _maybe(root, "addresses", message.addresses)
    _maybe(root, "note", message.note)
    _maybe(
        root, "references", " ".join(f"{one.sender},{one.identifier},{time(one.sent)}" for one in message.references)
    )
    _maybe(root, "incidents", message.incidents)
    for info in message.infos:
        _info(root, info)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def time(at: datetime) -> str:
    """Whole seconds and an offset in figures: the standard knows no "Z" (3.3.2)."""
    return at.astimezone(VIETNAM).isoformat(timespec="seconds")


def _info(root: etree._Element, info: Info) -> None:
    node = _node(root, "info")
    _put(node, "language", info.language)
    for category in info.categories:
        _put(node, "category", category)
    _put(node, "event", info.event)
    for response in info.response_types:
        _put(node, "responseType", response)
    _put(node, "urgency", info.urgency)
    _put(node, "severity", info.severity)
    _put(node, "certainty", info.certainty)
    _pairs(node, "eventCode", info.event_codes)
    for name, at in (("effective", info.effective), ("onset", info.onset), ("expires", info.expires)):
        _maybe(node, name, time(at) if at else "")
    _maybe(node, "senderName", info.sender_name)
    _maybe(node, "headline", info.headline)
    _maybe(node, "description", info.description)
    _maybe(node, "instruction", info.instruction)
    _maybe(node, "web", info.web)
    _maybe(node, "contact", info.contact)
    for place in info.areas:
        _place(node, place)


def _place(node: etree._Element, place: Place) -> None:
    area = _node(node, "area")
    _put(area, "areaDesc", place.description)
    for ring in place.polygons:
        _put(area, "polygon", _ring(ring))
    for circle in place.circles:
        _put(area, "circle", f"{_number(circle.latitude)},{_number(circle.longitude)} {_number(circle.km)}")
    _pairs(area, "geocode", place.geocodes)


def _ring(ring: Ring) -> str:
    """Latitude first, and closed."""
    closed = (*ring, ring[0])
    return " ".join(f"{_number(latitude)},{_number(longitude)}" for longitude, latitude in closed)


def _number(value: float) -> str:
    """Never with an exponent; a millionth of a degree is a hand's breadth."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _pairs(node: etree._Element, name: str, told: Iterable[tuple[str, str]]) -> None:
    for system, code in told:
        pair = _node(node, name)
        _put(pair, "valueName", system)
        _put(pair, "value", code)


def _maybe(node: etree._Element, name: str, text: str) -> None:
    if text:
        _put(node, name, text)


def _put(node: etree._Element, name: str, text: str) -> None:
    """XML knows no control characters: what somebody typed must not keep a warning back."""
    _node(node, name).text = "".join(one if one.isprintable() or one == "\n" else " " for one in text)


def _node(node: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(node, f"{{{cap.NAMESPACE}}}{name}")
