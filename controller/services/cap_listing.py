"""What an address of a feed leads to: one CAP message, or a list of them (Atom, RFC 4287; RSS 2.0)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin

from lxml import etree

from broadcasts.domain import cap
from broadcasts.errors import Refused
from controller.services import cap_xml

ATOM = "http://www.w3.org/2005/Atom"
CAP_TYPE = "application/cap+xml"
MOST_ENTRIES = 100
"""The first of a list: it has the newest on top."""
_KEY = 400


@dataclass(frozen=True)
class Item:
    """`key`: what the list says of it, to know it again: its address and its age."""

    url: str
    key: str


@dataclass(frozen=True)
class Listed:
    """`message`: whether the document itself is one, or `inside` holds some; `items`: where others lie."""

    message: bool = False
    items: tuple[Item, ...] = ()
    inside: tuple[bytes, ...] = ()


def listed(data: bytes, base: str) -> Listed:
    """Raises Refused: "cap.list" for what is neither, and what `cap_xml.parse` raises."""
    root = cap_xml.parse(data)
    name = etree.QName(root)
    if name.localname == "alert":
        return Listed(message=True)
    if name.localname == "feed" and name.namespace == ATOM:
        return _listed(list(_atom(root)), base)
    if name.localname == "rss" or name.localname == "RDF":
        return _listed(list(_rss(root)), base)
    raise Refused("cap.list", value=name.localname[:40])


def _listed(told: list[tuple[str, str, bytes | None]], base: str) -> Listed:
    items, inside = [], []
    for href, age, content in told[:MOST_ENTRIES]:
        if content is not None:
            inside.append(content)
        elif href:
            try:
                url = urldefrag(urljoin(base, href.strip())).url
            except ValueError:
                continue  # "http://[": no address; what else the list has is worth something
            items.append(Item(url[:_KEY], hashlib.sha256(f"{url} {age}".encode()).hexdigest()[:32]))
    return Listed(items=tuple(dict.fromkeys(items)), inside=tuple(inside))


def _atom(root: etree._Element) -> Iterator[tuple[str, str, bytes | None]]:
    for entry in root.iterfind(f"{{{ATOM}}}entry"):
        age = entry.findtext(f"{{{ATOM}}}updated") or ""
        alert = entry.find(f"{{{ATOM}}}content/{{{cap.NAMESPACE}}}alert")
        links = [link for link in entry.iterfind(f"{{{ATOM}}}link") if link.get("rel", "alternate") == "alternate"]
        links += [link for link in entry.iterfind(f"{{{ATOM}}}link") if link.get("rel") == "enclosure"]
        typed = [link for link in links if (link.get("type") or "").partition(";")[0].strip().lower() == CAP_TYPE]
        source = entry.find(f"{{{ATOM}}}content[@src]")
        href = next(
            (link.get("href") or "" for link in (typed or links)), source.get("src") if source is not None else ""
        )
        yield href or "", age, None if alert is None else _alone(alert)


def _rss(root: etree._Element) -> Iterator[tuple[str, str, bytes | None]]:
    for item in root.iter():
        if isinstance(item.tag, str) and etree.QName(item).localname == "item":
            children = {etree.QName(each).localname: each for each in item if isinstance(each.tag, str)}
            enclosure = children.get("enclosure")
            kind = "" if enclosure is None else (enclosure.get("type") or "")
            link = children.get("link")
            href = (enclosure.get("url") or "") if enclosure is not None and kind == CAP_TYPE else ""
            href = href or ("" if link is None else link.text or "")
            date = children.get("pubDate")
            yield href, "" if date is None else date.text or "", None


def _alone(alert: etree._Element) -> bytes:
    """An alert that lies inside of a list, as a document of its own."""
    alert.tail = None
    return bytes(etree.tostring(alert))
