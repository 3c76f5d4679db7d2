"""The brokers that Loa runs on, as tests use them: the one in memory, the embedded one, Mosquitto with passwords, and
Mosquitto with client certificates.

Mosquitto comes from the first of: an address in LOA_TEST_MQTT, the program on this machine, a container. It runs with
the production ACL and the production settings, except that a password takes the place of the certificate. With
certificates it is the program, and only folders and the port differ from the production settings.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from support.paho_client import PahoParty
from support.parties import BrokerUnderTest, OverSockets, Party
from support.ports import free_port as free_port
from support.wait import until

from broadcasts.clock import SystemClock
from controller.mqtt.broker_users import (
    CONTROLLER,
    BrokerUser,
    Role,
    new_secret,
    secret_hash,
    write_mosquitto_passwords,
)
from controller.mqtt.embedded import EmbeddedBroker
from deploy.broker_certificates import provide
from deploy.local_ca import CLIENTS
from device_sim.broker import Broker, Packet

Kind = Literal["memory", "nats", "mosquitto", "certificates"]
KINDS: tuple[Kind, ...] = ("memory", "nats", "mosquitto", "certificates")
Route = Literal["environment", "program", "container"]
MOSQUITTO_IMAGE = "eclipse-mosquitto:2"
UNITS = tuple(f"u-{number}" for number in range(1, 61))
"""Known to every broker under test; each test takes names of its own, so that none sees another's leftovers."""

_ELSEWHERE = ("acl_file ", "persistence_location ", "plugin")
"""Lines that hang on where things are; the plugin is somewhere else in each image."""
_SETTINGS = Path(__file__).parents[2] / "deploy/mosquitto"


@contextlib.contextmanager
def running_broker(kind: Kind, folder: Path) -> Iterator[BrokerUnderTest]:
    """A broker that knows `UNITS` and the controller."""
    known = {name: new_secret() for name in (*UNITS, CONTROLLER)}
    match kind:
        case "memory":
            yield InMemory(known)
        case "nats":
            with embedded(folder, known) as broker:
                yield OverSockets(broker.address, known, broker.restart, broker.wipe)
        case "mosquitto":
            with mosquitto_by(first_route(), folder, known) as mosquitto:
                yield mosquitto
        case "certificates":
            with mosquitto_with_certificates(folder, known) as strict:
                yield strict


class InMemory:
    def __init__(self, known: dict[str, str]) -> None:
        self.secrets = known
        self.broker = Broker()
        for name, secret in known.items():
            admit = self.broker.admit_controller if name == CONTROLLER else self.broker.admit_unit
            admit(name, secret)
        self.restart, self.wipe = self.broker.restart, self.broker.wipe

    def enter(
        self,
        name: str,
        *,
        client_id: str | None = None,
        secret: str | None = None,
        clean: bool = True,
        will: Packet | None = None,
    ) -> Party:
        word = self.secrets.get(name, "") if secret is None else secret
        return self.broker.connect(client_id or name or "nobody", name, word, clean=clean, will=will)


def spawn(name: str, work: Callable[[], None]) -> None:
    threading.Thread(target=work, name=name, daemon=True).start()


@contextlib.contextmanager
def embedded(folder: Path, known: dict[str, str]) -> Iterator[EmbeddedBroker]:
    def users() -> list[BrokerUser]:
        return [
            BrokerUser(name, secret_hash(secret), Role.CONTROLLER if name == CONTROLLER else Role.UNIT)
            for name, secret in known.items()
        ]

    broker = EmbeddedBroker(folder / "broker", users, SystemClock(), spawn)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def first_route() -> Route:
    """How Mosquitto can be had here; fails the test in one line when it cannot."""
    if os.environ.get("LOA_TEST_MQTT"):
        return "environment"
    if _program():
        return "program"
    if engine_answers():
        return "container"
    pytest.fail("no Mosquitto: apt-get install mosquitto, or start Docker, or set LOA_TEST_MQTT", pytrace=False)


def engine_answers() -> bool:
    """Whether a container engine is there."""
    import docker
    from docker.errors import DockerException

    try:
        engine = docker.from_env(timeout=5)
    except DockerException:
        return False
    with contextlib.closing(engine):
        return bool(engine.ping())


@contextlib.contextmanager
def mosquitto_by(route: Route, folder: Path, known: dict[str, str]) -> Iterator[OverSockets]:
    match route:
        case "environment":
            yield _from_environment(known)
        case "program":
            with _as_program(folder, known) as broker:
                yield broker
        case "container":
            with _as_container(folder, known) as broker:
                yield broker


def mosquitto_settings(listener: str) -> str:
    """The production file up to its TLS listener, then `listener`."""
    common, _ = (_SETTINGS / "mosquitto.conf").read_text(encoding="utf-8").split("listener 8883\n")
    kept = [line for line in common.splitlines() if not line.startswith(_ELSEWHERE)]
    return "\n".join([*kept, listener, ""])


@contextlib.contextmanager
def mosquitto_with_certificates(folder: Path, known: dict[str, str]) -> Iterator[OverSockets]:
    """The production settings as they are. `known` is filled with the certificates of its names."""
    if not _program():
        pytest.fail("no Mosquitto: apt-get install mosquitto", pytrace=False)
    own, now = folder / "loa", SystemClock().now()
    provide(own, ["127.0.0.1"], [name for name in known if name != CONTROLLER], now)
    provide(own / "strangers", ["127.0.0.1"], [], now)
    known.update({name: str(own / CLIENTS / name) for name in known})
    shutil.copy(_SETTINGS / "acl", own / "acl")
    (folder / "store").mkdir()
    shutil.copy(_SETTINGS / "dynamic-security.json", folder / "store")
    port = free_port()
    text = (_SETTINGS / "mosquitto.conf").read_text(encoding="utf-8")
    for there, here in (
        ("/etc/mosquitto/loa", str(own)),
        ("/var/lib/mosquitto/", f"{folder}/store/"),
        ("listener 8883", f"user root\nlistener {port} 127.0.0.1"),
    ):
        assert there in text
        text = text.replace(there, here)
    (folder / "mosquitto.conf").write_text(text, encoding="utf-8")
    with _restartable(folder, port) as (restart, wipe, reload):
        yield OverSockets(("127.0.0.1", port), known, restart, wipe, own, reload)


def run_mosquitto(config: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Returns when it listens."""
    with log.open("ab") as output:
        child = subprocess.Popen([_program() or "mosquitto", "-c", str(config)], stdout=output, stderr=output)

    def listens() -> bool:
        assert child.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    until(listens, "mosquitto listens")
    return child


def _program() -> str | None:
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")


def _prepare(folder: Path, known: dict[str, str], inside: str, port: int, bind: str) -> Path:
    """Config, ACL, passwords and store in `folder`, which the broker sees as `inside`."""
    (folder / "store").mkdir(parents=True, exist_ok=True)
    shutil.copy(_SETTINGS / "acl", folder / "acl")
    write_mosquitto_passwords(folder / "passwords", known.items())
    listener = f"""user root
acl_file {inside}/acl
password_file {inside}/passwords
persistence_location {inside}/store/
listener {port} {bind}
use_username_as_clientid true
"""
    config = folder / "mosquitto.conf"
    config.write_text(mosquitto_settings(listener), encoding="utf-8")
    return config


@contextlib.contextmanager
def _as_program(folder: Path, known: dict[str, str]) -> Iterator[OverSockets]:
    port = free_port()
    _prepare(folder, known, str(folder), port, "127.0.0.1")
    with _restartable(folder, port) as (restart, wipe, reload):
        yield OverSockets(("127.0.0.1", port), known, restart, wipe, reload=reload)


@contextlib.contextmanager
def _restartable(folder: Path, port: int) -> Iterator[tuple[Callable[[], None], ...]]:
    """The program with `folder/mosquitto.conf`: how to restart it, to wipe `folder/store`, to have it read all anew."""
    config, log = folder / "mosquitto.conf", folder / "mosquitto.log"
    child = run_mosquitto(config, port, log)

    def restart(between: Callable[[], None] = lambda: None) -> None:
        nonlocal child
        child.terminate()
        child.wait(10)
        between()
        child = run_mosquitto(config, port, log)

    def wipe() -> None:
        restart(lambda: (folder / "store/mosquitto.db").unlink(missing_ok=True))

    def reload() -> None:
        told = log.stat().st_size
        child.send_signal(signal.SIGHUP)
        until(lambda: b"Reloading config" in log.read_bytes()[told:], "mosquitto reads its settings again")

    try:
        yield restart, wipe, reload
    finally:
        child.terminate()
        child.wait(10)


@contextlib.contextmanager
def _as_container(folder: Path, known: dict[str, str]) -> Iterator[OverSockets]:
    from testcontainers.community.mqtt import MosquittoContainer

    inside, port, outside = "/mosquitto/loa", 1884, free_port()
    config = _prepare(folder, known, inside, port, "0.0.0.0")  # of the container's own network
    container = MosquittoContainer(MOSQUITTO_IMAGE)
    container.with_volume_mapping(str(folder), inside, "rw")
    container.with_bind_ports(port, outside)  # a fixed one: it must be the same after a restart
    container.start(configfile=str(config))
    address = (container.get_container_host_ip(), outside)

    def answers() -> bool:
        # The engine's own forwarder accepts before the broker does, so only an MQTT answer counts.
        with contextlib.suppress(OSError, AssertionError):
            PahoParty(address, CONTROLLER, CONTROLLER, known[CONTROLLER], clean=False, will=None).goodbye()
            return True
        return False

    def restart(between: Callable[[], None] = lambda: None) -> None:
        wrapped = container.get_wrapped_container()
        wrapped.stop(timeout=10)
        between()
        wrapped.start()
        until(answers, "mosquitto answers", 30)

    def wipe() -> None:
        restart(lambda: (folder / "store/mosquitto.db").unlink(missing_ok=True))

    try:
        until(answers, "mosquitto answers", 30)
        yield OverSockets(address, known, restart, wipe)
    finally:
        container.stop()


def _from_environment(known: dict[str, str]) -> OverSockets:
    """LOA_TEST_MQTT is host:port of a Mosquitto with our ACL; LOA_TEST_MQTT_SECRETS a JSON file {name: secret} with
    `UNITS` and the controller; LOA_TEST_MQTT_RESTART and _WIPE are commands."""
    host, _, port = os.environ["LOA_TEST_MQTT"].rpartition(":")

    def setting(name: str) -> str:
        value = os.environ.get(name)
        if not value:
            pytest.fail(f"LOA_TEST_MQTT is set, so {name} must be too", pytrace=False)
        return value

    def command(name: str) -> Callable[[], None]:
        words = shlex.split(setting(name))
        return lambda: subprocess.run(words, check=True, timeout=60) and None

    known.clear()
    known.update(json.loads(Path(setting("LOA_TEST_MQTT_SECRETS")).read_text(encoding="utf-8")))
    return OverSockets((host, int(port)), known, command("LOA_TEST_MQTT_RESTART"), command("LOA_TEST_MQTT_WIPE"))
