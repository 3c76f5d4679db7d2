"""The files with which the controller shows itself to a broker: what cannot work is said before anything is tried."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from broadcasts.errors import Refused
from controller.mqtt.broker_users import CONTROLLER
from controller.mqtt.tls import context
from controller.web.catalogue import say
from deploy.broker_certificates import provide
from deploy.local_ca import CLIENT_LASTS, CLIENTS

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


@dataclass
class Files:
    folder: Path
    ca: Path
    certificate: Path
    key: Path

    def refusal(self, user: str = CONTROLLER, now: datetime = NOON) -> str:
        """The sentence at the terminal."""
        with pytest.raises(Refused) as caught:
            context(self.ca, self.certificate, self.key, user, now)
        return say("en", f"errors.{caught.value.key}", **caught.value.fields)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = provide(tmp_path, ["127.0.0.1"], ["u-1"], NOON)
    own = tmp_path / CLIENTS / CONTROLLER
    return Files(tmp_path, made.authority, own.with_suffix(".crt"), own.with_suffix(".key"))


def test_the_broker_is_verified_and_tls_is_new_enough(files: Files) -> None:
    made = context(files.ca, files.certificate, files.key, CONTROLLER, NOON)
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert made.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert len(made.get_ca_certs()) == 1


def test_without_an_authority_of_our_own_those_of_the_machine_are_trusted_and_the_name_is_checked() -> None:
    made = context(None, None, None, CONTROLLER, NOON)
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname


@pytest.mark.parametrize(
    ("part", "setting"), [("ca", "LOA_BROKER_CA"), ("certificate", "LOA_BROKER_CERT"), ("key", "LOA_BROKER_KEY")]
)
def test_a_missing_file_is_named_with_its_setting(files: Files, part: str, setting: str) -> None:
    nowhere = files.folder / "nowhere"
    setattr(files, part, nowhere)
    assert files.refusal() == f"{setting}: cannot read {nowhere} (No such file or directory)."


@pytest.mark.parametrize("part", ["ca", "certificate"])
def test_a_file_that_holds_no_certificate_is_named(files: Files, part: str) -> None:
    setattr(files, part, files.key)
    assert files.refusal().endswith(f"{files.key} holds no certificate in PEM.")


def test_a_key_that_is_none_or_wants_a_passphrase_is_refused_without_asking_for_one(files: Files) -> None:
    private = serialization.load_pem_private_key(files.key.read_bytes(), None)
    locked = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    for content in (locked, b"", files.certificate.read_bytes()):
        files.key.write_bytes(content)
        assert files.refusal() == f"LOA_BROKER_KEY: {files.key} holds no private key in PEM without a passphrase."


def test_a_key_of_another_certificate_is_refused(files: Files) -> None:
    files.key = files.folder / CLIENTS / "u-1.key"
    assert files.refusal() == f"The key {files.key} does not belong to the certificate {files.certificate}."


def test_a_key_that_everybody_may_read_is_refused(files: Files) -> None:
    files.key.chmod(0o644)
    assert str(files.key) in files.refusal()
    files.key.chmod(0o640)
    context(files.ca, files.certificate, files.key, CONTROLLER, NOON)


@pytest.mark.parametrize("away", [-timedelta(days=2), CLIENT_LASTS + timedelta(days=1)])
def test_a_certificate_outside_its_dates_is_refused_with_both(files: Files, away: timedelta) -> None:
    if away < timedelta():
        files.ca = _older(files)
    told = files.refusal(now=NOON + away)
    assert told.startswith("LOA_BROKER_CERT: the certificate in")
    assert "is valid from 2026-11-23 to 2031-11-23" in told
    assert f"{NOON + away:%Y-%m-%d}" in told


def test_an_authority_outside_its_dates_is_refused(files: Files) -> None:
    assert files.refusal(now=NOON + timedelta(days=4000)).startswith("LOA_BROKER_CA: the certificate in")


def test_a_certificate_of_another_name_is_refused_because_the_broker_goes_by_it(files: Files) -> None:
    own = files.folder / CLIENTS / "u-1"
    files.certificate, files.key = own.with_suffix(".crt"), own.with_suffix(".key")
    assert "names u-1, LOA_BROKER_USER says controller" in files.refusal()


def _older(files: Files) -> Path:
    """An authority whose dates are no reason to refuse."""
    return provide(files.folder / "older", ["127.0.0.1"], [], NOON - timedelta(days=100)).authority
