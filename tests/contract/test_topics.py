"""Topics, wildcards and rights: the table that broker configurations are made from."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broadcasts.errors import ContractViolation
from broadcasts.ids import NAME
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out, ScopeTopic, covers, matches, may_read, may_write

NAMES = st.from_regex(NAME, fullmatch=True)


@given(NAMES, st.sampled_from(In), st.sampled_from(Out), st.sampled_from(ScopeTopic))
def test_a_topic_that_we_build_is_read_back_as_what_it_is(name: str, told: In, said: Out, scope: ScopeTopic) -> None:
    assert topics.parse(topics.to_unit(name, told)) == topics.Address(told, name, f"loa/v1/u/{name}/in/{told}")
    assert topics.parse(topics.from_unit(name, said)) == topics.Address(said, name, f"loa/v1/u/{name}/out/{said}")
    assert topics.parse(topics.to_scope(name, scope)) == topics.Address(scope, name, f"loa/v1/s/{name}/{scope}")


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(["loa", "v1", "u", "s", "in", "out", "plan", "alert", "a", "", "+", "#", "trust"]),
            max_size=8,
        ).map("/".join),
    )
)
def test_whatever_a_broker_hands_us_is_a_known_topic_or_a_bounded_refusal(topic: str) -> None:
    try:
        address = topics.parse(topic)
    except ContractViolation as refused:
        reason, detail = refused.reason, refused.detail
        address = None
    if address is None:
        assert reason == "unknown_topic"
        assert len(detail) <= 120
        return
    assert address.topic == topic
    assert not set(topic) & set("+#")
    assert address.kind is not None or topic in (topics.TRUST, topics.CANARY)


@pytest.mark.parametrize("name", ["u-0042\n", "U-1", "-a", "a-", "a" * 33, "", "é", "a/b", "a+", "٣"])
def test_a_name_that_could_not_stand_in_a_topic_is_no_name(name: str) -> None:
    assert NAME.match(name) is None
    with pytest.raises(ContractViolation, match="unknown_topic"):
        topics.parse(f"loa/v1/u/{name}/in/plan")


def oracle(pattern: str) -> re.Pattern[str]:
    """The same rule of MQTT 3.1.1, section 4.7, written as a regular expression."""
    if pattern == "#":
        return re.compile(r"\A(?!\$).*\Z", re.DOTALL)
    below = pattern.endswith("/#")
    levels = pattern.removesuffix("/#").split("/")
    body = "/".join("[^/]*" if level == "+" else re.escape(level) for level in levels)
    own = r"(?!\$)" if levels[0] == "+" else ""
    return re.compile(rf"\A{own}{body}{'(/.*)?' if below else ''}\Z", re.DOTALL)


LEVELS = st.sampled_from(["a", "b", "", "$SYS"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)
FILTERS = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    st.lists(st.one_of(LEVELS, st.just("+")), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
) | st.just("#")


@given(FILTERS, TOPICS)
def test_a_filter_matches_what_the_standard_says(pattern: str, topic: str) -> None:
    assert matches(pattern, topic) is bool(oracle(pattern).match(topic))


EVERY_TOPIC = ["/".join(levels) for depth in range(1, 6) for levels in product(("a", "b", "other"), repeat=depth)]
SMALL_FILTERS = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
) | st.just("#")


@given(SMALL_FILTERS, SMALL_FILTERS)
def test_a_right_covers_a_subscription_exactly_when_nothing_else_could_arrive(right: str, asked: str) -> None:
    assume(right != "+/#")  # another spelling of "#", which nobody is given
    arrives = [topic for topic in EVERY_TOPIC if matches(asked, topic)]
    assert covers(right, asked) is all(matches(right, topic) for topic in arrives)


@pytest.mark.parametrize(
    ("pattern", "topic", "matched"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/broker", True),
    ],
)
def test_the_examples_of_the_standard(pattern: str, topic: str, matched: bool) -> None:
    assert matches(pattern, topic) is matched


UNIT, OTHER = "u-1", "u-10"
EVERY_PLACE = [
    *(topics.to_unit(unit, kind) for unit in (UNIT, OTHER) for kind in In),
    *(topics.from_unit(unit, kind) for unit in (UNIT, OTHER) for kind in Out),
    *(topics.to_scope("soc-trang", kind) for kind in ScopeTopic),
    topics.TRUST,
    topics.CANARY,
]


def test_a_unit_writes_only_its_own_out_branch() -> None:
    allowed = {place for place in EVERY_PLACE if may_write(topics.unit_may_write(UNIT), place)}
    assert allowed == {topics.from_unit(UNIT, kind) for kind in Out}


def test_a_unit_reads_only_its_own_in_branch_its_presence_trust_and_scopes() -> None:
    allowed = {place for place in EVERY_PLACE if may_read(topics.unit_filters(UNIT), place)}
    assert allowed == {
        *(topics.to_unit(UNIT, kind) for kind in In),
        topics.from_unit(UNIT, Out.PRESENCE),
        *(topics.to_scope("soc-trang", kind) for kind in ScopeTopic),
        topics.TRUST,
    }


@pytest.mark.parametrize(
    "greedy",
    [
        "#",
        "loa/#",
        "loa/v1/#",
        "loa/v1/u/#",
        "loa/v1/u/+/in/plan",
        "loa/v1/u/+/out/presence",
        "+/v1/trust",
        "loa/v1/u/u-1/#",
    ],
)
def test_a_unit_may_not_ask_for_more_than_its_own(greedy: str) -> None:
    assert not may_read(topics.unit_filters(UNIT), greedy)


def test_the_controller_reads_what_units_say_and_writes_what_units_read() -> None:
    for kind in Out:
        assert may_read(topics.CONTROLLER_MAY_READ, topics.from_unit(UNIT, kind))
        assert not may_write(topics.CONTROLLER_MAY_WRITE, topics.from_unit(UNIT, kind)), "nobody speaks for a unit"
    for place in (
        *(topics.to_unit(UNIT, kind) for kind in In),
        topics.to_scope("s", ScopeTopic.ALERT),
        topics.TRUST,
        topics.CANARY,
    ):
        assert may_write(topics.CONTROLLER_MAY_WRITE, place)
    for wanted in (*topics.CONTROLLER_FILTERS, *topics.CONTROLLER_LOOKBACK):
        assert may_read(topics.CONTROLLER_MAY_READ, wanted)


def test_a_command_is_never_retained_and_an_alert_always() -> None:
    assert not topics.MANNERS[In.COMMAND].retain
    assert not topics.MANNERS[In.TIME].retain
    assert topics.MANNERS[ScopeTopic.ALERT].retain
    assert max(manner.max_bytes for manner in topics.MANNERS.values()) <= topics.MAX_BYTES
