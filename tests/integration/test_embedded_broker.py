"""The broker that `make run` starts: its process, its gate and its failures."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import embedded, spawn
from support.paho_client import PahoParty
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.errors import Fault
from broadcasts.wire import topics
from broadcasts.wire.topics import In, Out
from controller.mqtt.broker_users import CONTROLLER, new_secret
from controller.mqtt.embedded import EmbeddedBroker, find_binary
from device_sim.broker import NotLetIn


@pytest.fixture
def known() -> dict[str, str]:
    return {name: new_secret() for name in (CONTROLLER, "u-1", "u-2")}


@pytest.fixture
def broker(tmp_path: Path, known: dict[str, str]) -> Iterator[EmbeddedBroker]:
    with embedded(tmp_path, known) as running:
        yield running


def enter(broker: EmbeddedBroker, name: str, secret: str, client_id: str | None = None) -> PahoParty:
    return PahoParty(broker.address, client_id or name, name, secret, clean=True, will=None)


def process_of(folder: Path) -> int:
    return int((folder / "broker/broker.pid").read_text(encoding="utf-8"))


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def a_program(folder: Path, body: str) -> Path:
    program = folder / "stand-in"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def stopped(folder: Path, **manner: object) -> EmbeddedBroker:
    return EmbeddedBroker(folder / "broker", list, SystemClock(), spawn, **manner)  # type: ignore[arg-type]


def test_starting_twice_is_starting_once_and_stopping_ends_the_process(
    broker: EmbeddedBroker, tmp_path: Path, known: dict[str, str]
) -> None:
    process = process_of(tmp_path)
    broker.start()
    assert process_of(tmp_path) == process
    assert broker.alive
    broker.stop()
    assert not broker.alive
    assert not is_running(process)
    broker.stop()
    broker.start()
    enter(broker, "u-1", known["u-1"]).goodbye()


def test_no_file_holds_a_secret_and_nobody_else_can_read_the_config(
    broker: EmbeddedBroker, tmp_path: Path, known: dict[str, str]
) -> None:
    enter(broker, "u-1", known["u-1"]).goodbye()
    folder = tmp_path / "broker"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "broker.conf").stat().st_mode & 0o777 == 0o600
    broker.stop()
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(secret.encode() in content for secret in known.values()), file


def test_it_listens_on_loopback_only(broker: EmbeddedBroker, tmp_path: Path) -> None:
    process = process_of(tmp_path)
    sockets = {os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()}
    listening = [
        fields[1].split(":")[0]
        for table in ("tcp", "tcp6")
        for fields in (line.split() for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets
    ]
    assert listening == ["0100007F"] * 2  # MQTT, and the gate's own door


def test_it_refuses_to_listen_where_others_could_read_along(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        stopped(tmp_path, host="0.0.0.0")


def test_the_nats_protocol_lets_in_nobody_not_even_with_a_units_secret(
    broker: EmbeddedBroker, tmp_path: Path, known: dict[str, str]
) -> None:
    door = json.loads(next((tmp_path / "broker/ports").iterdir()).read_text(encoding="utf-8"))["nats"][0]
    port = int(door.rpartition(":")[2])
    for offered in ({}, {"user": "u-1", "pass": known["u-1"]}, {"user": CONTROLLER, "pass": known[CONTROLLER]}):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as link, link.makefile("rb") as answers:
            assert answers.readline().startswith(b"INFO ")
            link.sendall(f"CONNECT {json.dumps({'verbose': False, **offered})}\r\nPING\r\n".encode())
            assert b"Authorization Violation" in answers.readline()


def test_a_credential_works_under_its_own_client_id_only(broker: EmbeddedBroker, known: dict[str, str]) -> None:
    rightful = enter(broker, "u-2", known["u-2"])
    for client_id in ("u-2", CONTROLLER, "U-1", "u-1x"):
        with pytest.raises(NotLetIn):
            enter(broker, "u-1", known["u-1"], client_id)
    assert rightful.is_open
    rightful.goodbye()


@pytest.mark.requirement("R-084")
def test_a_revoked_unit_is_cut_off_at_once_and_a_new_one_may_enter_while_others_stay(
    broker: EmbeddedBroker, known: dict[str, str]
) -> None:
    controller = enter(broker, CONTROLLER, known[CONTROLLER])
    controller.publish(topics.to_unit("u-2", In.PLAN), b"kept", retain=True)
    revoked, stays = enter(broker, "u-1", known["u-1"]), enter(broker, "u-2", known["u-2"])
    old_secret = known.pop("u-1")
    known["u-3"] = new_secret()
    broker.reload()
    until(lambda: not revoked.is_open, "the revoked unit is cut off")
    with pytest.raises(NotLetIn):
        enter(broker, "u-1", old_secret)
    enter(broker, "u-3", known["u-3"]).goodbye()
    stays.subscribe("loa/v1/u/u-2/in/#")
    until(lambda: [packet.payload for packet in stays.inbox] == [b"kept"], "what was retained is still there")
    assert stays.is_open
    assert controller.is_open
    stays.goodbye()
    controller.goodbye()


def test_a_unit_with_a_new_secret_must_come_in_again_with_it(broker: EmbeddedBroker, known: dict[str, str]) -> None:
    before = enter(broker, "u-1", known["u-1"])
    stolen, known["u-1"] = known["u-1"], new_secret()
    broker.reload()
    until(lambda: not before.is_open, "the holder of the old secret is cut off")
    with pytest.raises(NotLetIn):
        enter(broker, "u-1", stolen)
    enter(broker, "u-1", known["u-1"]).goodbye()


def test_what_was_retained_survives_a_kill_and_the_kill_is_noticed(
    broker: EmbeddedBroker, tmp_path: Path, known: dict[str, str]
) -> None:
    reported = topics.from_unit("u-1", Out.REPORTED)
    unit = enter(broker, "u-1", known["u-1"])
    unit.publish(reported, b"version 7", retain=True)
    os.kill(process_of(tmp_path), signal.SIGKILL)
    until(lambda: not broker.alive, "the death is noticed")
    address = broker.address
    broker.start()
    assert broker.address == address
    controller = enter(broker, CONTROLLER, known[CONTROLLER])
    controller.subscribe("loa/v1/u/+/out/#", 1)
    until(lambda: [packet.payload for packet in controller.inbox] == [b"version 7"], "the retained message")
    controller.goodbye()


def test_it_does_not_outlive_a_killed_controller(tmp_path: Path) -> None:
    program = f"""
import sys, threading
from pathlib import Path
from broadcasts.clock import SystemClock
from controller.mqtt.embedded import EmbeddedBroker
def spawn(name, work): threading.Thread(target=work, daemon=True).start()
EmbeddedBroker(Path({str(tmp_path / "broker")!r}), list, SystemClock(), spawn).start()
print("up", flush=True)
threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        process = process_of(tmp_path)
        assert is_running(process)
        owner.kill()
        until(lambda: not is_running(process), "the broker ends with its controller")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(Fault, match="broker_port_in_use") as caught:
            stopped(tmp_path, port=port).start()
    assert caught.value.fields == {"host": "127.0.0.1", "port": port}


def test_a_missing_program_and_one_that_is_too_old_are_named(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="broker_missing"):
        find_binary(tmp_path / "nowhere")
    for said in ("nats-server: v2.9.10", "nats-server: v2.12.4", "something else"):
        with pytest.raises(Fault, match="broker_too_old") as caught:
            find_binary(a_program(tmp_path, f"echo '{said}'"))
        assert caught.value.fields["needed"] == "2.12.5"
    assert find_binary(a_program(tmp_path, "echo 'nats-server: v2.12.5'"))


def test_a_broker_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = a_program(
        tmp_path, '[ "$1" = --version ] && echo v9.0.0 && exit 0\necho "no space left on device" >&2\nexit 1'
    )
    broker = stopped(tmp_path, binary=program)
    with pytest.raises(Fault, match="broker_failed") as caught:
        broker.start()
    assert caught.value.fields["detail"] == "no space left on device"
    assert not broker.alive


def test_two_hundred_units_that_come_back_at_once_are_all_let_in(tmp_path: Path) -> None:
    known = {f"u-{number}": new_secret() for number in range(200)}
    with embedded(tmp_path, known) as broker:
        inside: list[PahoParty] = []
        threads = [
            threading.Thread(target=lambda name=name, secret=secret: inside.append(enter(broker, name, secret)))
            for name, secret in known.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(inside) == 200
        for party in inside:
            party.drop()
