"""The broker is told of a revoked unit whatever is wrong with the files beside."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from support.services import NOON, RecordingLink

from broadcasts.clock import SystemClock
from broadcasts.errors import Refused
from controller.bootstrap import unit_terms
from controller.mqtt import doors
from controller.mqtt.doors import MosquittoDoor
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.services.unit_authority import EARLIER
from controller.services.unit_clearing import Proof


def broken() -> ssl.SSLContext:
    raise Refused("settings.file", name="LOA_BROKER_CA", path="-", detail="gone")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    unit_terms.make(tmp_path / "units", NOON)
    return tmp_path / "units"


def made(folder: Path, link: RecordingLink) -> MosquittoDoor:
    authority = unit_terms.read(folder, NOON)
    address = BrokerAddress("127.0.0.1", 1, "controller", "")
    return MosquittoDoor(cast("PahoLink", link), address, authority, folder, broken, SystemClock())


def test_what_cannot_be_tried_is_untried_and_shut_all_the_same(folder: Path) -> None:
    link = RecordingLink()
    door = made(folder, link)
    door.empty("u-1")
    assert door.shut(["u-1"])
    assert door.prove("u-1") is Proof.UNTRIED
    [(topic, payload, _, _)] = link.sent
    assert topic == doors.CONTROL
    assert {"command": "disableClient", "username": "u-1"} in json.loads(payload)["commands"]


def test_a_folder_where_the_list_cannot_be_written_stops_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    door = made(folder, RecordingLink())
    with monkeypatch.context() as patched:
        patched.setattr(doors, "write_private", full)
        door.list_revoked([("ab", NOON)], NOON)
    assert "revoked.crl" in caplog.text
    door.list_revoked([("ab", NOON)], NOON)
    held = x509.load_pem_x509_crl((folder / doors.CRL).read_bytes())
    assert [each.serial_number for each in held] == [0xAB]
    assert held.last_update_utc == (NOON - EARLIER).replace(microsecond=0)
