"""Addresses of other stations: only what is out in the open, and only what the contract can say."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from broadcasts.domain.relay import BAND, MOST_SILENCE, Share, check_address, check_slot
from broadcasts.errors import Refused
from broadcasts.wire.relay import Relay, StreamUrl

PLAIN = TypeAdapter[str](StreamUrl)


def why(url: str = "", frequency_khz: int | None = None, *, inside: bool = False) -> str:
    try:
        check_address(url, frequency_khz, inside=inside)
    except Refused as error:
        return error.key
    return ""


@pytest.mark.parametrize(
    "url",
    [
        "https://phat.example.vn/vov1",
        "http://phat.example.vn:8000/;stream.mp3?type=http&x=1",
        "https://phat.example.vn",
    ],
)
def test_a_stream_out_in_the_open_is_believed(url: str) -> None:
    assert why(url) == ""


@pytest.mark.parametrize("host", ["203.119.36.1", "[2001:ee0:1::1]:8443"])
def test_a_number_out_in_the_open_is_believed(host: str) -> None:
    assert why(f"https://{host}/live") == ""


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1/a",
        "10.1.2.3/a",
        "192.168.1.1:8000/",
        "172.16.0.9/",
        "169.254.169.254/latest/meta-data",
        "100.64.0.1/",
        "0.0.0.0/",
        "224.0.0.1/",
        "[::1]/a",
        "[fe80::1]/",
        "[fd00::1]/",
        "[::ffff:127.0.0.1]/",
        "[2002:7f00:1::]/",
        "[::127.0.0.1]/",
        "[fec0::1]/",
        "[64:ff9b::a00:1]/",
        "localhost/a",
        "may-phat/a",
        "may-phat.local/a",
        "broker.internal/a",
        "a.0x7f/",
        "0x7f.1/",
    ],
)
def test_an_address_that_leads_back_inside_is_refused_but_in_a_demo(host: str) -> None:
    url = f"http://{host}"
    assert why(url) == "relay.inside"
    assert why(url, inside=True) == ""


@pytest.mark.parametrize(
    "url",
    [
        "ftp://phat.example.vn/a",
        "file:///etc/passwd",
        "phat.example.vn/a",
        "https://user:word@phat.example.vn/a",
        "https://phat.example.vn/a#b",
        "https://phat.example.vn/a b",
        "https://phat.example.vn/\n",
        "https://phat.example.vn\\@127.0.0.1/",
        "https://phát.example.vn/a",
        "https://phat.example.vn:0/a",
        "https://phat.example.vn:/a",
        "https://phat.example.vn:0000080/a",
        "https://[2001:ee0:1::1]:/a",
        "https://phat.example.vn:99999/a",
        "https:///a",
        "https://",
        "https://-a.example.vn/",
        "https://a..example.vn/",
        "http://2130706433/",
        "http://127.1/",
        "http://[::1/",
        "http://[2606:4700::1%eth0]/",
        "http://[2606:4700::1%25eth0]/",
        "http://[2606:4700::1]x/",
        "http://phat.example.vn[2606:4700::1]/",
        "http://[v1.vn]/",
        "https://phat.example.vn/" + "a" * 300,
    ],
)
def test_what_is_no_plain_address_is_refused_in_a_demo_too(url: str) -> None:
    assert why(url) == why(url, inside=True) == "relay.url"


@given(
    st.sampled_from(["http", "https"]),
    st.one_of(
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).map(lambda each: f"[{each}]"),
        st.text(printable, max_size=20),
    ),
    st.sampled_from(["", ":8000", ":0", ":70000"]),
    st.text(printable, max_size=30),
)
def test_what_is_believed_is_an_address_of_the_contract(scheme: str, host: str, port: str, path: str) -> None:
    url = f"{scheme}://{host}{port}/{path}"
    if why(url, inside=True) == "":
        assert PLAIN.validate_python(url) == url
    if why(url) == "":
        assert why(url, inside=True) == ""


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_no_number_of_a_private_network_is_believed(address: IPv4Address | IPv6Address) -> None:
    told = f"[{address}]" if address.version == 6 else str(address)
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert why(f"http://{told}/") == "relay.inside"


def test_a_station_is_received_in_one_way() -> None:
    assert why() == why("https://phat.example.vn/", 100_000) == "relay.address"


@pytest.mark.parametrize(
    ("khz", "key"), [(87_500, ""), (108_000, ""), (87_499, "relay.frequency"), (0, "relay.frequency")]
)
def test_a_frequency_lies_in_the_band(khz: int, key: str) -> None:
    assert why(frequency_khz=khz) == key


@pytest.mark.parametrize(
    ("minutes", "silence", "key"),
    [
        (1, 5, ""),
        (180, 120, ""),
        (0, 20, "relay.minutes"),
        (181, 20, "relay.minutes"),
        (15, 4, "relay.silence"),
        (15, 121, "relay.silence"),
    ],
)
def test_slot_and_silence_have_bounds(minutes: int, silence: int, key: str) -> None:
    found = ""
    try:
        check_slot(minutes, silence)
    except Refused as error:
        found = error.key
    assert found == key


def test_whatever_may_be_said_the_contract_can_say() -> None:
    for khz in BAND:
        Relay(source="ts-1", frequency_khz=khz, length_ms=60_000, silence_s=MOST_SILENCE)


def test_the_shares_of_what_sounded_are_a_whole() -> None:
    assert Share(timedelta(minutes=7), timedelta(minutes=2)).percent == (78, 22)
    assert Share(timedelta(0), timedelta(minutes=2)).percent == (0, 100)
    assert Share(timedelta(0), timedelta(0)).percent == (0, 0)
