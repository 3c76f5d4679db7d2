"""A CAP document of ours is read the same again, and is what the schema says: its elements in their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broadcasts.domain import cap
from broadcasts.domain.cap import Circle, Info, Message, Place, Reference
from controller.services import cap_writing, cap_xml

ALERT = [
    *("identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "code"),
    *("note", "references", "incidents", "info"),
]
INFO = [
    *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience", "eventCode"),
    *("effective", "onset", "expires", "senderName", "headline", "description", "instruction", "web", "contact"),
    *("parameter", "resource", "area"),
]
AREA = ["areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"]
ONCE = {*ALERT, *INFO, *AREA} - {"code", "info", "category", "responseType", "eventCode", "area"}
ONCE -= {"polygon", "circle", "geocode", "parameter", "resource"}
NEEDED = {
    "alert": {"identifier", "sender", "sent", "status", "msgType", "scope"},
    "info": {"category", "event", "urgency", "severity", "certainty"},
    "area": {"areaDesc"},
}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d"


def check_structure(data: bytes) -> None:
    """What the schema of CAP 1.2 asks of elements: which, how often, in which order."""
    root = etree.fromstring(data)
    assert root.tag == f"{{{cap.NAMESPACE}}}alert"
    for node in root.iter():
        name = etree.QName(node).localname
        order = {"alert": ALERT, "info": INFO, "area": AREA}.get(name)
        if order is None:
            continue
        names = [etree.QName(child).localname for child in node]
        places = [order.index(child) for child in names]
        assert places == sorted(places), name
        assert NEEDED[name] <= set(names)
        assert all(names.count(child) == 1 for child in set(names) & ONCE)


words = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=30
).map(lambda told: told.strip()).filter(bool)  # fmt: skip
names = st.from_regex(r"[a-zA-Z0-9@.:-]{1,20}", fullmatch=True)
times = st.integers(0, 10_000_000).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
degrees = st.tuples(st.integers(-180, 180), st.integers(-90, 90)).map(lambda at: (float(at[0]), float(at[1])))
rings = st.lists(degrees, min_size=3, max_size=6, unique=True).map(tuple)
places = st.builds(
    Place,
    words,
    st.lists(rings, max_size=2).map(tuple),
    st.lists(st.builds(Circle, st.just(9.5), st.just(106.25), st.just(12.0)), max_size=2).map(tuple),
    st.lists(st.tuples(words, words), max_size=2).map(tuple),
)
infos = st.builds(
    Info,
    words,
    st.sampled_from(cap.Urgency),
    st.sampled_from(cap.Severity),
    st.sampled_from(cap.Certainty),
    st.lists(st.sampled_from(cap.Category), min_size=1, max_size=3).map(tuple),
    st.sampled_from(["vi-VN", "km-KH", "en-US"]),
    st.lists(st.sampled_from(cap.ResponseType), max_size=2).map(tuple),
    st.lists(st.tuples(words, words), max_size=2).map(tuple),
    effective=st.none() | times,
    expires=st.none() | times,
    headline=words,
    description=words,
    areas=st.lists(places, max_size=2).map(tuple),
)
messages = st.builds(
    Message,
    names,
    names,
    times,
    st.sampled_from(cap.Status),
    st.sampled_from(cap.MsgType),
    st.just(cap.Scope.PUBLIC),
    st.lists(infos, max_size=2).map(tuple),
    st.lists(st.builds(Reference, names, names, times), max_size=3, unique=True).map(tuple),
)


@given(messages)
def test_what_is_written_is_read_the_same_again(message: Message) -> None:
    data = cap_writing.write(message)
    assert cap_xml.read(cap_xml.parse(data)) == message
    check_structure(data)


def test_times_have_an_offset_in_figures_and_controls_are_no_letters() -> None:
    assert cap_writing.time(datetime(2026, 3, 3, 5, 0, 1, 900, tzinfo=UTC)) == "2026-03-03T12:00:01+07:00"
    told = Message(
        "a", "b", datetime(2026, 3, 3, tzinfo=UTC), cap.Status.ACTUAL, cap.MsgType.ALERT, cap.Scope.PUBLIC,
        note="Bão\x00 <&> \x1f5",
    )  # fmt: skip
    assert cap_xml.read(cap_xml.parse(cap_writing.write(told))).note == "Bão  <&>  5"
