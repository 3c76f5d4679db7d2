"""`loa check` at a real Mosquitto: each mistake of an operator is one clear line, and nobody is hurt by looking."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import (
    free_port,
    mosquitto_settings,
    mosquitto_with_certificates,
    run_mosquitto,
    running_broker,
)
from support.parties import OverSockets, payloads
from support.wait import until

from broadcasts.clock import SystemClock
from broadcasts.wire import topics
from broadcasts.wire.topics import Out
from controller.bootstrap.broker_check import look_at_broker
from controller.mqtt.broker_users import CONTROLLER, write_mosquitto_passwords
from controller.settings import Settings
from deploy.broker_certificates import provide
from deploy.local_ca import CLIENTS

ALL = [
    "broker-reach",
    "broker-tls",
    "broker-login",
    "broker-may",
    "broker-may-not",
    "broker-client",
    "broker-nobody",
]


@pytest.fixture(scope="module")
def with_secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    with running_broker("mosquitto", tmp_path_factory.mktemp("secrets")) as made:
        assert isinstance(made, OverSockets)
        yield made


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverSockets]:
    known = {"u-1": "", CONTROLLER: ""}
    with mosquitto_with_certificates(tmp_path_factory.mktemp("strict"), known) as made:
        yield made


def by_secret(broker: OverSockets, data: Path, **other: object) -> Settings:
    port = other.pop("port", broker.address[1])
    given = {"broker_secret": broker.secrets[CONTROLLER], **other}
    return Settings(data=data, broker=f"mqtt://127.0.0.1:{port}", **given)  # type: ignore[arg-type]


def by_certificate(broker: OverSockets, data: Path, host: str = "127.0.0.1", **other: object) -> Settings:
    own = broker.secrets[CONTROLLER]
    given = {
        "broker_ca": broker.folder / "authority.crt",
        "broker_cert": Path(f"{own}.crt"),
        "broker_key": Path(f"{own}.key"),
        **other,
    }
    return Settings(data=data, broker=f"mqtts://{host}:{broker.address[1]}", **given)  # type: ignore[arg-type]


def told(settings: Settings) -> dict[str, str]:
    """What was found by name; what is not well begins with FAIL."""
    return {line.name: line.found if line.well else f"FAIL {line.found}" for line in look_at_broker(settings)}


def failing(settings: Settings) -> tuple[str, str]:
    """The one line that is not well; it is the last one."""
    lines = told(settings)
    name, found = list(lines.items())[-1]
    assert [each for each in lines.values() if each.startswith("FAIL")] == [found]
    return name, found


def test_all_is_well_with_a_secret(with_secrets: OverSockets, tmp_path: Path) -> None:
    lines = told(by_secret(with_secrets, tmp_path))
    assert list(lines) == ALL
    assert not [each for each in lines.values() if each.startswith("FAIL")], lines


def test_all_is_well_with_a_certificate(strict: OverSockets, tmp_path: Path) -> None:
    lines = told(by_certificate(strict, tmp_path))
    assert list(lines) == ALL
    assert not [each for each in lines.values() if each.startswith("FAIL")], lines
    assert lines["broker-tls"].startswith("TLSv1.")


def test_a_wrong_port_is_told_as_nobody_there(with_secrets: OverSockets, tmp_path: Path) -> None:
    port = free_port()
    name, found = failing(by_secret(with_secrets, tmp_path, port=port))
    assert name == "broker-reach"
    assert f"nobody answers at 127.0.0.1:{port}: Connection refused" in found


def test_a_broker_that_wants_tls_is_told_where_the_address_says_plain(strict: OverSockets, tmp_path: Path) -> None:
    plain = Settings(data=tmp_path, broker=f"mqtt://127.0.0.1:{strict.address[1]}", broker_secret="any")
    name, found = failing(plain)
    assert name == "broker-login"
    assert "does it want TLS" in found


def test_a_plain_broker_is_told_as_speaking_no_tls(
    with_secrets: OverSockets, strict: OverSockets, tmp_path: Path
) -> None:
    settings = by_certificate(strict, tmp_path)
    plain = Settings(**{**vars(settings), "broker": f"mqtts://127.0.0.1:{with_secrets.address[1]}"})
    name, found = failing(plain)
    assert name == "broker-tls"
    assert "does not speak TLS here" in found


def test_a_wrong_authority_is_told_with_its_setting(strict: OverSockets, tmp_path: Path) -> None:
    other = provide(tmp_path / "other", ["127.0.0.1"], [], SystemClock().now()).authority
    name, found = failing(by_certificate(strict, tmp_path, broker_ca=other))
    assert name == "broker-tls"
    assert "not one we trust" in found
    assert "LOA_BROKER_CA" in found


def test_a_broker_of_another_name_is_not_trusted(strict: OverSockets, tmp_path: Path) -> None:
    name, found = failing(by_certificate(strict, tmp_path, host="localhost"))
    assert name == "broker-tls"
    assert "localhost" in found


def test_a_certificate_that_the_broker_does_not_take_is_told(strict: OverSockets, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    provide(folder, ["127.0.0.1"], [], SystemClock().now())
    own = folder / CLIENTS / CONTROLLER
    pair = {"broker_cert": own.with_suffix(".crt"), "broker_key": own.with_suffix(".key")}
    name, found = failing(by_certificate(strict, tmp_path, **pair))
    assert name in ("broker-tls", "broker-login")
    assert "does not take our certificate" in found


def test_a_file_that_cannot_be_used_is_told_before_anything_is_tried(strict: OverSockets, tmp_path: Path) -> None:
    name, found = failing(by_certificate(strict, tmp_path, broker_cert=tmp_path / "nowhere"))
    assert (name, "LOA_BROKER_CERT" in found) == ("broker-files", True)


def test_a_wrong_secret_is_told_as_refused(with_secrets: OverSockets, tmp_path: Path) -> None:
    name, found = failing(by_secret(with_secrets, tmp_path, broker_secret="wrong"))
    assert name == "broker-login"
    assert "the broker refuses" in found


@contextlib.contextmanager
def careless(folder: Path, passwords: Path, *lines: str) -> Iterator[int]:
    """The port of a Mosquitto that lacks something."""
    port = free_port()
    listener = f"user root\npassword_file {passwords}\nlistener {port} 127.0.0.1\n" + "\n".join(lines)
    text = mosquitto_settings(listener)
    if "allow_anonymous true" in lines:
        text = text.replace("allow_anonymous false\n", "")
    (folder / "careless.conf").write_text(text.replace("persistence true", "persistence false"), encoding="utf-8")
    child = run_mosquitto(folder / "careless.conf", port, folder / "careless.log")
    try:
        yield port
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture
def passwords(with_secrets: OverSockets, tmp_path: Path) -> Path:
    path = tmp_path / "passwords"
    write_mosquitto_passwords(path, [(CONTROLLER, with_secrets.secrets[CONTROLLER])])
    return path


def test_a_missing_acl_is_told_by_what_it_lets_us_do(
    with_secrets: OverSockets, tmp_path: Path, passwords: Path
) -> None:
    with careless(tmp_path, passwords, "use_username_as_clientid true") as port:
        lines = told(by_secret(with_secrets, tmp_path, port=port))
    assert lines["broker-may-not"].startswith("FAIL may speak for a unit")
    assert "may read what a unit is told" in lines["broker-may-not"]
    assert "acl_file" in lines["broker-may-not"]
    assert not lines["broker-may"].startswith("FAIL")


def test_an_acl_without_the_controller_is_told_by_what_it_keeps_from_us(
    with_secrets: OverSockets, tmp_path: Path, passwords: Path
) -> None:
    acl = Path(__file__).parents[2] / "deploy/mosquitto/acl"
    (tmp_path / "acl").write_text(acl.read_text(encoding="utf-8").partition("user controller")[0], encoding="utf-8")
    lines_of_file = [f"acl_file {tmp_path / 'acl'}", "use_username_as_clientid true"]
    with careless(tmp_path, passwords, *lines_of_file) as port:
        lines = told(by_secret(with_secrets, tmp_path, port=port))
    assert lines["broker-may"].startswith("FAIL may not write and read back plans")
    assert "hear units" in lines["broker-may"]
    assert not lines["broker-may-not"].startswith("FAIL")


def test_open_doors_and_free_client_ids_are_told(with_secrets: OverSockets, tmp_path: Path, passwords: Path) -> None:
    shutil.copy(Path(__file__).parents[2] / "deploy/mosquitto/acl", tmp_path / "acl")
    with careless(tmp_path, passwords, f"acl_file {tmp_path / 'acl'}", "allow_anonymous true") as port:
        lines = told(by_secret(with_secrets, tmp_path, port=port))
    assert lines["broker-nobody"].startswith("FAIL is let in without a name")
    assert lines["broker-client"].startswith("FAIL the client id can be any")


def test_what_units_said_while_the_controller_was_away_still_waits_for_it(
    with_secrets: OverSockets, tmp_path: Path
) -> None:
    journal = topics.from_unit("u-7", Out.JOURNAL)
    with_secrets.enter(CONTROLLER).goodbye()  # nothing of others is left
    away = with_secrets.enter(CONTROLLER, clean=False)
    for pattern in topics.CONTROLLER_FILTERS:
        away.subscribe(pattern, 1)
    away.goodbye()
    unit = with_secrets.enter("u-7")
    said = [f"entry {number}".encode() for number in range(20)]
    for entry in said:
        unit.publish(journal, entry)
    assert not [each for each in told(by_secret(with_secrets, tmp_path)).values() if each.startswith("FAIL")]
    unit.publish(journal, b"after the look")
    back = with_secrets.enter(CONTROLLER, clean=False)
    until(lambda: b"after the look" in payloads(back, journal), "what came after the look")
    assert payloads(back, journal) == [*said, b"after the look"]
    assert {packet.topic for packet in back.inbox} == {journal}
    back.goodbye()
    with_secrets.enter(CONTROLLER).goodbye()
    unit.goodbye()


def test_a_look_leaves_no_session_where_there_was_none(with_secrets: OverSockets, tmp_path: Path) -> None:
    with_secrets.enter(CONTROLLER).goodbye()
    told(by_secret(with_secrets, tmp_path))
    after = with_secrets.enter(CONTROLLER, clean=False)
    assert not getattr(after, "session_present", True)
    after.goodbye()
    with_secrets.enter(CONTROLLER).goodbye()


def test_beside_a_controller_that_runs_nothing_cuts_it_off_unless_told_to(
    with_secrets: OverSockets, tmp_path: Path
) -> None:
    running = with_secrets.enter(CONTROLLER)
    with (tmp_path / "loa.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        lines = told(by_secret(with_secrets, tmp_path))
        assert running.is_open
        insisting = look_at_broker(by_secret(with_secrets, tmp_path), insist=True)
    assert list(lines) == ALL[:3]
    assert "the controller runs (process 4711)" in lines["broker-login"]
    assert [line.name for line in insisting if line.well] == ALL
    until(lambda: not running.is_open, "it was cut off")
    running.goodbye()
