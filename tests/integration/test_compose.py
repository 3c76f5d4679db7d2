"""deploy/compose.yaml for real: brought up, heard through, its parts paused and killed, backed up, upgraded, put back
on an empty machine, by the commands of deploy/README.md. The images of others are Debian's programs under their names
(deploy/ci/engine.sh), so what is proven is our file. Grafana is not among them: Debian has none.

The tests of this file are one story and run in their order."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from support.composed import WITHOUT_GRAFANA, Composed, answer, begins, composed, hand_in, rows
from support.engine import docker, our_image
from support.wait import until

from broadcasts.audio.sample import write_sample
from broadcasts.clock import SystemClock

pytestmark = pytest.mark.docker

UNITS = 5
CLOCK = SystemClock()


@dataclass
class Story:
    stack: Composed
    undo: ExitStack
    author: httpx.Client = field(init=False)
    approver: httpx.Client = field(init=False)
    secrets: dict[str, str] = field(default_factory=dict)
    recording: bytes = b""
    broadcast: str = ""
    asset: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("compose")
    with composed(our_image(), folder) as stack, ExitStack() as undo:
        stack.up(*WITHOUT_GRAFANA)
        told = Story(stack, undo)
        seeded = stack("exec", "-T", "controller", "loa", "seed", "--all-day", "--json", "--clusters", str(UNITS))
        accounts = json.loads(seeded)["passwords"]
        fleet = json.loads(stack("exec", "-T", "controller", "cat", "/var/lib/loa/data/fleet.json"))
        told.secrets = {unit["unit"]: unit["secret"] for unit in fleet["units"]}
        # As README.md says: the names of new units for the broker, then the units.
        stack("up", "prepare")
        stack("kill", "-s", "HUP", "mosquitto")
        stack.up("simulator")
        told.author = undo.enter_context(stack.person("phatthanh", accounts["phatthanh"]))
        told.approver = undo.enter_context(stack.person("lanhdao", accounts["lanhdao"]))
        # Half a minute: long enough to lose two containers in the middle of it.
        text = "Đây là bản tin phát thử của đài truyền thanh xã. " * 10
        told.recording = write_sample(folder / "sample.wav", text=text).read_bytes()
        yield told


def online(story: Story) -> int:
    try:
        return sum(line["presence"] == "online" for line in answer(story.approver.get("/api/v1/clusters")))
    except httpx.HTTPError:
        return -1


def ready(story: Story, broadcast: str) -> bool:
    told = rows(story.approver, broadcast)
    return len(told) == UNITS and all(row["state"] == "ready" for row in told)


def heard(story: Story, broadcast: str) -> bool:
    told = rows(story.approver, broadcast)
    return len(told) == UNITS and all(row["verdict"] == "heard" for row in told)


def fetch(story: Story, unit: str, secret: str, **headers: str) -> httpx.Response:
    address = f"https://127.0.0.1:{story.stack.port['PUBLISH_FILES']}/u/assets/{story.asset}"
    return httpx.get(address, auth=(unit, secret), headers=headers, verify=story.stack.trust(), timeout=30)


def test_every_service_is_healthy_and_nobody_is_root_or_may_write_the_disk(story: Story) -> None:
    services = ("postgres", "mosquitto", "controller", "files", "prometheus", "alertmanager")
    for service in services:
        until(lambda one=service: story.stack.health(one) == "healthy", f"{service} is healthy", 120)  # type: ignore[misc]
        told = json.loads(docker("inspect", story.stack.container(service)))[0]
        host: dict[str, Any] = told["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert host["Memory"] > 0, service
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        secrets = [each for each in told["Config"]["Env"] if "PASSWORD=" in each or "SECRET=" in each]
        assert secrets == [], service
        # The first process of each: PostgreSQL's gives up root after it has looked at its folder.
        uid = docker("exec", story.stack.container(service), "stat", "-c", "%u", "/proc/1")
        assert uid != "0", service


def test_the_one_that_hands_out_sound_can_read_no_key(story: Story) -> None:
    container = story.stack.container("files")
    for place in ("data/keys", "data/tls", "secrets", "data/fleet.json"):
        command = f"ls /var/lib/loa/{place}/ || cat /var/lib/loa/{place}"
        assert docker("exec", container, "sh", "-c", command, check=False) == ""
    assert docker("exec", container, "sh", "-c", "test -x /var/lib/loa/data && echo yes") == "yes"


def test_the_rules_are_loaded_the_controller_is_scraped_and_alerts_find_their_way(story: Story) -> None:
    prometheus = f"http://127.0.0.1:{story.stack.port['PROMETHEUS_PORT']}/api/v1"

    def scraped() -> bool:
        found = httpx.get(f"{prometheus}/query", params={"query": 'up{job="loa"}'}).json()["data"]["result"]
        return bool(found) and found[0]["value"][1] == "1"

    until(scraped, "Prometheus has the controller's page, by TLS and token", 60)
    groups = httpx.get(f"{prometheus}/rules").json()["data"]["groups"]
    assert sum(len(group["rules"]) for group in groups) > 30
    told = httpx.get(f"{prometheus}/alertmanagers").json()["data"]["activeAlertmanagers"]
    assert [each["url"] for each in told] == ["http://alertmanager:9093/api/v2/alerts"]


def test_a_bulletin_is_heard_although_controller_and_broker_are_killed_while_it_sounds(story: Story) -> None:
    until(lambda: online(story) == UNITS, "every simulated pole is connected", 120)
    story.broadcast, story.asset = hand_in(story.author, story.approver, story.recording, timedelta(seconds=90))
    until(lambda: ready(story, story.broadcast), "every pole holds plan and sound", 85)
    told = rows(story.approver, story.broadcast)
    start = begins(told)
    docker("pause", story.stack.container("controller"))  # at the minute of its start it says nothing at all
    until(lambda: CLOCK.now() > start + timedelta(seconds=3), "it sounds", 120)
    docker("unpause", story.stack.container("controller"))
    docker("kill", "-s", "KILL", story.stack.container("controller"))
    docker("kill", "-s", "KILL", story.stack.container("mosquitto"))
    until(lambda: CLOCK.now() > start + timedelta(seconds=10), "both are away while it sounds", 60)
    # Whoever kills by hand means it: the engine restarts what falls over by itself, not what it was told to kill.
    story.stack.up(*WITHOUT_GRAFANA, "simulator")
    until(lambda: heard(story, story.broadcast), "the proof of every pole has come", 180)
    assert {row["state"] for row in rows(story.approver, story.broadcast)} == {"played"}


def test_nginx_hands_a_unit_its_own_sound_in_ranges_and_nobody_else_anything(story: Story) -> None:
    unit, secret = next(iter(story.secrets.items()))
    whole = fetch(story, unit, secret)
    assert whole.status_code == 200
    assert hashlib.sha256(whole.content).hexdigest() == story.asset
    assert whole.headers["server"].startswith("nginx")
    part = fetch(story, unit, secret, range="bytes=1000-1999")
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])
    assert fetch(story, unit, secret, range="bytes=999999999-").status_code == 416
    assert fetch(story, unit, "wrong").status_code == 401
    address = f"https://127.0.0.1:{story.stack.port['PUBLISH_FILES']}/held/{story.asset[:2]}/{story.asset}"
    assert httpx.get(address, verify=story.stack.trust()).status_code == 404


def test_a_unit_that_was_revoked_fetches_nothing_any_more_and_the_broker_knows_it(story: Story) -> None:
    unit, secret = list(story.secrets.items())[-1]
    assert fetch(story, unit, secret).status_code == 200
    words = ("--kind", "stolen", "--reason", "mất trộm")
    story.stack("exec", "-T", "controller", "loa", "unit", "revoke", unit, *words)
    assert fetch(story, unit, secret).status_code == 401

    def cut_off() -> bool:
        told = docker("exec", story.stack.container("mosquitto"), "cat", "/mosquitto/data/dynamic-security.json")
        return f'"{unit}"' in told and "loa-revoked" in told

    until(cut_off, "the broker was told to let it in no more", 120)


def test_through_one_port_each_name_leads_to_its_own_service(story: Story) -> None:
    port, trust = story.stack.port["PUBLISH_443"], story.stack.trust()
    trust.check_hostname = False  # the names are those of another station; the chain is checked

    def asked(name: str, protocols: tuple[str, ...] = ()) -> ssl.SSLSocket:
        if protocols:
            trust.set_alpn_protocols(list(protocols))
        line = socket.create_connection(("127.0.0.1", port), 10)
        return trust.wrap_socket(line, server_hostname=name)

    def status(name: str) -> bytes:
        with asked(name) as line:
            line.sendall(f"GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return line.recv(100).splitlines()[0]

    assert status("loa.xa.example") == b"HTTP/1.1 200 OK"
    assert status("files.xa.example") == b"HTTP/1.1 204 No Content"

    def words_of(name: str, protocols: tuple[str, ...] = ()) -> bytes:
        """What comes back for a web server's question; nothing from one that ends the connection."""
        try:
            with asked(name, protocols) as line:
                line.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return line.recv(100)
        except OSError:
            return b""

    assert words_of("loa.xa.example") != b""
    # Mosquitto asks for a certificate and, without one, ends the connection without a word that a browser knows.
    assert words_of("mqtt.xa.example") == b""
    assert words_of("loa.xa.example", ("mqtt",)) == b""


def test_what_was_backed_up_is_put_back_on_an_empty_machine_and_a_newer_image_goes_on_with_it(story: Story) -> None:
    stack = story.stack
    stack("exec", "-T", "controller", "python", "-m", "deploy.backup", "--to", "/var/lib/loa/one.tar")
    stack("cp", "controller:/var/lib/loa/one.tar", str(stack.folder / "one.tar"))
    before = CLOCK.monotonic()
    stack("stop", "controller")
    assert CLOCK.monotonic() - before < 35
    state = json.loads(docker("inspect", "-f", "{{json .State}}", stack.container("controller")))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    stack("--profile", "simulator", "down", "-v", "--timeout", "10")

    # Another machine, another image of a later day.
    docker("tag", stack.environment["LOA_IMAGE"], "loa:later")
    stack.environment["LOA_IMAGE"] = "loa:later"
    stack("up", "-d", "--wait", "--wait-timeout", "120", "postgres")
    command = "umask 077; cat > /var/lib/loa/back.tar && python -m deploy.restore /var/lib/loa/back.tar --replace"
    with (stack.folder / "one.tar").open("rb") as archive:
        told = stack("run", "--rm", "-T", "--no-deps", "controller", "sh", "-c", command, stdin=archive)
    assert "restored the state of" in told
    stack.up(*WITHOUT_GRAFANA)
    assert "phatthanh" in stack("exec", "-T", "controller", "loa", "user", "list")
    assert "FAIL" not in stack("exec", "-T", "controller", "loa", "check")
