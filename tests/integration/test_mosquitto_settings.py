"""The production settings of Mosquitto, as they are: certificates, TLS, and the ACL against the contract's rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.brokers import free_port, run_mosquitto
from support.paho_client import PahoParty
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER
from device_sim.broker import NotLetIn

SETTINGS = Path(__file__).parents[2] / "deploy/mosquitto"


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("authority")
        builder = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.file = self._write("authority", builder.sign(self._key, hashes.SHA256()), self._key)[0]

    def issue(self, name: str) -> tuple[str, str]:
        """File names of certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        builder = self._builder(_named(name), key).add_extension(here, critical=False)
        return self._write(name, builder.sign(self._key, hashes.SHA256()), key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = SystemClock().now()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> tuple[str, str]:
        self._folder.mkdir(exist_ok=True)
        pem, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return str(pem), str(secret)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass
class Station:
    address: tuple[str, int]
    authority: Authority

    def enter(self, name: str, *, client_id: str | None = None, issuer: Authority | None = None) -> PahoParty:
        certificate, key = (issuer or self.authority).issue(name)
        tls = (self.authority.file, certificate, key)
        return PahoParty(self.address, client_id or name, "", "", clean=True, will=None, tls=tls)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Mosquitto with the production file; only folders and the port are others."""
    folder = tmp_path_factory.mktemp("station")
    authority = Authority(folder / "loa")
    authority.issue("broker")
    (folder / "loa/acl").write_text((SETTINGS / "acl").read_text(encoding="utf-8"), encoding="utf-8")
    port = free_port()
    text = (SETTINGS / "mosquitto.conf").read_text(encoding="utf-8")
    for there, here in (
        ("/etc/mosquitto/loa", str(folder / "loa")),
        ("/var/lib/mosquitto/", f"{folder}/"),
        ("listener 8883", f"user root\nlistener {port} 127.0.0.1"),
    ):
        assert there in text
        text = text.replace(there, here)
    config = folder / "mosquitto.conf"
    config.write_text(text, encoding="utf-8")
    child = run_mosquitto(config, port, folder / "mosquitto.log")
    yield Station(("127.0.0.1", port), authority)
    child.terminate()
    child.wait(10)


def test_a_units_certificate_is_its_name_its_rights_and_its_client_id(station: Station) -> None:
    controller, unit, neighbour = station.enter(CONTROLLER), station.enter("u-1"), station.enter("u-2")
    controller.subscribe("loa/v1/u/+/out/#", 1)
    unit.subscribe("loa/v1/u/u-1/in/#")
    intruder = station.enter("u-3", client_id="u-1")
    intruder.publish(topics.from_unit("u-1", Out.REPORTED), b"forged")
    neighbour.publish(topics.from_unit("u-1", Out.REPORTED), b"forged")
    neighbour.publish(topics.from_unit("u-2", Out.REPORTED), b"true")
    until(lambda: len(controller.inbox) > 0, "what the neighbour says of itself")
    controller.publish(topics.to_unit("u-1", In.COMMAND), b"for u-1")
    until(lambda: len(unit.inbox) > 0, "the command")
    assert [packet.payload for packet in controller.inbox] == [b"true"]
    assert unit.is_open
    assert intruder.inbox == []
    for party in (controller, unit, neighbour, intruder):
        party.goodbye()


def test_nobody_enters_without_a_certificate_of_the_stations_authority(station: Station, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises((OSError, NotLetIn)):
        station.enter("u-1", issuer=stranger)
    with pytest.raises((OSError, NotLetIn)):
        PahoParty(station.address, "u-1", "u-1", "", clean=True, will=None)


def test_the_acl_says_exactly_what_the_contract_says() -> None:
    rules: dict[str, set[tuple[str, str]]] = {"unit": set(), "controller": set()}
    who = "anyone"
    for line in (SETTINGS / "acl").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"user (\S+)", line):
            who = match[1]
        elif match := re.fullmatch(r"pattern (read|write) (\S+)", line):
            rules["unit"].add((match[1], match[2]))
        elif match := re.fullmatch(r"topic (read|write) (\S+)", line):
            rules[who].add((match[1], match[2]))
        else:
            assert not line or line.startswith("#"), line
    assert rules["unit"] == _rights(topics.unit_filters("%u"), topics.unit_may_write("%u"))
    assert rules[CONTROLLER] == _rights(topics.CONTROLLER_MAY_READ, topics.CONTROLLER_MAY_WRITE)


def _rights(reads: tuple[str, ...], writes: tuple[str, ...]) -> set[tuple[str, str]]:
    return {("read", pattern) for pattern in reads} | {("write", pattern) for pattern in writes}
