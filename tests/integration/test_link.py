"""Connections of live units: TLS, dead ends, takeovers, goodbyes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.brokers import free_port, run_mosquitto, running_broker
from support.parties import OverSockets
from support.wait import until

from broadcasts.clock import Clock, ManualClock, SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import Out
from controller.mqtt.broker_users import CONTROLLER
from device_sim import link
from device_sim.events import Arrived, Connect, Inbox, LinkDown, LinkUp, Publish
from device_sim.link import DIAL_S, Links
from device_sim.tls import Tls, trusting


class End:
    """Links without units: what a unit would be told, by unit."""

    def __init__(self, address: tuple[str, int], clock: Clock | None = None, tls: Tls | None = None) -> None:
        self.links = Links(*address, clock or SystemClock(), tls)
        self.told: list[tuple[str, Inbox]] = []

    def connect(self, unit: str, secret: str) -> None:
        will = topics.from_unit(unit, Out.PRESENCE)
        self.links.connect(unit, Connect(unit, secret, will, b"gone", keep_alive_s=60))

    def until_told(self, *wanted: tuple[str, Inbox]) -> None:
        def look() -> bool:
            self.links.poll(0.01)
            self.told += self.links.take()
            return len(self.told) >= len(wanted)

        until(look, f"{wanted}, after {self.told}")
        assert self.told == list(wanted)
        self.told = []


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    with running_broker("mosquitto", tmp_path_factory.mktemp("link")) as made:
        assert isinstance(made, OverSockets)
        yield made


@pytest.fixture
def end(broker: OverSockets) -> Iterator[End]:
    made = End(broker.address)
    yield made
    made.links.close()


def test_a_unit_is_up_when_every_filter_is_granted_and_hears_itself(end: End, broker: OverSockets) -> None:
    end.connect("u-20", broker.secrets["u-20"])
    end.until_told(("u-20", LinkUp()))
    mine = topics.from_unit("u-20", Out.PRESENCE)
    end.links.publish("u-20", Publish(mine, b"here", 1, retain=True))
    end.until_told(("u-20", Arrived(mine, b"here")))
    assert end.links.is_open("u-20")


def test_a_forgotten_connection_looks_up_until_a_ping_is_not_answered(
    broker: OverSockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CHORES_S", 0.2)
    monkeypatch.setattr(link, "PING_WAIT_S", 0.5)
    end = End(broker.address)
    mine = topics.from_unit("u-39", Out.PRESENCE)
    end.links.connect("u-39", Connect("u-39", broker.secrets["u-39"], mine, b"gone", keep_alive_s=3))
    end.until_told(("u-39", LinkUp()))
    watching = broker.enter(CONTROLLER)
    watching.subscribe(mine, 1)
    end.links.sever("u-39")
    end.links.publish("u-39", Publish(mine, b"lost", 1, retain=False))
    assert end.links.is_open("u-39"), "nothing is to be seen yet"
    end.until_told(("u-39", LinkDown()))
    until(lambda: b"gone" in [packet.payload for packet in watching.inbox], "the will")
    assert b"lost" not in [packet.payload for packet in watching.inbox]
    watching.goodbye()
    end.links.close()


def test_a_wrong_secret_is_a_failed_attempt(end: End) -> None:
    end.connect("u-21", "wrong")
    end.until_told(("u-21", LinkDown()))
    assert not end.links.is_open("u-21")


def test_a_cut_link_is_told_and_the_broker_speaks_the_will(end: End, broker: OverSockets) -> None:
    controller = broker.enter(CONTROLLER)
    for each in topics.CONTROLLER_FILTERS:
        controller.subscribe(each, 1)
    end.connect("u-22", broker.secrets["u-22"])
    end.until_told(("u-22", LinkUp()))
    end.links.cut("u-22")
    end.until_told(("u-22", LinkDown()))
    will = topics.from_unit("u-22", Out.PRESENCE)
    until(lambda: (will, b"gone") in [(each.topic, each.payload) for each in controller.inbox], "the will")
    controller.goodbye()


def test_a_polite_goodbye_is_told_to_nobody_and_leaves_no_will(end: End, broker: OverSockets) -> None:
    controller = broker.enter(CONTROLLER)
    for each in topics.CONTROLLER_FILTERS:
        controller.subscribe(each, 1)
    end.connect("u-23", broker.secrets["u-23"])
    end.until_told(("u-23", LinkUp()))
    end.links.disconnect("u-23")
    end.connect("u-24", broker.secrets["u-24"])
    end.until_told(("u-24", LinkUp()))
    end.links.cut("u-24")
    will = topics.from_unit("u-24", Out.PRESENCE)
    until(lambda: will in [each.topic for each in controller.inbox], "the later will of the other")
    assert topics.from_unit("u-23", Out.PRESENCE) not in [each.topic for each in controller.inbox]
    controller.goodbye()


def test_connecting_again_forgets_all_of_the_connection_before(end: End, broker: OverSockets) -> None:
    end.connect("u-25", broker.secrets["u-25"])
    end.until_told(("u-25", LinkUp()))
    end.links.cut("u-25")
    end.connect("u-25", broker.secrets["u-25"])
    mine = topics.from_unit("u-25", Out.PRESENCE)

    def up() -> bool:
        end.links.poll(0.01)
        end.told += end.links.take()
        return ("u-25", LinkUp()) in end.told

    until(up, "the second connection")
    assert [event for _, event in end.told if not isinstance(event, Arrived)] == [LinkDown(), LinkUp()]
    end.told = []
    end.links.publish("u-25", Publish(mine, b"", 1, retain=True))


def test_nobody_listening_is_a_failed_attempt() -> None:
    end = End(("127.0.0.1", free_port()))
    end.connect("u-1", "secret")
    end.until_told(("u-1", LinkDown()))
    end.links.close()


@pytest.mark.parametrize("tls", [None, Tls(trusting(None))], ids=["plain", "in the middle of the handshake"])
def test_a_broker_that_accepts_and_says_nothing_is_given_up(tls: Tls | None) -> None:
    clock = ManualClock(datetime(2026, 11, 23, tzinfo=UTC))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        end = End(mute.getsockname(), clock, tls)
        end.connect("u-1", "secret")
        line, _ = mute.accept()
        with line:
            end.links.poll(0.05)
            assert end.links.take() == []
            clock.advance(DIAL_S + 1)
            end.until_told(("u-1", LinkDown()))
        end.links.close()


def test_a_peer_that_speaks_something_else_is_a_failed_attempt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        end = End(other.getsockname())
        end.connect("u-1", "secret")
        line, _ = other.accept()
        with line:
            line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 40)
            end.until_told(("u-1", LinkDown()))
        end.links.close()


def authority(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for loopback and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.private"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_a_unit_speaks_tls_to_the_broker_it_trusts_and_to_no_other(tmp_path: Path) -> None:
    ours, key = authority(tmp_path, "ours")
    theirs, _ = authority(tmp_path, "theirs")
    port = free_port()
    config = tmp_path / "tls.conf"
    config.write_text(
        f"user root\nallow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {ours}\nkeyfile {key}\n",
        encoding="utf-8",
    )
    child = run_mosquitto(config, port, tmp_path / "log")
    try:
        ours_only = End(("127.0.0.1", port), tls=Tls(trusting(ours)))
        ours_only.connect("u-1", "any")
        ours_only.until_told(("u-1", LinkUp()))
        mine = topics.from_unit("u-1", Out.PRESENCE)
        large = b"x" * 200_000  # several TLS records, more than one read
        ours_only.links.publish("u-1", Publish(mine, large, 1, retain=False))
        ours_only.until_told(("u-1", Arrived(mine, large)))
        ours_only.links.close()
        for tls in (Tls(trusting(theirs)), None):
            wary = End(("127.0.0.1", port), tls=tls)
            wary.connect("u-1", "any")
            wary.until_told(("u-1", LinkDown()))
            wary.links.close()
    finally:
        child.terminate()
        child.wait(10)
