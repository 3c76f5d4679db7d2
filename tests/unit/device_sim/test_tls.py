"""Certificates of simulated units: each unit its own, and what does not fit is refused by the unit's name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from broadcasts.clock import SystemClock
from broadcasts.errors import Refused
from deploy.broker_certificates import provide
from deploy.local_ca import CLIENT_LASTS, CLIENTS
from device_sim.fleetfile import FleetFile
from device_sim.tls import with_certificates
from device_sim.words import sentence

NOW = SystemClock().now()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    provide(tmp_path, ["127.0.0.1"], ["u-1", "u-2"], NOW)
    return tmp_path


def refusal(made: Path, *units: str, days: float = 0.0) -> str:
    with pytest.raises(Refused) as caught:
        with_certificates(made / "authority.crt", made / CLIENTS, units, NOW + timedelta(days=days))
    assert caught.value.key == "sim_certificate"
    return sentence(caught.value)


def test_each_unit_shows_its_own(made: Path) -> None:
    tls = with_certificates(made / "authority.crt", made / CLIENTS, ["u-1", "u-2"], NOW)
    assert set(tls.own) == {"u-1", "u-2"}
    assert tls.of("u-1") is not tls.of("u-2")
    assert tls.of("u-3") is tls.common
    assert all(each.check_hostname for each in (tls.common, *tls.own.values()))


def test_a_unit_without_certificate_is_named(made: Path) -> None:
    assert "the certificate of u-3 " in refusal(made, "u-1", "u-3")


def test_a_certificate_of_another_a_wrong_key_and_an_open_one_are_refused(made: Path) -> None:
    clients = made / CLIENTS
    (clients / "u-4.crt").write_bytes((clients / "u-1.crt").read_bytes())
    (clients / "u-4.key").write_bytes((clients / "u-1.key").read_bytes())
    (clients / "u-4.key").chmod(0o600)
    assert "it names u-1" in refusal(made, "u-4")
    (clients / "u-1.key").write_bytes((clients / "u-2.key").read_bytes())
    assert "its key is not its key" in refusal(made, "u-1")
    (clients / "u-2.key").chmod(0o604)
    assert "chmod 600" in refusal(made, "u-2")
    (clients / "u-2.crt").write_text("no certificate", encoding="utf-8")
    assert "no certificate in PEM" in refusal(made, "u-2")


def test_a_certificate_outside_its_dates_is_refused(made: Path) -> None:
    for days in (-1.0, CLIENT_LASTS.days + 1.0):
        assert "valid " in refusal(made, "u-1", days=days)


def test_certificates_at_an_address_that_is_surely_plain_are_refused(tmp_path: Path) -> None:
    fleet = FleetFile("127.0.0.1", 1883, "http://127.0.0.1/u", ())
    assert fleet.at("mqtts://127.0.0.1:8883", None, tmp_path).certificates == tmp_path
    with pytest.raises(Refused) as caught:
        fleet.at("mqtt://127.0.0.1:1883", None, tmp_path)
    assert caught.value.key == "sim_certificates_plain"
